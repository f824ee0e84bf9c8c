"""App Home: published when somebody opens it, and after each change that they make in it.

It lists the subscriptions of the channels that the person is in, for which Slack is asked each time
(`users.conversations`; see `bot.listeners.channel_membership`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog

from bot.commands.context import CommandContext
from bot.commands.status import summarize_last_notice
from bot.commands.subscription_answers import answer_change
from bot.commands.subscription_service import SubscriptionResult, SubscriptionService
from bot.listeners.channel_membership import ChannelMembership
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.sources.base import SourceStatus
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.operations.incidents import IncidentRepository
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.notice import Category
from formatters.views import home_tab

log = structlog.get_logger(__name__)


class HomeTab:
    """Builds and publishes each person's App Home."""

    def __init__(
        self,
        service: SubscriptionService,
        membership: ChannelMembership,
        notices: NoticeRepository,
        incidents: IncidentRepository,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
        source_statuses: Callable[[], list[SourceStatus]],
    ) -> None:
        """`clients` by team id."""
        self._service = service
        self._membership = membership
        self._notices = notices
        self._incidents = incidents
        self._clients = clients
        self._clock = clock
        self._source_statuses = source_statuses

    async def publish(self, team_id: str, user_id: str, answer: Message | None = None) -> None:
        """Publish the newest state to a person's App Home, below the answer to the button they pressed."""
        try:
            client = get_client(self._clients, team_id)
        except SlackFailure as failure:
            log.warning("home_not_published", reason=failure.reason)
            return
        try:
            home = await self._build(client, team_id, user_id, answer)
        except StoreUnavailable:
            home = home_tab.Home(
                sources=tuple(self._source_statuses()),
                last_notice=None,
                subscriptions=(),
                newest=(),
                action_result=helping.error_message(
                    "The store doesn't answer right now. Open this page again later."
                ),
            )
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

    async def _build(
        self, client: SlackClient, team_id: str, user_id: str, answer: Message | None
    ) -> home_tab.Home:
        subscriptions = await self._service.for_team(team_id)
        problem = None
        channels: frozenset[str] = frozenset()
        try:
            channels = await client.user_channels(user_id) if subscriptions else channels
        except SlackFailure as failure:
            log.warning("channels_unknown", reason=failure.reason)
            problem = failure.reason
        last_notice = await self._notices.last_notice()
        newest = await self._notices.newest(category=Category.REAL, limit=home_tab.MAX_EVENTS)
        return home_tab.Home(
            sources=tuple(self._source_statuses()),
            last_notice=summarize_last_notice(last_notice),
            subscriptions=home_tab.visible_to(user_id, subscriptions, channels),
            newest=newest or await self._notices.newest(category=Category.MOCK, limit=home_tab.MAX_EVENTS),
            incidents=await self._incidents.open_incidents(),
            problem=problem,
            action_result=answer,
        )
