"""Incidents: problems of gwevent itself that operators are notified of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class IncidentKind(StrEnum):
    """The kind of an incident. At most one incident of each kind is open at a time."""

    SILENCE = "silence"
    """No notice has arrived, although LVK sends a mock every hour."""
    SOURCE = "source"
    """The broker cannot be read."""
    LAG = "lag"
    """Unread messages have remained on the broker for too long."""
    DELIVERIES = "deliveries"
    """Messages to Slack have been waiting for too long."""
    SLACK = "slack"
    """Socket Mode is disconnected, so commands do not arrive."""
    STORE = "store"
    """The database does not respond or rejects writes; notices wait at the broker."""
    SPACE = "space"
    """The database's disk is nearly full."""
    WORKERS = "workers"
    """None of several processes delivers messages."""
    CLOCK = "clock"
    """The machine's clock jumped, or gwevent's own clock was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident, from its start to its end."""

    kind: IncidentKind
    since: datetime
    """Time of the start, not of the detection."""
    detail: str = ""
    """Further information without secrets: a sentence, or a number with its noun."""
    ended: datetime | None = None
    """Time of the end; None while the incident is open."""
