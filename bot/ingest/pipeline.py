"""The ingest pipeline: turns the bytes of one payload into a stored notice or message with its plan.

Every payload enters here, from every source and every command. It is decoded and stored together with
everything that routing plans for it; a payload that cannot be handled goes to quarantine instead, so that
it can neither be lost nor stop the next alert. Only the store's own failure is passed on to the caller.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from bot.alerts.decode import UndecodablePayload, decode
from bot.ingest.decoding import Decoded, Unread, UnreadableMessage, decode_payload
from bot.ingest.result import IngestResult as IngestResult
from bot.routing.planner import plan, plan_unreadable_payload
from bot.routing.related_messages import plan_message
from bot.routing.state import OperatorRules
from bot.runtime.callbacks import never, nothing
from bot.runtime.os_limits import is_resource_exhaustion
from bot.runtime.threads import run_in_thread
from bot.runtime.wakeups import Wakeups
from bot.sources.base import Origin
from bot.store.database import StoreUnavailable
from bot.store.events.nearby_alerts import NearbyAlertRepository
from bot.store.events.notices import NoticeRepository
from bot.store.events.quarantine import QuarantineRepository
from bot.store.events.related_messages import RecordedMessage, RelatedMessageRepository
from formatters.models.nearby_alert import NearbyAlert
from formatters.models.notice import Notice
from formatters.models.related_message import RelatedMessage, Stream

_DATED_ID = re.compile(r"[MT]?(?:S|GW)(\d{6})(?!\d)", re.ASCII)
"""An id that begins with a date (YYMMDD), whether or not the rest has LVK's form."""

MEMORY_WAITS_S = (0.5, 2.0, 8.0)
"""Seconds that a payload waits each time that no memory was left to read it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestStores:
    """The repositories that the pipeline writes to."""

    notices: NoticeRepository
    quarantine: QuarantineRepository
    related_messages: RelatedMessageRepository
    nearby_alerts: NearbyAlertRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRules:
    """The settings that ingestion depends on."""

    max_age: timedelta
    """Notices created before this are old news: they open, reply and mention nothing."""
    should_draw: Callable[[Notice], bool] = never
    """Returns True if an image of the notice's sky map is wanted."""
    operator_rules: Callable[[], OperatorRules | None] = nothing
    """Returns the operators' settings of this moment; None for no alerts to operators."""


class Pipeline:
    """Handles one payload after the other."""

    def __init__(
        self,
        stores: IngestStores,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
        rules: IngestRules,
        *,
        decode: Callable[[bytes], Notice] = decode,
        on_stored: Callable[[Notice], None] | None = None,
    ) -> None:
        """Create a pipeline; `on_stored` is called with each new notice."""
        self._stores = stores
        self._clock = clock
        self._wakeups = wakeups
        self._rules = rules
        self._decode = decode
        self._on_stored = on_stored

    async def handle(self, body: bytes, origin: Origin) -> IngestResult:
        """Handle one payload. Raises StoreUnavailable only: then the payload must not be acknowledged."""
        received = self._clock()
        superevent_id: str | None = None
        alert_type: str | None = None
        result = IngestResult.QUARANTINED if origin.stream is None else IngestResult.UNREADABLE_MESSAGE
        try:
            decoded = await self._decode_when_possible(body, origin.stream, received)
            if not isinstance(decoded, Notice):
                result = IngestResult.UNREADABLE_MESSAGE
                return await self._record_message(decoded, origin, received)
            superevent_id, alert_type = decoded.superevent_id, decoded.alert_type
            return await self._record(decoded, body, origin, received)
        except UndecodablePayload as error:
            reason, superevent_id = error.reason, error.superevent_id
        except UnreadableMessage as error:
            # Without an id: the channels are told of alerts only.
            reason, result = str(error), IngestResult.UNREADABLE_MESSAGE
        except StoreUnavailable:
            raise
        except Exception as error:
            if is_resource_exhaustion(error):
                # It is no fault of the payload: in quarantine the alert would be lost.
                raise StoreUnavailable(f"No descriptor or thread is left to read it: {error}.") from error
            # Whatever is wrong with one payload, or with gwevent when it handles it, the next alert goes out.
            log.exception(
                "unexpected_error",
                subsystem="ingest",
                origin=origin.location,
                superevent_id=superevent_id,
                alert_type=alert_type,
            )
            reason = f"gwevent met a fault of its own ({type(error).__name__})."
        await self._quarantine(body, origin, reason, superevent_id, received)
        return result

    async def _decode_when_possible(self, body: bytes, stream: str | None, received: datetime) -> Decoded:
        """Decode a payload, several times if memory is short. Raises MemoryError if it stays so.

        Another process may have taken the memory for a moment; a payload that needs more than there is must
        not hold the next alert up.
        """
        for wait_s in MEMORY_WAITS_S:
            try:
                return await run_in_thread(decode_payload, body, stream, received, self._decode)
            except MemoryError:
                log.error("notice_postponed", reason="no memory is left to read it", retry_in_s=wait_s)
                await asyncio.sleep(wait_s)
        return await run_in_thread(decode_payload, body, stream, received, self._decode)

    async def _record(self, notice: Notice, body: bytes, origin: Origin, received: datetime) -> IngestResult:
        notice = replace(notice, received=received, archive=origin.archive, live=origin.live)
        if origin.archive is not None:
            # An archive may have rewritten its copy, which does not make it another notice.
            notice = replace(notice, content=None)
        bound = log.bind(
            superevent_id=notice.superevent_id, alert_type=notice.alert_type, origin=origin.location
        )
        planner = partial(
            plan,
            live=origin.live,
            now=received,
            max_age=self._rules.max_age,
            operator_rules=self._rules.operator_rules(),
        )
        recorded = await self._stores.notices.record(
            notice,
            body,
            f"{origin.source}:{origin.location}",
            received,
            planner,
            draw_image=self._rules.should_draw(notice),
        )
        if recorded.new:
            bound.info("notice_stored", intents=recorded.intents, bytes=len(body))
            if self._on_stored is not None:
                self._on_stored(notice)
            self._wakeups.notice_stored(is_deferred=recorded.is_deferred)
            return IngestResult.STORED
        bound.info("notice_repeated")
        return IngestResult.DUPLICATE

    async def _record_message(
        self, message: RelatedMessage | NearbyAlert | Unread, origin: Origin, received: datetime
    ) -> IngestResult:
        if isinstance(message, Unread):
            return IngestResult.UNRELATED
        is_current = origin.live and received - message.created <= self._rules.max_age
        if isinstance(message, NearbyAlert):
            alert = await self._stores.nearby_alerts.record(message, received, is_news=is_current)
            if alert.is_changed:
                log.info("nearby_alert_stored", stream=message.stream, key=message.key)
            if alert.follow_ups:
                self._wakeups.intents_planned()
            return IngestResult.NEARBY_ALERT
        # The edit of a circular doesn't make it new.
        is_news = is_current and received - message.sent <= self._rules.max_age
        recorded = await self._stores.related_messages.record(
            message, received, is_news=is_news, is_current=is_current, plan=plan_message
        )
        if not recorded.superevent_ids:
            return IngestResult.UNRELATED
        if recorded.is_new:
            _log_stored(message, recorded)
        if recorded.intents:
            self._wakeups.intents_planned()
        is_circular = message.stream is Stream.CIRCULARS
        return IngestResult.CIRCULAR if is_circular else IngestResult.RELATED_MESSAGE

    async def _quarantine(
        self, body: bytes, origin: Origin, reason: str, superevent_id: str | None, received: datetime
    ) -> None:
        operator_rules = self._rules.operator_rules() if origin.live else None
        new = await self._stores.quarantine.add(
            body,
            f"{origin.source}:{origin.location}",
            reason,
            superevent_id,
            received,
            plan_unreadable_payload,
            tell_channels=(
                origin.live and superevent_id is not None and not self._is_old_id(superevent_id, received)
            ),
            ops_channel=None if operator_rules is None else operator_rules.ops_channel,
            stream=origin.stream,
        )
        if new:
            log.warning(
                "payload_quarantined",
                reason=reason,
                origin=origin.location,
                superevent_id=superevent_id,
                bytes=len(body),
            )
            self._wakeups.intents_planned()

    def _is_old_id(self, superevent_id: str, now: datetime) -> bool:
        """Return True if the date in the id is old news; nothing else of an unreadable notice is known."""
        dated = _DATED_ID.match(superevent_id)
        if dated is None:
            return False
        try:
            day = datetime.strptime(dated[1], "%y%m%d").replace(tzinfo=UTC)
        except ValueError:
            return False
        return now - (day + timedelta(days=1)) > self._rules.max_age


def _log_stored(message: RelatedMessage, recorded: RecordedMessage) -> None:
    superevents, intents = recorded.superevent_ids, recorded.intents
    if message.stream is Stream.CIRCULARS:
        log.info("circular_stored", number=message.number, superevents=superevents, links=intents)
        return
    log.info(
        "message_stored",
        stream=message.stream.value,
        key=message.key,
        superevents=superevents,
        intents=intents,
    )
