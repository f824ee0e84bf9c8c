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
    settling: timedelta = timedelta(minutes=2)
    """What a start may take to catch up with what the broker kept."""
    source: timedelta = timedelta(minutes=1)
    lag: timedelta = timedelta(minutes=3)
    posts: timedelta = timedelta(minutes=1)
    edits: timedelta = timedelta(minutes=15)
    """Slack takes about 50 edits a minute and workspace; to a thousand channels that is no trouble yet."""
    again: timedelta = timedelta(seconds=5)
    """Less than from one look to the next: after a clock jumped, all that is being sent seems old, once."""
    slack: timedelta = timedelta(minutes=1)
    store: timedelta = timedelta(minutes=1)
    workers: timedelta = timedelta(minutes=1)
    free: int = 500_000_000
    """Bytes; of a small disk a tenth is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSnapshot:
    """What a look at the bot found; each `…_since` is None where all is well."""

    started: datetime
    last_heard: datetime | None
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
    overdue_found: datetime | None = None
    """Since when looks find any."""
    slack_out_since: datetime | None = None
    slack_detail: str = ""
    store_out_since: datetime | None = None
    store_detail: str = ""
    free: int | None = None
    """Bytes on the database's disk; None where that isn't known."""
    total: int | None = None
    """Bytes the disk has in all."""
    idle_since: datetime | None = None
    """Since when none of several processes delivers."""
    clock_off_since: datetime | None = None
    """When the clock jumped, until nothing was wrong with it for an hour."""
    clock_detail: str = ""


def evaluate(
    facts: HealthSnapshot, now: datetime, limits: Thresholds, lasting: frozenset[IncidentKind] = frozenset()
) -> list[Incident]:
    """Say what is wrong now.

    A trouble that lasts already is given no new time to pass by itself: else a restart would end it, and
    find it again.
    """

    def long(since: datetime | None, limit: timedelta, what: IncidentKind) -> bool:
        return since is not None and (what in lasting or now - since > limit)

    incidents = []
    heard = facts.last_heard or facts.started
    settled = now - facts.started > limits.settling or IncidentKind.SILENCE in lasting
    # Where the source is known to be out, that is the trouble; the silence only follows from it.
    if now - heard > limits.silence and settled and facts.source_out_since is None:
        incidents.append(Incident(kind=IncidentKind.SILENCE, since=heard))
    if long(facts.source_out_since, limits.source, IncidentKind.SOURCE):
        assert facts.source_out_since is not None
        incidents.append(
            Incident(kind=IncidentKind.SOURCE, since=facts.source_out_since, detail=facts.source_detail)
        )
    if long(facts.lagging_since, limits.lag, IncidentKind.LAG):
        assert facts.lagging_since is not None
        unread = pluralize(facts.lag, "payload")
        incidents.append(Incident(kind=IncidentKind.LAG, since=facts.lagging_since, detail=unread))
    if long(facts.overdue_found, limits.again, IncidentKind.DELIVERIES):
        assert facts.overdue_since is not None
        late = number(facts.overdue)
        incidents.append(Incident(kind=IncidentKind.DELIVERIES, since=facts.overdue_since, detail=late))
    if long(facts.slack_out_since, limits.slack, IncidentKind.SLACK):
        assert facts.slack_out_since is not None
        incidents.append(
            Incident(kind=IncidentKind.SLACK, since=facts.slack_out_since, detail=facts.slack_detail)
        )
    if long(facts.store_out_since, limits.store, IncidentKind.STORE):
        assert facts.store_out_since is not None
        incidents.append(
            Incident(kind=IncidentKind.STORE, since=facts.store_out_since, detail=facts.store_detail)
        )
    if is_disk_nearly_full(facts.free, facts.total, limits, lasts=IncidentKind.SPACE in lasting):
        assert facts.free is not None
        incidents.append(
            Incident(kind=IncidentKind.SPACE, since=now, detail=f"{facts.free / 1e6:,.0f} MB free")
        )
    if long(facts.idle_since, limits.workers, IncidentKind.WORKERS) and settled:
        assert facts.idle_since is not None
        incidents.append(Incident(kind=IncidentKind.WORKERS, since=facts.idle_since))
    if facts.clock_off_since is not None:
        incidents.append(
            Incident(kind=IncidentKind.CLOCK, since=facts.clock_off_since, detail=facts.clock_detail)
        )
    return incidents


def is_disk_nearly_full(
    free: int | None, total: int | None, limits: Thresholds, *, lasts: bool = False
) -> bool:
    """Whether the disk is nearly full; once it is, a little more must be free for that to be over."""
    if free is None:
        return False
    limit = limits.free if total is None else min(limits.free, total // 10)
    return free < (limit * 1.1 if lasts else limit)
