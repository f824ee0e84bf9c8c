"""The App Home: published whenever somebody opens it, and after what they do in it.

Whom it shows what: Slack is asked for the channels that the person is in (`users.conversations`, with the
scopes channels:read and groups:read that the events about channels need anyway); of private ones it tells
those that the bot is in too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from bot.commands.router import CommandContext
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.sources import SourceStatus
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.operations.incidents import IncidentRepository
from formatters.answers import help as helping
from formatters.answers.status import LastNotice
from formatters.blockkit.message import Message
from formatters.models.notice import Category
from formatters.views import home_tab

if TYPE_CHECKING:
    pass

log = structlog.get_logger(__name__)

NOT_IN_CHANNEL = (
    "You aren't in that channel, or gwevent isn't, so its subscriptions can't be changed from here."
)
STORE_UNAVAILABLE = "The store doesn't answer right now, so nothing was changed. Try again."


class HomeTab:
    """Builds and publishes each person's App Home."""

    def __init__(
        self,
        notices: NoticeRepository,
        subscriptions: SubscriptionRepository,
        incidents: IncidentRepository,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
        source_statuses: Callable[[], list[SourceStatus]],
    ) -> None:
        self._notices = notices
        self._subscriptions = subscriptions
        self._incidents = incidents
        self._clients = clients
        self._clock = clock
        self._source_statuses = source_statuses

    async def publish(self, team_id: str, user_id: str, answer: Message | None = None) -> None:
        """Bring a person's home to the newest state; `said` is the answer to what they pressed."""
        try:
            client = get_client(self._clients, team_id)
        except SlackFailure as failure:
            log.warning("home_not_published", reason=failure.reason)
            return
        try:
            shown = await self._build(client, team_id, user_id, answer)
        except StoreUnavailable:
            shown = home_tab.Home(
                sources=tuple(self._source_statuses()),
                last_notice=None,
                subscriptions=(),
                newest=(),
                action_result=helping.error_message(
                    "The store doesn't answer right now. Open this page again later."
                ),
            )
        try:
            await client.publish_home(user_id, home_tab.view(shown, self._clock()))
        except SlackFailure as failure:
            log.warning("home_not_published", reason=failure.reason)

    async def check_permission(self, asker: CommandContext) -> Message | None:
        """Why somebody may not change a channel's subscriptions from outside of it; None if they may."""
        try:
            if asker.channel_id.startswith("D"):
                own = await self._subscriptions.for_channel(asker.team_id, asker.channel_id)
                allowed = any(s.created_by == asker.user_id for s in own)
            else:
                channels = await get_client(self._clients, asker.team_id).user_channels(asker.user_id)
                allowed = asker.channel_id in channels
        except SlackFailure as failure:
            return helping.error_message(f"Slack didn't say which channels you are in ({failure.reason}).")
        except StoreUnavailable:
            return helping.error_message(STORE_UNAVAILABLE)
        return None if allowed else helping.error_message(NOT_IN_CHANNEL)

    async def _build(
        self, client: SlackClient, team_id: str, user_id: str, answer: Message | None
    ) -> home_tab.Home:
        every = await self._subscriptions.for_team(team_id)
        problem = None
        channels: frozenset[str] = frozenset()
        try:
            channels = await client.user_channels(user_id) if every else channels
        except SlackFailure as failure:
            log.warning("channels_unknown", reason=failure.reason)
            problem = failure.reason
        last = await self._notices.last_notice()
        received = None if last is None else last.received
        newest = await self._notices.newest(category=Category.REAL, limit=home_tab.MAX_EVENTS)
        return home_tab.Home(
            sources=tuple(self._source_statuses()),
            last_notice=None
            if last is None or received is None
            else LastNotice(superevent_id=last.superevent_id, alert_type=last.alert_type, received=received),
            subscriptions=home_tab.visible_to(user_id, every, channels),
            newest=newest or await self._notices.newest(category=Category.MOCK, limit=home_tab.MAX_EVENTS),
            incidents=await self._incidents.open_incidents(),
            problem=problem,
            action_result=answer,
        )
