"""The periodic health check: reports each incident once when it opens and once when it is resolved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from bot.monitoring.metrics import Metrics
from bot.monitoring.rules import HealthSnapshot, Thresholds, evaluate
from bot.monitoring.webhook import WebhookNotifier
from bot.routing.intents import ChannelRef
from bot.runtime import machine_clock
from bot.runtime.callbacks import nothing
from bot.runtime.os_limits import descriptor_shortage
from bot.runtime.steady_clock import ClockJump
from bot.runtime.wakeups import Wakeups
from bot.slack.socket_mode import SocketState
from bot.sources.base import SourceStatus
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.operations.incidents import IncidentChanges, IncidentRepository
from bot.store.operations.monitoring_counts import MonitoringCounts
from bot.store.outbox.statistics import OutboxStatistics
from bot.store.write_check import DiskSpace, WriteCheck
from formatters.models.incident import Incident, IncidentKind
from formatters.posts.incident import clock_detail, sentence
from formatters.webhook import payload

CHECK_INTERVAL_S = 10.0
CHECK_TIMEOUT_S = 30.0
"""Seconds after which a check that the store doesn't answer counts as an outage of the store."""
STORE_TIMEOUT_S = 2.0
"""Seconds that `/readyz` and `/metrics` wait for the store."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of each part of the process."""

    parts: dict[str, str]
    """Part -> "ok", or a description of its problem."""
    optional_topics: dict[str, str] = field(default_factory=dict)
    """The same of the topics beside LVK's alerts, by broker and topic; they don't count."""

    @property
    def ready(self) -> bool:
        """True if every part is ok."""
        return all(state == "ok" for state in self.parts.values())


@dataclass(frozen=True, slots=True)
class FinishedCheck:
    """The result of one health check."""

    ended_monotonic: float
    """The machine's monotonic time at the end, in seconds."""
    open_kinds: frozenset[IncidentKind]
    """The kinds of incident that are open."""


@dataclass(frozen=True, slots=True)
class MonitoredStore:
    """The repositories that a health check reads, and the one that it writes: incidents."""

    notices: NoticeRepository
    outbox_statistics: OutboxStatistics
    incidents: IncidentRepository
    write_check: WriteCheck | None = None
    """Tests that the store accepts writes; None skips this."""
    counts: MonitoringCounts | None = None
    """Counts for `/metrics`; None leaves them out."""


def _no_restarts() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthInputs:
    """Functions that a health check calls to see how the parts of the process are doing."""

    source_statuses: Callable[[], Sequence[SourceStatus]]
    connection_state: Callable[[], SocketState] | None = None
    """The state of the connection to Slack; None in a process without one."""
    ops_channel: Callable[[], ChannelRef | None] = nothing
    count_workers: Callable[[], Awaitable[int | None]] | None = None
    """Returns the number of processes that deliver; None if there can only be this one."""
    pending_restarts: Callable[[], Mapping[str, str]] = _no_restarts
    """Returns the tasks that wait for a restart, each with the reason."""
    clock_jump: Callable[[], ClockJump | None] = nothing


class HealthMonitor:
    """A periodic health check: it opens and resolves incidents, and answers `/readyz` and `/metrics`."""

    def __init__(
        self,
        store: MonitoredStore,
        inputs: HealthInputs,
        clock: Callable[[], datetime],
        *,
        wakeups: Wakeups,
        webhook_notifier: WebhookNotifier | None = None,
        metrics: Metrics | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self._notices = store.notices
        self._outbox_statistics = store.outbox_statistics
        self._incidents = store.incidents
        self._write_check = store.write_check
        self._counts = store.counts
        self._inputs = inputs
        self._clock = clock
        self._wakeups = wakeups
        self._webhook_notifier = webhook_notifier
        self._metrics = metrics or Metrics()
        self._thresholds = thresholds or Thresholds()
        self._started = clock()
        self._last_payload_at: datetime | None = None
        self._wrong_since: dict[IncidentKind, datetime] = {}
        self._store_detail = ""
        self._store_incident_logged = False
        self._notified_kinds: frozenset[IncidentKind] = frozenset()
        self.last_check: FinishedCheck | None = None
        """The result of the newest health check that could read the store, or found it down for too long."""

    def record_payload(self) -> None:
        """Record that a notice, or a broken one, came: LVK's hourly mock notices serve as a heartbeat."""
        self._last_payload_at = self._clock()

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await self._check_or_report_silence()
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def _check_or_report_silence(self) -> None:
        """Check once; while the store neither answers nor fails, report that as an outage.

        The check isn't cancelled, since what hangs in a disk or a driver can't be.
        """
        began = self._clock()
        check = asyncio.create_task(self.check())
        try:
            while not (await asyncio.wait({check}, timeout=CHECK_TIMEOUT_S))[0]:
                self._wrong_since.setdefault(IncidentKind.STORE, began)
                waited_s = (self._clock() - began).total_seconds()
                await self._on_store_down(f"It has given no answer for {waited_s:.0f} s.", self._clock())
            check.result()
        finally:
            check.cancel()

    async def check(self) -> None:
        """Check once: evaluate the rules, record opened and resolved incidents, and notify."""
        now = self._clock()
        try:
            space, workers = await self._check_store()
            stored = await self._notices.last_received()
            overdue, since = await self._outbox_statistics.count_overdue(
                now, self._thresholds.post_delay, self._thresholds.edit_delay
            )
            open_incidents = await self._incidents.open_incidents()
        except StoreUnavailable as error:
            await self._on_store_down(str(error), now)
            return
        # The store may have hung for minutes, which is an outage that is to be recorded.
        now = self._clock()
        snapshot = replace(
            self._snapshot(now, _latest(stored, self._last_payload_at), overdue, since),
            free_bytes=None if space is None else space.free,
            total_bytes=None if space is None else space.total,
            no_worker_since=self._track_since(IncidentKind.WORKERS, workers == 0, now),
        )
        found = evaluate(
            snapshot, now, self._thresholds, frozenset(incident.kind for incident in open_incidents)
        )
        try:
            change = await self._incidents.record_check(
                found,
                now,
                ops_channel=self._inputs.ops_channel(),
                has_webhook=self._webhook_notifier is not None,
                already_called=self._notified_kinds,
            )
        except StoreUnavailable as error:
            await self._on_store_down(str(error), now)
            return
        self._wrong_since.pop(IncidentKind.STORE, None)
        logged = {IncidentKind.STORE} if self._store_incident_logged else frozenset[IncidentKind]()
        self._store_incident_logged, self._notified_kinds = False, frozenset()
        self._finish_check(incident.kind for incident in found)
        self._notify(change, logged)

    async def readiness(self) -> Readiness:
        """Return whether Slack is connected, each source is read and the store answers."""
        parts = dict(self._inputs.pending_restarts())
        short = descriptor_shortage()
        if short is not None:
            parts["descriptors"] = short
        if self._inputs.connection_state is not None:
            connection = self._inputs.connection_state()
            parts["slack"] = "ok" if connection.connected else connection.detail
        sources = self._inputs.source_statuses()
        parts |= _describe_sources(sources, lambda source: source.name, is_optional=False)
        topics = _describe_sources(sources, lambda source: f"{source.name} {source.topic}", is_optional=True)
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._check_store()
                await self._notices.last_received()
            parts["store"] = "ok"
        except StoreUnavailable as error:
            parts["store"] = str(error)
        except TimeoutError:
            parts["store"] = f"The database didn't answer within {STORE_TIMEOUT_S:.0f} s."
        return Readiness(parts, topics)

    async def metrics(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        last_payload_at = self._last_payload_at
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                space, workers = await self._check_store()
                last_payload_at = _latest(await self._notices.last_received(), last_payload_at)
                counts = await self._outbox_statistics.counts()
                states = await self._outbox_statistics.count_by_state()
                open_incidents = await self._incidents.open_incidents()
                self._metrics.set_outbox(states, counts.quarantined, open_incidents, space, workers)
                self._metrics.set_oldest_delivery(counts.oldest_waiting, self._clock())
                if self._counts is not None:
                    self._metrics.set_store_counts(await self._counts.read())
                    if self._webhook_notifier is not None:
                        oldest_call = await self._counts.oldest_webhook_call()
                        self._metrics.set_oldest_webhook_call(oldest_call, self._clock())
        except (StoreUnavailable, TimeoutError):
            since = self._wrong_since.get(IncidentKind.STORE)
            is_incident = since is not None and self._clock() - since > self._thresholds.store_outage
            self._metrics.set_store_down(is_incident=is_incident)
        slack = None if self._inputs.connection_state is None else self._inputs.connection_state().connected
        self._metrics.set_connections(self._inputs.source_statuses(), slack, last_payload_at, self._clock())
        return self._metrics.exposition()

    async def _check_store(self) -> tuple[DiskSpace | None, int | None]:
        """Return disk space and worker count. Raises StoreUnavailable unless the store accepts writes."""
        space = None
        if self._write_check is not None:
            await self._write_check.check()
            space = await self._write_check.disk_space()
        return space, None if self._inputs.count_workers is None else await self._inputs.count_workers()

    def _snapshot(
        self, now: datetime, last_payload_at: datetime | None, overdue: int, overdue_since: datetime | None
    ) -> HealthSnapshot:
        # That another topic isn't read is no incident: the alerts come.
        sources = [source for source in self._inputs.source_statuses() if not source.is_optional]
        connection = (
            SocketState(True, "")
            if self._inputs.connection_state is None
            else self._inputs.connection_state()
        )
        out = [source for source in sources if not source.connected]
        lag = sum(source.lag or 0 for source in sources if source.connected)
        jump = self._inputs.clock_jump()
        return HealthSnapshot(
            started=self._started,
            last_payload_at=last_payload_at,
            source_out_since=self._track_since(IncidentKind.SOURCE, bool(out), now),
            source_detail="; ".join(source.detail for source in out),
            lagging_since=self._track_since(IncidentKind.LAG, lag > 0, now),
            lag=lag,
            overdue=overdue,
            overdue_since=overdue_since,
            overdue_seen_since=self._track_since(IncidentKind.DELIVERIES, overdue > 0, now),
            slack_out_since=self._track_since(IncidentKind.SLACK, not connection.connected, now),
            slack_detail=connection.detail,
            store_out_since=self._wrong_since.get(IncidentKind.STORE),
            store_detail=self._store_detail,
            clock_off_since=None if jump is None else jump.since,
            clock_detail=""
            if jump is None
            else clock_detail(jump.ahead_by.total_seconds(), corrected=jump.corrected),
        )

    def _track_since(self, kind: IncidentKind, is_wrong: bool, now: datetime) -> datetime | None:
        """Return since when this process has seen a problem; None if it is not there."""
        if not is_wrong:
            self._wrong_since.pop(kind, None)
            return None
        return self._wrong_since.setdefault(kind, now)

    async def _on_store_down(self, reason: str, now: datetime) -> None:
        """Report an outage of the store by log and webhook, because the store can't record it."""
        since = self._wrong_since.setdefault(IncidentKind.STORE, now)
        self._store_detail = reason
        # Keep tracking sources and Slack: a problem that ends meanwhile must not be reported afterwards.
        self._snapshot(now, None, 0, None)
        self._track_since(IncidentKind.WORKERS, False, now)
        if now - since <= self._thresholds.store_outage:
            return
        incident = Incident(kind=IncidentKind.STORE, since=since, detail=reason)
        self._finish_check([incident.kind])
        if not self._store_incident_logged:
            self._store_incident_logged = True
            log.error("incident_opened", what=incident.kind.value, summary=sentence(incident))
        if self._webhook_notifier is None or IncidentKind.STORE in self._notified_kinds:
            return
        if await self._webhook_notifier.send_now(payload.event_from_incident(incident, is_resolved=False)):
            self._notified_kinds = frozenset({IncidentKind.STORE})

    def _finish_check(self, open_kinds: Iterable[IncidentKind]) -> None:
        self.last_check = FinishedCheck(machine_clock.monotonic_time(), frozenset(open_kinds))

    def _notify(self, change: IncidentChanges, logged: Container[IncidentKind]) -> None:
        """Log the changes, but for the opening of what was logged before, and wake who tells people."""
        for incident in change.opened:
            if incident.kind not in logged:
                log.error("incident_opened", what=incident.kind.value, summary=sentence(incident))
        for incident in change.resolved:
            log.info("incident_resolved", what=incident.kind.value, since=incident.since.isoformat())
        # Before Slack has identified the bot the messages wait; a needless wake-up costs nothing.
        if change.opened or change.resolved:
            self._wakeups.deliveries.set()
            self._wakeups.webhook.set()


def _describe_sources(
    sources: Sequence[SourceStatus], name: Callable[[SourceStatus], str], *, is_optional: bool
) -> dict[str, str]:
    """Return "ok" or the problem by name; of several consumers of a topic one that reads it is enough."""
    problems: dict[tuple[str, str], str] = {}
    for source in sources:
        key = name(source), source.topic
        if source.is_optional == is_optional and problems.get(key) != "ok":
            problems[key] = "ok" if source.connected else source.detail
    found: dict[str, str] = {}
    for (shown, _), problem in problems.items():
        if found.get(shown, "ok") == "ok":
            found[shown] = problem
    return found


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
