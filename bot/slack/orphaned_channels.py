"""Channels that asked for something under a workspace in which the app isn't installed: nothing comes there.

Until gwevent took the workspace from the right place of a request, what people of another workspace asked for
in a channel shared by Slack Connect was stored under theirs. Where an installation sees such a channel, it
is the channel's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import structlog

from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.store.channels.channel_moves import ChannelMoves, ChannelRef

log = structlog.get_logger(__name__)


class OrphanedChannels:
    """Finds them, and takes home those that have one."""

    def __init__(
        self,
        moves: ChannelMoves,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
        max_age: timedelta,
    ) -> None:
        """`clients` by team; what was given up and is younger than `max_age` comes back."""
        self._moves = moves
        self._clients = clients
        self._clock = clock
        self._max_age = max_age
        self._logged: set[ChannelRef] = set()

    async def repatriate(self, installed: Collection[str]) -> int:
        """Give what is stored under none of the installed workspaces to the one that sees the channel.

        Return how many channels that were; of the others the log tells once. Raises StoreUnavailable.
        """
        brought = 0
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
            brought += 1
        return brought

    async def _find_home_team(self, channel_id: str) -> str | None:
        """The workspace whose installation sees the channel; before others one whose bot is in it."""
        sees = None
        for team_id, client in list(self._clients.items()):
            try:
                face = await client.channel_info(channel_id)
            except SlackFailure:
                continue
            if face.is_member:
                return team_id
            sees = sees or team_id
        return sees
