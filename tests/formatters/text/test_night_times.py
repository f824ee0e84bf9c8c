"""Times and windows in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from formatters.text import night_times

NOON = datetime(2024, 12, 31, 12, 0, tzinfo=UTC)
ZONES = st.sampled_from([UTC, ZoneInfo("America/Los_Angeles"), ZoneInfo("Pacific/Auckland")])


@given(st.floats(0, 86_400), st.floats(0, 86_400), ZONES)
def test_a_window_is_said_in_minutes_that_lie_in_it(after: float, length: float, zone: ZoneInfo) -> None:
    start = NOON + timedelta(seconds=after)
    stop = start + timedelta(seconds=length)
    said = night_times.window_range(start.astimezone(zone), stop.astimezone(zone))
    found = re.fullmatch(r"(\d+ \w+) (\d\d):(\d\d)–(\d\d):(\d\d) UTC", said)
    assert found is not None
    begun = start.replace(hour=int(found[2]), minute=int(found[3]), second=0, microsecond=0)
    begun += timedelta(days=1) if begun < start - timedelta(minutes=1) else timedelta(0)
    assert found[1] == night_times.day(begun)
    assert (int(found[4]), int(found[5])) == (stop.hour, stop.minute)
    if length >= 60:
        assert timedelta(0) <= begun - start < timedelta(minutes=1) and begun <= stop


def test_darkness_isnt_said_to_begin_before_it_does() -> None:
    dusk = datetime(2024, 11, 26, 2, 7, 45, tzinfo=UTC)
    assert night_times.window_range(dusk, dusk + timedelta(hours=5)) == "26 Nov 02:08–07:07 UTC"
    assert night_times.window_range(dusk, dusk + timedelta(seconds=10)) == "26 Nov 02:07–02:07 UTC"
