"""Known vulnerabilities of what gwevent needs to run: python .ci/audit.py INTERPRETER SCRATCH.

INTERPRETER is that of the environment to look at; pip-audit gets one of its own in SCRATCH. Where it, or its
data, can't be had, that is said and nothing fails; a known vulnerability fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LONGEST_S = 600


def main(interpreter: str, scratch: Path) -> int:
    """Audit, print what was found, and return the exit status."""
    tool = scratch / "bin" / "pip-audit"
    for command in (
        [interpreter, "-m", "venv", scratch],
        [scratch / "bin/pip", "install", "--quiet", "pip-audit"],
    ):
        if run(*command).returncode:
            print("Nothing was audited: pip-audit can't be installed here.")
            return 0
    pinned = scratch / "pinned.txt"
    pinned.write_text(run(interpreter, "-m", "pip", "freeze", "--exclude-editable").stdout)
    audited = run(
        tool, "--requirement", pinned, "--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"
    )
    try:
        packages: list[dict[str, Any]] = json.loads(audited.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (audited.stderr.strip().splitlines() or ["it says nothing"])[-1]
        print(f"Nothing was audited: pip-audit can't do its work here ({last[:200]}).")
        return 0
    known = [package for package in packages if "vulns" in package]
    if not known:
        print(f"Nothing was audited: pip-audit's data about {len(packages)} packages can't be reached here.")
        return 0
    found = 0
    for package in known:
        for hole in package["vulns"]:
            found += 1
            fixed = ", ".join(hole["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {hole['id']}, mended in {fixed}")
    print(f"{len(known)} of {len(packages)} packages audited, {found} known vulnerabilities.")
    return 1 if found else 0


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, however it ends."""
    words = [str(word) for word in command]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", "it took too long")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
