"""A trouble of the bot's own that operators are told of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class IncidentKind(StrEnum):
    """What kind of trouble; of each there is one at a time."""

    SILENCE = "silence"
    """Nothing comes, though the mocks come every hour."""
    SOURCE = "source"
    """The broker can't be read."""
    LAG = "lag"
    """The broker has more than was read, for too long."""
    DELIVERIES = "deliveries"
    """What should be posted waits too long."""
    SLACK = "slack"
    """Socket Mode is out: nobody's commands arrive."""
    STORE = "store"
    """The database doesn't answer, or takes nothing in: notices wait at the broker."""
    SPACE = "space"
    """The database's disk is nearly full."""
    WORKERS = "workers"
    """Of several processes none delivers."""
    CLOCK = "clock"
    """The machine's clock jumped, or the bot's own turned out to be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One trouble, from its beginning to its end."""

    kind: IncidentKind
    since: datetime
    """When it began, not when it was found."""
    detail: str = ""
    """What else is known, without anything secret: a sentence, or a number with its noun."""
    ended: datetime | None = None
    """None while it lasts."""
