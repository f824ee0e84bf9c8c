"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandContext:
    """Who asks, and where; the terminal asks from nowhere."""

    team_id: str
    channel_id: str
    user_id: str
