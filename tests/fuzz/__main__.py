"""Hostile payloads by the thousand: python -m tests.fuzz [how many]. `./tests/run --corpus [N]` runs it."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter

from tests.fuzz import hostile_payloads
from tests.fuzz.seeds import SHARED_NOTICES
from tests.fuzz.trial import MAP_REFUSED, READ, REFUSED
from tests.fuzz.trial_pool import MEMORY_MB, SLOW_S, Report, run_trials

DEFAULT_COUNT = 20_000
COLUMNS = (REFUSED, MAP_REFUSED, READ, "crash", "hang")


def table(report: Report) -> str:
    """Counts by what was done and what became of it, the slowest of each, and the peak."""
    kinds = Counter(
        done.kind.partition(" ")[0] if "monster" in done.kind else done.kind for done in report.results
    )
    lines = [
        f"{'what was done':<22}{'payloads':>9}" + "".join(f"{name:>13}" for name in COLUMNS) + "   slowest"
    ]
    for kind in [*sorted(kinds), None]:
        of_kind = [done for done in report.results if kind is None or done.kind.startswith(kind)]
        outcomes = Counter(done.outcome for done in of_kind)
        counts = "".join(f"{outcomes[name]:>13,}" for name in COLUMNS)
        slowest = max(done.cpu for done in of_kind)
        lines.append(f"{kind or 'all':<22}{len(of_kind):>9,}{counts}{slowest * 1000:>7,.0f} ms")
    slow = max(report.results, key=lambda done: done.cpu)
    limit = f"at most {SLOW_S * 1000:,.0f}"
    lines.append(f"\nSlowest: {slow.cpu * 1000:,.0f} ms of CPU, seed {slow.seed}, {slow.kind} ({limit}).")
    peak = max(report.results, key=lambda done: done.grown)
    lines.append(f"Most memory: {peak.grown} MB, seed {peak.seed}, {peak.kind} (at most {MEMORY_MB}).")
    return "\n".join(lines)


def main() -> int:
    """Run it, print the table and what is wrong; 1 where something is."""
    try:
        count = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_COUNT
    except ValueError:
        print("How many payloads? A number, please.", file=sys.stderr)
        return 2
    count = max(count, len(hostile_payloads.PAYLOADS))
    workers = os.cpu_count() or 1
    real = "with" if SHARED_NOTICES.is_dir() else "without"
    print(f"{count:,} payloads, {workers} processes, {real} the published notices …", flush=True)
    began = time.monotonic()
    told = 0

    def progress(done: int) -> None:
        nonlocal told
        if done * 10 // count > told:
            told = done * 10 // count
            print(f"{done:,} done", file=sys.stderr, flush=True)

    report = run_trials(range(count), workers=workers, progress=progress)
    print(f"\n{table(report)}\nTook {time.monotonic() - began:,.0f} s.")
    for fault in report.failures[:20]:
        print(f"\nseed {fault.seed}: {fault.kind}: {fault.outcome}, {fault.cpu:.2f} s, {fault.grown} MB")
        print(fault.detail)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
