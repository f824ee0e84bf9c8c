"""`/gwevent status`: the state of sources, deliveries and incidents."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import __version__
from bot.sources.base import SourceStatus
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.events.notices import NoticeRepository
from bot.store.events.treasure_map import TreasureMapRepository
from bot.store.operations.incidents import IncidentRepository
from bot.store.operations.source_heartbeats import SourceHeartbeats
from bot.store.outbox.statistics import OutboxStatistics
from formatters.answers import status
from formatters.answers.status import LastNotice
from formatters.blockkit.message import Message
from formatters.models.notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRepositories:
    """The repositories that the command reads."""

    notices: NoticeRepository
    subscriptions: SubscriptionRepository
    outbox_statistics: OutboxStatistics
    incidents: IncidentRepository
    treasure_map: TreasureMapRepository
    source_heartbeats: SourceHeartbeats


class StatusCommand:
    """Answers `status`."""

    def __init__(
        self,
        repositories: StatusRepositories,
        source_statuses: Callable[[], list[SourceStatus]] | None,
        clock: Callable[[], datetime],
        find_uncalled_steps: Callable[[Mapping[str, int]], str | None],
    ) -> None:
        """`source_statuses` is None in a tool beside the bot (`gwevent ask`).

        `find_uncalled_steps` returns a sentence about webhook steps that will not be called; None without.
        It takes the number of subscriptions with such a step by workspace.
        """
        self._notices = repositories.notices
        self._subscriptions = repositories.subscriptions
        self._outbox_statistics = repositories.outbox_statistics
        self._incidents = repositories.incidents
        self._treasure_map = repositories.treasure_map
        self._source_heartbeats = repositories.source_heartbeats
        self._source_statuses = source_statuses
        self._clock = clock
        self._find_uncalled_steps = find_uncalled_steps
        self._started_monotonic = time.monotonic()

    async def answer(self, arguments: str) -> Message:
        """Return the state of gwevent; the arguments don't matter. Raises StoreUnavailable."""
        counts = await self._outbox_statistics.counts()
        last_notice = await self._notices.last_notice()
        subscriptions = await self._subscriptions.confirmed()
        webhook_steps = Counter(one.team_id for one in subscriptions if one.criteria.has_webhook_step)
        running = timedelta(seconds=time.monotonic() - self._started_monotonic)
        return status.message(
            status.Status(
                version=__version__,
                # Not the clock's time at the start: the clock may have been set since.
                started_at=None if self._source_statuses is None else self._clock() - running,
                sources=await self._sources(),
                last_notice=summarize_last_notice(last_notice),
                posting_time=await self._outbox_statistics.median_posting_time(),
                pending_deliveries=counts.waiting,
                dead_letters=counts.dead,
                quarantined=counts.quarantined,
                subscriptions=sum(one.paused_at is None for one in subscriptions),
                incidents=tuple(await self._incidents.open_incidents()),
                problem=self._find_uncalled_steps(webhook_steps),
                treasure_map=await self._treasure_map.state() if self._treasure_map.is_read else None,
            ),
            self._clock(),
        )

    async def _sources(self) -> tuple[SourceStatus, ...] | None:
        """Return what the bot reads; None in a tool beside a bot that stores nothing of it (SQLite).

        Raises StoreUnavailable.
        """
        if self._source_statuses is not None:
            return tuple(self._source_statuses())
        return tuple(await self._source_heartbeats.statuses()) or None


def summarize_last_notice(notice: Notice | None) -> LastNotice | None:
    """Return the part of the last notice that answers show; None if its time of reception is unknown."""
    if notice is None or notice.received is None:
        return None
    return LastNotice(
        superevent_id=notice.superevent_id, alert_type=notice.alert_type, received=notice.received
    )
