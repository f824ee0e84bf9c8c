"""The windows of time around an event in which alerts count as near; settings give them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.related_messages.nearby_rates import NEUTRINO_STREAMS

MAX_WINDOW_S = 86_400.0
"""The most seconds on either side: in a day, most events have a burst by chance."""
_WINDOW = re.compile(r"(-\d{1,6}(?:\.\d{1,3})?|0)\s*,\s*\+?(\d{1,6}(?:\.\d{1,3})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Seconds before and after an event, both ≥ 0 and not both 0."""

    before_s: float
    after_s: float

    def holds(self, offset_s: float) -> bool:
        """Return True if an alert so many seconds after the event (negative: before) lies in the window."""
        return -self.before_s <= offset_s <= self.after_s

    def around(self, time: datetime) -> tuple[datetime, datetime]:
        """Return the first and last time of the window around an event."""
        return time - timedelta(seconds=self.before_s), time + timedelta(seconds=self.after_s)

    @property
    def reversed(self) -> TimeWindow:
        """The window around an alert in which the events lie that it is near."""
        return TimeWindow(self.after_s, self.before_s)


def parse_window(text: str) -> TimeWindow:
    """Read a window in seconds after the event, "-1,5". Raises ValueError that says what it must be."""
    match = _WINDOW.fullmatch(text.strip())
    before, after = (abs(float(match[1])), float(match[2])) if match else (0.0, 0.0)
    if before + after == 0 or max(before, after) > MAX_WINDOW_S or not math.isfinite(before + after):
        raise ValueError("it must be seconds before and after the event, like -1,5, of at most a day each")
    return TimeWindow(before, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearbyWindows:
    """The windows by what LVK's event is and what the alert is."""

    burst_cbc: TimeWindow = field(default=TimeWindow(1, 5))
    """Bursts around a compact binary merger: RAVEN's window (LVK's user guide; gwcelery 3.0.0, conf)."""
    burst_other: TimeWindow = field(default=TimeWindow(60, 600))
    """Bursts around every other event: RAVEN's window for unmodelled ones (ibid.)."""
    neutrino: TimeWindow = field(default=TimeWindow(500, 500))
    """Neutrinos around any event: that of IceCube's search (Baret et al. 2011, Astropart. Phys. 35, 1)."""

    def window(self, stream: str, group: str) -> TimeWindow:
        """Return the window for a kind of alert and a group of events; one that isn't CBC has no model."""
        if stream in NEUTRINO_STREAMS:
            return self.neutrino
        return self.burst_cbc if group.casefold() == "cbc" else self.burst_other

    @property
    def widest(self) -> TimeWindow:
        """The smallest window that holds all of them, for which the store is asked."""
        windows = (self.burst_cbc, self.burst_other, self.neutrino)
        return TimeWindow(max(w.before_s for w in windows), max(w.after_s for w in windows))
