"""Rules that turn a health snapshot into incidents. Pure: the current time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from formatters.models.incident import Incident, IncidentKind
from formatters.text.quantities import number, pluralize


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The time that each condition may last before it is an incident."""

    silence: timedelta = timedelta(hours=2.5)
    """LVK sends a mock notice every hour; two missing in a row are an incident."""
    startup_grace: timedelta = timedelta(minutes=2)
    """Time that a started process has to read what the broker kept."""
    source_outage: timedelta = timedelta(minutes=1)
    lag: timedelta = timedelta(minutes=3)
    post_delay: timedelta = timedelta(minutes=1)
    edit_delay: timedelta = timedelta(minutes=15)
    """Slack accepts about 50 edits per minute and workspace, so edits in a thousand channels take this long.
    """
    overdue_persistence: timedelta = timedelta(seconds=5)
    """Less than the interval of checks: after a clock jump all deliveries look overdue in one check."""
    slack_outage: timedelta = timedelta(minutes=1)
    store_outage: timedelta = timedelta(minutes=1)
    no_worker: timedelta = timedelta(minutes=1)
    free_bytes: int = 500_000_000
    """Bytes; on a small disk a tenth of its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSnapshot:
    """The result of one health check; each `…_since` is None if there is no such problem."""

    started: datetime
    last_payload_at: datetime | None
    """When the last payload was received; None before the first."""
    source_out_since: datetime | None = None
    source_detail: str = ""
    """The source's description of its outage."""
    lagging_since: datetime | None = None
    lag: int = 0
    """Number of payloads on the broker that have not been read."""
    overdue: int = 0
    """Number of deliveries that wait for longer than `post_delay` or `edit_delay`."""
    overdue_since: datetime | None = None
    """When the oldest overdue delivery was created."""
    overdue_seen_since: datetime | None = None
    """Since when checks have found overdue deliveries."""
    slack_out_since: datetime | None = None
    slack_detail: str = ""
    store_out_since: datetime | None = None
    store_detail: str = ""
    free_bytes: int | None = None
    """Free bytes on the database's disk; None if unknown."""
    total_bytes: int | None = None
    """Size of the disk in bytes."""
    no_worker_since: datetime | None = None
    """Since when no process has delivered, if several share the database."""
    clock_off_since: datetime | None = None
    """When the clock jumped; None again after an hour without problems."""
    clock_detail: str = ""


def evaluate(
    snapshot: HealthSnapshot,
    now: datetime,
    thresholds: Thresholds,
    open_kinds: frozenset[IncidentKind] = frozenset(),
) -> list[Incident]:
    """Return the incidents that the snapshot shows.

    A condition whose incident is already open gets no new grace period; otherwise a restart would resolve the
    incident and open it again.
    """

    def exceeds(since: datetime | None, limit: timedelta, kind: IncidentKind) -> bool:
        return since is not None and (kind in open_kinds or now - since > limit)

    incidents = []
    last_payload_at = snapshot.last_payload_at or snapshot.started
    settled = now - snapshot.started > thresholds.startup_grace or IncidentKind.SILENCE in open_kinds
    # If the source is known to be down, that is the incident; the silence only follows from it.
    if now - last_payload_at > thresholds.silence and settled and snapshot.source_out_since is None:
        incidents.append(Incident(kind=IncidentKind.SILENCE, since=last_payload_at))
    if exceeds(snapshot.source_out_since, thresholds.source_outage, IncidentKind.SOURCE):
        assert snapshot.source_out_since is not None
        incidents.append(
            Incident(kind=IncidentKind.SOURCE, since=snapshot.source_out_since, detail=snapshot.source_detail)
        )
    if exceeds(snapshot.lagging_since, thresholds.lag, IncidentKind.LAG):
        assert snapshot.lagging_since is not None
        unread = pluralize(snapshot.lag, "payload")
        incidents.append(Incident(kind=IncidentKind.LAG, since=snapshot.lagging_since, detail=unread))
    if exceeds(snapshot.overdue_seen_since, thresholds.overdue_persistence, IncidentKind.DELIVERIES):
        assert snapshot.overdue_since is not None
        late = number(snapshot.overdue)
        incidents.append(Incident(kind=IncidentKind.DELIVERIES, since=snapshot.overdue_since, detail=late))
    if exceeds(snapshot.slack_out_since, thresholds.slack_outage, IncidentKind.SLACK):
        assert snapshot.slack_out_since is not None
        incidents.append(
            Incident(kind=IncidentKind.SLACK, since=snapshot.slack_out_since, detail=snapshot.slack_detail)
        )
    if exceeds(snapshot.store_out_since, thresholds.store_outage, IncidentKind.STORE):
        assert snapshot.store_out_since is not None
        incidents.append(
            Incident(kind=IncidentKind.STORE, since=snapshot.store_out_since, detail=snapshot.store_detail)
        )
    if is_disk_nearly_full(
        snapshot.free_bytes,
        snapshot.total_bytes,
        thresholds,
        was_nearly_full=IncidentKind.SPACE in open_kinds,
    ):
        assert snapshot.free_bytes is not None
        incidents.append(
            Incident(kind=IncidentKind.SPACE, since=now, detail=f"{snapshot.free_bytes / 1e6:,.0f} MB free")
        )
    if exceeds(snapshot.no_worker_since, thresholds.no_worker, IncidentKind.WORKERS) and settled:
        assert snapshot.no_worker_since is not None
        incidents.append(Incident(kind=IncidentKind.WORKERS, since=snapshot.no_worker_since))
    if snapshot.clock_off_since is not None:
        incidents.append(
            Incident(kind=IncidentKind.CLOCK, since=snapshot.clock_off_since, detail=snapshot.clock_detail)
        )
    return incidents


def is_disk_nearly_full(
    free: int | None, total: int | None, thresholds: Thresholds, *, was_nearly_full: bool = False
) -> bool:
    """Return True if too little is free; the limit is 10 % higher while the incident is open."""
    if free is None:
        return False
    limit = thresholds.free_bytes if total is None else min(thresholds.free_bytes, total // 10)
    return free < (limit * 1.1 if was_nearly_full else limit)
