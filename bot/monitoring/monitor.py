"""Looks at the bot every few seconds, and has troubles told: once, and again when they are over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.monitoring.metrics import Metrics
from bot.monitoring.rules import HealthSnapshot, Thresholds, evaluate
from bot.monitoring.webhook import WebhookNotifier
from bot.runtime.os_limits import descriptor_shortage
from bot.runtime.steady_clock import ClockJump
from bot.slack.socket_mode import ConnectionState
from bot.sources.base import SourceStatus
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.operations.incidents import IncidentChanges, IncidentRepository
from bot.store.outbox.outbox import Outbox
from bot.store.outbox.plan_writer import ChannelRef
from bot.store.write_check import DiskSpace, WriteCheck
from formatters.models.incident import Incident, IncidentKind
from formatters.posts.incident import clock_detail, sentence
from formatters.webhook import payload

CHECK_INTERVAL_S = 10.0
STORE_TIMEOUT_S = 2.0
"""How long a question about health waits for the store."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether each part does its work, and if not, why."""

    parts: dict[str, str]
    """Part -> "ok", or what is wrong."""

    @property
    def ready(self) -> bool:
        """Whether all do."""
        return all(said == "ok" for said in self.parts.values())


class HealthMonitor:
    """The bot's eye on itself."""

    def __init__(
        self,
        notices: NoticeRepository,
        outbox: Outbox,
        incidents: IncidentRepository,
        clock: Callable[[], datetime],
        *,
        source_statuses: Callable[[], Sequence[SourceStatus]],
        connection_state: Callable[[], ConnectionState] | None = None,
        ops_channel: Callable[[], ChannelRef | None] = lambda: None,
        wake_deliveries: Callable[[], None] = lambda: None,
        webhook_notifier: WebhookNotifier | None = None,
        metrics: Metrics | None = None,
        thresholds: Thresholds | None = None,
        write_check: WriteCheck | None = None,
        count_workers: Callable[[], Awaitable[int | None]] | None = None,
        pending_restarts: Callable[[], Mapping[str, str]] = dict,
        clock_jump: Callable[[], ClockJump | None] = lambda: None,
    ) -> None:
        """`sources` and `link` say how the broker and Slack do; `wake` that deliveries may be due.

        `link` is None where there is no connection to Slack. `writes` finds out whether the store takes what
        is written, `workers` how many processes deliver (None: there can only be this one). `wrong` names the
        parts of the process that wait to be started again, each with why. `jump` says how the clock jumped,
        as long as that matters.
        """
        self._notices = notices
        self._outbox = outbox
        self._incidents = incidents
        self._clock = clock
        self._source_statuses = source_statuses
        self._connection_state = connection_state
        self._ops_channel = ops_channel
        self._wake_deliveries = wake_deliveries
        self._webhook_notifier = webhook_notifier
        self._metrics = metrics or Metrics()
        self._thresholds = thresholds or Thresholds()
        self._write_check = write_check
        self._count_workers = count_workers
        self._pending_restarts = pending_restarts
        self._clock_jump = clock_jump
        self._started = clock()
        self._last_payload_at: datetime | None = None
        self._wrong_since: dict[IncidentKind, datetime] = {}
        self._store_detail = ""
        self._store_incident_logged = False
        self._notified_kinds: frozenset[IncidentKind] = frozenset()

    def record_payload(self) -> None:
        """Say that a payload that means to be a notice came and was handled: LVK's heart beats."""
        self._last_payload_at = self._clock()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def check(self) -> None:
        """Look once: judge, write down what changed, tell who is to be told."""
        now = self._clock()
        try:
            space, workers = await self._check_store()
            stored = await self._notices.last_received()
            overdue, since = await self._outbox.count_overdue(
                now, self._thresholds.post_delay, self._thresholds.edit_delay
            )
            lasting = await self._incidents.open_incidents()
        except StoreUnavailable as error:
            await self._on_store_down(str(error), now)
            return
        facts = replace(
            self._snapshot(now, _latest(stored, self._last_payload_at), overdue, since),
            free_bytes=None if space is None else space.free,
            total_bytes=None if space is None else space.total,
            no_worker_since=self._track_since(IncidentKind.WORKERS, workers == 0, now),
        )
        found = evaluate(facts, now, self._thresholds, frozenset(trouble.kind for trouble in lasting))
        try:
            change = await self._incidents.record_check(
                found,
                now,
                ops_channel=self._ops_channel(),
                has_webhook=self._webhook_notifier is not None,
                already_called=self._notified_kinds,
            )
        except StoreUnavailable as error:
            await self._on_store_down(str(error), now)
            return
        self._wrong_since.pop(IncidentKind.STORE, None)
        self._store_incident_logged, self._notified_kinds = False, frozenset()
        self._notify(change)

    async def readiness(self) -> Readiness:
        """Whether Slack is connected, each source is read and the store answers."""
        parts = dict(self._pending_restarts())
        short = descriptor_shortage()
        if short is not None:
            parts["descriptors"] = short
        if self._connection_state is not None:
            link = self._connection_state()
            parts["slack"] = "ok" if link.connected else link.detail
        for source in self._source_statuses():
            # Of several consumers one is enough.
            if parts.get(source.name) != "ok":
                parts[source.name] = "ok" if source.connected else source.detail
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._check_store()
                await self._notices.last_received()
            parts["store"] = "ok"
        except StoreUnavailable as error:
            parts["store"] = str(error)
        except TimeoutError:
            parts["store"] = f"The database didn't answer within {STORE_TIMEOUT_S:.0f} s."
        return Readiness(parts)

    async def metrics(self) -> bytes:
        """The metrics as Prometheus reads them."""
        heard = self._last_payload_at
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                space, workers = await self._check_store()
                heard = _latest(await self._notices.last_received(), heard)
                counts = await self._outbox.counts()
                states = await self._outbox.count_by_state()
                lasting = await self._incidents.open_incidents()
                self._metrics.set_outbox(states, counts.quarantined, lasting, space, workers)
        except (StoreUnavailable, TimeoutError):
            since = self._wrong_since.get(IncidentKind.STORE)
            lasts = since is not None and self._clock() - since > self._thresholds.store_outage
            self._metrics.set_store_down(is_incident=lasts)
        slack = None if self._connection_state is None else self._connection_state().connected
        self._metrics.set_connections(self._source_statuses(), slack, heard, self._clock())
        return self._metrics.exposition()

    async def _check_store(self) -> tuple[DiskSpace | None, int | None]:
        """How much room it has, how many deliver from it. Raises StoreUnavailable unless it takes writes."""
        space = None
        if self._write_check is not None:
            await self._write_check.check()
            space = await self._write_check.disk_space()
        return space, None if self._count_workers is None else await self._count_workers()

    def _snapshot(
        self, now: datetime, heard: datetime | None, overdue: int, overdue_since: datetime | None
    ) -> HealthSnapshot:
        sources = self._source_statuses()
        link = ConnectionState(True, "") if self._connection_state is None else self._connection_state()
        out = [source for source in sources if not source.connected]
        lag = sum(source.lag or 0 for source in sources if source.connected)
        jump = self._clock_jump()
        return HealthSnapshot(
            started=self._started,
            last_payload_at=heard,
            source_out_since=self._track_since(IncidentKind.SOURCE, bool(out), now),
            source_detail="; ".join(source.detail for source in out),
            lagging_since=self._track_since(IncidentKind.LAG, lag > 0, now),
            lag=lag,
            overdue=overdue,
            overdue_since=overdue_since,
            overdue_seen_since=self._track_since(IncidentKind.DELIVERIES, overdue > 0, now),
            slack_out_since=self._track_since(IncidentKind.SLACK, not link.connected, now),
            slack_detail=link.detail,
            store_out_since=self._wrong_since.get(IncidentKind.STORE),
            store_detail=self._store_detail,
            clock_off_since=None if jump is None else jump.since,
            clock_detail=""
            if jump is None
            else clock_detail(jump.ahead_by.total_seconds(), corrected=jump.corrected),
        )

    def _track_since(self, what: IncidentKind, wrong: bool, now: datetime) -> datetime | None:
        """Since when something is wrong, as far as this process saw it."""
        if not wrong:
            self._wrong_since.pop(what, None)
            return None
        return self._wrong_since.setdefault(what, now)

    async def _on_store_down(self, reason: str, now: datetime) -> None:
        """The ledger can't hold what is wrong with the store itself: the log says it, and the webhook."""
        since = self._wrong_since.setdefault(IncidentKind.STORE, now)
        self._store_detail = reason
        # Source and Slack go on being seen: what was wrong before, and isn't, mustn't be found afterwards.
        self._snapshot(now, None, 0, None)
        self._track_since(IncidentKind.WORKERS, False, now)
        if now - since <= self._thresholds.store_outage:
            return
        trouble = Incident(kind=IncidentKind.STORE, since=since, detail=reason)
        if not self._store_incident_logged:
            self._store_incident_logged = True
            log.error("trouble_began", what=trouble.kind.value, said=sentence(trouble))
        if self._webhook_notifier is None or IncidentKind.STORE in self._notified_kinds:
            return
        if await self._webhook_notifier.send_now(payload.event_from_incident(trouble, is_resolved=False)):
            self._notified_kinds = frozenset({IncidentKind.STORE})

    def _notify(self, change: IncidentChanges) -> None:
        for trouble in change.opened:
            log.error("trouble_began", what=trouble.kind.value, said=sentence(trouble))
        for trouble in change.resolved:
            log.info("trouble_over", what=trouble.kind.value, since=trouble.since.isoformat())
        # What was found before Slack said who we are is told later; a wake-up too many costs nothing.
        if change.opened or change.resolved:
            self._wake_deliveries()
            if self._webhook_notifier is not None:
                self._webhook_notifier.wake()


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
