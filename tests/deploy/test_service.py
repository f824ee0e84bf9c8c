"""The systemd unit, by systemd's own word."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "gwevent.service"
MOST_EXPOSED = 1.5
"""systemd's measure, from 0 (nothing) to 10."""


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("there is no systemd-analyze here (Debian, Ubuntu: apt-get install systemd)")
    return found


def test_systemd_finds_nothing_wrong_with_the_unit(analyze: str, tmp_path: Path) -> None:
    # gwevent itself isn't installed where the unit has it.
    unit = tmp_path / UNIT.name
    text = UNIT.read_text("utf-8")
    assert "ExecStart=/opt/gwevent/bin/gwevent run\n" in text
    unit.write_text(text.replace("/opt/gwevent/bin/gwevent", "/bin/true"), "utf-8")
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (0, [])


def test_is_hardened(analyze: str) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    if "offline" in done.stderr:
        pytest.skip("systemd-analyze has no --offline: systemd 250 or newer has it")
    [level] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(level) <= MOST_EXPOSED


def test_writes_only_its_own_folder() -> None:
    text = UNIT.read_text("utf-8")
    assert "ProtectSystem=strict\n" in text
    assert "ReadWritePaths" not in text
    assert "StateDirectory=gwevent\n" in text
