"""The bot in one process: builds every part, starts them, and stops them within 5 seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

import aiohttp
import structlog
from slack_bolt.async_app import AsyncApp

from bot import logs
from bot.app.consumer_application import create_consumers
from bot.app.factory import Factory, create_gracedb_importer, create_webhook
from bot.app.http_server import HttpServer
from bot.app.http_server import start_listening as open_port
from bot.app.startup import log_when_ready
from bot.app.supervisor import TaskSupervisor
from bot.commands.router import CommandContext
from bot.delivery.due_poller import FALLBACK_POLL_S, DuePoller
from bot.delivery.image_provider import ImageProvider
from bot.delivery.image_worker import ImageWorker
from bot.delivery.worker import MAX_CONNECTIONS
from bot.gracedb.backfill import REPAIR_RETRY_S, REQUEST_INTERVAL_S, Backfill, repair_gap
from bot.ingest.consumer import SourceConsumer
from bot.ingest.pipeline import IngestResult
from bot.listeners import slash_command
from bot.listeners.home_tab import HomeTab
from bot.listeners.subscription_modal import SubscriptionModal
from bot.monitoring.metrics import Metrics
from bot.monitoring.monitor import HealthMonitor
from bot.monitoring.rules import Thresholds
from bot.monitoring.webhook import WebhookNotifier
from bot.runtime.os_limits import watch_descriptors
from bot.runtime.threads import watch_threads
from bot.settings import Settings
from bot.skymap_service.image_process import ImageProcess
from bot.slack.channel_policy import ChannelPolicy
from bot.slack.client import Identity, SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.gateway import SlackGateway
from bot.slack.middleware import UserRateLimiter, register_middleware
from bot.slack.orphaned_channels import OrphanedChannels
from bot.slack.server_time import trace_server_time
from bot.sources.base import Source, SourceStatus
from bot.store.database import StoreUnavailable
from bot.store.notify import listen_for_notifications
from bot.store.outbox.leases import PURGE_JOB, REPAIR_JOB
from bot.store.retention import NOTHING_PURGED, RetentionPolicy
from formatters.blockkit.message import Message

SHUTDOWN_TIMEOUT_S = 3.5
PURGE_INTERVAL_S = 600.0
STATUS_POLL_S = 5.0
REPATRIATION_INTERVAL_S = 3600.0

log = structlog.get_logger(__name__)


def retention_policy(settings: Settings) -> RetentionPolicy:
    """How long things are kept; what is young enough to be posted is kept in any case."""
    payloads = None if settings.payload_days is None else timedelta(days=settings.payload_days)
    return RetentionPolicy(
        payloads=payloads,
        deliveries=max(timedelta(days=settings.ledger_days), 2 * settings.max_age),
        quarantine=timedelta(days=settings.quarantine_days),
    )


class Application:
    """Everything in one process: a source, the pipeline, the deliveries, and the answers in Slack."""

    def __init__(
        self,
        settings: Settings,
        factory: Factory,
        sources: Sequence[Source],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`sources` is empty where consumers of their own read them. Raises SettingsError without tokens.

        `clock` takes the place of the one that doesn't jump.
        """
        self._settings = settings
        access = settings.slack_access()
        self._factory = factory
        self._sources = sources
        # What other processes' sources said last.
        self._polled_statuses: list[SourceStatus] = []
        ours = clock is None
        self._is_clock_trusted: Callable[[], bool] = lambda: factory.clock.is_trusted or not ours
        self._clock = clock = clock or factory.clock
        self._clients: dict[str, SlackClient] = {}
        self._identity: Identity | None = None
        self._tasks = TaskSupervisor()
        self.ready = asyncio.Event()
        """Set once Slack knows us and the source is being read."""
        draw = ImageProcess()
        self.metrics = Metrics()
        self.delivery_worker = factory.create_delivery_worker(
            self._clients,
            clock,
            public_url=settings.public_url,
            poll_s=FALLBACK_POLL_S,
            on_recorded=lambda outcomes: self.metrics.count_outcomes(outcomes, clock()),
            is_clock_trusted=self._is_clock_trusted,
        )
        self._gateway = SlackGateway(
            access,
            settings,
            factory.installations,
            self._clients,
            clock,
            register_listeners=self._register_listeners,
            wake_deliveries=self.delivery_worker.wake,
            on_call=self.metrics.count_api_call,
        )
        self.image_worker = ImageWorker(
            factory.notices,
            factory.images,
            self._clients,
            draw,
            clock,
            wake_deliveries=self.delivery_worker.wake,
            serves_images=settings.public_url is not None,
            poll_s=FALLBACK_POLL_S,
        )
        self.deferred_routing_worker = factory.create_deferred_routing_worker(
            clock, settings.max_age, self._wake_workers, FALLBACK_POLL_S
        )
        self._due_poller = DuePoller(
            factory.due_check,
            clock,
            wake_deliveries=self.delivery_worker.wake,
            wake_images=self.image_worker.wake,
            wake_deferred_routing=self.deferred_routing_worker.wake,
        )
        webhook = create_webhook(settings)
        self._webhook_notifier = (
            None
            if webhook is None
            else WebhookNotifier(
                webhook,
                factory.webhook_outbox,
                factory.incidents,
                factory.notices,
                clock,
                is_clock_trusted=self._is_clock_trusted,
            )
        )
        self.health_monitor = HealthMonitor(
            factory.notices,
            factory.outbox,
            factory.incidents,
            clock,
            source_statuses=self._source_statuses,
            connection_state=lambda: self._gateway.state,
            ops_channel=lambda: factory.ops_channel.cached,
            wake_deliveries=self.delivery_worker.wake,
            webhook_notifier=self._webhook_notifier,
            metrics=self.metrics,
            thresholds=Thresholds(
                silence=timedelta(hours=settings.silence_hours), free_bytes=settings.free_bytes
            ),
            write_check=factory.write_check,
            count_workers=factory.leases.count_workers,
            pending_restarts=self._tasks.problems,
            clock_jump=lambda: factory.clock.jump,
        )
        port = settings.effective_http_port
        self._http_server = (
            None
            if port is None
            else HttpServer(
                factory.images,
                settings.http_host,
                port,
                self.health_monitor,
                self._gateway.add_routes,
            )
        )
        self.pipeline = factory.create_pipeline(
            settings, clock, self._on_notice_stored, self.metrics.count_notice
        )
        self._consumers = create_consumers(
            settings, factory, sources, self.pipeline, self._on_payload_handled
        )
        self._gracedb_importer = create_gracedb_importer(settings, factory, clock)
        self.command_router = factory.create_command_router(
            clock,
            importer=self._gracedb_importer,
            image_provider=ImageProvider(
                factory.notices, factory.images, self._clients, draw, settings.public_url
            ),
            source_statuses=self._source_statuses,
            wake_deliveries=self.delivery_worker.wake,
            check_permission=ChannelPolicy(settings.who_may_subscribe, self._clients).check,
        )

        self._home_tab = HomeTab(
            factory.notices,
            factory.subscriptions,
            factory.incidents,
            self._clients,
            clock,
            self._source_statuses,
        )
        self._subscription_modal = SubscriptionModal(
            self.command_router, factory.subscriptions, self._clients, self._home_tab
        )

    @property
    def identity(self) -> Identity | None:
        """Who the bot is in Slack, once Slack said so."""
        return self._identity

    @property
    def http_port(self) -> int | None:
        """Where health is served, once it is."""
        return None if self._http_server is None else self._http_server.port

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or until one of the parts ends by a fault, which is raised."""
        if self._http_server is not None:
            await open_port(self._http_server, self._settings)
        self._factory.clock_synchronizer.request_slack_time = self._request_slack_time
        traces = [trace_server_time(self._factory.clock.add_reference)]
        # aiohttp's own limit is 100: as many calls that hang would hold up an alert, and every answer.
        connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector, trace_configs=traces) as session:
            start = self._tasks.start
            start("keep_time", self._factory.clock_synchronizer.run)
            for consumer in self._consumers:
                start("consume", partial(self._consume, consumer))
            start("deliver", self.delivery_worker.run)
            start("draw", self.image_worker.run)
            start("ask_maps", self.deferred_routing_worker.run)
            start("look_out", self._due_poller.run)
            start("serve_slack", lambda: self._gateway.run(session, self._on_identified, self.ready.set))
            start("purge", self._purge)
            start("bring_home", self._repatriate_orphaned_channels)
            start("repair_gap", self._repair_gap)
            start("watch", self.health_monitor.run)
            start("watch_descriptors", watch_descriptors)
            start("watch_threads", watch_threads)
            start("tell_what_is_over", logs.log_ended_repeats)
            start("say_ready", lambda: log_when_ready(self.health_monitor))
            if self._webhook_notifier is not None:
                start("call", self._webhook_notifier.run)
            if not self._factory.database.is_sqlite:
                start(
                    "listen", lambda: listen_for_notifications(self._factory.database, self._on_notice_stored)
                )
                for consumer in self._consumers:
                    start("tell", consumer.report_status)
                if not self._consumers:
                    start("hear", self._poll_remote_sources)
            try:
                await self._tasks.wait_for_stop_or_failure(stop)
            finally:
                await self._stop()

    async def _stop(self) -> None:
        log.info("stopping")
        parts = [self.delivery_worker.stop(), self.image_worker.close(), self._gateway.close()]
        parts += [consumer.stop() for consumer in self._consumers]
        if self._http_server is not None:
            parts.append(self._http_server.stop())
        if self._gracedb_importer is not None:
            parts.append(self._gracedb_importer.close())
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                for result in await asyncio.gather(*parts, return_exceptions=True):
                    if isinstance(result, Exception):
                        log.warning("stop_incomplete", exc_info=result)
        await self._tasks.cancel()
        log.info("stopped")

    async def _consume(self, consumer: SourceConsumer) -> None:
        # What is old is never said: that mustn't be a wrong clock's word, if a better one is to be had soon.
        await self._factory.clock_synchronizer.wait_until_confirmed()
        await consumer.consume()

    async def _request_slack_time(self) -> None:
        """Have Slack answer something: each of its answers says what time it is."""
        for client in list(self._clients.values())[:1]:
            with suppress(SlackFailure):
                await client.identify()

    async def _poll_remote_sources(self) -> None:
        """Keep what the other processes say of their sources, for `status`."""
        while True:
            try:
                self._polled_statuses = await self._factory.source_heartbeats.statuses()
            except StoreUnavailable as error:
                log.warning("status_waits_for_store", reason=str(error))
            await asyncio.sleep(STATUS_POLL_S)

    def _register_listeners(self, app: AsyncApp) -> None:
        register_middleware(
            app, self._settings.slack_api_url, UserRateLimiter(self._settings.commands_per_minute)
        )
        slash_command.register_listeners(
            app,
            self.command_router,
            self._requeue_channel,
            self._toggle_observer,
            self._home_tab,
            self._subscription_modal,
            self._send_ephemeral,
            on_channel_moved=self._on_channel_moved,
        )

    async def _on_identified(self, identity: Identity | None) -> None:
        """Slack said who we are; None: one in each of many workspaces."""
        self._identity = identity
        team, channel = self._settings.ops_team_and_channel
        team = team or (None if identity is None else identity.team_id)
        await self._save_ops_channel(team, channel)

    def _source_statuses(self) -> list[SourceStatus]:
        return [source.status() for source in self._sources] if self._sources else self._polled_statuses

    def _on_payload_handled(self, handled: IngestResult) -> None:
        self.metrics.count_payload(handled)
        if handled is not IngestResult.CIRCULAR:
            # People's circulars come whether or not LVK's mocks do.
            self.health_monitor.record_payload()

    async def _save_ops_channel(self, team_id: str | None, channel: str | None) -> None:
        while True:
            try:
                await self._factory.ops_channel.set(team_id or "", None if team_id is None else channel)
            except StoreUnavailable as error:
                log.warning("operators_wait_for_store", reason=str(error))
                await asyncio.sleep(1.0)
            else:
                return

    async def _requeue_channel(self, team_id: str, channel_id: str) -> None:
        now = self._clock()
        waiting = await self._factory.outbox.requeue_channel(
            team_id, channel_id, now - self._settings.max_age, now
        )
        if waiting:
            log.info("channel_revived", channel=channel_id, deliveries=waiting)
            self.delivery_worker.wake()

    async def _on_channel_moved(self, team_id: str, old_id: str, new_id: str) -> None:
        """Slack gave a channel another id; it says so once, so this waits for the store if need be."""
        while True:
            now = self._clock()
            try:
                moved = await self._factory.channel_moves.move_channel(
                    (team_id, old_id), (team_id, new_id), now - self._settings.max_age, now
                )
                ops = await self._factory.ops_channel.get()
                break
            except StoreUnavailable as error:
                log.warning("moved_channel_waits_for_store", reason=str(error))
                await asyncio.sleep(1.0)
        log.info("channel_id_changed", team=team_id, old=old_id, new=new_id, **asdict(moved))
        if self._settings.ops_team_and_channel[1] == old_id:
            log.warning("ops_channel_moved", todo=f"set GWEVENT_OPS_CHANNEL to {new_id}", told_in=ops)
        self.delivery_worker.wake()

    async def _repatriate_orphaned_channels(self) -> None:
        """What was stored under a workspace in which the app isn't installed goes to the one that has it."""
        await self.ready.wait()
        strays = OrphanedChannels(
            self._factory.channel_moves, self._clients, self._clock, self._settings.max_age
        )
        while True:
            try:
                installed = {one.team_id for one in await self._factory.installations.list_all()}
                if self._identity is not None:
                    installed = {self._identity.team_id}
                if await strays.repatriate(installed):
                    self.delivery_worker.wake()
            except StoreUnavailable as error:
                log.warning("strays_wait_for_store", reason=str(error))
            await asyncio.sleep(REPATRIATION_INTERVAL_S)

    async def _toggle_observer(self, team_id: str, channel_id: str, superevent_id: str, user_id: str) -> None:
        now = self._clock()
        observes = await self._factory.observers.toggle(team_id, channel_id, superevent_id, user_id, now)
        log.info("observer", superevent_id=superevent_id, channel=channel_id, observes=observes)
        self.delivery_worker.wake()

    async def _send_ephemeral(self, asker: CommandContext, message: Message, thread_ts: str | None) -> bool:
        client = self._clients.get(asker.team_id)
        if client is None:
            return False
        try:
            await client.post_ephemeral(asker.channel_id, asker.user_id, message, thread_ts=thread_ts)
        except SlackFailure as failure:
            log.info("answer_not_shown", channel=asker.channel_id, reason=failure.reason)
            return False
        return True

    async def _repair_gap(self) -> None:
        """After a silence longer than the broker keeps messages, fill the gap from GraceDB."""
        archive = create_gracedb_importer(
            self._settings,
            self._factory,
            self._clock,
            pace_s=REQUEST_INTERVAL_S,
            shared_with=self._gracedb_importer,
        )
        if archive is None:
            await asyncio.Event().wait()
            return
        backfill = Backfill(archive, self._factory.gracedb_lookups, self._clock)
        keeps = timedelta(days=self._settings.broker_keeps_days)
        try:
            while True:
                while not self._factory.leases.holds_lease(REPAIR_JOB):  # noqa: ASYNC110  it comes from another process
                    await asyncio.sleep(1.0)
                await repair_gap(backfill, self._factory.notices, keeps, self._clock())
                await asyncio.sleep(REPAIR_RETRY_S)
        finally:
            await archive.close()

    async def _purge(self) -> None:
        while True:
            # Under a clock that isn't sure, what is young may seem old.
            while not self._is_clock_trusted():  # noqa: ASYNC110  the clock wakes nobody
                await asyncio.sleep(1.0)
            try:
                await self._purge_mocks(self._clock() - timedelta(days=self._settings.mock_payload_days))
                await self._purge_expired()
            except StoreUnavailable as error:
                log.warning("purge_waits_for_store", reason=str(error))
            await asyncio.sleep(PURGE_INTERVAL_S)

    async def _purge_mocks(self, before: datetime) -> None:
        shares = self._factory.leases
        purged = (
            await self._factory.notices.purge_mock_payloads(before) if shares.holds_lease(PURGE_JOB) else 0
        )
        if purged:
            log.info("mock_payloads_purged", payloads=purged)
        for picture_id, team_id, file_id in await self._factory.images.list_old_mocks(before):
            client = self._clients.get(team_id)
            if not shares.holds_lease(team_id):
                continue
            try:
                if file_id is not None and client is None:
                    continue
                if file_id is not None and client is not None:
                    await client.delete_file(file_id)
            except SlackFailure as failure:
                log.warning("file_not_deleted", file=file_id, reason=failure.reason)
                continue
            await self._factory.images.delete(picture_id)

    async def _purge_expired(self) -> None:
        if not self._factory.leases.holds_lease(PURGE_JOB):
            return
        removed = await self._factory.retention.purge(retention_policy(self._settings), self._clock())
        if removed != NOTHING_PURGED:
            log.info("old_rows_purged", **asdict(removed))

    def _wake_workers(self) -> None:
        self.delivery_worker.wake()
        self.image_worker.wake()
        if self._webhook_notifier is not None:
            self._webhook_notifier.wake()

    def _on_notice_stored(self) -> None:
        self._wake_workers()
        self.deferred_routing_worker.wake()
