"""Builds the health check of a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.app.factory import Factory
from bot.app.supervisor import TaskSupervisor
from bot.monitoring.metrics import Metrics
from bot.monitoring.monitor import HealthInputs, HealthMonitor, MonitoredStore
from bot.monitoring.webhook import WebhookNotifier
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.slack.socket_mode import SocketState
from bot.sources.base import SourceStatus


def create_health_monitor(
    factory: Factory,
    settings: Settings,
    clock: Callable[[], datetime],
    tasks: TaskSupervisor,
    *,
    source_statuses: Callable[[], Sequence[SourceStatus]],
    connection_state: Callable[[], SocketState] | None,
    wakeups: Wakeups,
    webhook_notifier: WebhookNotifier | None,
    metrics: Metrics,
) -> HealthMonitor:
    """Create the health check of a process whose tasks are `tasks`."""
    return HealthMonitor(
        MonitoredStore(
            factory.notices,
            factory.outbox_statistics,
            factory.incidents,
            factory.write_check,
            factory.monitoring_counts,
        ),
        HealthInputs(
            source_statuses=source_statuses,
            connection_state=connection_state,
            ops_channel=lambda: factory.ops_channel.cached,
            count_workers=factory.leases.count_workers,
            pending_restarts=tasks.problems,
            clock_jump=lambda: factory.clock.jump,
        ),
        clock,
        wakeups=wakeups,
        webhook_notifier=webhook_notifier,
        metrics=metrics,
        thresholds=replace(
            factory.thresholds,
            silence=timedelta(hours=settings.silence_hours),
            free_bytes=settings.free_bytes,
        ),
    )
