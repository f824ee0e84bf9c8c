"""The one way in: bytes become a stored notice with its plan, or a quarantined payload."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial

import structlog

from bot.alerts.circular import is_circular, read_circular
from bot.alerts.decode import UndecodablePayload, decode
from bot.routing.planner import channels_for_unreadable_notice, plan
from bot.runtime.os_limits import is_resource_exhaustion
from bot.runtime.threads import run_in_thread
from bot.sources.base import Origin
from bot.store.database import StoreUnavailable
from bot.store.events.circulars import CircularRepository
from bot.store.events.notices import NoticeRepository, UnreadableNoticePlanner
from bot.store.operations.operator_alerts import OperatorAlertRules
from formatters.models.circular import Circular
from formatters.models.notice import Notice

_DATED_ID = re.compile(r"[MT]?(?:S|GW)(\d{6})(?!\d)", re.ASCII)
"""An id that says a date, be it of LVK's form or not quite."""

log = structlog.get_logger(__name__)


class IngestResult(StrEnum):
    """What became of a payload; each of them means that it may be acknowledged."""

    STORED = "stored"
    DUPLICATE = "repeat"
    QUARANTINED = "quarantined"
    CIRCULAR = "circulars"


class Pipeline:
    """Handles payloads one after the other; every source and every command enters here (law 2)."""

    def __init__(
        self,
        notices: NoticeRepository,
        clock: Callable[[], datetime],
        *,
        max_age: timedelta,
        on_planned: Callable[[], None] = lambda: None,
        ops_channel: Callable[[], tuple[str, str] | None] = lambda: None,
        should_draw: Callable[[Notice], bool] = lambda _: False,
        decode: Callable[[bytes], Notice] = decode,
        circulars: CircularRepository | None = None,
        operator_alerts: Callable[[], OperatorAlertRules | None] = lambda: None,
        on_stored: Callable[[Notice], None] = lambda _: None,
    ) -> None:
        """What the pipeline tells others.

        `wake` says that deliveries may be due; `ops` gives the operators' (team, channel); `draws` says
        whether a notice's map is to be drawn; `circulars` takes GCN's Circulars, which else are quarantined;
        `alarms` says who is told of news beside the channels; `stored` is told of each new notice.
        """
        self._notices = notices
        self._clock = clock
        self._max_age = max_age
        self._on_planned = on_planned
        self._ops_channel = ops_channel
        self._should_draw = should_draw
        self._decode = decode
        self._circulars = circulars
        self._operator_alerts = operator_alerts
        self._on_stored = on_stored

    async def handle(self, body: bytes, origin: Origin) -> IngestResult:
        """Take one payload in. Raises StoreUnavailable only: then it must not be acknowledged."""
        received = self._clock()
        superevent_id: str | None = None
        alert_type: str | None = None
        try:
            if self._circulars is not None and is_circular(body):
                return await self._ingest_circular(self._circulars, read_circular(body), origin, received)
            notice = await run_in_thread(self._decode, body)
            superevent_id, alert_type = notice.superevent_id, notice.alert_type
            return await self._record(notice, body, origin, received)
        except UndecodablePayload as error:
            reason, superevent_id = error.reason, error.superevent_id
        except StoreUnavailable:
            raise
        except Exception as error:
            if is_resource_exhaustion(error):
                # It says nothing of the payload: kept aside for it, the alert would be lost.
                raise StoreUnavailable(f"No descriptor or thread is left to read it: {error}.") from error
            # The guard of law 6: whatever is wrong with one payload, or with gwevent when it meets it, the
            # next alert goes out.
            log.exception(
                "payload_broke_gwevent",
                origin=origin.location,
                superevent_id=superevent_id,
                alert_type=alert_type,
            )
            reason = f"gwevent met a fault of its own ({type(error).__name__})."
        return await self._quarantine(body, origin, reason, superevent_id, received)

    async def _record(self, notice: Notice, body: bytes, origin: Origin, received: datetime) -> IngestResult:
        notice = replace(notice, received=received, archive=origin.archive, live=origin.live)
        if origin.archive is not None:
            # An archive's copy may have been written again; it is no other notice for that.
            notice = replace(notice, content=None)
        bound = log.bind(
            superevent_id=notice.superevent_id, alert_type=notice.alert_type, origin=origin.location
        )
        planner = partial(plan, live=origin.live, now=received, max_age=self._max_age)
        # Old news wakes nobody (law 7).
        news = origin.live and received - notice.time_created <= self._max_age
        recorded = await self._notices.record(
            notice,
            body,
            f"{origin.source}:{origin.location}",
            received,
            planner,
            draw_image=self._should_draw(notice),
            operator_alerts=self._operator_alerts() if news else None,
        )
        if recorded.new:
            bound.info("notice_stored", intents=recorded.intents, bytes=len(body))
            self._on_stored(notice)
            self._on_planned()
            return IngestResult.STORED
        bound.info("notice_repeated")
        return IngestResult.DUPLICATE

    async def _ingest_circular(
        self, circulars: CircularRepository, circular: Circular, origin: Origin, received: datetime
    ) -> IngestResult:
        fresh = received - circular.created <= self._max_age
        links = await circulars.record(circular, received, should_link=origin.live and fresh)
        log.info("circular_noted", number=circular.number, superevents=circular.superevent_ids, links=links)
        if links:
            self._on_planned()
        return IngestResult.CIRCULAR

    async def _quarantine(
        self, body: bytes, origin: Origin, reason: str, superevent_id: str | None, received: datetime
    ) -> IngestResult:
        apologise: UnreadableNoticePlanner | None = None
        if origin.live and superevent_id is not None and not self._is_old_id(superevent_id, received):
            apologise = channels_for_unreadable_notice
        new = await self._notices.quarantine(
            body,
            f"{origin.source}:{origin.location}",
            reason,
            superevent_id,
            received,
            apologise,
            self._ops_channel() if origin.live else None,
        )
        if new:
            log.warning(
                "payload_quarantined",
                reason=reason,
                origin=origin.location,
                superevent_id=superevent_id,
                bytes=len(body),
            )
            self._on_planned()
        return IngestResult.QUARANTINED

    def _is_old_id(self, superevent_id: str, now: datetime) -> bool:
        """Whether the id's date alone says that this is old news; nothing else of the notice is known."""
        dated = _DATED_ID.match(superevent_id)
        if dated is None:
            return False
        try:
            day = datetime.strptime(dated[1], "%y%m%d").replace(tzinfo=UTC)
        except ValueError:
            return False
        return now - (day + timedelta(days=1)) > self._max_age
