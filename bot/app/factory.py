"""Composition root: creates the repositories on one database and the services that use them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from bot.app.candidates_command import create_candidates_command
from bot.app.criteria_services import create_criteria_service
from bot.app.deployment import missing_database_error
from bot.app.escalation_parts import create_drill_command
from bot.app.follow_up_services import create_follow_up_services
from bot.app.instruments import open_instruments
from bot.app.observation_services import create_observation_reports, create_observe_command
from bot.app.observing_commands import (
    catalogue_choice,
    create_coverage_command,
    create_plan_command,
    create_visible_command,
)
from bot.app.permalinks import create_permalinks
from bot.app.repositories import Repositories
from bot.app.status_command import create_status_command
from bot.app.webhook_criteria import webhook_criteria
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.channel_criteria import ChannelCriteriaSets
from bot.commands.check import CheckCommand
from bot.commands.command_table import CommandHandlers
from bot.commands.criteria import CriteriaCommands
from bot.commands.default_event import DefaultEventChooser
from bot.commands.event_details import EventDetailsCommand, ProvideImage
from bot.commands.event_lookup import EventLookup
from bot.commands.event_people import PeopleOfEvent
from bot.commands.event_questions import EventQuestions, GetPermalink
from bot.commands.galaxies import GalaxiesCommand, ProvideMarkedImage
from bot.commands.mute import MuteCommand, Mutes
from bot.commands.observation_reports import ObservationReports
from bot.commands.own_telescopes import OwnTelescopes
from bot.commands.router import CommandRouter
from bot.commands.search import SearchCommands
from bot.commands.sites import SiteCommands
from bot.commands.subscription_service import SubscriptionService
from bot.commands.subscriptions import SubscriptionCommands
from bot.delivery.outcome_writer import OutcomeWriter
from bot.delivery.rate_control import CHANNEL_PAUSE_S, RateControl
from bot.delivery.renderer import Renderer
from bot.delivery.sender import Sender
from bot.delivery.worker import CONCURRENCY, POLL_S, DeliveryWorker, WorkerLimits
from bot.gracedb.importer import SupereventImporter
from bot.ingest import deferred_routing
from bot.ingest.consumer import PayloadHandler, SourceConsumer
from bot.ingest.deferred_routing import DeferredRoutingWorker
from bot.ingest.extra_topics import ExtraTopicConsumer, SequentialHandler
from bot.ingest.pipeline import IngestResult, IngestRules, Pipeline
from bot.ingest.status_reporter import SourceStatusReporter
from bot.monitoring.clock_synchronizer import ClockSynchronizer
from bot.monitoring.metrics import CallOutcome
from bot.monitoring.rules import Thresholds
from bot.monitoring.webhook import WebhookEventBuilder, WebhookNotifier, create_webhook
from bot.observing.instruments import Instruments
from bot.related_messages.nearby_windows import NearbyWindows
from bot.routing.state import OperatorRules
from bot.runtime.callbacks import always, no_op
from bot.runtime.steady_clock import SteadyClock
from bot.runtime.wakeups import Wakeups
from bot.setting_types.escalation_webhook import EscalationWebhookPolicy, escalation_webhook_policy
from bot.settings import Settings
from bot.skymap_service.cache import SkyMapCache
from bot.skymap_service.counterparts import CounterpartService
from bot.skymap_service.coverage import CoverageService
from bot.skymap_service.filter_queries import SkyMapQueries, observatory_probability
from bot.skymap_service.galaxy_ranking import CatalogueChoice, GalaxyRankingService
from bot.skymap_service.grading import GradingService
from bot.skymap_service.observability import ObservabilityService
from bot.skymap_service.pointings import PointingService
from bot.skymap_service.position_levels import PositionLevels
from bot.slack.client import SlackClient
from bot.sources.base import Source, SourceStatus
from bot.sources.credentials import DEFAULT_GROUP
from bot.sources.restartable import RestartableSource
from bot.store.channels.channel_history import ChannelHistory
from bot.store.database import Database
from bot.store.outbox.models import Delivery, Outcome
from formatters.models.notice import Notice
from formatters.models.observing import MIN_UP
from formatters.models.subscription import Criteria

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return the machine's time in UTC: the clock of one-off commands."""
    return datetime.now(UTC)


class Factory(Repositories):
    """A set of repositories on one database, with `create_…` methods for the services built on them.

    It is itself a set of repositories, so that commands and tests reach both through one object. Services
    never get the factory, only the repositories that they need.
    """

    def __init__(
        self,
        database: Database,
        min_up: timedelta = MIN_UP,
        nearby: NearbyWindows | None = None,
        catalogues: CatalogueChoice | None = None,
        instruments: Instruments | None = None,
        escalation_webhook: EscalationWebhookPolicy | None = None,
    ) -> None:
        """`min_up` and `nearby` are `Settings.min_up` and `Settings.nearby_windows`.

        Without `catalogues` no galaxies are known; without `escalation_webhook` every workspace may escalate
        to the operators' webhook.
        """
        self.escalation_webhook = escalation_webhook or EscalationWebhookPolicy()
        self.clock = SteadyClock()
        self.thresholds = Thresholds()
        super().__init__(database, self.clock, nearby, instruments)
        self.clock_synchronizer = ClockSynchronizer(self.clock, self.clock_offsets)
        self.skymap_cache = SkyMapCache(self.notices)
        probability = partial(observatory_probability, min_up=min_up)
        map_queries = SkyMapQueries(self.skymap_cache, probability)
        self.grading = GradingService(self.notices, self.skymap_cache, map_queries)
        self.skymap_queries = SkyMapQueries(self.skymap_cache, probability, self.grading)
        self.observability = ObservabilityService(self.skymap_cache, min_up)
        self.position_levels = PositionLevels(self.skymap_cache)
        self.pointings = PointingService(self.position_levels)
        self.coverage = CoverageService(self.position_levels, self.observations, self.treasure_map)
        self.counterpart_service = CounterpartService(
            self.related_messages, self.counterparts, self.position_levels
        )
        self.galaxy_rankings = GalaxyRankingService(self.position_levels, catalogues)
        self.follow_up_services = create_follow_up_services(
            self,
            self.skymap_cache,
            self.position_levels,
            self.counterpart_service,
            self.galaxy_rankings,
            self.coverage,
        )

    def create_pipeline(
        self,
        settings: Settings,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
        on_stored: Callable[[Notice], None] | None = None,
    ) -> Pipeline:
        """Create the pipeline of live sources; `on_stored` is called with each new notice."""
        criteria = webhook_criteria(settings)

        def operator_rules() -> OperatorRules:
            return OperatorRules(
                ops_channel=self.ops_channel.cached,
                quiet_period=timedelta(days=settings.first_real_days),
                webhook_criteria=criteria,
            )

        return Pipeline(
            self.ingest_stores,
            clock,
            wakeups,
            IngestRules(
                max_age=settings.max_age, should_draw=settings.should_draw, operator_rules=operator_rules
            ),
            on_stored=on_stored,
        )

    def create_consumer(
        self,
        source: Source,
        pipeline: PayloadHandler,
        name: str,
        on_handled: Callable[[IngestResult], None] | None = None,
    ) -> SourceConsumer:
        """Create the consumer of a source; `name` identifies it among all processes on the database.

        `on_handled` is called with the result of each payload.
        """
        return SourceConsumer(
            source,
            pipeline,
            self.ops_channel,
            self.subscriptions,
            name,
            on_handled or (lambda _: None),
        )

    def create_consumers(
        self,
        settings: Settings,
        sources: Sequence[Source],
        pipeline: Pipeline,
        on_handled: Callable[[IngestResult], None],
    ) -> list[SourceConsumer]:
        """Create a consumer for each source of alerts, named by the source and the consumer group."""
        group = settings.kafka_group or DEFAULT_GROUP
        return [
            self.create_consumer(source, pipeline, f"{source.status().name}:{group}", on_handled)
            for source in sources
            if not isinstance(source, RestartableSource)
        ]

    def create_extra_topic_consumers(
        self,
        settings: Settings,
        sources: Sequence[Source],
        pipeline: Pipeline,
        on_handled: Callable[[IngestResult], None],
        on_fault: Callable[[SourceStatus], None],
    ) -> list[ExtraTopicConsumer]:
        """Create a consumer for each optional topic; `on_fault` is called after each defect of one."""
        group = settings.kafka_group or DEFAULT_GROUP
        handler = SequentialHandler(pipeline)
        return [
            ExtraTopicConsumer(
                source,
                self.create_consumer(source, handler, f"{source.status().name}:{group}", on_handled),
                on_fault,
            )
            for source in sources
            if isinstance(source, RestartableSource)
        ]

    def create_status_reporter(
        self, settings: Settings, statuses: Callable[[], Sequence[SourceStatus]]
    ) -> SourceStatusReporter:
        """Create the heartbeats of this process's sources."""
        group = settings.kafka_group or DEFAULT_GROUP
        return SourceStatusReporter(statuses, self.source_heartbeats, self.ops_channel, group)

    def create_deferred_routing_worker(
        self,
        clock: Callable[[], datetime],
        max_age: timedelta,
        wakeups: Wakeups,
        poll_s: float = deferred_routing.POLL_INTERVAL_S,
        webhook_criteria: Criteria | None = None,
    ) -> DeferredRoutingWorker:
        """Create the worker that routes what needs a query of the sky map."""
        return DeferredRoutingWorker(
            self.deferred_routing,
            self.skymap_queries,
            clock,
            wakeups,
            max_age=max_age,
            poll_s=poll_s,
            webhook_criteria=webhook_criteria,
        )

    def create_search_commands(self, clock: Callable[[], datetime]) -> SearchCommands:
        """Create the commands that search all stored events."""
        return SearchCommands(
            self.event_search,
            self.skymap_queries,
            clock,
            self.site_resolvers,
            ChannelCriteriaSets(self.criteria_sets, self.grading),
        )

    def create_command_router(
        self,
        clock: Callable[[], datetime],
        *,
        importer: SupereventImporter | None = None,
        image_provider: ProvideImage | None = None,
        marked_image_provider: ProvideMarkedImage | None = None,
        source_statuses: Callable[[], list[SourceStatus]] | None = None,
        wakeups: Wakeups | None = None,
        authorizer: ChannelAuthorizer | None = None,
        get_permalink: GetPermalink | None = None,
    ) -> CommandRouter:
        """Create the router of all commands.

        `importer` looks up events that were never received; the providers of images draw maps for Slack;
        `source_statuses` are reported by `status`, None in a tool, which reads no source. Without `wakeups`
        no worker runs in this process; without `authorizer` everybody may change what a channel receives.
        """
        wakeups = wakeups or Wakeups()
        authorizer = authorizer or ChannelAuthorizer()
        events = EventLookup(self.notices, importer, clock)
        subscriptions = self.create_subscription_service(clock, wakeups, authorizer)
        handlers = CommandHandlers(
            candidates=create_candidates_command(
                self, self.counterpart_service, self.observability, authorizer, wakeups, clock
            ),
            check=CheckCommand(events, self.skymap_cache, clock),
            coverage=create_coverage_command(self, self.coverage, clock, marked_image_provider),
            criteria=CriteriaCommands(
                create_criteria_service(self, clock, wakeups, authorizer),
                ChannelCriteriaSets(self.criteria_sets, self.grading),
                self.grading,
                events,
                self.event_search,
                clock,
            ),
            drill=create_drill_command(self, clock, wakeups, authorizer, subscriptions).answer,
            event_details=EventDetailsCommand(self.skymap_cache, clock, image_provider),
            galaxies=GalaxiesCommand(
                self.galaxy_rankings, self.observability, self.sites, clock, marked_image_provider
            ),
            mute=MuteCommand(Mutes(self.mutes, wakeups, clock)),
            observe=create_observe_command(self, self.create_observation_reports(clock, wakeups), clock),
            plan=create_plan_command(self, self.pointings, clock, marked_image_provider),
            search=self.create_search_commands(clock),
            sites=SiteCommands(self.sites, authorizer, wakeups, clock, self.instruments),
            status=create_status_command(self, self.escalation_webhook, source_statuses, clock),
            subscriptions=SubscriptionCommands(subscriptions, ChannelHistory(self.database)),
            visible=create_visible_command(self, events, self.observability, clock),
        )
        default_events = DefaultEventChooser(self.notices, self.event_search, self.threads)
        people = PeopleOfEvent(self.threads, self.event_people, self.observers, self.observations)
        questions = EventQuestions(
            events, self.notices, default_events, self.threads, people, clock, get_permalink
        )
        own_telescopes = OwnTelescopes(self.sites)
        return CommandRouter(handlers, questions, authorizer, clock, own_telescopes.names)

    def create_observation_reports(
        self, clock: Callable[[], datetime], wakeups: Wakeups
    ) -> ObservationReports:
        """Create what stores the observations that people report."""
        return create_observation_reports(self, self.pointings, self.coverage, clock, wakeups)

    def create_subscription_service(
        self, clock: Callable[[], datetime], wakeups: Wakeups, authorizer: ChannelAuthorizer
    ) -> SubscriptionService:
        """Create the service that reads and changes the subscriptions of channels."""
        return SubscriptionService(
            self.subscriptions,
            authorizer,
            wakeups,
            clock,
            self.site_resolvers,
            self.criteria_sets,
            self.escalation_webhook,
        )

    def create_delivery_worker(
        self,
        clients: Mapping[str, SlackClient],
        clock: Callable[[], datetime],
        *,
        wakeups: Wakeups | None = None,
        public_url: str | None = None,
        concurrency: int = CONCURRENCY,
        channel_pause_s: float = CHANNEL_PAUSE_S,
        poll_s: float = POLL_S,
        on_recorded: Callable[[Sequence[tuple[Delivery, Outcome]]], None] = no_op,
        is_clock_trusted: Callable[[], bool] = always,
    ) -> DeliveryWorker:
        """Create the worker that sends the outbox through these clients (by team).

        `on_recorded` is called with the outcomes written; deliveries expire only while `is_clock_trusted`.
        """

        async def on_image_failed(image_id: int, reason: str) -> None:
            await self.images.mark_failed(image_id, reason, clock())

        permalink = create_permalinks(clients)
        renderer = Renderer(
            self.render_repositories(),
            self.observability,
            self.grading,
            self.follow_up_services,
            permalink,
            public_url,
        )
        sender = Sender(
            self.outbox,
            clients,
            renderer,
            clock,
            RateControl(channel_pause_s),
            on_image_failed=on_image_failed,
            is_clock_trusted=is_clock_trusted,
        )
        return DeliveryWorker(
            self.outbox,
            clients,
            sender,
            OutcomeWriter(self.outbox, clock, on_recorded),
            clock,
            wakeups or Wakeups(),
            WorkerLimits(concurrency, poll_s),
        )

    def create_webhook_notifier(
        self,
        settings: Settings,
        clock: Callable[[], datetime],
        *,
        wakeups: Wakeups,
        on_outcome: Callable[[CallOutcome], None],
        is_clock_trusted: Callable[[], bool],
    ) -> WebhookNotifier | None:
        """Create the worker that calls the operators' webhook; None if none is configured."""
        webhook = create_webhook(settings)
        if webhook is None:
            return None
        return WebhookNotifier(
            webhook,
            self.webhook_outbox,
            WebhookEventBuilder(self.incidents, self.notices, self.escalation_reports),
            clock,
            wakeups=wakeups,
            on_outcome=on_outcome,
            is_clock_trusted=is_clock_trusted,
        )


@asynccontextmanager
async def open_factory(settings: Settings, *, create: bool = True) -> AsyncIterator[Factory]:
    """Open the database, migrate it, and close it at the end. Raises StoreUnavailable, InvalidDatabaseUrl.

    With `create` False, for commands that only read, a missing database raises SettingsError instead of being
    created.
    """
    database = Database(settings.effective_database_url)
    try:
        if not create and not await database.has_tables():
            raise missing_database_error(settings.effective_database_url)
        await database.migrate()
        factory = Factory(
            database,
            settings.min_up,
            settings.nearby_windows,
            catalogue_choice(settings),
            open_instruments(settings.instruments_file),
            escalation_webhook_policy(settings),
        )
        factory.treasure_map.is_read = settings.reads_treasure_map
        await factory.clock_synchronizer.start()
        if not create:
            # A running process does this as a task, so that no alert waits for it.
            await factory.event_search.refresh_stale_attributes()
        yield factory
    finally:
        await database.close()
