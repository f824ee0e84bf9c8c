"""The person who asks, and the place that they ask in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandContext:
    """A person in a channel of a workspace. Questions from the terminal have no context."""

    team_id: str
    channel_id: str
    user_id: str
    thread_ts: str | None = None
    """The root of the thread in which they ask; None outside of threads."""
    own_telescopes: frozenset[str] = frozenset()
    """The telescopes that the channel names itself, as `telescope_names` folds them; loaded where a sentence
    is read."""

    @property
    def channel(self) -> tuple[str, str]:
        """The channel as (team id, channel id)."""
        return self.team_id, self.channel_id

    @property
    def is_direct_message(self) -> bool:
        """True for a conversation between one person and gwevent."""
        return self.channel_id.startswith("D")
