"""The dates of the observing runs: O1 to O4c."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime


def _utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


OBSERVING_RUNS: Mapping[str, tuple[datetime, datetime]] = {
    "O1": (_utc(2015, 9, 12), _utc(2016, 1, 19, 16)),
    "O2": (_utc(2016, 11, 30, 16), _utc(2017, 8, 25, 22)),
    "O3": (_utc(2019, 4, 1, 15), _utc(2020, 3, 27, 17)),
    "O3a": (_utc(2019, 4, 1, 15), _utc(2019, 10, 1, 15)),
    "O3b": (_utc(2019, 11, 1, 15), _utc(2020, 3, 27, 17)),
    "O4": (_utc(2023, 5, 24, 15), _utc(2025, 11, 18, 16)),
    "O4a": (_utc(2023, 5, 24, 15), _utc(2024, 1, 16, 16)),
    "O4b": (_utc(2024, 4, 10, 15), _utc(2025, 1, 28, 17)),
    "O4c": (_utc(2025, 1, 28, 17), _utc(2025, 11, 18, 16)),
}
"""Begin and end of each run (UTC), breaks included: GWOSC's run segments (gwosc.org,
`datasets.run_segment`); the end of O4 as LVK announced it. Other runs have no dates here, none guessed."""
