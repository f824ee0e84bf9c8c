"""Move channels that are stored under a workspace without the app, where nothing is delivered.

Earlier versions took the workspace from the wrong field of a request: what people of another workspace
requested in a channel shared by Slack Connect was stored under their workspace. Such a channel is moved to an
installation that sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import structlog

from bot.routing.intents import ChannelRef
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.store.channels.channel_moves import ChannelMoves

log = structlog.get_logger(__name__)


class OrphanedChannels:
    """Finds orphaned channels, and moves those that an installation sees."""

    def __init__(
        self,
        moves: ChannelMoves,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
        max_age: timedelta,
    ) -> None:
        """`clients` are by team id; dead deliveries younger than `max_age` are requeued."""
        self._moves = moves
        self._clients = clients
        self._clock = clock
        self._max_age = max_age
        self._logged: set[ChannelRef] = set()

    async def reassign(self, installed: Collection[str]) -> int:
        """Move channels stored under a workspace that isn't installed to the one that sees them.

        Return how many were moved; the others are logged once. Raises StoreUnavailable.
        """
        moved_count = 0
        for team_id, channel_id in await self._moves.list_foreign_channels(installed):
            home = await self._find_home_team(channel_id)
            if home is None:
                if (team_id, channel_id) not in self._logged:
                    log.warning("channel_orphaned", team=team_id, channel=channel_id)
                    self._logged.add((team_id, channel_id))
                continue
            now = self._clock()
            old, new = (team_id, channel_id), (home, channel_id)
            moved = await self._moves.move_channel(old, new, now - self._max_age, now)
            log.warning(
                "channel_reassigned",
                channel=channel_id,
                team=home,
                from_team=team_id,
                subscriptions=moved.subscriptions,
            )
            moved_count += 1
        return moved_count

    async def _find_home_team(self, channel_id: str) -> str | None:
        """Return a workspace whose installation sees the channel, preferably one whose bot is in it."""
        sees = None
        for team_id, client in list(self._clients.items()):
            try:
                info = await client.channel_info(channel_id)
            except SlackFailure:
                continue
            if info.is_member:
                return team_id
            sees = sees or team_id
        return sees
