"""Change the code wrongly and see whether the tests notice: python -m tests.mutation --seed N --count M.

By hand, not in CI: a mutant takes from five seconds to a few minutes. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutation.mutants import Mutant, list_mutants, mutate
from tests.mutation.targets import OUTBOX, PURE, REPOSITORY, modules, stages_of

OUTBOX_SHARE = 0.25
"""The share of the sample that is of the outbox's decisions, which have few lines."""
STAGE_TIMEOUT_S = 600
"""A stage that takes longer counts as noticed: the mutant doesn't end."""
_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "dist", "build"
)
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def sample(seed: int, count: int) -> list[Mutant]:
    """Return `count` mutants, the same for the same seed and the same code."""
    random_numbers = random.Random(seed)
    chosen: list[Mutant] = []
    outbox = round(count * OUTBOX_SHARE)
    for places, number in ((PURE, count - outbox), (OUTBOX, outbox)):
        every = [mutant for module in modules(places) for mutant in mutants_of(module)]
        chosen += random_numbers.sample(every, min(number, len(every)))
    return chosen


def sample_under(folder: str, seed: int, count: int) -> list[Mutant]:
    """Return `count` mutants of one package or module, the same for the same seed and the same code."""
    under = [module for module in modules(PURE + OUTBOX) if Path(module).is_relative_to(folder)]
    every = [mutant for module in under for mutant in mutants_of(module)]
    return random.Random(seed).sample(every, min(count, len(every)))


def mutants_of(module: str) -> list[Mutant]:
    """Return every mutant of a module of the repository."""
    return list_mutants(module, (REPOSITORY / module).read_text("utf-8"))


class Copy:
    """A copy of the tree, in which one module at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "gwevent"
        shutil.copytree(REPOSITORY, self._folder, ignore=_NOT_COPIED, symlinks=True)
        # Compiled files that are valid by content: those by time would miss a change within a second.
        compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "bot", "formatters"]
        subprocess.run([sys.executable, *compile_all], cwd=self._folder, check=True)
        self._trusted: set[str] = set()
        """Tests that are known to pass without a change."""

    def check_trusted(self, test: str) -> None:
        """Raise SystemExit if a test fails without a change too: then its failure says nothing."""
        # A parameter's text may hold blanks, which cut its name; the whole test is named without.
        whole = test.split("[")[0]
        if whole.startswith("tests/") and whole not in self._trusted:
            if (failed := self.first_failure([whole])) is not None:
                raise SystemExit(f"Without a change it fails too: {failed}. Mend that first.")
            self._trusted.add(whole)

    def killer(self, mutant: Mutant) -> str | None:
        """Return the test that notices a mutant, or what else ended it; None if it survives."""
        module = self._folder / mutant.path
        source = module.read_text("utf-8")
        module.write_text(mutate(source, mutant.number), "utf-8")
        try:
            for stage in stages_of(mutant.path):
                if (failed := self.first_failure(stage)) is not None:
                    return failed
            return None
        finally:
            module.write_text(source, "utf-8")

    def first_failure(self, tests: list[str]) -> str | None:
        """Return the first test that fails, or what else ended them; None if all pass."""
        words = ["-m", "pytest", "-n", "0", "-q", "-x", "-p", "no:cacheprovider", "--timeout", "60"]
        chosen = ["-m", "not slow and not process and not browser"]
        process = subprocess.Popen(
            [sys.executable, *words, *chosen, *tests],
            cwd=self._folder,
            # In CI's profile hypothesis draws the same examples each time.
            env={**os.environ, "CI": "true", "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=STAGE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return "it doesn't end"
        if process.returncode in (0, 5):
            return None
        if process.returncode == 4:
            raise SystemExit(f"pytest can't be used so: {output.strip()[-200:]}")
        failed = _FAILED.search(output)
        return failed[1] if failed else f"exit status {process.returncode}: {output.strip()[-200:]}"


def main() -> int:
    """Run the sample and print what became of each mutant; the exit status is 1 if one survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these mutants: bot/filters/parser.py:12 …")
    parser.add_argument("--under", metavar="PATH", help="of this package or module alone: bot/criteria")
    parser.add_argument("--list", action="store_true", help="print the sample and run nothing")
    options = parser.parse_args()
    if options.only:
        every = {mutant.name: mutant for module in modules(PURE + OUTBOX) for mutant in mutants_of(module)}
        chosen = [every[name] for name in options.only]
    elif options.under:
        chosen = sample_under(options.under, options.seed, options.count)
    else:
        chosen = sample(options.seed, options.count)
    if options.list:
        print(*chosen, sep="\n")
        return 0
    survivors: list[Mutant] = []
    with tempfile.TemporaryDirectory(prefix="gwevent-mutation-") as folder:
        tree = Copy(Path(folder))
        for number, mutant in enumerate(chosen, 1):
            began = time.monotonic()
            killer = tree.killer(mutant)
            if killer is not None:
                tree.check_trusted(killer)
            print(f"{number}/{len(chosen)} {mutant}", flush=True)
            print(f"    {killer or 'SURVIVED'} ({time.monotonic() - began:.0f} s)", flush=True)
            if killer is None:
                survivors.append(mutant)
    killed = len(chosen) - len(survivors)
    print(f"\n{killed} of {len(chosen)} mutants were noticed, {killed / len(chosen):.0%}. Survivors:")
    print(*survivors, sep="\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
