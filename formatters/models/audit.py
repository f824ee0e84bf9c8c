"""Entries of `gwevent audit`: who did what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that a person did to a channel, to an event there, or to a workspace."""

    at: datetime
    team_id: str
    channel_id: str | None
    """None for what concerns the whole workspace."""
    user_id: str
    """Slack's user id, or "import" and the like for the operator."""
    what: str
    """The action in words: "subscription 3 changed", "S251112cm muted"; not cleaned."""
    detail: str = ""
    """The words before and after, a reason …; not cleaned."""
