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
from bot.sources import SourceStatus
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
        store: NoticeRepository,
        outbox: Outbox,
        incidents: IncidentRepository,
        clock: Callable[[], datetime],
        *,
        sources: Callable[[], Sequence[SourceStatus]],
        link: Callable[[], ConnectionState] | None = None,
        ops: Callable[[], ChannelRef | None] = lambda: None,
        wake: Callable[[], None] = lambda: None,
        caller: WebhookNotifier | None = None,
        metrics: Metrics | None = None,
        limits: Thresholds | None = None,
        writes: WriteCheck | None = None,
        workers: Callable[[], Awaitable[int | None]] | None = None,
        wrong: Callable[[], Mapping[str, str]] = dict,
        jump: Callable[[], ClockJump | None] = lambda: None,
    ) -> None:
        """`sources` and `link` say how the broker and Slack do; `wake` that deliveries may be due.

        `link` is None where there is no connection to Slack. `writes` finds out whether the store takes what
        is written, `workers` how many processes deliver (None: there can only be this one). `wrong` names the
        parts of the process that wait to be started again, each with why. `jump` says how the clock jumped,
        as long as that matters.
        """
        self._store = store
        self._outbox = outbox
        self._incidents = incidents
        self._clock = clock
        self._sources = sources
        self._link = link
        self._ops = ops
        self._wake = wake
        self._caller = caller
        self._metrics = metrics or Metrics()
        self._limits = limits or Thresholds()
        self._writes = writes
        self._workers = workers
        self._wrong = wrong
        self._jump = jump
        self._started = clock()
        self._heard: datetime | None = None
        self._since: dict[IncidentKind, datetime] = {}
        self._store_detail = ""
        self._store_told = False
        self._called: frozenset[IncidentKind] = frozenset()

    def record_payload(self) -> None:
        """Say that a payload that means to be a notice came and was handled: LVK's heart beats."""
        self._heard = self._clock()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def check(self) -> None:
        """Look once: judge, write down what changed, tell who is to be told."""
        now = self._clock()
        try:
            space, workers = await self._store_itself()
            stored = await self._store.last_received()
            overdue, since = await self._outbox.overdue(now, self._limits.posts, self._limits.edits)
            lasting = await self._incidents.open_incidents()
        except StoreUnavailable as error:
            await self._on_store_down(str(error), now)
            return
        facts = replace(
            self._snapshot(now, _latest(stored, self._heard), overdue, since),
            free=None if space is None else space.free,
            total=None if space is None else space.total,
            idle_since=self._lasting_since(IncidentKind.WORKERS, workers == 0, now),
        )
        found = evaluate(facts, now, self._limits, frozenset(trouble.kind for trouble in lasting))
        try:
            change = await self._incidents.record_check(
                found,
                now,
                ops=self._ops(),
                webhook=self._caller is not None,
                called=self._called,
            )
        except StoreUnavailable as error:
            await self._on_store_down(str(error), now)
            return
        self._since.pop(IncidentKind.STORE, None)
        self._store_told, self._called = False, frozenset()
        self._notify(change)

    async def readiness(self) -> Readiness:
        """Whether Slack is connected, each source is read and the store answers."""
        parts = dict(self._wrong())
        short = descriptor_shortage()
        if short is not None:
            parts["descriptors"] = short
        if self._link is not None:
            link = self._link()
            parts["slack"] = "ok" if link.connected else link.detail
        for source in self._sources():
            # Of several consumers one is enough.
            if parts.get(source.name) != "ok":
                parts[source.name] = "ok" if source.connected else source.detail
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._store_itself()
                await self._store.last_received()
            parts["store"] = "ok"
        except StoreUnavailable as error:
            parts["store"] = str(error)
        except TimeoutError:
            parts["store"] = f"The database didn't answer within {STORE_TIMEOUT_S:.0f} s."
        return Readiness(parts)

    async def metrics(self) -> bytes:
        """The metrics as Prometheus reads them."""
        heard = self._heard
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                space, workers = await self._store_itself()
                heard = _latest(await self._store.last_received(), heard)
                counts = await self._outbox.counts()
                states = await self._outbox.by_state()
                lasting = await self._incidents.open_incidents()
                self._metrics.set_outbox(states, counts.quarantined, lasting, space, workers)
        except (StoreUnavailable, TimeoutError):
            since = self._since.get(IncidentKind.STORE)
            lasts = since is not None and self._clock() - since > self._limits.store
            self._metrics.set_store_down(trouble=lasts)
        slack = None if self._link is None else self._link().connected
        self._metrics.set_connections(self._sources(), slack, heard, self._clock())
        return self._metrics.text()

    async def _store_itself(self) -> tuple[DiskSpace | None, int | None]:
        """How much room it has, how many deliver from it. Raises StoreUnavailable unless it takes writes."""
        space = None
        if self._writes is not None:
            await self._writes.check()
            space = await self._writes.space()
        return space, None if self._workers is None else await self._workers()

    def _snapshot(
        self, now: datetime, heard: datetime | None, overdue: int, overdue_since: datetime | None
    ) -> HealthSnapshot:
        sources = self._sources()
        link = ConnectionState(True, "") if self._link is None else self._link()
        out = [source for source in sources if not source.connected]
        lag = sum(source.lag or 0 for source in sources if source.connected)
        jump = self._jump()
        return HealthSnapshot(
            started=self._started,
            last_heard=heard,
            source_out_since=self._lasting_since(IncidentKind.SOURCE, bool(out), now),
            source_detail="; ".join(source.detail for source in out),
            lagging_since=self._lasting_since(IncidentKind.LAG, lag > 0, now),
            lag=lag,
            overdue=overdue,
            overdue_since=overdue_since,
            overdue_found=self._lasting_since(IncidentKind.DELIVERIES, overdue > 0, now),
            slack_out_since=self._lasting_since(IncidentKind.SLACK, not link.connected, now),
            slack_detail=link.detail,
            store_out_since=self._since.get(IncidentKind.STORE),
            store_detail=self._store_detail,
            clock_off_since=None if jump is None else jump.since,
            clock_detail=""
            if jump is None
            else clock_detail(jump.by.total_seconds(), corrected=jump.corrected),
        )

    def _lasting_since(self, what: IncidentKind, wrong: bool, now: datetime) -> datetime | None:
        """Since when something is wrong, as far as this process saw it."""
        if not wrong:
            self._since.pop(what, None)
            return None
        return self._since.setdefault(what, now)

    async def _on_store_down(self, reason: str, now: datetime) -> None:
        """The ledger can't hold what is wrong with the store itself: the log says it, and the webhook."""
        since = self._since.setdefault(IncidentKind.STORE, now)
        self._store_detail = reason
        # Source and Slack go on being seen: what was wrong before, and isn't, mustn't be found afterwards.
        self._snapshot(now, None, 0, None)
        self._lasting_since(IncidentKind.WORKERS, False, now)
        if now - since <= self._limits.store:
            return
        trouble = Incident(kind=IncidentKind.STORE, since=since, detail=reason)
        if not self._store_told:
            self._store_told = True
            log.error("trouble_began", what=trouble.kind.value, said=sentence(trouble))
        if self._caller is None or IncidentKind.STORE in self._called:
            return
        if await self._caller.send_now(payload.event_from_incident(trouble, over=False)):
            self._called = frozenset({IncidentKind.STORE})

    def _notify(self, change: IncidentChanges) -> None:
        for trouble in change.opened:
            log.error("trouble_began", what=trouble.kind.value, said=sentence(trouble))
        for trouble in change.resolved:
            log.info("trouble_over", what=trouble.kind.value, since=trouble.since.isoformat())
        # What was found before Slack said who we are is told later; a wake-up too many costs nothing.
        if change.opened or change.resolved:
            self._wake()
            if self._caller is not None:
                self._caller.wake()


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
