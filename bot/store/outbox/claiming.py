"""Claim deliveries from the outbox: the order in which they are sent, and fairness between channels.

A delivery worker calls `ClaimQuery.select_claimable` to choose the next rows of `deliveries`. This module
finds the candidates in the database; `bot.store.outbox.claim_choice` chooses among them. No other module
decides what is sent next.

Order
-----
Deliveries are compared by these four keys. The order applies within each channel, and between channels
whenever more deliveries are due than one claim may take:

1. `mock`: deliveries about real events before those about mock and test events.
2. `priority`: by the kind of message (`Priority`; `DELIVERY_KINDS` maps each kind to its usual priority).
   First new root messages, and replies that retract an alert; then answers to people, reports to operators,
   mentions and apologies; then edits that retract an alert; then replies, Follow-up replies among them; last
   all other edits, and Follow-up replies about what came before their event's thread.
3. `event_order`: the newest event first. Events are ordered by when their first notice was stored, so that a
   wrong time inside a notice cannot move an event ahead.
4. `id`: the older delivery first, so that a thread reads in the order of its notices.

Deliveries that belong to no event, for example the confirmation of a subscription or the report of an
incident, count as real and sort after those that belong to an event and have the same priority.

Order within a thread
---------------------
Three rules can keep the first delivery of a channel from being sent yet:

- It is not due: `not_before` lies in the future. A time further ahead than `MAX_DELAY` counts as due,
  because it was written before the clock was set back.
- Its root message has not been posted. Only the root itself, and deliveries outside threads, go without it.
- An older delivery of the same thread is still open. The `UNORDERED_KINDS`, for example edits and mentions,
  neither wait for older deliveries nor make younger ones wait.

A kind of delivery that this version does not know was written by a newer version. It waits until that
version runs again, and blocks nothing.

Fairness between channels
-------------------------
Strict order alone would let one busy channel delay all the others. Four rules prevent that:

- At most one delivery of a channel is being sent at a time, so a busy channel takes one place of a claim.
- One place in `ROUND_ROBIN_EVERY` is not given by order: it goes to the channels in turn, whatever their
  deliveries are. `FairShare` counts the places that were given by order alone, and remembers which channel
  had the last turn. Every channel is therefore served in bounded time, also one that has only mocks while
  real alerts keep coming for other channels.
- Each workspace may have only so many edits in one claim (`ClaimRequest.edit_quota`), because Slack limits
  edits for each workspace. Edits that exceed the quota do not hold up posts.
- Some places are reserved for urgent deliveries (`ClaimRequest.non_urgent_limit`), so that a new alert need
  not wait until slow requests have ended.

Within one channel there is no such compensation. A mock waits as long as real messages for its channel
arrive faster than the one message each second that Slack accepts for a channel.

Cost
----
The number of rows that a claim reads depends on how many channels have something that can be sent, never on
how many deliveries wait. Three means achieve that:

- A delivery that cannot be sent yet is held: `held_until` is set, which removes it from the partial index
  that claims read. `_promote_due` clears it when the time has come, `release_threads` when its thread has
  progressed. If neither happens, `HOLD_DURATION` is the upper bound, so that a forgotten release delays a
  delivery but does not lose it.
- A claim first reads one page from the head of the queue (`_first_page_query`). This usually suffices, since
  the first deliveries in the queue are mostly the first of their channels.
- Otherwise it reads the first post and the first edit of every channel (`_HEADS_SQL`): a recursive query
  that jumps from channel to channel through the index, one lookup for each channel and one for each
  workspace. Workspaces that accept nothing at the moment are skipped as a whole.

The statements repeat the conditions of the partial indexes literally, and name tables in the way that makes
SQLite and PostgreSQL use these indexes. `tests/bot/store/outbox/test_claiming.py` checks the order against a
model that looks at every row, and the work of one claim against the length of the queue.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    TextClause,
    TextualSelect,
    bindparam,
    false,
    null,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.outbox.claim_choice import (
    Candidate,
    ClaimRequest,
    FairShare,
    choose_candidates,
    select_within_limits,
)
from bot.store.outbox.due_time import due_conditions, due_parameters
from bot.store.outbox.models import (
    EDIT_KINDS,
    OPEN_STATES,
    DeliveryKind,
    DeliveryState,
    kinds_where,
)

MAX_PLACES_BY_ORDER = 1_000
"""Places given by order alone after which a claim reads all channels, so that those owed a turn get it."""
PROMOTION_BATCH_SIZE = 1_000
"""Most held deliveries that one claim puts back into the queue, for each of the queries of `_promote_due`."""
HOLD_DURATION = timedelta(seconds=60)
"""How long a delivery that waits for its thread is held at most, unless `release_threads` releases it."""
MAX_CLAIM_ROUNDS = 20
"""Most attempts of one claim to choose, each after holding deliveries that turned out to be blocked."""
DETAILS_BATCH_SIZE = 500
"""Most ids in one query for details."""
EXTRA_CANDIDATES = 30
"""Rows of the first page beyond twice the limit of the claim."""

UNORDERED_KINDS = tuple(kind.value for kind in kinds_where(lambda rule: not rule.ordered))
"""Kinds that wait for their root message, and for nothing else in their thread."""
KNOWN_KINDS = tuple(kind.value for kind in DeliveryKind)
"""Kinds of this version. A row of any other kind was written by a newer version, which alone can send it."""

FOLLOW_UP_KINDS = (DeliveryKind.FOLLOW_UP.value, DeliveryKind.FOLLOW_UP_EDIT.value)
"""Kinds that need the state of their thread's Follow-up reply."""

_ORDERED_KINDS = tuple(kind for kind in KNOWN_KINDS if kind not in UNORDERED_KINDS)
_d = schema.deliveries
_f = schema.follow_ups
_t = schema.threads

# Literally the conditions of the partial indexes: otherwise SQLite would not use the indexes.
_READY, _HELD = text(schema.READY), text(schema.HELD)
_REAL_THEN_MOCK = (_d.c.mock.is_(false()), _d.c.mock.is_(true()))

log = structlog.get_logger(__name__)

T = TypeVar("T")
OwnershipFilter = Callable[[ColumnElement[str]], ColumnElement[bool]]
"""A function from a column of team ids to the condition that this process has the workspace's lease."""


class ClaimQuery:
    """A query for the deliveries that one claim takes, restricted to the workspaces of this process.

    It keeps the state of the round robin between claims, so one object must serve all claims of a process.
    """

    def __init__(self, own: OwnershipFilter) -> None:
        self._fair_share = FairShare()
        self._first_page_query = _first_page_query(own)
        self._teams_queries = {edits: query(own) for edits, query in _TEAMS_QUERIES.items()}
        self._reported_kinds: set[str] = set()
        """Unknown kinds that were logged already."""

    async def select_claimable(
        self, connection: AsyncConnection, now: datetime, request: ClaimRequest
    ) -> list[Any]:
        """Return the rows to send now, in order: at most `request.limit`, and one for each channel."""
        await _promote_due(connection, now)
        able: list[Any] = []
        for _ in range(MAX_CLAIM_ROUNDS):
            seen, (chosen, in_turn) = await self._choose(connection, request)
            if not chosen:
                return []
            rows = await _load_details(connection, now, [one.id for one in chosen])
            able = [row for row in rows if row.is_due and row.may_go]
            if len(able) == len(rows):
                self._fair_share.record_turns(chosen, in_turn, request.limit)
                break
            if foreign := {row.kind for row in rows}.difference(KNOWN_KINDS):
                await self._hold_unknown_kinds(connection, foreign, now)
            else:
                await _hold_blocked(connection, seen, now)
        return sorted(able, key=lambda row: (row.mock, row.priority, row.event_order, row.id))

    async def _hold_unknown_kinds(self, connection: AsyncConnection, kinds: set[str], now: datetime) -> None:
        """Hold the deliveries of kinds that this version does not know, and log each kind once."""
        those = _d.c.kind.in_(kinds)
        held = await connection.execute(
            update(_d).where(_READY, those).values(held_until=now + HOLD_DURATION)
        )
        for kind in sorted(kinds - self._reported_kinds):
            log.error("unknown_deliveries_held", kind=kind, deliveries=held.rowcount)
        self._reported_kinds |= kinds

    async def _choose(
        self, connection: AsyncConnection, request: ClaimRequest
    ) -> tuple[Sequence[Candidate], tuple[list[Candidate], int]]:
        """Return the candidates that were read, and the result of `choose_candidates` for them."""
        if self._fair_share.placed_by_order < MAX_PLACES_BY_ORDER:
            # The first rows of the queue are mostly the first of their channels, and a page is cheap to read.
            page = 2 * request.limit + EXTRA_CANDIDATES
            rows = (await connection.execute(self._first_page_query, {"page": page})).all()
            mine = [_candidate_from_row(row) for row in rows if row.own]
            chosen = select_within_limits(mine, request)
            full = sum(not one.is_urgent for one in chosen) >= request.non_urgent_limit
            only_others = bool(mine) and not mine[-1].is_urgent
            if len(chosen) == request.limit or len(rows) < page or (full and only_others):
                return mine, (chosen, 0)
        heads = await self._channel_heads(connection, request)
        return heads, choose_candidates(heads, request, self._fair_share)

    async def _channel_heads(self, connection: AsyncConnection, request: ClaimRequest) -> list[Candidate]:
        """Return the first post and the first edit of each channel whose workspace accepts one."""
        found: list[Candidate] = []
        for edits in (False, True):
            teams = (await connection.execute(self._teams_queries[edits])).all()
            able = [row.team_id for row in teams if (row.team_id, "*") not in request.busy_channels]
            if edits:
                able = [team for team in able if request.edit_quota(team, True) > 0]
            if able:
                heads = _HEADS_QUERIES[connection.dialect.name, edits]
                rows = await connection.execute(heads, {"teams": json.dumps(able)})
                found += map(_candidate_from_row, rows.all())
        return found


async def release_threads(
    connection: AsyncConnection, threads: Collection[int | None], now: datetime
) -> None:
    """Release the held deliveries of threads whose state changed, so that the next claim considers them."""
    ids = {thread for thread in threads if thread is not None}
    if not ids:
        return
    await connection.execute(_RELEASE_STATEMENT, due_parameters(now) | {"threads": list(ids)})


async def _promote_due(connection: AsyncConnection, now: datetime) -> None:
    """Move held deliveries whose time has come back into the queue, those of real events first."""
    moment = due_parameters(now)
    if not (await connection.execute(_ANY_HELD_IS_DUE, moment)).scalar_one():
        return
    for one in _DUE_HELD_QUERIES:
        few = one.order_by(_d.c.held_until).limit(PROMOTION_BATCH_SIZE).with_for_update(skip_locked=True)
        if ids := (await connection.execute(few, moment)).scalars().all():
            await connection.execute(update(_d).where(_d.c.id.in_(ids)).values(held_until=None))


async def _hold_blocked(connection: AsyncConnection, seen: Sequence[Candidate], now: datetime) -> None:
    """Hold the candidates that cannot be sent yet, and what else waits for the same threads."""
    found: list[Any] = []
    for start in range(0, len(seen), DETAILS_BATCH_SIZE):
        some = [one.id for one in seen[start : start + DETAILS_BATCH_SIZE]]
        found += await _load_details(connection, now, some)
    stuck = [row for row in found if not (row.is_due and row.may_go)]
    early = [row.id for row in stuck if not row.is_due]
    if early:
        await connection.execute(update(_d).where(_d.c.id.in_(early)).values(held_until=_d.c.not_before))
    threads = {row.thread_id for row in stuck if row.is_due}
    if threads:
        rows = await connection.execute(_DETAILS_BY_THREAD, due_parameters(now) | {"threads": list(threads)})
        blocked = [row.id for row in rows.all() if not row.may_go]
        await connection.execute(
            update(_d).where(_d.c.id.in_(blocked)).values(held_until=now + HOLD_DURATION)
        )


async def _load_details(connection: AsyncConnection, now: datetime, ids: Sequence[int]) -> Sequence[Any]:
    return (await connection.execute(_DETAILS_BY_ID, due_parameters(now) | {"ids": list(ids)})).all()


def _select_details() -> Select[*tuple[Any, ...]]:
    """Return the query for deliveries with their threads' state.

    `may_go` is true if the delivery waits for nothing in its thread, `is_due` if its time has come.
    """
    earlier = _d.alias("earlier")
    blocked = (
        select(earlier.c.id)
        .where(
            earlier.c.thread_id == _d.c.thread_id,
            earlier.c.id < _d.c.id,
            earlier.c.kind.in_(_ORDERED_KINDS),
            # An expression, so that PostgreSQL does not use the index on the state. It would read that index
            # completely if its statistics date from a time when few deliveries were waiting.
            (earlier.c.state + "").in_(OPEN_STATES),
        )
        .exists()
    )
    root_ts = _thread_column(_t.c.root_ts)
    in_turn: ColumnElement[bool] = or_(
        _d.c.thread_id.is_(None),
        _d.c.kind == DeliveryKind.ROOT.value,
        root_ts.is_not(None) & (_d.c.kind.in_(UNORDERED_KINDS) | ~blocked),
    )
    may_go = _d.c.kind.in_(KNOWN_KINDS) & in_turn
    events = schema.superevents
    revision = select(events.c.revision).where(events.c.superevent_id == _thread_column(_t.c.superevent_id))
    return select(
        _d,
        _thread_column(_t.c.superevent_id).label("superevent_id"),
        _thread_column(_t.c.wanted_revision).label("revision"),
        root_ts.label("root_ts"),
        _thread_column(_t.c.shown_revision).label("shown_revision"),
        _thread_column(_t.c.root_fixed).label("root_fixed"),
        _reply_column(_f.c.ts).label("follow_up_ts"),
        _reply_column(_f.c.wanted_revision).label("follow_up_target"),
        _reply_column(_f.c.shown_revision).label("follow_up_posted"),
        revision.scalar_subquery().label("superevent_revision"),
        may_go.label("may_go"),
        or_(*due_conditions(_d.c.not_before)).label("is_due"),
    )


def _thread_column(column: ColumnElement[T]) -> ScalarSelect[T]:
    # A scalar subquery looks up one row by its id; for a join PostgreSQL would read the whole table.
    return select(column).where(_t.c.id == _d.c.thread_id).correlate(_d).scalar_subquery()


def _reply_column(column: ColumnElement[T]) -> ScalarSelect[T]:
    # Only the deliveries of Follow-up replies look it up.
    own = select(column).where(_d.c.kind.in_(FOLLOW_UP_KINDS), _f.c.thread_id == _d.c.thread_id)
    return own.correlate(_d).scalar_subquery()


# Built once, because building a statement takes longer than executing it.
_DETAILS_BY_ID = _select_details().where(_d.c.id.in_(bindparam("ids", expanding=True)))
_DETAILS_BY_THREAD = _select_details().where(_d.c.thread_id.in_(bindparam("threads", expanding=True)), _READY)
_RELEASE_STATEMENT = (
    update(_d)
    .where(
        _d.c.thread_id.in_(bindparam("threads", expanding=True)), _d.c.state == DeliveryState.PENDING.value
    )
    .where(_d.c.held_until.is_not(None), or_(*due_conditions(_d.c.not_before)))
    .values(held_until=null())
)
_DUE_HELD_QUERIES = [
    select(_d.c.id).where(_HELD, mock, time)
    for mock in _REAL_THEN_MOCK
    for time in due_conditions(_d.c.held_until)
]
_ANY_HELD_IS_DUE = select(or_(*(one.exists() for one in _DUE_HELD_QUERIES)))

_COLUMNS = (_d.c.id, _d.c.team_id, _d.c.channel_id, _d.c.kind, _d.c.mock, _d.c.priority, _d.c.event_order)
_ORDER = (_d.c.mock, _d.c.priority, _d.c.event_order, _d.c.id)


def _candidate_from_row(row: Any) -> Candidate:
    return Candidate(
        row.id,
        row.team_id,
        row.channel_id,
        row.kind in EDIT_KINDS,
        row.mock,
        row.priority,
        row.event_order,
    )


# Limited before the workspaces are checked: otherwise the query would read past all rows of other processes.
_PAGE = select(*_COLUMNS).where(_READY).order_by(*_ORDER).limit(bindparam("page")).subquery("page")


def _first_page_query(own: OwnershipFilter) -> Select[*tuple[Any, ...]]:
    ordered = (_PAGE.c.mock, _PAGE.c.priority, _PAGE.c.event_order, _PAGE.c.id)
    return select(_PAGE, own(_PAGE.c.team_id).label("own")).order_by(*ordered)


def _teams_query(ready: TextClause, own: OwnershipFilter) -> Select[tuple[str]]:
    """Return the query for the workspaces that have rows in the queue, with one index lookup for each."""
    first = select(_d.c.team_id).where(ready).order_by(_d.c.team_id).limit(1).scalar_subquery()
    found = select(first.label("team_id")).cte("teams", recursive=True)
    further = select(_d.c.team_id).where(ready, _d.c.team_id > found.c.team_id)
    one = further.order_by(_d.c.team_id).limit(1).correlate(found).scalar_subquery()
    found = found.union_all(select(one).where(found.c.team_id.is_not(None)))
    return select(found.c.team_id).where(found.c.team_id.is_not(None), own(found.c.team_id))


_TEAMS_QUERIES = {
    False: partial(_teams_query, text(schema.READY_POSTS)),
    True: partial(_teams_query, text(schema.READY_EDITS)),
}

_HEADS_SQL = """
WITH RECURSIVE lanes (team_id, channel_id) AS (
    SELECT given.value, (
        SELECT d.channel_id FROM deliveries d WHERE {ready} AND d.team_id = given.value
        ORDER BY d.channel_id LIMIT 1
    ) FROM {given}
    UNION ALL
    SELECT lanes.team_id, (
        SELECT d.channel_id FROM deliveries d
        WHERE {ready} AND d.team_id = lanes.team_id AND d.channel_id > lanes.channel_id
        ORDER BY d.channel_id LIMIT 1
    ) FROM lanes WHERE lanes.channel_id IS NOT NULL
)
SELECT head.id, head.team_id, head.channel_id, head.kind, head.mock, head.priority, head.event_order
FROM lanes {head}
WHERE lanes.channel_id IS NOT NULL
"""
_FIRST_OF_CHANNEL_SQL = """
    SELECT {columns} FROM deliveries d
    WHERE {ready} AND d.team_id = lanes.team_id AND d.channel_id = lanes.channel_id
    ORDER BY d.mock, d.priority, d.event_order, d.id LIMIT 1
"""
# SQLite has no LATERAL; PostgreSQL would read the whole table if it joined by id.
_HEAD_JOIN_SQL = {
    "sqlite": f"JOIN deliveries head ON head.id = ({_FIRST_OF_CHANNEL_SQL.replace('{columns}', 'd.id')})",
    "postgresql": f"CROSS JOIN LATERAL ({_FIRST_OF_CHANNEL_SQL.replace('{columns}', 'd.*')}) head",
}
_TEAMS_PARAMETER_SQL = {
    "sqlite": "json_each(:teams) given",
    "postgresql": "json_array_elements_text(CAST(:teams AS json)) given (value)",
}


def _heads_query(dialect: str, ready: str) -> TextualSelect:
    query = _HEADS_SQL.replace("{head}", _HEAD_JOIN_SQL[dialect])
    return text(query.format(ready=ready, given=_TEAMS_PARAMETER_SQL[dialect])).columns(*_COLUMNS)


_HEADS_QUERIES = {
    (dialect, edits): _heads_query(dialect, schema.READY_EDITS if edits else schema.READY_POSTS)
    for dialect in _TEAMS_PARAMETER_SQL
    for edits in (False, True)
}
