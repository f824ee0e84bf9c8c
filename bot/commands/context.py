"""The person who asks, and the channel that they ask in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandContext:
    """A person in a channel of a workspace. Questions from the terminal have no context."""

    team_id: str
    channel_id: str
    user_id: str

    @property
    def channel(self) -> tuple[str, str]:
        """The channel as (team id, channel id)."""
        return self.team_id, self.channel_id
