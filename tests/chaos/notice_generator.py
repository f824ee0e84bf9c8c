"""Generate small notices of many concurrent events, distinguished by their number within the event."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.samples import to_avro
from formatters.models.notice import EARLYWARNING, INITIAL, PRELIMINARY, RETRACTION, UPDATE
from tests.support.bot_process import bbh_record

ACTIVE_EVENTS = 5
"""Number of concurrent events."""
STAGES = ((EARLYWARNING, PRELIMINARY), (PRELIMINARY,), (PRELIMINARY, PRELIMINARY))
RETRACTED_FRACTION = 0.15
"""Fraction of events that are retracted."""
MAP_FRACTION = 0.04
"""Fraction of notices with a map (25 kB; without one 2 kB). The broker keeps 5 MB."""
REAL_FRACTION = 0.04
"""Fraction of real events; only their maps are drawn."""


@dataclass
class NoticeGenerator:
    """A generator of notices in order of publishing; equal seeds generate equal notices."""

    rng: random.Random
    events: dict[str, list[str]] = field(default_factory=dict)
    """Alert types published so far, by superevent id, in the order of the event's notices."""
    map_fraction: float = MAP_FRACTION
    """Fraction of the mocks' notices with a map."""
    _event_count: int = 0
    _upcoming: dict[str, list[str]] = field(default_factory=dict)
    _now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def count(self) -> int:
        """Number of notices generated so far."""
        return sum(map(len, self.events.values()))

    def next_notices(self, count: int) -> list[bytes]:
        """Generate the next notices."""
        return [self._next() for _ in range(count)]

    def new_real_event(self) -> tuple[str, bytes]:
        """Return the id of a new real event and its first notice."""
        self._event_count += 1
        name = f"S{self._now:%y%m%d}{_letters(self._event_count)}"
        self._upcoming[name] = [PRELIMINARY, UPDATE]
        return name, self._notice(name)

    def _next(self) -> bytes:
        while len(self._upcoming) < ACTIVE_EVENTS:
            self._begin_event()
        return self._notice(self.rng.choice(list(self._upcoming)))

    def _notice(self, name: str) -> bytes:
        kind = self._upcoming[name].pop(0)
        if not self._upcoming[name]:
            del self._upcoming[name]
        told = self.events.setdefault(name, [])
        record = bbh_record(name, kind, after=len(told), now=self._now)
        if kind == RETRACTION:
            record["event"] = None
        elif self.rng.random() >= (self.map_fraction if name.startswith("M") else 0.5):
            record["event"]["skymap"] = None
        told.append(kind)
        return to_avro(record)

    def _begin_event(self) -> None:
        self._event_count += 1
        name = (
            "S" if self.rng.random() < REAL_FRACTION else "MS"
        ) + f"{self._now:%y%m%d}{_letters(self._event_count)}"
        kinds = [*self.rng.choice(STAGES), INITIAL, UPDATE, UPDATE][: self.rng.randint(1, 5)]
        if self.rng.random() < RETRACTED_FRACTION:
            kinds.append(RETRACTION)
        self._upcoming[name] = kinds


def _letters(number: int) -> str:
    """Return a number as letters, as in GraceDB's ids: 1 -> a, 27 -> aa."""
    letters = ""
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(97 + digit) + letters
    return letters
