"""Break the bot's environment and check the channels: `./tests/run --chaos [case …] [--seed N]`."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Run the cases; return 0 if nothing was lost or doubled."""
    from tests.chaos.runner import CASES, CaseResult, run_cases

    parser = argparse.ArgumentParser(prog="./tests/run --chaos", description=__doc__)
    parser.add_argument("case", nargs="*", metavar="case", help="which ones; all without a name")
    parser.add_argument("--seed", type=int, default=None, help="of all that is random; a new one without")
    parser.add_argument("--jobs", type=int, default=3, help="cases at a time")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    chosen = parser.parse_args()
    if chosen.list:
        for name, case in CASES.items():
            print(f"{name:<28}{(case.__doc__ or '').splitlines()[0]}")
        return 0
    unknown = [name for name in chosen.case if name not in CASES]
    if unknown:
        parser.error(f"there is no case {', '.join(unknown)}; --list names them")
    seed = random.randrange(100_000) if chosen.seed is None else chosen.seed
    names = [name for name in CASES if not chosen.case or name in chosen.case]
    folder = Path(tempfile.mkdtemp(prefix="gwevent-chaos-"))

    def tell(result: CaseResult) -> None:
        verdict = result.verdict
        print(
            f"{result.name:<28}{result.kills:>6}{result.notices:>9}{result.channels:>10}{verdict.messages:>10}"
            f"{len(verdict.lost):>6}{len(verdict.duplicated):>9}{verdict.excused:>9}{result.seconds:>8.0f} s"
            f"{'  skipped' if result.skipped else '' if result.passed else '  NOT PASSED'}",
            flush=True,
        )
        for sentence in [
            *verdict.lost[:10],
            *verdict.duplicated[:10],
            *filter(None, [result.error, result.skipped]),
        ]:
            print(f"    {sentence}", flush=True)

    print(f"Seed {seed}; the bots' logs are in {folder}")
    print(
        f"{'case':<28}{'kills':>6}{'notices':>9}{'channels':>10}{'messages':>10}"
        f"{'lost':>6}{'doubled':>9}{'excused':>9}{'took':>10}"
    )
    # Killed bots leave semaphores behind, about which multiprocessing would warn at the end.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    began = time.monotonic()
    results = []
    for result in run_cases(names, folder, seed, chosen.jobs):
        tell(result)
        results.append(result)
    bad = [result.name for result in results if not result.passed]
    totals = [sum(r.kills for r in results), sum(r.notices for r in results)]
    print(
        f"{len(results)} cases, {totals[0]} kills, {totals[1]} notices, "
        f"{sum(len(r.verdict.lost) for r in results)} lost, "
        f"{sum(len(r.verdict.duplicated) for r in results)} doubled without excuse, "
        f"{time.monotonic() - began:.0f} s; seed {seed}."
    )
    if bad:
        print(f"Not passed: {', '.join(bad)}. Again: ./tests/run --chaos {' '.join(bad)} --seed {seed}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
