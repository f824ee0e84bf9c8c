"""Counterpart candidates of 10,000 reports, merged. Run it: python tests/benchmarks/counterparts.py.

Spread over the sky; all at one place, as a hostile message would have them; and all under one name.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bot.counterparts.merging import merge_reports
from bot.counterparts.reports import Report
from formatters.models.counterpart import CandidateSource
from formatters.models.related_message import ReportedPosition, Stream

COUNT = 10_000
ROUNDS = 3
AIM = 2_000
"""ms."""
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = CandidateSource(label="BOOM", reported=NOW, stream=Stream.BOOM)
ARCSEC = 1 / 3_600


def report(number: int, name: str, ra: float, dec: float) -> Report:
    """Return a report of one position."""
    names = (name,) if name else ()
    position = ReportedPosition(ra=ra % 360, dec=dec, name=name, redshift=0.01 + number * 1e-6)
    return Report(names=names, position=position, source=SOURCE)


def designation(number: int) -> str:
    """Return a designation of the Transient Name Server for each number."""
    letters = "".join(chr(97 + number // 26**power % 26) for power in (2, 1, 0))
    return f"AT2026{letters}"


CASES: dict[str, Callable[[int], Report]] = {
    "spread": lambda n: report(n, f"ZTF26{n}x", n * 137.508, (n * 0.754_877) % 170 - 85),
    "at one place": lambda n: report(n, f"ZTF26{n}x", 10.0, 20.0 + (n % 7) * ARCSEC / 10),
    "designations at one place": lambda n: report(n, designation(n), 10.0, 20.0),
    "half of them designations": lambda n: report(n, designation(n) if n % 2 else "", 10.0, 20.0 + n * 1e-8),
    "one name": lambda n: report(n, "AT2026abc", 10.0, 20.0 + n * 1e-3),
    "a chain of aliases": lambda n: report(n, "", 10.0, 20.0 + n * 1e-3),
}


def main() -> None:
    """Print a table of times."""
    print(f"| {COUNT:,} reports | candidates | ms | aim |\n|---|---|---|---|")
    for title, make in CASES.items():
        reports = [make(number) for number in range(COUNT)]
        if title == "a chain of aliases":
            reports = [
                Report(names=(f"A{n}", f"A{n + 1}"), position=one.position, source=one.source)
                for n, one in enumerate(reports)
            ]
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            found = merge_reports(reports)
            times.append((time.perf_counter() - started) * 1_000)
        print(f"| {title} | {len(found):,} | {statistics.median(times):,.0f} | {AIM:,} |")


if __name__ == "__main__":
    main()
