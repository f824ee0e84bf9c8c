"""From what was seen of the bot to what is wrong with it. Pure: `now` is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from formatters.models.incident import Incident, IncidentKind
from formatters.text.quantities import number, pluralize


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How long what may last before it is a trouble."""

    silence: timedelta = timedelta(hours=2.5)
    """LVK's mocks come every hour, so two of them missing in a row are enough."""
    startup_grace: timedelta = timedelta(minutes=2)
    """What a start may take to catch up with what the broker kept."""
    source_outage: timedelta = timedelta(minutes=1)
    lag: timedelta = timedelta(minutes=3)
    post_delay: timedelta = timedelta(minutes=1)
    edit_delay: timedelta = timedelta(minutes=15)
    """Slack takes about 50 edits a minute and workspace; to a thousand channels that is no trouble yet."""
    overdue_persistence: timedelta = timedelta(seconds=5)
    """Less than from one look to the next: after a clock jumped, all that is being sent seems old, once."""
    slack_outage: timedelta = timedelta(minutes=1)
    store_outage: timedelta = timedelta(minutes=1)
    no_worker: timedelta = timedelta(minutes=1)
    free_bytes: int = 500_000_000
    """Bytes; of a small disk a tenth is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSnapshot:
    """What a look at the bot found; each `…_since` is None where all is well."""

    started: datetime
    last_payload_at: datetime | None
    """When a payload came last; None before the first of all."""
    source_out_since: datetime | None = None
    source_detail: str = ""
    """The source's own sentence about it."""
    lagging_since: datetime | None = None
    lag: int = 0
    """Payloads on the broker that were not read."""
    overdue: int = 0
    """Deliveries that wait for longer than `posts` and `edits` allow."""
    overdue_since: datetime | None = None
    """Since when the oldest of them waits."""
    overdue_seen_since: datetime | None = None
    """Since when looks find any."""
    slack_out_since: datetime | None = None
    slack_detail: str = ""
    store_out_since: datetime | None = None
    store_detail: str = ""
    free_bytes: int | None = None
    """Bytes on the database's disk; None where that isn't known."""
    total_bytes: int | None = None
    """Bytes the disk has in all."""
    no_worker_since: datetime | None = None
    """Since when none of several processes delivers."""
    clock_off_since: datetime | None = None
    """When the clock jumped, until nothing was wrong with it for an hour."""
    clock_detail: str = ""


def evaluate(
    snapshot: HealthSnapshot,
    now: datetime,
    thresholds: Thresholds,
    open_kinds: frozenset[IncidentKind] = frozenset(),
) -> list[Incident]:
    """Say what is wrong now.

    A trouble that lasts already is given no new time to pass by itself: else a restart would end it, and
    find it again.
    """

    def long(since: datetime | None, limit: timedelta, what: IncidentKind) -> bool:
        return since is not None and (what in open_kinds or now - since > limit)

    incidents = []
    heard = snapshot.last_payload_at or snapshot.started
    settled = now - snapshot.started > thresholds.startup_grace or IncidentKind.SILENCE in open_kinds
    # Where the source is known to be out, that is the trouble; the silence only follows from it.
    if now - heard > thresholds.silence and settled and snapshot.source_out_since is None:
        incidents.append(Incident(kind=IncidentKind.SILENCE, since=heard))
    if long(snapshot.source_out_since, thresholds.source_outage, IncidentKind.SOURCE):
        assert snapshot.source_out_since is not None
        incidents.append(
            Incident(kind=IncidentKind.SOURCE, since=snapshot.source_out_since, detail=snapshot.source_detail)
        )
    if long(snapshot.lagging_since, thresholds.lag, IncidentKind.LAG):
        assert snapshot.lagging_since is not None
        unread = pluralize(snapshot.lag, "payload")
        incidents.append(Incident(kind=IncidentKind.LAG, since=snapshot.lagging_since, detail=unread))
    if long(snapshot.overdue_seen_since, thresholds.overdue_persistence, IncidentKind.DELIVERIES):
        assert snapshot.overdue_since is not None
        late = number(snapshot.overdue)
        incidents.append(Incident(kind=IncidentKind.DELIVERIES, since=snapshot.overdue_since, detail=late))
    if long(snapshot.slack_out_since, thresholds.slack_outage, IncidentKind.SLACK):
        assert snapshot.slack_out_since is not None
        incidents.append(
            Incident(kind=IncidentKind.SLACK, since=snapshot.slack_out_since, detail=snapshot.slack_detail)
        )
    if long(snapshot.store_out_since, thresholds.store_outage, IncidentKind.STORE):
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
    if long(snapshot.no_worker_since, thresholds.no_worker, IncidentKind.WORKERS) and settled:
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
    """Whether the disk is nearly full; once it is, a little more must be free for that to be over."""
    if free is None:
        return False
    limit = thresholds.free_bytes if total is None else min(thresholds.free_bytes, total // 10)
    return free < (limit * 1.1 if was_nearly_full else limit)
