"""Prometheus metrics of one process: counters kept in memory, gauges read from the store on request."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from bot import __version__
from bot.routing.escalation import StepAction
from bot.slack.errors import (
    ChannelUnavailable,
    FileNotReady,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RootOutOfReach,
    SlackFailure,
    Unavailable,
    Unlisted,
    WorkspaceUnavailable,
)
from bot.slack.lease_check import LeaseLost
from bot.sources.base import SourceStatus
from bot.store.operations.monitoring_counts import StoreCounts
from bot.store.outbox.models import (
    DELIVERY_KINDS,
    NOTHING_TO_SAY,
    UNSENT_STATES,
    DeadLettered,
    Delivered,
    Delivery,
    Outcome,
    Retry,
)
from bot.store.write_check import DiskSpace
from formatters.models.incident import Incident, IncidentKind
from formatters.models.notice import ALERT_TYPES, Notice

_LVK_BUCKETS = (10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0)
_WIRE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)
_POST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)

FAILURE_LABELS: Mapping[type[SlackFailure], str] = {
    SlackFailure: "slack_failure",
    RateLimited: "rate_limited",
    ChannelUnavailable: "channel_out_of_reach",
    WorkspaceUnavailable: "workspace_out_of_reach",
    RootOutOfReach: "root_out_of_reach",
    Rejected: "refused",
    Unlisted: "unlisted",
    Unavailable: "unavailable",
    OutcomeUnknown: "unknown",
    FileNotReady: "file_not_ready",
    LeaseLost: "lease_lost",
}
"""The label `outcome` of `gwevent_slack_calls`, by failure. Dashboards rely on these
words: classes may be renamed, labels may not."""
OUTCOME_LABELS: Mapping[type[Outcome], str] = {Delivered: "sent", Retry: "later", DeadLettered: "dead"}
"""The label `outcome` of `gwevent_delivery_outcomes`, beside `unneeded` (`outcome_label`)."""


def outcome_label(outcome: Outcome) -> str:
    """Return the label of an outcome; what had nothing to say any more isn't given up."""
    if isinstance(outcome, DeadLettered) and outcome.reason == NOTHING_TO_SAY:
        return "unneeded"
    return OUTCOME_LABELS.get(type(outcome), "other")


class CallOutcome(StrEnum):
    """The outcome of an attempt to call the operators' webhook: the label of `gwevent_webhook_calls`."""

    SENT = "sent"
    LATER = "later"
    """It was not accepted, and is made again."""
    DEAD = "dead"
    """It was not accepted for a day, and is given up."""
    UNNEEDED = "unneeded"
    """Nothing is to be said any more, as after an event was taken."""


class Metrics:
    """The metrics of one process, in a registry of their own so that tests can run several."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        build = Gauge(
            "gwevent_build_info",
            "Always 1; the labels say what runs.",
            ["version", "python"],
            registry=registry,
        )
        build.labels(__version__, platform.python_version()).set(1)
        self._notices = Counter(
            "gwevent_notices", "New notices stored.", ["category", "alert_type"], registry=registry
        )
        self._payloads = Counter(
            "gwevent_payloads", "Payloads, by what became of them.", ["handled"], registry=registry
        )
        self._last_notice_age = Gauge(
            "gwevent_last_notice_age_seconds",
            "Since the last payload came; NaN before the first.",
            registry=registry,
        )
        self._connected = Gauge(
            "gwevent_source_connected", "Whether the broker can be read.", ["source"], registry=registry
        )
        self._lag = Gauge(
            "gwevent_source_lag",
            "Payloads on the broker that were not acknowledged yet.",
            ["source"],
            registry=registry,
        )
        self._topic_read = Gauge(
            "gwevent_topic_read",
            "Whether a topic of the settings is read, optional ones too.",
            ["source", "topic"],
            registry=registry,
        )
        self._topic_lag = Gauge(
            "gwevent_topic_lag",
            "Messages of a topic on the broker that were not acknowledged yet.",
            ["source", "topic"],
            registry=registry,
        )
        self._topic_faults = Counter(
            "gwevent_topic_faults",
            "Defects of gwevent that ended the reader of an optional topic, which starts again.",
            ["source", "topic"],
            registry=registry,
        )
        self._slack = Gauge(
            "gwevent_slack_connected", "Whether Socket Mode is open; NaN in a consumer.", registry=registry
        )
        self._store = Gauge(
            "gwevent_store_up", "Whether the database takes what is written.", registry=registry
        )
        self._store_free = Gauge(
            "gwevent_store_free_bytes",
            "Room left on the disk of the SQLite file; NaN on PostgreSQL.",
            registry=registry,
        )
        self._store_used = Gauge("gwevent_store_bytes", "Room that the database takes.", registry=registry)
        self._workers = Gauge(
            "gwevent_workers", "Processes that deliver, on PostgreSQL; NaN on SQLite.", registry=registry
        )
        self._deliveries = Gauge(
            "gwevent_deliveries", "Rows of the outbox not sent, by state.", ["state"], registry=registry
        )
        self._oldest_delivery = Gauge(
            "gwevent_oldest_delivery_age_seconds",
            "Since the oldest delivery that still waits was planned; 0 if none waits.",
            registry=registry,
        )
        self._subscriptions = Gauge(
            "gwevent_subscriptions", "Subscriptions of all channels, by state.", ["state"], registry=registry
        )
        self._workspaces = Gauge("gwevent_workspaces", "Workspaces with a subscription.", registry=registry)
        self._leases = Gauge(
            "gwevent_leases",
            "Leases of workspaces and jobs on PostgreSQL, by the worker that holds them; none: free.",
            ["holder"],
            registry=registry,
        )
        self._quarantined = Gauge("gwevent_quarantined", "Payloads in quarantine.", registry=registry)
        self._incidents = Gauge("gwevent_trouble", "Open incidents.", ["what"], registry=registry)
        self._outcomes = Counter(
            "gwevent_delivery_outcomes",
            "What became of attempts to deliver.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._unchanged_edits = Counter(
            "gwevent_unchanged_edits",
            "Edits that were not sent, because the message shows the same already.",
            ["kind"],
            registry=registry,
        )
        self._calls = Counter(
            "gwevent_slack_calls", "Calls of Slack's Web API.", ["method", "outcome"], registry=registry
        )
        self._treasure_map_requests = Counter(
            "gwevent_treasuremap_requests",
            "Requests for others' pointings, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self._webhook_calls = Counter(
            "gwevent_webhook_calls",
            "Attempts to call the operators' webhook, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self._oldest_webhook_call = Gauge(
            "gwevent_oldest_webhook_call_age_seconds",
            "Since the oldest call not yet accepted was planned; 0 if none waits, NaN without a webhook.",
            registry=registry,
        )
        self._oldest_webhook_call.set(float("nan"))
        self._escalation_steps = Counter(
            "gwevent_escalation_steps",
            "Steps of escalations and drills whose time came, by what was decided.",
            ["outcome"],
            registry=registry,
        )
        # Both are rare: a series that begins with its first event would hide it from `increase`.
        for outcome in CallOutcome:
            self._webhook_calls.labels(outcome.value)
        for action in StepAction:
            self._escalation_steps.labels(action.name.lower())
        self._event_to_notice = Histogram(
            "gwevent_event_to_notice_seconds",
            "From the event to its notice, LVK's part.",
            buckets=_LVK_BUCKETS,
            registry=registry,
        )
        self._notice_to_received = Histogram(
            "gwevent_notice_to_received_seconds",
            "From the notice's time_created to its receipt.",
            buckets=_WIRE_BUCKETS,
            registry=registry,
        )
        self._received_to_posted = Histogram(
            "gwevent_received_to_posted_seconds",
            "From a notice's receipt to each of its posts.",
            buckets=_POST_BUCKETS,
            registry=registry,
        )

    def count_payload(self, handled: str) -> None:
        """Count a payload by the result of its ingestion."""
        self._payloads.labels(handled).inc()

    def count_topic_fault(self, status: SourceStatus) -> None:
        """Count a defect that ended an optional topic's reader for a while."""
        self._topic_faults.labels(status.name, status.topic).inc()

    def count_notice(self, notice: Notice) -> None:
        """Count a new notice and observe its latencies."""
        # Any other text must not become a label: each value is a time series.
        known = notice.alert_type if notice.alert_type in ALERT_TYPES else "other"
        self._notices.labels(notice.category.value, known).inc()
        if notice.event is not None:
            self._event_to_notice.observe((notice.time_created - notice.event.time).total_seconds())
        if notice.received is not None:
            self._notice_to_received.observe((notice.received - notice.time_created).total_seconds())

    def count_api_call(self, method: str, failure: SlackFailure | None) -> None:
        """Count a Web API call by method and outcome; `failure` is None if it succeeded."""
        outcome = "ok" if failure is None else _failure_label(failure)
        self._calls.labels(method, outcome).inc()

    def count_treasure_map_request(self, outcome: str) -> None:
        """Count a request for the pointings of one superevent: ok, busy, refused or unreadable."""
        self._treasure_map_requests.labels(outcome).inc()

    def count_webhook_call(self, outcome: CallOutcome) -> None:
        """Count an attempt to call the operators' webhook."""
        self._webhook_calls.labels(outcome.value).inc()

    def count_escalation_steps(self, decided: Sequence[StepAction]) -> None:
        """Count steps whose time came, by what was decided about them."""
        for action in decided:
            self._escalation_steps.labels(action.name.lower()).inc()

    def count_outcomes(self, outcomes: Sequence[tuple[Delivery, Outcome]], now: datetime) -> None:
        """Count the recorded outcomes of deliveries, and observe the latency of posts."""
        for delivery, outcome in outcomes:
            self._outcomes.labels(delivery.kind.value, outcome_label(outcome)).inc()
            if isinstance(outcome, Delivered) and DELIVERY_KINDS[delivery.kind].measured:
                self._received_to_posted.observe((now - delivery.created_at).total_seconds())
            if isinstance(outcome, Delivered) and outcome.is_unchanged:
                self._unchanged_edits.labels(delivery.kind.value).inc()

    def set_connections(
        self,
        sources: Sequence[SourceStatus],
        slack: bool | None,
        last_payload_at: datetime | None,
        now: datetime,
    ) -> None:
        """Set the gauges that need no store; of several consumers of a topic the best counts.

        `slack` is None in a process without a connection to Slack.
        """
        is_read: dict[tuple[str, str], bool] = {}
        lags: dict[tuple[str, str], float] = {}
        for status in sources:
            key = status.name, status.topic
            is_read[key] = is_read.get(key, False) or status.connected
            lags[key] = _least(lags.get(key), status.lag)
        for key in is_read.keys() - {(name, "") for name, _ in is_read}:
            self._topic_read.labels(*key).set(is_read[key])
            self._topic_lag.labels(*key).set(lags[key])
        required = {(status.name, status.topic) for status in sources if not status.is_optional}
        for name in {name for name, _ in required}:
            of_alerts = [key for key in required if key[0] == name]
            self._connected.labels(name).set(all(is_read[key] for key in of_alerts))
            self._lag.labels(name).set(sum(lags[key] for key in of_alerts))
        self._slack.set(float("nan") if slack is None else slack)
        self._last_notice_age.set(
            float("nan") if last_payload_at is None else (now - last_payload_at).total_seconds()
        )

    def set_outbox(
        self,
        states: dict[str, int],
        quarantined: int,
        open_incidents: Sequence[Incident],
        space: DiskSpace | None = None,
        workers: int | None = None,
    ) -> None:
        """Set the gauges of the store: deliveries, quarantine, incidents, disk space and workers."""
        self._store_free.set(_or_nan(None if space is None else space.free))
        self._store_used.set(_or_nan(None if space is None else space.used))
        self._workers.set(_or_nan(workers))
        self._store.set(1)
        for state in UNSENT_STATES:
            self._deliveries.labels(state.value).set(states.get(state.value, 0))
        self._quarantined.set(quarantined)
        # The store answers, so its own incident, if one is still open, is over.
        open_kinds = {incident.kind for incident in open_incidents} - {IncidentKind.STORE}
        for kind in IncidentKind:
            self._incidents.labels(kind.value).set(kind in open_kinds)

    def set_oldest_delivery(self, created_at: datetime | None, now: datetime) -> None:
        """Set the age of the oldest waiting delivery; `created_at` is None if none waits."""
        self._oldest_delivery.set(_age_s(created_at, now))

    def set_oldest_webhook_call(self, created_at: datetime | None, now: datetime) -> None:
        """Set the age of the oldest webhook call not yet accepted; `created_at` is None if none waits."""
        self._oldest_webhook_call.set(_age_s(created_at, now))

    def set_store_counts(self, counts: StoreCounts) -> None:
        """Set the gauges of subscriptions, workspaces and leases."""
        self._subscriptions.labels("active").set(counts.active_subscriptions)
        self._subscriptions.labels("paused").set(counts.paused_subscriptions)
        self._subscriptions.labels("unconfirmed").set(counts.unconfirmed_subscriptions)
        self._workspaces.set(counts.workspaces)
        # Workers come and go; one that is gone must not keep its last value.
        self._leases.clear()
        for holder, held in counts.leases_by_holder.items():
            self._leases.labels(holder or "none").set(held)

    def set_store_down(self, *, is_incident: bool) -> None:
        """Set the store's gauge to down; the gauges read from the store keep their last values.

        `is_incident` says whether the outage has lasted long enough to be an incident.
        """
        self._store.set(0)
        self._incidents.labels(IncidentKind.STORE.value).set(is_incident)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)


def _age_s(created_at: datetime | None, now: datetime) -> float:
    """Return the seconds since `created_at`, 0 if it is None."""
    return 0.0 if created_at is None else max(0.0, (now - created_at).total_seconds())


def _least(lag: float | None, other: int | None) -> float:
    """Return the lesser of two lags; NaN if neither is known."""
    known = [value for value in (lag, other) if value is not None and not math.isnan(value)]
    return min(known, default=float("nan"))


def _or_nan(value: int | None) -> float:
    return float("nan") if value is None else value


def _failure_label(failure: SlackFailure) -> str:
    """Return the label of a failure's class, or of the nearest class above it that has one."""
    return next(FAILURE_LABELS[cls] for cls in type(failure).__mro__ if cls in FAILURE_LABELS)
