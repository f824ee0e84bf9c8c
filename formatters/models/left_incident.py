"""An incident of the operators' service that a workspace left open when gwevent was removed from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self


class Removal(StrEnum):
    """The ways in which Slack says that gwevent was removed from a workspace: the names of its events."""

    UNINSTALLED = "app_uninstalled"
    REVOKED = "tokens_revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftIncident:
    """All that is still known of an escalation once its workspace's rows are deleted."""

    team_id: str
    channel_id: str
    removal: Removal
    escalation_id: int
    thread_id: int | None = None
    superevent_id: str | None = None
    """None for a drill, and for an event whose thread was purged."""
    drill_number: int | None = None
    """The number of the channel's subscription that was drilled; None for an event."""

    def to_json(self) -> str:
        """Return it as stored with the call that resolves it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, stored: str) -> Self:
        """Return it from what `to_json` stored."""
        fields = json.loads(stored)
        return cls(**{**fields, "removal": Removal(fields["removal"])})
