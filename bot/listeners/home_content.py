"""The contents of one person's App Home, read from the store and from Slack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from bot import __version__
from bot.commands.event_questions import PERMALINK_TIMEOUT_S, GetPermalink
from bot.commands.status import summarize_last_notice
from bot.commands.subscription_service import SubscriptionService
from bot.criteria.presets import BUILT_IN
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.sources.base import SourceStatus
from bot.store.channels.criteria_sets import CriteriaSetRepository
from bot.store.channels.posted_events import PostedEvent, PostedEventRepository
from bot.store.channels.sites import SiteRepository
from bot.store.events.notices import NoticeRepository
from bot.store.events.search import EventSearch
from bot.store.operations.incidents import IncidentRepository
from formatters.answers import observability
from formatters.blockkit.message import Message
from formatters.models.notice import Category
from formatters.views import home_tab

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRepositories:
    """The repositories that App Home reads."""

    criteria_sets: CriteriaSetRepository
    event_search: EventSearch
    incidents: IncidentRepository
    notices: NoticeRepository
    posted_events: PostedEventRepository
    sites: SiteRepository


class HomeContent:
    """Loads what a person's App Home shows."""

    def __init__(
        self,
        service: SubscriptionService,
        repositories: HomeRepositories,
        source_statuses: Callable[[], list[SourceStatus]],
        get_permalink: GetPermalink,
    ) -> None:
        self._service = service
        self._repositories = repositories
        self._source_statuses = source_statuses
        self._get_permalink = get_permalink

    def without_store(self, answer: Message | None) -> home_tab.Home:
        """Return the view for while the store doesn't answer, below the answer to the last button."""
        return home_tab.Home(
            sources=tuple(self._source_statuses()),
            last_notice=None,
            subscriptions=(),
            last_events=(),
            action_result=answer,
            is_store_down=True,
            version=__version__,
        )

    async def load(
        self, client: SlackClient, team_id: str, user_id: str, answer: Message | None
    ) -> home_tab.Home:
        """Return the person's view, below the answer to the last button. Raises StoreUnavailable."""
        subscriptions = await self._service.for_team(team_id)
        problem = None
        channels: frozenset[str] = frozenset()
        try:
            channels = await client.user_channels(user_id) if subscriptions else channels
        except SlackFailure as failure:
            log.warning("channels_unknown", reason=failure.reason)
            problem = failure.reason
        visible = home_tab.visible_to(user_id, subscriptions, channels)
        shown_channels = sorted({subscription.channel_id for subscription in visible})
        sites = await self._repositories.sites.for_channels([(team_id, one) for one in shown_channels])
        last_notice = await self._repositories.notices.last_notice()
        return home_tab.Home(
            sources=tuple(self._source_statuses()),
            last_notice=summarize_last_notice(last_notice),
            subscriptions=visible,
            last_events=await self._last_events(team_id, shown_channels),
            sites={
                channel: [observability.site_label(found, site) for site in found.sites]
                for (_, channel), found in sites.items()
            },
            criteria_sets=[
                home_tab.ListedSet(set_=one.set, changed_by=one.changed_by, changed_at=one.changed_at)
                for one in await self._repositories.criteria_sets.for_team(team_id)
            ],
            built_in_sets=tuple(BUILT_IN.values()),
            incidents=await self._repositories.incidents.open_incidents(),
            problem=problem,
            action_result=answer,
            version=__version__,
        )

    async def _last_events(self, team_id: str, channels: Sequence[str]) -> list[home_tab.LastEvent]:
        """Return the newest events posted in the channels, or else the newest that were received."""
        posted = await self._repositories.posted_events.newest(team_id, channels, home_tab.MAX_EVENTS)
        if not posted:
            notices = self._repositories.notices
            found = await notices.newest(category=Category.REAL, limit=home_tab.MAX_EVENTS)
            found = found or await notices.newest(category=Category.MOCK, limit=home_tab.MAX_EVENTS)
            return [home_tab.LastEvent(superevent) for superevent in found]
        by_event: dict[str, list[PostedEvent]] = {}
        for one in posted:
            by_event.setdefault(one.superevent_id, []).append(one)

        async def load_threads(some: Sequence[PostedEvent]) -> list[home_tab.EventThread]:
            linked = some[: home_tab.MAX_THREADS]
            addresses = await asyncio.gather(*(self._address(team_id, posted) for posted in linked))
            return [
                home_tab.EventThread(one.channel_id, address)
                for one, address in zip(linked, addresses, strict=True)
            ]

        threads = await asyncio.gather(*map(load_threads, by_event.values()))
        linked = dict(zip(by_event, threads, strict=True))
        superevents = await self._repositories.event_search.superevents(list(by_event))
        return [home_tab.LastEvent(one, linked[one.superevent_id]) for one in superevents]

    async def _address(self, team_id: str, posted: PostedEvent) -> str | None:
        """Return the address of the event's message; None if Slack doesn't tell it soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PERMALINK_TIMEOUT_S):
                return await self._get_permalink(team_id, posted.channel_id, posted.root_ts)
        return None
