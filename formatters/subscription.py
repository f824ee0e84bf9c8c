"""A subscription: what a channel asked for, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for, before anybody asked: the words after `/gwevent subscribe`."""

    group: str = "all"
    """"CBC", "Burst" or "all" (any group, unknown ones too)."""
    mock: bool = False
    """Mock events too (they come every hour)."""
    test: bool = False
    """Test events too."""
    lowsig: bool = False
    """Low-significance alerts too."""

    @property
    def words(self) -> str:
        """The canonical words, as one would type them: "CBC mock lowsig"."""
        switches = [word for word in ("mock", "test", "lowsig") if getattr(self, word)]
        return " ".join([self.group, *switches])


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A wish of one channel."""

    id: int
    team_id: str
    channel_id: str
    wish: Wish
    created_by: str
    """Slack's user id of who asked."""
    created_at: datetime
    problem: str | None = None
    """Why nothing can be delivered to the channel now, in Slack's word (`is_archived`); None if it can."""
