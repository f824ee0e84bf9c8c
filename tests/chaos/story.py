"""What is published: small notices of many events at once, told apart by their number within the event."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.samples import to_avro
from formatters.models.notice import EARLYWARNING, INITIAL, PRELIMINARY, RETRACTION, UPDATE
from tests.support.bot_process import bbh_record

ACTIVE_EVENTS = 5
"""Events that are under way."""
STAGES = ((EARLYWARNING, PRELIMINARY), (PRELIMINARY,), (PRELIMINARY, PRELIMINARY))
RETRACTED_FRACTION = 0.15
"""The share of events that end so."""
MAP_FRACTION = 0.04
"""The share of notices with a map (25 kB; without one 2 kB): the broker keeps 5 MB."""
REAL_FRACTION = 0.04
"""The share of real events: only theirs are drawn."""


@dataclass
class NoticeGenerator:
    """Notices in the order of their publishing; the same seed tells the same story."""

    chance: random.Random
    events: dict[str, list[str]] = field(default_factory=dict)
    """Alert types published so far, by superevent id; the n-th is the event's notice n."""
    mapped: float = MAP_FRACTION
    """The share of mocks' notices with a map."""
    _begun: int = 0
    _ahead: dict[str, list[str]] = field(default_factory=dict)
    _now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def told(self) -> int:
        """How many notices were made."""
        return sum(map(len, self.events.values()))

    def go_on(self, count: int) -> list[bytes]:
        """The next notices."""
        return [self._next() for _ in range(count)]

    def alert(self) -> tuple[str, bytes]:
        """The id of a new real event and its first notice."""
        self._begun += 1
        name = f"S{self._now:%y%m%d}{_letters(self._begun)}"
        self._ahead[name] = [PRELIMINARY, UPDATE]
        return name, self._notice(name)

    def _next(self) -> bytes:
        while len(self._ahead) < ACTIVE_EVENTS:
            self._begin()
        return self._notice(self.chance.choice(list(self._ahead)))

    def _notice(self, name: str) -> bytes:
        kind = self._ahead[name].pop(0)
        if not self._ahead[name]:
            del self._ahead[name]
        told = self.events.setdefault(name, [])
        record = bbh_record(name, kind, after=len(told), now=self._now)
        if kind == RETRACTION:
            record["event"] = None
        elif self.chance.random() >= (self.mapped if name.startswith("M") else 0.5):
            record["event"]["skymap"] = None
        told.append(kind)
        return to_avro(record)

    def _begin(self) -> None:
        self._begun += 1
        name = (
            "S" if self.chance.random() < REAL_FRACTION else "MS"
        ) + f"{self._now:%y%m%d}{_letters(self._begun)}"
        kinds = [*self.chance.choice(STAGES), INITIAL, UPDATE, UPDATE][: self.chance.randint(1, 5)]
        if self.chance.random() < RETRACTED_FRACTION:
            kinds.append(RETRACTION)
        self._ahead[name] = kinds


def _letters(number: int) -> str:
    """1 -> a, 27 -> aa, as GraceDB counts."""
    letters = ""
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(97 + digit) + letters
    return letters
