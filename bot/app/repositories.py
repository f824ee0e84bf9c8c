"""Creates all repositories on one database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.commands.channel_sites import ChannelSiteResolvers
from bot.delivery.card_repositories import CardRepositories
from bot.delivery.render_repositories import RenderRepositories
from bot.ingest.pipeline import IngestStores
from bot.listeners.home_content import HomeRepositories
from bot.observing.instruments import Instruments
from bot.related_messages.nearby_windows import NearbyWindows
from bot.runtime.outcome_notifier import OutcomeNotifier
from bot.store.channels.acknowledgements import AcknowledgementRepository
from bot.store.channels.bulk_transfer import ChannelTransfer
from bot.store.channels.card_details import CardDetailRepository
from bot.store.channels.channel_moves import ChannelMoves
from bot.store.channels.criteria_sets import CriteriaSetRepository
from bot.store.channels.drills import DrillRepository
from bot.store.channels.escalation_reports import EscalationReports
from bot.store.channels.event_people import EventPeopleRepository
from bot.store.channels.installations import InstallationRepository
from bot.store.channels.mentions import MentionRepository
from bot.store.channels.mutes import MuteRepository
from bot.store.channels.observations import ObservationRepository
from bot.store.channels.observers import ObserverRepository
from bot.store.channels.posted_events import PostedEventRepository
from bot.store.channels.quiet_criteria import QuietCriteriaRepository
from bot.store.channels.refused_mentions import RefusedMentionRepository
from bot.store.channels.sites import SiteRepository
from bot.store.channels.stream_choices import StreamChoices
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.channels.threads import ThreadRepository
from bot.store.database import Database
from bot.store.events.circulars import CircularRepository
from bot.store.events.counterparts import CounterpartRepository
from bot.store.events.deferred import DeferredRouting
from bot.store.events.escalations import EscalationRepository
from bot.store.events.gracedb_lookups import GraceDbLookups
from bot.store.events.nearby_alerts import NearbyAlertRepository
from bot.store.events.notices import NoticeRepository
from bot.store.events.quarantine import QuarantineRepository
from bot.store.events.related_messages import RelatedMessageRepository
from bot.store.events.search import EventSearch
from bot.store.events.treasure_map import TreasureMapRepository
from bot.store.operations.clock_offsets import ClockOffsetRepository
from bot.store.operations.incidents import IncidentRepository
from bot.store.operations.monitoring_counts import MonitoringCounts
from bot.store.operations.ops_channel import OpsChannelRepository
from bot.store.operations.source_heartbeats import SourceHeartbeats
from bot.store.operations.webhook_calls import WebhookOutbox
from bot.store.outbox.due import DueCheck
from bot.store.outbox.images import ImageRepository
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.outbox import Outbox
from bot.store.outbox.statistics import OutboxStatistics
from bot.store.retention import Retention
from bot.store.settlement import Settlement
from bot.store.write_check import WriteCheck


class Repositories:
    """Every repository on one database; none holds state of its own except caches and leases."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        nearby: NearbyWindows | None = None,
        instruments: Instruments | None = None,
    ) -> None:
        """`nearby` is `Settings.nearby_windows`; without `instruments` those of the table are known."""
        self.instruments = instruments or Instruments()
        self.database = database
        self.write_check = WriteCheck(database)
        self.retention = Retention(database)
        # Events
        self.notices = NoticeRepository(database, nearby)
        self.quarantine = QuarantineRepository(database)
        self.circulars = CircularRepository(database)
        self.related_messages = RelatedMessageRepository(database)
        self.stream_choices = StreamChoices(database)
        self.nearby_alerts = NearbyAlertRepository(database, nearby)
        self.deferred_routing = DeferredRouting(database, nearby)
        self.event_search = EventSearch(database)
        self.gracedb_lookups = GraceDbLookups(database)
        self.treasure_map = TreasureMapRepository(database)
        # Channels
        notifier = OutcomeNotifier()
        self.subscriptions = SubscriptionRepository(database, notifier)
        self.sites = SiteRepository(database, self.instruments.fixed_fields)
        self.site_resolvers = ChannelSiteResolvers(self.sites)
        self.criteria_sets = CriteriaSetRepository(database)
        self.observers = ObserverRepository(database)
        self.acknowledgements = AcknowledgementRepository(database)
        self.card_details = CardDetailRepository(database)
        self.event_people = EventPeopleRepository(database)
        self.observations = ObservationRepository(database)
        self.mentions = MentionRepository(database)
        self.mutes = MuteRepository(database)
        self.threads = ThreadRepository(database)
        self.posted_events = PostedEventRepository(database)
        self.quiet_criteria = QuietCriteriaRepository(database)
        self.refused_mentions = RefusedMentionRepository(database)
        self.installations = InstallationRepository(database)
        self.escalation_reports = EscalationReports(database)
        self.channel_moves = ChannelMoves(database)
        self.channel_transfer = ChannelTransfer(database)
        self.counterparts = CounterpartRepository(database)
        # The outbox
        self.leases = WorkerLeases(database)
        self.drills = DrillRepository(database, self.leases)
        self.escalations = EscalationRepository(database, self.leases)
        self.outbox = Outbox(database, self.leases, Settlement(notifier))
        self.outbox_statistics = OutboxStatistics(database)
        self.images = ImageRepository(database, self.leases)
        self.due_check = DueCheck(database, self.leases)
        # Operations
        self.incidents = IncidentRepository(database)
        self.webhook_outbox = WebhookOutbox(database)
        self.ops_channel = OpsChannelRepository(database)
        self.source_heartbeats = SourceHeartbeats(database, clock)
        self.clock_offsets = ClockOffsetRepository(database)
        self.monitoring_counts = MonitoringCounts(database)

    @property
    def ingest_stores(self) -> IngestStores:
        """The repositories that an ingest pipeline writes to."""
        return IngestStores(
            notices=self.notices,
            quarantine=self.quarantine,
            related_messages=self.related_messages,
            nearby_alerts=self.nearby_alerts,
        )

    def home_repositories(self) -> HomeRepositories:
        """Return the repositories that App Home reads."""
        return HomeRepositories(
            criteria_sets=self.criteria_sets,
            event_search=self.event_search,
            incidents=self.incidents,
            notices=self.notices,
            posted_events=self.posted_events,
            sites=self.sites,
        )

    def render_repositories(self) -> RenderRepositories:
        """Return the repositories that rendering reads."""
        return RenderRepositories(
            notices=self.notices,
            subscriptions=self.subscriptions,
            cards=CardRepositories(
                details=self.card_details,
                observers=self.observers,
                observations=self.observations,
                sites=self.sites,
                images=self.images,
            ),
            mutes=self.mutes,
            event_people=self.event_people,
            escalations=self.escalations,
            drills=self.drills,
            mentions=self.mentions,
            quiet_criteria=self.quiet_criteria,
            refused_mentions=self.refused_mentions,
            circulars=self.circulars,
            related_messages=self.related_messages,
            counterparts=self.counterparts,
            stream_choices=self.stream_choices,
            criteria_sets=self.criteria_sets,
            incidents=self.incidents,
            quarantine=self.quarantine,
        )
