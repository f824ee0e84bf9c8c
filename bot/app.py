"""The one factory: builds every object of the bot, starts them, and stops them within 5 seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import aiohttp
import structlog
from slack_bolt.async_app import AsyncApp

from bot.answers import Answers, Asker
from bot.asking import MapAsker, site_name
from bot.consumer import Consumer
from bot.filters import matches, parse
from bot.gracedb.archive import Archive
from bot.gracedb.backfill import PACE_S, Backfill, repair
from bot.gracedb.client import GraceDb
from bot.http import HttpServer
from bot.maps import StoredMaps
from bot.pictures import Pictures
from bot.pipeline import Handled, Pipeline
from bot.questions.choosing import Choosing
from bot.questions.details import Details, Illustrate
from bot.questions.events import Events
from bot.questions.position import Positions
from bot.questions.visibility import Visibility
from bot.settings import Settings, SettingsError
from bot.slack import listeners
from bot.slack.client import Identity, SlackClient
from bot.slack.delivery import CHANNEL_PAUSE_S, CONCURRENCY, DeliveryWorker
from bot.slack.dialog import Dialogs
from bot.slack.errors import SlackFailure
from bot.slack.front import Front
from bot.slack.gate import Allowance, protect
from bot.slack.home import Homes
from bot.slack.illustrations import Illustrations
from bot.slack.permission import Permission
from bot.slack.pictures import PictureWorker
from bot.slack.rendering import Renderer
from bot.sources import Source, SourceStatus
from bot.sources.credentials import DEFAULT_GROUP, group_id, load_auth, username_of
from bot.sources.gcn import GcnAccess, GcnSource
from bot.sources.hopskotch import HopskotchSource
from bot.store.alarms import Alarms
from bot.store.calls import Calls
from bot.store.circulars import Circulars
from bot.store.consumers import Consumers
from bot.store.database import Database, StoreUnavailable
from bot.store.deliveries import Ledger
from bot.store.installations import Installations
from bot.store.ledger import Delivery, Outcome
from bot.store.lookups import Lookups
from bot.store.mentions import Mentions
from bot.store.observers import Observers
from bot.store.operators import Operators
from bot.store.past import Past
from bot.store.pictures import PictureStore
from bot.store.retention import NOTHING, Keep, Retention
from bot.store.shares import PURGE, REPAIR, Shares
from bot.store.sites import Sites
from bot.store.store import Store
from bot.store.subscriptions import Subscriptions
from bot.store.transfer import Transfer
from bot.store.troubles import Troubles
from bot.store.undecided import Undecided
from bot.store.wakeups import listen
from bot.undecided import MapDecisions
from bot.visibility import Visibilities
from bot.watch.caller import Caller, Webhook
from bot.watch.judge import Limits
from bot.watch.metrics import Metrics
from bot.watch.watch import Watch
from formatters.message import Message
from formatters.notice import Notice

NEEDS_POSTGRESQL = (
    "gwevent {} shares the work with other processes, which takes PostgreSQL (GWEVENT_DATABASE_URL); "
    "on SQLite gwevent run does everything."
)
STOP_S = 3.5
PURGE_EVERY_S = 600.0
LONGEST_WAIT_S = 60.0
HEAR_S = 5.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The clock of everything; tests bring their own."""
    return datetime.now(UTC)


class Rooms:
    """The store's rooms, on one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Store(database)
        self.subscriptions = Subscriptions(database)
        self.shares = Shares(database)
        self.ledger = Ledger(database, self.shares)
        self.observers = Observers(database)
        self.pictures = PictureStore(database, self.shares)
        self.mentions = Mentions(database)
        self.installations = Installations(database)
        self.circulars = Circulars(database)
        self.maps = StoredMaps(self.store)
        self.lookups = Lookups(database)
        self.sites = Sites(database)
        self.visibilities = Visibilities(self.maps)
        self.undecided = Undecided(database)
        self.past = Past(database)
        self.asker = MapAsker(self.maps)
        self.troubles = Troubles(database)
        self.calls = Calls(database)
        self.operators = Operators(database)
        self.consumers = Consumers(database)
        self.retention = Retention(database)
        self.transfer = Transfer(database)

    def pipeline(
        self,
        settings: Settings,
        clock: Callable[[], datetime],
        wake: Callable[[], None] = lambda: None,
        stored: Callable[[Notice], None] = lambda _: None,
    ) -> Pipeline:
        """The one way in, for what comes live; `stored` is told of each new notice."""
        words = settings.webhook_filter
        wish = None if webhook_of(settings) is None or words is None else parse(words)

        def alarms() -> Alarms:
            return Alarms(
                ops=self.operators.known,
                quiet=timedelta(days=settings.first_real_days),
                wakes=None if wish is None else partial(matches, wish),
            )

        return Pipeline(
            self.store,
            clock,
            max_age=settings.max_age,
            wake=wake,
            ops=lambda: self.operators.known,
            draws=settings.draws,
            circulars=self.circulars,
            alarms=alarms,
            stored=stored,
        )

    def consumer(
        self,
        source: Source,
        pipeline: Pipeline,
        name: str,
        handled: Callable[[Handled], None] | None = None,
    ) -> Consumer:
        """What takes a source's payloads in; `name` is its consumer group, `handled` is told what became."""
        return Consumer(
            source,
            pipeline,
            self.consumers,
            self.operators,
            self.subscriptions,
            name,
            handled or (lambda _: None),
        )

    def decisions(
        self, clock: Callable[[], datetime], max_age: timedelta, wake: Callable[[], None] = lambda: None
    ) -> MapDecisions:
        """What asks the maps that alone decide; `wake` says that deliveries may be due."""
        return MapDecisions(self.undecided, self.asker, clock, max_age=max_age, wake_deliveries=wake)

    def choosing(self, clock: Callable[[], datetime]) -> Choosing:
        """What answers from everything that was received."""
        return Choosing(self.store, self.past, self.asker, clock, site_name)

    def answers(
        self,
        clock: Callable[[], datetime],
        *,
        archive: Archive | None = None,
        illustrate: Illustrate | None = None,
        sources: Callable[[], list[SourceStatus]] = list,
        wake: Callable[[], None] = lambda: None,
        refusal: Callable[[str, str, str], Awaitable[str | None]] | None = None,
    ) -> Answers:
        """What answers every question.

        `archive` is where events are looked up that were never received; `illustrate` draws maps for
        Slack; `sources` are reported by `status`; `wake` says that deliveries are due; `refusal(team,
        channel, user)` says why somebody may not change what a channel receives.
        """
        events = Events(self.store, archive, clock)
        return Answers(
            self.store,
            self.subscriptions,
            self.ledger,
            clock,
            events=events,
            choosing=self.choosing(clock),
            visibility=Visibility(self.store, events, self.visibilities, self.sites, clock),
            positions=Positions(events, self.maps),
            details=Details(self.maps, illustrate),
            sources=sources,
            wake=wake,
            refusal=refusal,
            troubles=self.troubles,
        )

    def worker(
        self,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
        *,
        public_url: str | None = None,
        concurrency: int = CONCURRENCY,
        channel_pause_s: float = CHANNEL_PAUSE_S,
        settled: Callable[[Sequence[tuple[Delivery, Outcome]]], None] = lambda _: None,
    ) -> DeliveryWorker:
        """What delivers the ledger through these clients (by team); `settled` is told of the outcomes."""

        async def picture_failed(picture_id: int, reason: str) -> None:
            await self.pictures.failed(picture_id, reason, clock())

        async def permalink(team_id: str, channel_id: str, ts: str) -> str | None:
            return await clients[team_id].permalink(channel_id, ts)

        renderer = Renderer(
            self.store,
            self.subscriptions,
            self.observers,
            self.pictures,
            self.mentions,
            self.circulars,
            self.sites,
            self.visibilities,
            permalink,
            public_url,
            troubles=self.troubles,
        )
        return DeliveryWorker(
            self.ledger,
            clients,
            renderer,
            clock,
            picture_failed=picture_failed,
            concurrency=concurrency,
            channel_pause_s=channel_pause_s,
            settled=settled,
        )


@asynccontextmanager
async def open_rooms(settings: Settings) -> AsyncIterator[Rooms]:
    """The store, at this version's tables; closed at the end. Raises StoreUnavailable, BadDatabaseUrl."""
    database = Database(settings.database)
    try:
        await database.migrate()
        yield Rooms(database)
    finally:
        await database.close()


def sources_of(settings: Settings) -> list[Source]:
    """The sources that the settings name. Raises SourceConfigError."""
    sources: list[Source] = []
    if "hopskotch" in settings.source_names:
        auth = load_auth(settings.kafka_url, settings.kafka_auth)
        group = group_id(username_of(auth), settings.kafka_group)
        sources.append(HopskotchSource(settings.kafka_url, group, auth))
    if "gcn" in settings.source_names:
        group = settings.kafka_group or DEFAULT_GROUP
        sources.append(GcnSource(gcn_access(settings), settings.gcn_topic_names, group))
    return sources


def gcn_access(settings: Settings) -> GcnAccess:
    """Where GCN is, and as whom it is asked."""
    secret = settings.gcn_client_secret
    return GcnAccess(
        client_id=settings.gcn_client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        domain=settings.gcn_domain,
        broker=settings.gcn_broker,
    )


def consumers_of(
    settings: Settings,
    rooms: Rooms,
    sources: Sequence[Source],
    pipeline: Pipeline,
    handled: Callable[[Handled], None] = lambda _: None,
) -> list[Consumer]:
    """What takes these sources' payloads in, each under a name that no other process has."""
    group = settings.kafka_group or DEFAULT_GROUP
    return [
        rooms.consumer(source, pipeline, f"{source.status().name}:{group}", handled) for source in sources
    ]


async def consume(settings: Settings, rooms: Rooms, sources: Sequence[Source], stop: asyncio.Event) -> None:
    """The consumer alone, until `stop` is set: what it plans is delivered by others. Raises SettingsError."""
    if rooms.database.sqlite:
        raise SettingsError(NEEDS_POSTGRESQL.format("consume"))
    if settings.kafka_group is None:
        raise SettingsError(
            "GWEVENT_KAFKA_GROUP must be set: each consumer reads in a group of its own, with the same name "
            "after every restart (e.g. gwevent- and the machine's name)."
        )
    metrics = Metrics()
    watch = Watch(
        rooms.store,
        rooms.ledger,
        rooms.troubles,
        utc_now,
        sources=lambda: [source.status() for source in sources],
        metrics=metrics,
    )
    pipeline = rooms.pipeline(settings, utc_now, stored=metrics.stored)

    def handled(what: Handled) -> None:
        metrics.handled(what)
        watch.heard()

    consumers = consumers_of(settings, rooms, sources, pipeline, handled)
    port = settings.listens_on
    http = None if port is None else HttpServer(rooms.pictures, settings.http_host, port, watch)
    if http is not None:
        await _listen(http, settings)
    parts = [asyncio.create_task(work) for one in consumers for work in (one.consume(), one.tell())]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*parts, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()
    finally:
        log.info("stopping")
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*(one.stop() for one in consumers))
                if http is not None:
                    await http.stop()
        for task in (*parts, stopped):
            task.cancel()
        await asyncio.gather(*parts, stopped, return_exceptions=True)
        log.info("stopped")


def archive_of(
    settings: Settings,
    rooms: Rooms,
    clock: Callable[[], datetime],
    *,
    pace_s: float = 0.0,
    beside: Archive | None = None,
) -> Archive | None:
    """What looks events up in GraceDB, or None where the settings switch it off; to be closed at the end.

    It asks every `pace_s` seconds at most, and never for what the archive `beside` it is asking for.
    """
    if settings.gracedb_url is None:
        return None
    # It tells nobody: what comes from an archive causes no delivery and no picture.
    pipeline = Pipeline(rooms.store, clock, max_age=settings.max_age)
    gracedb = GraceDb(settings.gracedb_url, pace_s=pace_s)
    return Archive(gracedb, pipeline, rooms.lookups, clock, beside=beside)


def webhook_of(settings: Settings) -> Webhook | None:
    """The webhook that the settings name."""
    if settings.webhook_url is None:
        return None
    key = settings.webhook_key
    return Webhook(
        settings.webhook_url.get_secret_value(),
        settings.webhook_format,
        None if key is None else key.get_secret_value(),
    )


async def _listen(http: HttpServer, settings: Settings) -> None:
    try:
        await http.start()
    except OSError as error:
        raise SettingsError(
            f"GWEVENT_HTTP_PORT {settings.listens_on} can't be used: {error.strerror}."
        ) from error


def keep_of(settings: Settings) -> Keep:
    """How long things are kept; what is young enough to be posted is kept in any case."""
    payloads = None if settings.payload_days is None else timedelta(days=settings.payload_days)
    return Keep(
        payloads=payloads,
        deliveries=max(timedelta(days=settings.ledger_days), 2 * settings.max_age),
        quarantine=timedelta(days=settings.quarantine_days),
    )


class Bot:
    """Everything in one process: a source, the pipeline, the deliveries, and the answers in Slack."""

    def __init__(
        self,
        settings: Settings,
        rooms: Rooms,
        sources: Sequence[Source],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`sources` is empty where consumers of their own read them. Raises SettingsError without tokens."""
        self._settings = settings
        access = settings.slack_access()
        self._rooms = rooms
        self._sources = sources
        # What other processes' sources said last.
        self._heard: list[SourceStatus] = []
        self._clock = clock
        self._clients: dict[str, SlackClient] = {}
        self._identity: Identity | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.ready = asyncio.Event()
        """Set once Slack knows us and the source is being read."""
        draw = Pictures()
        self.metrics = Metrics()
        self.worker = rooms.worker(
            self._clients,
            clock,
            public_url=settings.public_url,
            settled=lambda outcomes: self.metrics.settled(outcomes, clock()),
        )
        self._front = Front(
            access,
            settings,
            rooms.installations,
            self._clients,
            clock,
            register=self._register,
            wake=self.worker.wake,
            called=self.metrics.called,
        )
        self.pictures = PictureWorker(
            rooms.store,
            rooms.pictures,
            self._clients,
            draw,
            clock,
            wake_deliveries=self.worker.wake,
            serve=settings.public_url is not None,
        )
        self.decisions = rooms.decisions(clock, settings.max_age, self._wake)
        webhook = webhook_of(settings)
        self._caller = (
            None if webhook is None else Caller(webhook, rooms.calls, rooms.troubles, rooms.store, clock)
        )
        self.watch = Watch(
            rooms.store,
            rooms.ledger,
            rooms.troubles,
            clock,
            sources=self._statuses,
            link=lambda: self._front.state,
            ops=lambda: rooms.operators.known,
            wake=self.worker.wake,
            caller=self._caller,
            metrics=self.metrics,
            limits=Limits(silence=timedelta(hours=settings.silence_hours)),
        )
        port = settings.listens_on
        self._http = (
            None
            if port is None
            else HttpServer(
                rooms.pictures,
                settings.http_host,
                port,
                self.watch,
                self._front.add_routes,
            )
        )
        self.pipeline = rooms.pipeline(settings, clock, self._stored, self.metrics.stored)
        self._consumers = consumers_of(settings, rooms, sources, self.pipeline, self._handled)
        self._archive = archive_of(settings, rooms, clock)
        self.answers = rooms.answers(
            clock,
            archive=self._archive,
            illustrate=Illustrations(rooms.store, rooms.pictures, self._clients, draw, settings.public_url),
            sources=self._statuses,
            wake=self.worker.wake,
            refusal=Permission(settings.who_may_subscribe, self._clients).refusal,
        )

        self._homes = Homes(
            rooms.store,
            rooms.subscriptions,
            rooms.troubles,
            self._clients,
            clock,
            self._statuses,
        )
        self._dialogs = Dialogs(self.answers, rooms.subscriptions, self._clients, self._homes)

    @property
    def identity(self) -> Identity | None:
        """Who the bot is in Slack, once Slack said so."""
        return self._identity

    @property
    def http_port(self) -> int | None:
        """Where health is served, once it is."""
        return None if self._http is None else self._http.port

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or until one of the parts ends by a fault, which is raised."""
        if self._http is not None:
            await _listen(self._http, self._settings)
        async with aiohttp.ClientSession() as session:
            for consumer in self._consumers:
                self._start(consumer.consume(), "consume")
            self._start(self.worker.run(), "deliver")
            self._start(self.pictures.run(), "draw")
            self._start(self.decisions.run(), "ask_maps")
            self._start(self._front.run(session, self._known, self.ready.set), "serve_slack")
            self._start(self._purge(), "purge")
            self._start(self._repair_gap(), "repair_gap")
            self._start(self.watch.run(), "watch")
            if self._caller is not None:
                self._start(self._caller.run(), "call")
            if not self._rooms.database.sqlite:
                self._start(listen(self._rooms.database, self._stored), "listen")
                for consumer in self._consumers:
                    self._start(consumer.tell(), "tell")
                if not self._consumers:
                    self._start(self._hear(), "hear")
            stopped = asyncio.create_task(stop.wait())
            try:
                done, _ = await asyncio.wait([*self._tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    task.result()
            finally:
                stopped.cancel()
                await self._stop()

    def _start(self, work: Coroutine[object, object, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def _stop(self) -> None:
        log.info("stopping")
        parts = [self.worker.stop(), self.pictures.close(), self._front.close()]
        parts += [consumer.stop() for consumer in self._consumers]
        if self._http is not None:
            parts.append(self._http.stop())
        if self._archive is not None:
            parts.append(self._archive.close())
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                for result in await asyncio.gather(*parts, return_exceptions=True):
                    if isinstance(result, Exception):
                        log.warning("stop_incomplete", exc_info=result)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        log.info("stopped")

    async def _hear(self) -> None:
        """Keep what the other processes say of their sources, for `status`."""
        while True:
            try:
                self._heard = await self._rooms.consumers.sources()
            except StoreUnavailable as error:
                log.warning("status_waits_for_store", reason=str(error))
            await asyncio.sleep(HEAR_S)

    def _register(self, app: AsyncApp) -> None:
        protect(app, self._settings.slack_api_url, Allowance(self._settings.commands_per_minute))
        listeners.register(
            app, self.answers, self._revive, self._observe, self._homes, self._dialogs, self._show
        )

    async def _known(self, identity: Identity | None) -> None:
        """Slack said who we are; None: one in each of many workspaces."""
        self._identity = identity
        team, channel = self._settings.ops_place
        team = team or (None if identity is None else identity.team_id)
        await self._tell_where_operators_are(team, channel)

    def _statuses(self) -> list[SourceStatus]:
        return [source.status() for source in self._sources] if self._sources else self._heard

    def _handled(self, handled: Handled) -> None:
        self.metrics.handled(handled)
        self.watch.heard()

    async def _tell_where_operators_are(self, team_id: str | None, channel: str | None) -> None:
        while True:
            try:
                await self._rooms.operators.are_in(team_id or "", None if team_id is None else channel)
            except StoreUnavailable as error:
                log.warning("operators_wait_for_store", reason=str(error))
                await asyncio.sleep(1.0)
            else:
                return

    async def _revive(self, team_id: str, channel_id: str) -> None:
        now = self._clock()
        waiting = await self._rooms.ledger.revive(team_id, channel_id, now - self._settings.max_age, now)
        if waiting:
            log.info("channel_revived", channel=channel_id, deliveries=waiting)
            self.worker.wake()

    async def _observe(self, team_id: str, channel_id: str, superevent_id: str, user_id: str) -> None:
        now = self._clock()
        observes = await self._rooms.observers.toggle(team_id, channel_id, superevent_id, user_id, now)
        log.info("observer", superevent_id=superevent_id, channel=channel_id, observes=observes)
        self.worker.wake()

    async def _show(self, asker: Asker, message: Message, thread_ts: str | None) -> bool:
        client = self._clients.get(asker.team_id)
        if client is None:
            return False
        try:
            await client.show(asker.channel_id, asker.user_id, message, thread_ts=thread_ts)
        except SlackFailure as failure:
            log.info("answer_not_shown", channel=asker.channel_id, reason=failure.reason)
            return False
        return True

    async def _repair_gap(self) -> None:
        """After a silence longer than the broker keeps messages, fill the gap from GraceDB."""
        while not self._rooms.shares.holds(REPAIR):  # noqa: ASYNC110  it comes from another process
            await asyncio.sleep(1.0)
        archive = archive_of(self._settings, self._rooms, self._clock, pace_s=PACE_S, beside=self._archive)
        if archive is not None:
            try:
                await repair(
                    Backfill(archive, self._rooms.lookups, self._clock),
                    self._rooms.store,
                    timedelta(days=self._settings.broker_keeps_days),
                    self._clock(),
                )
            finally:
                await archive.close()
        await asyncio.Event().wait()

    async def _purge(self) -> None:
        while True:
            try:
                await self._purge_once(self._clock() - timedelta(days=self._settings.mock_payload_days))
                await self._purge_old()
            except StoreUnavailable as error:
                log.warning("purge_waits_for_store", reason=str(error))
            await asyncio.sleep(PURGE_EVERY_S)

    async def _purge_once(self, before: datetime) -> None:
        shares = self._rooms.shares
        purged = await self._rooms.store.purge_mock_payloads(before) if shares.holds(PURGE) else 0
        if purged:
            log.info("mock_payloads_purged", payloads=purged)
        for picture_id, team_id, file_id in await self._rooms.pictures.of_old_mocks(before):
            client = self._clients.get(team_id)
            if not shares.holds(team_id):
                continue
            try:
                if file_id is not None and client is None:
                    continue
                if file_id is not None and client is not None:
                    await client.delete_file(file_id)
            except SlackFailure as failure:
                log.warning("file_not_deleted", file=file_id, reason=failure.reason)
                continue
            await self._rooms.pictures.forget(picture_id)

    async def _purge_old(self) -> None:
        if not self._rooms.shares.holds(PURGE):
            return
        removed = await self._rooms.retention.purge(keep_of(self._settings), self._clock())
        if removed != NOTHING:
            log.info("old_rows_purged", **asdict(removed))

    def _wake(self) -> None:
        self.worker.wake()
        self.pictures.wake()
        if self._caller is not None:
            self._caller.wake()

    def _stored(self) -> None:
        self._wake()
        self.decisions.wake()
