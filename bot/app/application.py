"""`gwevent run` and `gwevent serve`: build, start and, within 5 seconds, stop every part of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import aiohttp
import structlog

from bot.app.escalation_parts import create_escalation_worker
from bot.app.factory import Factory
from bot.app.gracedb_importer import create_gracedb_importer
from bot.app.maintenance import Maintenance
from bot.app.process import ServiceProcess
from bot.app.slack_interface_factory import create_slack_interface
from bot.app.webhook_criteria import webhook_criteria
from bot.delivery.due_poller import FALLBACK_POLL_S, DuePoller
from bot.delivery.image_drawer import ImageDrawer
from bot.delivery.image_worker import ImageWorker
from bot.delivery.worker import MAX_CONNECTIONS
from bot.gracedb.backfill import REQUEST_INTERVAL_S
from bot.settings import Settings
from bot.skymap_service.image_process import ImageProcess
from bot.slack.gateway import SlackGateway
from bot.slack.server_time import trace_server_time
from bot.sources.base import Source, SourceStatus
from bot.store.database import StoreUnavailable
from bot.store.notify import listen_for_notifications

STATUS_POLL_S = 5.0

log = structlog.get_logger(__name__)


class Application(ServiceProcess):
    """The process that delivers and answers in Slack, and reads the sources unless others do."""

    def __init__(
        self,
        settings: Settings,
        factory: Factory,
        sources: Sequence[Source],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`sources` is empty if `gwevent consume` processes read them. Raises SettingsError without tokens.

        `clock` replaces the factory's clock, for tests and the demo.
        """
        self._polled_statuses: list[SourceStatus] = []
        """The sources of other processes, from their heartbeats."""
        super().__init__(settings, factory, sources, clock)
        clients = self.slack.clients
        self.delivery_worker = factory.create_delivery_worker(
            clients,
            self._clock,
            wakeups=self.wakeups,
            public_url=settings.public_url,
            poll_s=FALLBACK_POLL_S,
            on_recorded=lambda outcomes: self.metrics.count_outcomes(outcomes, self._clock()),
            is_clock_trusted=self._is_clock_trusted,
        )
        self.image_worker = ImageWorker(
            factory.images,
            clients,
            self._image_drawer,
            self._clock,
            self.wakeups,
            serves_images=settings.public_url is not None,
            poll_s=FALLBACK_POLL_S,
        )
        self.deferred_routing_worker = factory.create_deferred_routing_worker(
            self._clock, settings.max_age, self.wakeups, FALLBACK_POLL_S, webhook_criteria(settings)
        )
        self.escalation_worker = create_escalation_worker(
            factory,
            settings,
            self._clock,
            self.wakeups,
            on_decided=self.metrics.count_escalation_steps,
            is_clock_trusted=self._is_clock_trusted,
        )
        self._due_poller = DuePoller(factory.due_check, self._clock, self.wakeups)
        self._maintenance = Maintenance(
            settings, factory, clients, self._clock, self.wakeups, self._is_clock_trusted
        )
        self.ready = asyncio.Event()
        """Set once Slack has identified the bot and its events arrive."""

    def _create_gateway(self) -> SlackGateway:
        self._image_drawer = ImageDrawer(self._factory.notices, ImageProcess())
        self.slack = create_slack_interface(
            self._factory,
            self._settings,
            self._clock,
            self.wakeups,
            image_drawer=self._image_drawer,
            source_statuses=self._source_statuses,
            on_api_call=self.metrics.count_api_call,
        )
        return self.slack.gateway

    def _source_statuses(self) -> list[SourceStatus]:
        return super()._source_statuses() if self._sources else self._polled_statuses

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or until a task ends by a fault, which is raised. Raises SettingsError."""
        await self._listen()
        self._factory.clock_synchronizer.request_slack_time = self.slack.request_time
        traces = [trace_server_time(self._factory.clock.add_reference)]
        # aiohttp's default limit of 100 would let that many hanging calls delay an alert, and every answer.
        connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector, trace_configs=traces) as session:
            self._start_tasks()
            self._start_slack_tasks(session)
            await self._run_until(stop)

    def _start_slack_tasks(self, session: aiohttp.ClientSession) -> None:
        start = self._tasks.start
        start("deliver", self.delivery_worker.run)
        start("draw_images", self.image_worker.run)
        start("route_deferred", self.deferred_routing_worker.run)
        start("take_steps", self.escalation_worker.run)
        start("poll_due", self._due_poller.run)
        save_ops_channel = self._maintenance.save_ops_channel
        start("connect_slack", lambda: self.slack.run(session, save_ops_channel, self.ready.set))
        start("purge", self._maintenance.purge)
        start("probe_unreachable_channels", self._maintenance.probe_unreachable_channels)
        start("refresh_event_attributes", self._maintenance.refresh_event_attributes)
        start(
            "reassign_orphaned_channels",
            lambda: self._maintenance.reassign_orphaned_channels(self.ready, lambda: self.slack.identity),
        )
        start("repair_gaps", self._repair_gaps)
        start("read_treasure_map", self._read_treasure_map)
        if not self._factory.database.is_sqlite:
            start("listen", self._listen_for_notifications)
            if not self._sources:
                start("poll_remote_sources", self._poll_remote_sources)

    async def _repair_gaps(self) -> None:
        importer = create_gracedb_importer(
            self._settings,
            self._factory,
            self._clock,
            pace_s=REQUEST_INTERVAL_S,
            shared_with=self.slack.importer,
        )
        await self._maintenance.repair_gaps(importer)

    async def _read_treasure_map(self) -> None:
        await self._maintenance.read_treasure_map(self.metrics.count_treasure_map_request)

    async def _listen_for_notifications(self) -> None:
        """Wake the workers when another process has stored a notice (PostgreSQL's NOTIFY)."""
        await listen_for_notifications(self._factory.database, self.wakeups.notice_stored)

    async def _poll_remote_sources(self) -> None:
        """Read the heartbeats of other processes' sources for `/gwevent status`, until cancelled."""
        while True:
            try:
                self._polled_statuses = await self._factory.source_heartbeats.statuses()
            except StoreUnavailable as error:
                log.warning("store_unavailable", subsystem="source_statuses", reason=str(error))
            await asyncio.sleep(STATUS_POLL_S)

    def _stopping_parts(self) -> list[Coroutine[Any, Any, None]]:
        parts = [self.delivery_worker.stop(), self.image_worker.close(), self.slack.close()]
        if self.slack.importer is not None:
            parts.append(self.slack.importer.close())
        return parts + super()._stopping_parts()
