"""What reads the brokers: in a bot's process, or in one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from bot import logs
from bot.app.factory import Factory, create_webhook
from bot.app.http_server import HttpServer
from bot.app.http_server import start_listening as open_port
from bot.app.startup import log_when_ready
from bot.app.supervisor import TaskSupervisor
from bot.ingest.consumer import SourceConsumer
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.monitoring.metrics import Metrics
from bot.monitoring.monitor import HealthMonitor
from bot.monitoring.rules import Thresholds
from bot.monitoring.webhook import WebhookNotifier
from bot.runtime.os_limits import watch_descriptors
from bot.runtime.threads import watch_threads
from bot.settings import Settings, SettingsError
from bot.sources.base import Source
from bot.sources.credentials import DEFAULT_GROUP

NEEDS_POSTGRESQL = (
    "gwevent {} shares the work with other processes, which takes PostgreSQL (GWEVENT_DATABASE_URL); "
    "on SQLite gwevent run does everything."
)
SHUTDOWN_TIMEOUT_S = 3.5

log = structlog.get_logger(__name__)


def create_consumers(
    settings: Settings,
    factory: Factory,
    sources: Sequence[Source],
    pipeline: Pipeline,
    on_handled: Callable[[IngestResult], None] = lambda _: None,
) -> list[SourceConsumer]:
    """What takes these sources' payloads in, each under a name that no other process has."""
    group = settings.kafka_group or DEFAULT_GROUP
    return [
        factory.create_consumer(source, pipeline, f"{source.status().name}:{group}", on_handled)
        for source in sources
    ]


async def run_consumers(
    settings: Settings, factory: Factory, sources: Sequence[Source], stop: asyncio.Event
) -> None:
    """The consumer alone, until `stop` is set: what it plans is delivered by others. Raises SettingsError."""
    if factory.database.is_sqlite:
        raise SettingsError(NEEDS_POSTGRESQL.format("consume"))
    if settings.kafka_group is None:
        raise SettingsError(
            "GWEVENT_KAFKA_GROUP must be set: each consumer reads in a group of its own, with the same name "
            "after every restart (e.g. gwevent- and the machine's name)."
        )
    metrics, parts = Metrics(), TaskSupervisor()
    webhook = create_webhook(settings)
    # Where nobody delivers, this process alone may know.
    caller = (
        None
        if webhook is None
        else WebhookNotifier(
            webhook,
            factory.webhook_outbox,
            factory.incidents,
            factory.notices,
            factory.clock,
            is_clock_trusted=lambda: factory.clock.is_trusted,
        )
    )
    watch = HealthMonitor(
        factory.notices,
        factory.outbox,
        factory.incidents,
        factory.clock,
        source_statuses=lambda: [source.status() for source in sources],
        ops_channel=lambda: factory.ops_channel.cached,
        webhook_notifier=caller,
        metrics=metrics,
        thresholds=Thresholds(
            silence=timedelta(hours=settings.silence_hours), free_bytes=settings.free_bytes
        ),
        write_check=factory.write_check,
        count_workers=factory.leases.count_workers,
        pending_restarts=parts.problems,
        clock_jump=lambda: factory.clock.jump,
    )

    async def take_in(consumer: SourceConsumer) -> None:
        # As in `bot.app`: what is old is never said, and that mustn't be a wrong clock's word.
        await factory.clock_synchronizer.wait_until_confirmed()
        await consumer.consume()

    def handled(what: IngestResult) -> None:
        metrics.count_payload(what)
        watch.record_payload()

    pipeline = factory.create_pipeline(settings, factory.clock, on_stored=metrics.count_notice)
    consumers = create_consumers(settings, factory, sources, pipeline, handled)
    port = settings.effective_http_port
    http = None if port is None else HttpServer(factory.images, settings.http_host, port, watch)
    if http is not None:
        await open_port(http, settings)
    parts.start("keep_time", factory.clock_synchronizer.run)
    for one in consumers:
        parts.start("consume", partial(take_in, one))
        parts.start("tell", one.report_status)
    parts.start("watch", watch.run)
    if caller is not None:
        parts.start("call", caller.run)
    parts.start("watch_descriptors", watch_descriptors)
    parts.start("watch_threads", watch_threads)
    parts.start("tell_what_is_over", logs.log_ended_repeats)
    parts.start("say_ready", lambda: log_when_ready(watch))
    try:
        await parts.wait_for_stop_or_failure(stop)
    finally:
        log.info("stopping")
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                await asyncio.gather(*(one.stop() for one in consumers))
                if http is not None:
                    await http.stop()
        await parts.cancel()
        log.info("stopped")
