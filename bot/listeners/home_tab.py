"""App Home: published when somebody opens it, and after each change that they make in it.

It lists the subscriptions of the channels that the person is in, for which Slack is asked each time
(`users.conversations`; see `bot.listeners.channel_membership`), what was posted there last, and the
workspace's criteria sets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime

import structlog
from cachetools import LRUCache

from bot.commands.context import CommandContext
from bot.commands.subscription_answers import answer_change
from bot.commands.subscription_service import SubscriptionResult
from bot.listeners.channel_membership import ChannelMembership
from bot.listeners.home_content import HomeContent
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.store.database import StoreUnavailable
from formatters.blockkit.message import Message
from formatters.views import home_tab

MAX_REMEMBERED = 10_000
"""People whose conversation with gwevent is remembered; their view keeps it too."""

log = structlog.get_logger(__name__)


class HomeTab:
    """Builds and publishes each person's App Home."""

    def __init__(
        self,
        content: HomeContent,
        membership: ChannelMembership,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
    ) -> None:
        """`clients` by team id."""
        self._content = content
        self._membership = membership
        self._clients = clients
        self._clock = clock
        self._direct_channels: LRUCache[tuple[str, str], str] = LRUCache(MAX_REMEMBERED)
        """(team id, user id) -> their conversation with gwevent."""

    def remember_direct_channel(self, team_id: str, user_id: str, channel_id: str | None) -> None:
        """Remember a person's conversation with gwevent, which Slack names only when they open the tab.

        What they change in App Home for the whole workspace counts as changed there. None is ignored.
        """
        if channel_id is not None:
            self._direct_channels[team_id, user_id] = channel_id

    async def publish(self, team_id: str, user_id: str, answer: Message | None = None) -> None:
        """Publish the newest state to a person's App Home, below the answer to the button they pressed."""
        try:
            client = get_client(self._clients, team_id)
        except SlackFailure as failure:
            log.warning("home_not_published", reason=failure.reason)
            return
        try:
            home = await self._content.load(client, team_id, user_id, answer)
        except StoreUnavailable:
            home = self._content.without_store(answer)
        home = replace(home, direct_channel=self._direct_channels.get((team_id, user_id)))
        try:
            await client.publish_home(user_id, home_tab.view(home, self._clock()))
        except SlackFailure as failure:
            log.warning("home_not_published", reason=failure.reason)

    async def change(
        self, context: CommandContext, change: Callable[[], Awaitable[SubscriptionResult]]
    ) -> None:
        """Make a change of subscriptions if the person is in the channel, and publish the answer."""
        refusal = await self._membership.check(context)
        answer = refusal or await answer_change(change)
        await self.publish(context.team_id, context.user_id, answer)
