"""The store's rooms on one database, and what is built from them: one factory knows everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from bot.app.deployment import missing_database_error
from bot.commands.check import CheckCommand
from bot.commands.event_details import EventDetailsCommand, ProvideImage
from bot.commands.event_lookup import EventLookup
from bot.commands.router import CommandRouter
from bot.commands.search import SearchCommands
from bot.commands.visible import ObservabilityCommands
from bot.delivery.renderer import Renderer
from bot.delivery.worker import CHANNEL_PAUSE_S, CONCURRENCY, POLL_S, DeliveryWorker
from bot.filters import matches, parse_criteria
from bot.gracedb.client import GraceDb
from bot.gracedb.importer import SupereventImporter
from bot.ingest import deferred_routing
from bot.ingest.consumer import SourceConsumer
from bot.ingest.deferred_routing import DeferredRoutingWorker
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.monitoring.clock_synchronizer import ClockSynchronizer
from bot.monitoring.webhook import Webhook
from bot.observing.observatories import canonical_site_name
from bot.runtime.steady_clock import SteadyClock
from bot.settings import Settings
from bot.skymap_service.cache import SkyMapCache
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.skymap_service.observability import ObservabilityService
from bot.slack.client import SlackClient
from bot.sources.base import Source, SourceStatus
from bot.store.channels.bulk_transfer import ChannelTransfer
from bot.store.channels.channel_moves import ChannelMoves
from bot.store.channels.installations import InstallationRepository
from bot.store.channels.mentions import MentionRepository
from bot.store.channels.observers import ObserverRepository
from bot.store.channels.refused_mentions import RefusedMentionRepository
from bot.store.channels.sites import SiteRepository
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import Database
from bot.store.events.circulars import CircularRepository
from bot.store.events.deferred import DeferredRouting
from bot.store.events.gracedb_lookups import GraceDbLookups
from bot.store.events.notices import NoticeRepository
from bot.store.events.search import EventSearch
from bot.store.operations.clock_offsets import ClockOffsetRepository
from bot.store.operations.incidents import IncidentRepository
from bot.store.operations.operator_alerts import OperatorAlertRules
from bot.store.operations.ops_channel import OpsChannelRepository
from bot.store.operations.source_heartbeats import SourceHeartbeats
from bot.store.operations.webhook_calls import WebhookOutbox
from bot.store.outbox.due import DueCheck
from bot.store.outbox.images import ImageRepository
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import Delivery, Outcome
from bot.store.outbox.outbox import Outbox
from bot.store.retention import Retention
from bot.store.write_check import WriteCheck
from formatters.models.notice import Notice

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The clock of everything; tests bring their own."""
    return datetime.now(UTC)


class Factory:
    """The store's rooms, on one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = SteadyClock()
        self.clock_synchronizer = ClockSynchronizer(self.clock, ClockOffsetRepository(database))
        self.notices = NoticeRepository(database)
        self.subscriptions = SubscriptionRepository(database)
        self.leases = WorkerLeases(database)
        self.outbox = Outbox(database, self.leases)
        self.channel_moves = ChannelMoves(database)
        self.due_check = DueCheck(database, self.leases)
        self.observers = ObserverRepository(database)
        self.images = ImageRepository(database, self.leases)
        self.mentions = MentionRepository(database)
        self.installations = InstallationRepository(database)
        self.circulars = CircularRepository(database)
        self.skymap_cache = SkyMapCache(self.notices)
        self.gracedb_lookups = GraceDbLookups(database)
        self.sites = SiteRepository(database)
        self.observability = ObservabilityService(self.skymap_cache)
        self.deferred_routing = DeferredRouting(database)
        self.event_search = EventSearch(database)
        self.skymap_queries = SkyMapQueries(self.skymap_cache)
        self.incidents = IncidentRepository(database)
        self.webhook_outbox = WebhookOutbox(database)
        self.ops_channel = OpsChannelRepository(database)
        self.source_heartbeats = SourceHeartbeats(database, self.clock)
        self.retention = Retention(database)
        self.channel_transfer = ChannelTransfer(database)
        self.write_check = WriteCheck(database)

    def create_pipeline(
        self,
        settings: Settings,
        clock: Callable[[], datetime],
        on_planned: Callable[[], None] = lambda: None,
        on_stored: Callable[[Notice], None] = lambda _: None,
    ) -> Pipeline:
        """The one way in, for what comes live; `stored` is told of each new notice."""
        words = settings.webhook_filter
        criteria = None if create_webhook(settings) is None or words is None else parse_criteria(words)

        def alarms() -> OperatorAlertRules:
            return OperatorAlertRules(
                ops_channel=self.ops_channel.cached,
                quiet_period=timedelta(days=settings.first_real_days),
                should_call_webhook=None if criteria is None else partial(matches, criteria),
            )

        return Pipeline(
            self.notices,
            clock,
            max_age=settings.max_age,
            on_planned=on_planned,
            ops_channel=lambda: self.ops_channel.cached,
            should_draw=settings.should_draw,
            circulars=self.circulars,
            operator_alerts=alarms,
            on_stored=on_stored,
        )

    def create_consumer(
        self,
        source: Source,
        pipeline: Pipeline,
        name: str,
        on_handled: Callable[[IngestResult], None] | None = None,
    ) -> SourceConsumer:
        """What takes a source's payloads in; `name` is its consumer group, `handled` is told what became."""
        return SourceConsumer(
            source,
            pipeline,
            self.source_heartbeats,
            self.ops_channel,
            self.subscriptions,
            name,
            on_handled or (lambda _: None),
        )

    def create_deferred_routing_worker(
        self,
        clock: Callable[[], datetime],
        max_age: timedelta,
        wake_deliveries: Callable[[], None] = lambda: None,
        poll_s: float = deferred_routing.POLL_INTERVAL_S,
    ) -> DeferredRoutingWorker:
        """What asks the maps that alone decide; `wake` says that deliveries may be due."""
        return DeferredRoutingWorker(
            self.deferred_routing,
            self.skymap_queries,
            clock,
            max_age=max_age,
            wake_deliveries=wake_deliveries,
            poll_s=poll_s,
        )

    def create_search_commands(self, clock: Callable[[], datetime]) -> SearchCommands:
        """What answers from everything that was received."""
        return SearchCommands(
            self.notices, self.event_search, self.skymap_queries, clock, canonical_site_name
        )

    def create_command_router(
        self,
        clock: Callable[[], datetime],
        *,
        importer: SupereventImporter | None = None,
        image_provider: ProvideImage | None = None,
        source_statuses: Callable[[], list[SourceStatus]] = list,
        wake_deliveries: Callable[[], None] = lambda: None,
        check_permission: Callable[[str, str, str], Awaitable[str | None]] | None = None,
    ) -> CommandRouter:
        """What answers every question.

        `archive` is where events are looked up that were never received; `illustrate` draws maps for
        Slack; `sources` are reported by `status`; `wake` says that deliveries are due; `refusal(team,
        channel, user)` says why somebody may not change what a channel receives.
        """
        events = EventLookup(self.notices, importer, clock)
        return CommandRouter(
            self.notices,
            self.subscriptions,
            self.outbox,
            clock,
            events=events,
            search_commands=self.create_search_commands(clock),
            observability_commands=ObservabilityCommands(
                self.notices, events, self.observability, self.sites, clock, wake_deliveries
            ),
            check_command=CheckCommand(events, self.skymap_cache),
            details_command=EventDetailsCommand(self.skymap_cache, image_provider),
            sources=source_statuses,
            wake_deliveries=wake_deliveries,
            check_permission=check_permission,
            incidents=self.incidents,
        )

    def create_delivery_worker(
        self,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
        *,
        public_url: str | None = None,
        concurrency: int = CONCURRENCY,
        channel_pause_s: float = CHANNEL_PAUSE_S,
        poll_s: float = POLL_S,
        on_recorded: Callable[[Sequence[tuple[Delivery, Outcome]]], None] = lambda _: None,
        is_clock_trusted: Callable[[], bool] = lambda: True,
    ) -> DeliveryWorker:
        """What delivers the ledger through these clients (by team); `settled` is told of the outcomes.

        `may_give_up` says whether the clock is good enough to give up what is old.
        """

        async def picture_failed(picture_id: int, reason: str) -> None:
            await self.images.mark_failed(picture_id, reason, clock())

        async def permalink(team_id: str, channel_id: str, ts: str) -> str | None:
            return await clients[team_id].permalink(channel_id, ts)

        renderer = Renderer(
            self.notices,
            self.subscriptions,
            self.observers,
            self.images,
            self.mentions,
            self.circulars,
            self.sites,
            self.observability,
            permalink,
            public_url,
            incidents=self.incidents,
            refused_mentions=RefusedMentionRepository(self.database),
        )
        return DeliveryWorker(
            self.outbox,
            clients,
            renderer,
            clock,
            on_image_failed=picture_failed,
            concurrency=concurrency,
            channel_pause_s=channel_pause_s,
            poll_s=poll_s,
            on_recorded=on_recorded,
            is_clock_trusted=is_clock_trusted,
        )


@asynccontextmanager
async def open_factory(settings: Settings, *, create: bool = True) -> AsyncIterator[Factory]:
    """The store, at this version's tables; closed at the end. Raises StoreUnavailable, BadDatabaseUrl.

    With `make` False, for what only reads, no database is made: Raises SettingsError where there is none.
    """
    database = Database(settings.effective_database_url)
    try:
        if not create and not await database.has_tables():
            raise missing_database_error(settings.effective_database_url)
        await database.migrate()
        factory = Factory(database)
        await factory.clock_synchronizer.start()
        yield factory
    finally:
        await database.close()


def create_gracedb_importer(
    settings: Settings,
    factory: Factory,
    clock: Callable[[], datetime],
    *,
    pace_s: float = 0.0,
    shared_with: SupereventImporter | None = None,
) -> SupereventImporter | None:
    """What looks events up in GraceDB, or None where the settings switch it off; to be closed at the end.

    It asks every `pace_s` seconds at most, and never for what the archive `beside` it is asking for.
    """
    if settings.gracedb_url is None:
        return None
    # It tells nobody: what comes from an archive causes no delivery and no picture.
    pipeline = Pipeline(factory.notices, clock, max_age=settings.max_age)
    gracedb = GraceDb(settings.gracedb_url, pace_s=pace_s)
    return SupereventImporter(gracedb, pipeline, factory.gracedb_lookups, clock, shared_with=shared_with)


def create_webhook(settings: Settings) -> Webhook | None:
    """The webhook that the settings name."""
    if settings.webhook_url is None:
        return None
    key = settings.webhook_key
    return Webhook(
        settings.webhook_url.get_secret_value(),
        settings.webhook_format,
        None if key is None else key.get_secret_value(),
    )
