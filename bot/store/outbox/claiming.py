"""What a claim takes from the queue, and in which order: stated here, once.

In each channel, and between channels while there is more than can be sent at once, the first goes first by

1. real before mock and test (`mock`);
2. what it is (`Priority`; `USUAL` says which kind has which): new roots, and replies that take an alert back;
   answers to people and operators, mentions, apologies; edits that take an alert back; replies and circulars;
   other edits, and circulars that came before their event;
3. the newest event first (`event_order`: events as their first notices were stored, so that no time that a
   notice claims for itself counts);
4. the older delivery first (`id`), so that a thread is read in order.

What is said of no event (a confirmation, a trouble) counts as real, and comes after what is said of one.

Nobody waits for ever because of another channel: at most one delivery a channel is under way, and one place
in `EVERY` goes to the channels in turn, whatever they hold. Edits are scarce, so they hold up no posts. A few
places are kept for what is urgent (`ClaimRequest.others`). Within one channel the order is strict: a mock waits as
long as real news comes faster than the one message a second that a channel takes.

What a claim reads depends on how many channels hold something that may go, never on how much they hold, nor
on what can't go: that is held (`held_until`), out of the index that claims read, until its time comes or its
thread moves on. A busy channel costs one look; a workspace out of reach one look for all its channels.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass, replace
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

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.outbox.models import (
    MAX_DELAY,
    OPEN_STATES,
    DeliveryKind,
    DeliveryState,
    Priority,
    kinds_where,
)

ROUND_ROBIN_EVERY = 10
"""Of so many places one goes to the channels in turn."""
MAX_PLACES_BY_ORDER = 1_000
"""So many places are given by order alone before all channels are looked at again."""
PROMOTION_BATCH_SIZE = 1_000
"""How many of real events, and of others, whose time has come one claim puts back into the queue."""
HOLD_DURATION = timedelta(seconds=60)
"""How long what waits for its thread is left alone, if nothing says before that the thread moved on."""
MAX_CLAIM_ROUNDS = 20
"""How often one claim chooses anew because some of what it chose has to be held."""
DETAILS_BATCH_SIZE = 500
EXTRA_CANDIDATES = 30
"""How much further than it has places a claim looks before it looks at all channels."""

UNORDERED_KINDS = tuple(kind.value for kind in kinds_where(lambda rule: not rule.ordered))
"""These wait for their root, and for nothing else in their thread."""
KNOWN_KINDS = tuple(kind.value for kind in DeliveryKind)
"""Another one is a newer gwevent's: it waits for that, and nothing waits for it."""

_ORDERED_KINDS = tuple(kind for kind in KNOWN_KINDS if kind not in UNORDERED_KINDS)
_d = schema.deliveries
_t = schema.threads

# As the indexes say it, word for word, lest they be overlooked.
_READY, _HELD = text(schema.READY), text(schema.HELD)
_REAL_THEN_MOCK = (_d.c.mock.is_(false()), _d.c.mock.is_(true()))

log = structlog.get_logger(__name__)

T = TypeVar("T")
OwnershipFilter = Callable[[ColumnElement[str]], ColumnElement[bool]]
"""Says of a column of workspaces whether they are this process's."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that may be next in its channel."""

    id: int
    team_id: str
    channel_id: str
    is_edit: bool
    mock: bool
    priority: int
    event_order: int

    @property
    def channel(self) -> ChannelRef:
        """Its channel."""
        return (self.team_id, self.channel_id)

    @property
    def sort_key(self) -> tuple[bool, int, int, int]:
        """The smallest goes first."""
        return (self.mock, self.priority, self.event_order, self.id)

    @property
    def is_urgent(self) -> bool:
        """Whether the last places are kept for the like of it."""
        return not self.mock and self.priority <= Priority.ANSWER


class FairShare:
    """Whose turn it is, where there is more to send than there are places."""

    def __init__(self) -> None:
        self.last_channel: ChannelRef = ("", "")
        """The channel that had its turn last."""
        self.placed_by_order = 0
        """How many places were given by order alone since."""

    def record_turns(self, chosen: Sequence[Candidate], in_turn: int, limit: int) -> None:
        """Remember who had his turn, the first of those chosen."""
        if len(chosen) < limit:
            # Whoever could go goes.
            self.placed_by_order = 0
            return
        if in_turn:
            self.last_channel = chosen[in_turn - 1].channel
        self.placed_by_order = max(
            0, self.placed_by_order + len(chosen) - in_turn - in_turn * ROUND_ROBIN_EVERY
        )


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a claim is allowed to take."""

    limit: int
    busy_channels: Container[ChannelRef]
    """Channels that nothing is claimed for; a workspace is the place (team, "*")."""
    edit_quota: Callable[[str], int]
    """How many edits of a workspace may be claimed."""
    non_urgent_limit: int
    """How many may be claimed that aren't urgent."""


def choose_candidates(
    candidates: Collection[Candidate], asked: ClaimRequest, turns: FairShare
) -> tuple[list[Candidate], int]:
    """Choose from the candidates of all channels; return with them how many of the first got a turn."""
    places = min(-(-asked.limit // 2), turns.placed_by_order // ROUND_ROBIN_EVERY)
    chosen: list[Candidate] = []
    if places:
        in_turn = sorted(candidates, key=lambda c: (c.channel <= turns.last_channel, c.channel, c.sort_key))
        chosen = select_within_limits(in_turn, replace(asked, limit=places))
    by_order = sorted(candidates, key=lambda c: c.sort_key)
    return select_within_limits(by_order, asked, chosen), len(chosen)


def select_within_limits(
    candidates: Iterable[Candidate], asked: ClaimRequest, chosen: Sequence[Candidate] = ()
) -> list[Candidate]:
    """Those that were chosen, and the first of these that may go beside them, at most one a channel."""
    taken = list(chosen)
    seen = {one.channel for one in taken}
    others = asked.non_urgent_limit - sum(not one.is_urgent for one in taken)
    edits = Counter(one.team_id for one in taken if one.is_edit)
    for one in candidates:
        if len(taken) >= asked.limit:
            break
        if one.channel in seen or one.channel in asked.busy_channels or not (one.is_urgent or others > 0):
            continue
        if one.is_edit and edits[one.team_id] >= asked.edit_quota(one.team_id):
            continue
        edits[one.team_id] += one.is_edit
        others -= not one.is_urgent
        seen.add(one.channel)
        taken.append(one)
    return taken


class ClaimQuery:
    """Finds what a claim takes, for the workspaces that are this process's own."""

    def __init__(self, own: OwnershipFilter) -> None:
        self._fair_share = FairShare()
        self._is_owned = own
        self._reported_kinds: set[str] = set()
        """Kinds that are a newer gwevent's, and were told."""

    async def select_claimable(
        self, connection: AsyncConnection, now: datetime, asked: ClaimRequest
    ) -> list[Any]:
        """The rows that go now, the most urgent first."""
        await _promote_due(connection, now)
        able: list[Any] = []
        for _ in range(MAX_CLAIM_ROUNDS):
            seen, (chosen, in_turn) = await self._choose(connection, asked)
            if not chosen:
                return []
            rows = await _load_details(connection, now, [one.id for one in chosen])
            able = [row for row in rows if row.is_due and row.may_go]
            if len(able) == len(rows):
                self._fair_share.record_turns(chosen, in_turn, asked.limit)
                break
            if foreign := {row.kind for row in rows}.difference(KNOWN_KINDS):
                await self._hold_unknown_kinds(connection, foreign, now)
            else:
                await _hold_blocked(connection, seen, now)
        return sorted(able, key=lambda row: (row.mock, row.priority, row.event_order, row.id))

    async def _hold_unknown_kinds(self, connection: AsyncConnection, kinds: set[str], now: datetime) -> None:
        """Keep what this version doesn't know for one that does, and say so once of each kind."""
        those = _d.c.kind.in_(kinds)
        held = await connection.execute(
            update(_d).where(_READY, those).values(held_until=now + HOLD_DURATION)
        )
        for kind in sorted(kinds - self._reported_kinds):
            log.error("deliveries_of_a_newer_gwevent_wait", kind=kind, deliveries=held.rowcount)
        self._reported_kinds |= kinds

    async def _choose(
        self, connection: AsyncConnection, asked: ClaimRequest
    ) -> tuple[Sequence[Candidate], tuple[list[Candidate], int]]:
        """All that were looked at, and the choice from them."""
        if self._fair_share.placed_by_order < MAX_PLACES_BY_ORDER:
            # Mostly the first in the queue are the first of their channels, and that is cheap to see.
            page = 2 * asked.limit + EXTRA_CANDIDATES
            rows = (await connection.execute(_first_page_query(self._is_owned), {"page": page})).all()
            mine = [_candidate_from_row(row) for row in rows if row.own]
            chosen = select_within_limits(mine, asked)
            full = sum(not one.is_urgent for one in chosen) >= asked.non_urgent_limit
            only_others = bool(mine) and not mine[-1].is_urgent
            if len(chosen) == asked.limit or len(rows) < page or (full and only_others):
                return mine, (chosen, 0)
        heads = await self._channel_heads(connection, asked)
        return heads, choose_candidates(heads, asked, self._fair_share)

    async def _channel_heads(self, connection: AsyncConnection, asked: ClaimRequest) -> list[Candidate]:
        """The first post and the first edit of each channel that may have one."""
        found: list[Candidate] = []
        for edits in (False, True):
            teams = (await connection.execute(_TEAMS_QUERIES[edits](self._is_owned))).all()
            able = [row.team_id for row in teams if (row.team_id, "*") not in asked.busy_channels]
            if edits:
                able = [team for team in able if asked.edit_quota(team) > 0]
            if able:
                heads = _HEADS_QUERIES[connection.dialect.name, edits]
                rows = await connection.execute(heads, {"teams": json.dumps(able)})
                found += map(_candidate_from_row, rows.all())
        return found


async def release_threads(
    connection: AsyncConnection, threads: Collection[int | None], now: datetime
) -> None:
    """These threads moved on: what waited for that may be next."""
    ids = {thread for thread in threads if thread is not None}
    if not ids:
        return
    await connection.execute(_RELEASE_STATEMENT, _time_parameters(now) | {"threads": list(ids)})


def _due_conditions(time: ColumnElement[datetime]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    # A time too far off was written before the clock jumped back.
    return time <= bindparam("now"), time > bindparam("too_late")


def _time_parameters(now: datetime) -> dict[str, Any]:
    return {"now": now, "too_late": now + MAX_DELAY}


async def _promote_due(connection: AsyncConnection, now: datetime) -> None:
    """Put back into the queue what was held and needn't be any more, real events' first."""
    moment = _time_parameters(now)
    if not (await connection.execute(_ANY_HELD_IS_DUE, moment)).scalar_one():
        return
    for one in _DUE_HELD_QUERIES:
        few = one.order_by(_d.c.held_until).limit(PROMOTION_BATCH_SIZE).with_for_update(skip_locked=True)
        if ids := (await connection.execute(few, moment)).scalars().all():
            await connection.execute(update(_d).where(_d.c.id.in_(ids)).values(held_until=None))


async def _hold_blocked(connection: AsyncConnection, seen: Sequence[Candidate], now: datetime) -> None:
    """Take out of the queue what can't go yet, with all that waits for the same threads."""
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
        rows = await connection.execute(
            _DETAILS_BY_THREAD, _time_parameters(now) | {"threads": list(threads)}
        )
        blocked = [row.id for row in rows.all() if not row.may_go]
        await connection.execute(
            update(_d).where(_d.c.id.in_(blocked)).values(held_until=now + HOLD_DURATION)
        )


async def _load_details(connection: AsyncConnection, now: datetime, ids: Sequence[int]) -> Sequence[Any]:
    return (await connection.execute(_DETAILS_BY_ID, _time_parameters(now) | {"ids": list(ids)})).all()


def _select_details() -> Select[*tuple[Any, ...]]:
    """All of a delivery; `may_go` says whether it waits for nothing in its thread."""
    earlier = _d.alias("earlier")
    blocked = (
        select(earlier.c.id)
        .where(
            earlier.c.thread_id == _d.c.thread_id,
            earlier.c.id < _d.c.id,
            earlier.c.kind.in_(_ORDERED_KINDS),
            # Not the bare state, whose index PostgreSQL would read in whole where little waited before.
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
        revision.scalar_subquery().label("superevent_revision"),
        may_go.label("may_go"),
        or_(*_due_conditions(_d.c.not_before)).label("is_due"),
    )


def _thread_column(column: ColumnElement[T]) -> ScalarSelect[T]:
    # Each looked up: PostgreSQL would rather read the whole table for a join.
    return select(column).where(_t.c.id == _d.c.thread_id).correlate(_d).scalar_subquery()


# Made once: to put a statement together costs more than to run it.
_DETAILS_BY_ID = _select_details().where(_d.c.id.in_(bindparam("ids", expanding=True)))
_DETAILS_BY_THREAD = _select_details().where(_d.c.thread_id.in_(bindparam("threads", expanding=True)), _READY)
_RELEASE_STATEMENT = (
    update(_d)
    .where(
        _d.c.thread_id.in_(bindparam("threads", expanding=True)), _d.c.state == DeliveryState.PENDING.value
    )
    .where(_d.c.held_until.is_not(None), or_(*_due_conditions(_d.c.not_before)))
    .values(held_until=null())
)
_DUE_HELD_QUERIES = [
    select(_d.c.id).where(_HELD, mock, time)
    for mock in _REAL_THEN_MOCK
    for time in _due_conditions(_d.c.held_until)
]
_ANY_HELD_IS_DUE = select(or_(*(one.exists() for one in _DUE_HELD_QUERIES)))

_COLUMNS = (_d.c.id, _d.c.team_id, _d.c.channel_id, _d.c.kind, _d.c.mock, _d.c.priority, _d.c.event_order)
_ORDER = (_d.c.mock, _d.c.priority, _d.c.event_order, _d.c.id)


def _candidate_from_row(row: Any) -> Candidate:
    return Candidate(
        row.id,
        row.team_id,
        row.channel_id,
        row.kind == DeliveryKind.EDIT.value,
        row.mock,
        row.priority,
        row.event_order,
    )


# Cut off before it is asked whose they are: else others' would be read without end.
_PAGE = select(*_COLUMNS).where(_READY).order_by(*_ORDER).limit(bindparam("page")).subquery("page")


def _first_page_query(own: OwnershipFilter) -> Select[*tuple[Any, ...]]:
    ordered = (_PAGE.c.mock, _PAGE.c.priority, _PAGE.c.event_order, _PAGE.c.id)
    return select(_PAGE, own(_PAGE.c.team_id).label("own")).order_by(*ordered)


def _teams_query(ready: TextClause, own: OwnershipFilter) -> Select[tuple[str]]:
    """The workspaces with something in the queue, each found by one look."""
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
# One knows no LATERAL; the other would read the whole table to look the ids up.
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
