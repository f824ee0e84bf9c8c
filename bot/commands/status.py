"""`/gwevent status`: the state of sources, deliveries and incidents."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from bot import __version__
from bot.sources.base import SourceStatus
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.events.notices import NoticeRepository
from bot.store.events.treasure_map import TreasureMapRepository
from bot.store.operations.incidents import IncidentRepository
from bot.store.outbox.statistics import OutboxStatistics
from formatters.answers import status
from formatters.answers.status import LastNotice
from formatters.blockkit.message import Message
from formatters.models.notice import Notice


class StatusCommand:
    """Answers `status`."""

    def __init__(
        self,
        notices: NoticeRepository,
        subscriptions: SubscriptionRepository,
        outbox_statistics: OutboxStatistics,
        incidents: IncidentRepository,
        treasure_map: TreasureMapRepository,
        source_statuses: Callable[[], list[SourceStatus]],
        clock: Callable[[], datetime],
    ) -> None:
        self._notices = notices
        self._subscriptions = subscriptions
        self._outbox_statistics = outbox_statistics
        self._incidents = incidents
        self._treasure_map = treasure_map
        self._source_statuses = source_statuses
        self._clock = clock
        self._started_monotonic = time.monotonic()

    async def answer(self, arguments: str) -> Message:
        """Return the state of gwevent; the arguments don't matter. Raises StoreUnavailable."""
        counts = await self._outbox_statistics.counts()
        last_notice = await self._notices.last_notice()
        running = timedelta(seconds=time.monotonic() - self._started_monotonic)
        return status.message(
            status.Status(
                version=__version__,
                # Not the clock's time at the start: the clock may have been set since.
                started_at=self._clock() - running,
                sources=tuple(self._source_statuses()),
                last_notice=summarize_last_notice(last_notice),
                posting_time=await self._outbox_statistics.median_posting_time(),
                pending_deliveries=counts.waiting,
                dead_letters=counts.dead,
                quarantined=counts.quarantined,
                subscriptions=await self._subscriptions.count(),
                incidents=tuple(await self._incidents.open_incidents()),
                treasure_map=await self._treasure_map.state() if self._treasure_map.is_read else None,
            ),
            self._clock(),
        )


def summarize_last_notice(notice: Notice | None) -> LastNotice | None:
    """Return the part of the last notice that answers show; None if its time of reception is unknown."""
    if notice is None or notice.received is None:
        return None
    return LastNotice(
        superevent_id=notice.superevent_id, alert_type=notice.alert_type, received=notice.received
    )
