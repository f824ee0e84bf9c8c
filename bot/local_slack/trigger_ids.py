"""Trigger ids, each of which can open one modal within three seconds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from bot.local_slack.errors import ApiError

LIFETIME_S = 3.0
"""How long a trigger id is valid, seconds."""


@dataclass(slots=True)
class _Trigger:
    team: str
    user: str
    created_at: float
    used: bool = False


class TriggerIds:
    """The trigger ids that were issued."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._trigger_ids: dict[str, _Trigger] = {}

    def create(self, team: str, user: str) -> str:
        """Create a trigger id for a user's interaction."""
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._trigger_ids[trigger_id] = _Trigger(team, user, self._clock())
        return trigger_id

    def redeem(self, trigger_id: str, team: str) -> str:
        """Redeem a trigger id and return the id of its user.

        Raises ApiError: `invalid_trigger_id`, `expired_trigger_id`, `exchanged_trigger_id`.
        """
        trigger = self._trigger_ids.get(trigger_id)
        if trigger is None or trigger.team != team:
            raise ApiError("invalid_trigger_id")
        if trigger.used:
            raise ApiError("exchanged_trigger_id")
        if self._clock() - trigger.created_at > LIFETIME_S:
            raise ApiError("expired_trigger_id")
        trigger.used = True
        return trigger.user
