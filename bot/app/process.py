"""The parts that every long-lived process has: consumers, health check, metrics, webhook, HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from bot import logs
from bot.app.factory import Factory
from bot.app.health import create_health_monitor
from bot.app.http_server import HttpServer, start_listening
from bot.app.startup import log_when_ready
from bot.app.supervisor import TaskSupervisor
from bot.ingest.consumer import SourceConsumer
from bot.ingest.extra_topics import ExtraTopicConsumer
from bot.ingest.pipeline import IngestResult
from bot.monitoring.dead_mans_switch import create_dead_mans_switch
from bot.monitoring.metrics import Metrics
from bot.runtime.os_limits import watch_descriptors
from bot.runtime.threads import watch_threads
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.slack.gateway import SlackGateway
from bot.sources.base import Source, SourceStatus

SHUTDOWN_TIMEOUT_S = 3.5

log = structlog.get_logger(__name__)


class ServiceProcess:
    """A process that reads sources and watches over itself; subclasses add what else it does."""

    def __init__(
        self,
        settings: Settings,
        factory: Factory,
        sources: Sequence[Source],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`clock` replaces the factory's clock, for tests and the demo."""
        self._settings = settings
        self._factory = factory
        self._sources = sources
        self._clock = clock or factory.clock
        self._has_own_clock = clock is None
        self._tasks = TaskSupervisor()
        self.wakeups = Wakeups()
        self.metrics = Metrics()
        self.pipeline = factory.create_pipeline(
            settings, self._clock, self.wakeups, self.metrics.count_notice
        )
        self._consumers = factory.create_consumers(settings, sources, self.pipeline, self._on_payload_handled)
        self._extra_topic_consumers = factory.create_extra_topic_consumers(
            settings, sources, self.pipeline, self.metrics.count_payload, self.metrics.count_topic_fault
        )
        self._status_reporter = factory.create_status_reporter(
            settings, lambda: [source.status() for source in sources]
        )
        self._webhook_notifier = factory.create_webhook_notifier(
            settings,
            self._clock,
            wakeups=self.wakeups,
            on_outcome=self.metrics.count_webhook_call,
            is_clock_trusted=self._is_clock_trusted,
        )
        gateway = self._create_gateway()
        self.health_monitor = create_health_monitor(
            factory,
            settings,
            self._clock,
            self._tasks,
            source_statuses=self._source_statuses,
            connection_state=None if gateway is None else lambda: gateway.state,
            wakeups=self.wakeups,
            webhook_notifier=self._webhook_notifier,
            metrics=self.metrics,
        )
        port = settings.effective_http_port
        self._http_server: HttpServer | None = None
        if port is not None:
            add_routes = (lambda _: None) if gateway is None else gateway.add_routes
            self._http_server = HttpServer(
                factory.images, settings.http_host, port, self.health_monitor, add_routes
            )

    @property
    def http_port(self) -> int | None:
        """The port of the HTTP server; None before it listens, and without one."""
        return None if self._http_server is None else self._http_server.port

    def _create_gateway(self) -> SlackGateway | None:
        """Create the connection to Slack; None in a process without one."""
        return None

    def _is_clock_trusted(self) -> bool:
        """Return whether times may be acted on; a clock that was given always is, the factory's may not."""
        return self._factory.clock.is_trusted or not self._has_own_clock

    def _source_statuses(self) -> list[SourceStatus]:
        return [source.status() for source in self._sources]

    def _on_payload_handled(self, result: IngestResult) -> None:
        self.metrics.count_payload(result)
        if result.is_about_notice:
            # Circulars and the like come whether or not LVK's hourly mocks do.
            self.health_monitor.record_payload()

    async def _listen(self) -> None:
        """Start the HTTP server. Raises SettingsError if its port can't be used."""
        if self._http_server is not None:
            await start_listening(self._http_server, self._settings)

    def _start_tasks(self) -> None:
        start = self._tasks.start
        start("synchronize_clock", self._factory.clock_synchronizer.run)
        for consumer in self._consumers:
            start("consume", partial(self._consume, consumer))
        for extra in self._extra_topic_consumers:
            start("consume_extra_topic", partial(self._consume, extra))
        if self._sources and not self._factory.database.is_sqlite:
            start("report_status", self._status_reporter.run)
        start("monitor_health", self.health_monitor.run)
        if self._webhook_notifier is not None:
            start("notify_webhook", self._webhook_notifier.run)
        switch = create_dead_mans_switch(self._settings, self.health_monitor)
        if switch is not None:
            start("ping_heartbeat", switch.run)
        start("watch_descriptors", watch_descriptors)
        start("watch_threads", watch_threads)
        start("log_ended_repeats", logs.log_ended_repeats)
        start("log_when_ready", lambda: log_when_ready(self.health_monitor))

    async def _consume(self, consumer: SourceConsumer | ExtraTopicConsumer) -> None:
        # Old notices are never posted, and a wrong clock must not make new ones look old.
        await self._factory.clock_synchronizer.wait_until_confirmed()
        await consumer.consume()

    async def _run_until(self, stop: asyncio.Event) -> None:
        """Wait until `stop` is set or a task ends by a fault, which is raised; then stop everything."""
        try:
            await self._tasks.wait_for_stop_or_failure(stop)
        finally:
            await self._stop()

    def _stopping_parts(self) -> list[Coroutine[Any, Any, None]]:
        """Return the parts that must be stopped before the tasks are cancelled."""
        parts = [consumer.stop() for consumer in self._consumers]
        parts += [extra.stop() for extra in self._extra_topic_consumers]
        if self._http_server is not None:
            parts.append(self._http_server.stop())
        return parts

    async def _stop(self) -> None:
        log.info("process_stopping")
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                for result in await asyncio.gather(*self._stopping_parts(), return_exceptions=True):
                    if isinstance(result, Exception):
                        log.warning("part_stop_failed", exc_info=result)
        await self._tasks.cancel()
        log.info("process_stopped")
