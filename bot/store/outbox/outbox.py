"""The ledger: which deliveries are due, and what became of them."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median_low as median
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    bindparam,
    case,
    delete,
    false,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.runtime.outcome_notifier import OutcomeNotifier
from bot.store import schema
from bot.store.channels.refused_mentions import record_mention_outcomes
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.channels.subscriptions import (
    confirm_subscriptions,
    discard_unconfirmed,
)
from bot.store.database import Database
from bot.store.database_identity import get_or_create_database_id
from bot.store.outbox.claiming import ClaimQuery, ClaimRequest, release_threads
from bot.store.outbox.images import publish_to_others, reassign_canary
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import (
    OPERATOR_KINDS,
    UNSENT_STATES,
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    DeliveryState,
    OutboxCounts,
    Outcome,
    Priority,
    Retry,
)
from bot.store.outbox.plan_writer import dead_letter_orphans, enqueue_edits, mark_threads_stale

_d = schema.deliveries
_t = schema.threads

log = structlog.get_logger(__name__)

OPEN_STATES = (DeliveryState.PENDING.value, DeliveryState.SENDING.value)
REQUEUE_MAX_AGE = timedelta(hours=24)
"""What died with its channel longer ago is old news when the channel comes back."""


class Outbox:
    """Claims and outcomes; each batch is one transaction."""

    def __init__(
        self, database: Database, leases: WorkerLeases, notifier: OutcomeNotifier | None = None
    ) -> None:
        """`notifier` is told the subscriptions whose confirmation has an outcome."""
        self._notifier = notifier or OutcomeNotifier()
        self._database = database
        self.leases = leases
        """Which workspaces are this process's; claims are made for those alone."""
        self.database_id: str | None = None
        """Which database this is, by a random word of its own; None before `recover`."""
        self._claim_query = ClaimQuery(self._is_leased)

    async def requeue_stalled(self) -> int:
        """Put back what a process that is gone had claimed (it may stand in its channel); return how many.

        For the start of a worker: what this process had claimed is put back too.
        """
        those: ColumnElement[bool] = true()
        if not self._database.is_sqlite:
            those = (_d.c.claimed_by == self.leases.worker_id) | self.leases.is_orphaned(_d.c.claimed_by)
        async with self._database.shared_transaction() as connection:
            self.database_id = await get_or_create_database_id(connection)
            return await _requeue_claimed(connection, those)

    async def requeue_stalled_of_dead_workers(self) -> int:
        """The same of workers that died meanwhile; what a living one sends is left alone."""
        if self._database.is_sqlite:
            return 0
        async with self._database.independent_transaction() as connection:
            return await _requeue_claimed(connection, self.leases.is_orphaned(_d.c.claimed_by))

    async def claim(
        self,
        now: datetime,
        limit: int,
        *,
        busy_channels: Container[ChannelRef] = (),
        edit_quota: Callable[[str], int] = lambda _: 1_000_000,
        non_urgent_limit: int | None = None,
    ) -> list[Delivery]:
        """Claim up to `limit` due deliveries, at most one a channel and none in `busy` channels.

        In the order of `bot.store.claiming`. Where many share the database, only of the workspaces this
        worker has the leases of. `edits(team)` says how many edits of a workspace may be claimed, `others`
        how many deliveries that aren't urgent. A reply waits for its root and for every earlier reply of its
        thread; an edit or a mention only for its root.
        """
        if limit <= 0:
            return []
        async with self._database.shared_transaction() as connection:
            asked = ClaimRequest(
                limit, busy_channels, edit_quota, limit if non_urgent_limit is None else non_urgent_limit
            )
            chosen = await self._claim_query.select_claimable(connection, now, asked)
            mine: set[int] = set()
            worker_id = self.leases.worker_id
            if chosen:
                # Of two workers that read the same rows one gets them, and the other waits for none of them.
                still = select(_d.c.id).where(_d.c.id.in_([row.id for row in chosen]))
                if not self._database.is_sqlite:
                    # Nor would SQLite find them by their ids, if asked for the state as well.
                    still = still.where(_d.c.state == DeliveryState.PENDING.value).with_for_update(
                        skip_locked=True
                    )
                claimed = await connection.execute(
                    update(_d)
                    .where(_d.c.id.in_(still))
                    .values(
                        state=DeliveryState.SENDING.value,
                        attempts=_d.c.attempts + 1,
                        attempted_at=now,
                        claimed_by=worker_id,
                    )
                    .returning(_d.c.id)
                )
                mine.update(claimed.scalars())
        return [_delivery_from_row(row, worker_id) for row in chosen if row.id in mine]

    def _is_leased(self, team_id: ColumnElement[str]) -> ColumnElement[bool]:
        """For a query: whether this is a workspace that this worker has the lease of."""
        if self._database.is_sqlite:
            return true()
        # PostgreSQL would make a join of a bare IN, and lose the order of the index.
        return func.coalesce(team_id.in_(self.leases.owned_workspaces()), false())

    async def record_outcomes(self, outcomes: Sequence[tuple[Delivery, Outcome]], now: datetime) -> None:
        """Write down what became of claimed deliveries, all in one transaction.

        An outcome that can't be written for its own sake mustn't take the others with it: then each has a
        transaction of its own, and what is wrong with the last such one is raised after all were tried.
        """
        try:
            await self._record_outcomes(outcomes, now)
        except SQLAlchemyError as error:
            if len(outcomes) == 1:
                raise
            wrong: SQLAlchemyError | None = None
            for outcome in outcomes:
                try:
                    await self._record_outcomes([outcome], now)
                except SQLAlchemyError as again:
                    wrong = again
            if wrong is not None:
                raise wrong from error

    async def _record_outcomes(self, outcomes: Sequence[tuple[Delivery, Outcome]], now: datetime) -> None:
        async with self._database.shared_transaction() as connection:
            ours = await _still_claimed(connection, outcomes)
            sent = [(d, o) for d, o in ours if isinstance(o, Delivered)]
            later = [(d, o) for d, o in ours if isinstance(o, Retry)]
            dead = [(d, o) for d, o in ours if isinstance(o, DeadLettered)]
            if later:
                await _update_rows(
                    connection,
                    [
                        {
                            "b_id": d.id,
                            "state": DeliveryState.PENDING.value,
                            "not_before": o.not_before,
                            "held_until": o.not_before,
                            "reason": o.reason,
                            "doubtful": o.maybe_sent or d.maybe_sent,
                        }
                        for d, o in later
                    ],
                )
            if dead:
                await _dead_letter(connection, dead, now)
            if sent:
                await _record_delivered(connection, sent, now)
        self._notifier.notify(d.subject_id for d, _ in outcomes if d.kind is DeliveryKind.CONFIRMATION)

    async def counts(self, team_id: str | None = None) -> OutboxCounts:
        """How much waits, is dead, is quarantined; deliveries of one workspace, or of all (None)."""
        query = (
            select(_d.c.state, func.count(), func.min(_d.c.created_at))
            .where(_d.c.state.in_([state.value for state in UNSENT_STATES]))
            .group_by(_d.c.state)
        )
        if team_id is not None:
            query = query.where(_d.c.team_id == team_id)
        async with self._database.read_transaction() as connection:
            states = (await connection.execute(query)).all()
            quarantined = (
                await connection.execute(select(func.count()).select_from(schema.quarantine))
            ).scalar_one()
        waiting = [row for row in states if row[0] in OPEN_STATES]
        return OutboxCounts(
            waiting=sum(row[1] for row in waiting),
            dead=sum(row[1] for row in states if row[0] == DeliveryState.DEAD.value),
            quarantined=quarantined,
            oldest_waiting=min((row[2] for row in waiting), default=None),
        )

    async def count_by_state(self) -> dict[str, int]:
        """How many deliveries that weren't sent stand where."""
        unsent = _d.c.state.in_([state.value for state in UNSENT_STATES])
        query = select(_d.c.state, func.count()).where(unsent).group_by(_d.c.state)
        async with self._database.read_transaction() as connection:
            return {row[0]: row[1] for row in (await connection.execute(query)).all()}

    async def count_overdue(
        self, now: datetime, posts: timedelta, edits: timedelta
    ) -> tuple[int, datetime | None]:
        """How many deliveries wait for longer than they should, and since when the oldest does.

        Posts longer than `posts`, edits longer than `edits`: Slack takes only so many of them a minute.
        """
        # One that was revived, or has to wait on purpose, waits from the moment at which it was due first.
        since = case((_d.c.attempts == 0, _d.c.not_before), else_=_d.c.created_at)
        is_edit = _d.c.kind == DeliveryKind.EDIT.value
        late = (~is_edit & (since < now - posts)) | (is_edit & (since < now - edits))
        query = select(func.count(), func.min(since, type_=schema.UtcDateTime())).where(
            _d.c.state.in_(OPEN_STATES), late
        )
        async with self._database.read_transaction() as connection:
            count, oldest = (await connection.execute(query)).one()
        return count, oldest

    async def median_posting_time(self, latest: int = 50) -> timedelta | None:
        """How long the latest roots and replies took from the notice's receipt to the channel, the median.

        None if nothing was posted yet.
        """
        query = (
            select(_d.c.created_at, _d.c.sent_at)
            .where(
                _d.c.state == DeliveryState.SENT.value,
                _d.c.kind.in_([DeliveryKind.ROOT.value, DeliveryKind.REPLY.value]),
            )
            .order_by(_d.c.id.desc())
            .limit(latest)
        )
        async with self._database.read_transaction() as connection:
            took = [row.sent_at - row.created_at for row in (await connection.execute(query)).all()]
        return median(took) if took else None

    async def requeue_channel(self, team_id: str, channel_id: str, since: datetime, now: datetime) -> int:
        """Bring back what died because the channel was out of reach, if it is younger than `since`.

        Edits come back at any age: roots stay true. Where nothing is subscribed any more, nothing else does.
        Return how many deliveries wait again.
        """
        async with self._database.exclusive_transaction() as connection:
            return await requeue_channel(connection, (team_id, channel_id), since, now)


async def _requeue_claimed(connection: AsyncConnection, those: ColumnElement[bool]) -> int:
    result = await connection.execute(
        update(_d)
        .where(_d.c.state == DeliveryState.SENDING.value, those)
        .values(state=DeliveryState.PENDING.value, doubtful=True, claimed_by=None)
    )
    return result.rowcount


async def _still_claimed(
    connection: AsyncConnection, outcomes: Sequence[tuple[Delivery, Outcome]]
) -> Sequence[tuple[Delivery, Outcome]]:
    """Those that weren't given to another worker meanwhile, because this one was taken for dead.

    What was put back and that nobody has claimed since takes one outcome all the same: that it stands. Where
    the channel got another id meanwhile, what was sent stands there; what wasn't is sent again.
    """
    columns = (_d.c.id, _d.c.claimed_by, _d.c.state, _d.c.doubtful, _d.c.team_id, _d.c.channel_id)
    query = select(*columns).where(_d.c.state.in_(OPEN_STATES))
    mine = query.where(_d.c.id.in_([d.id for d, _ in outcomes])).with_for_update()
    rows = {row.id: row for row in (await connection.execute(mine)).all()}

    def is_ours(delivery: Delivery, outcome: Outcome) -> bool:
        row = rows.get(delivery.id)
        if row is None:
            return False
        if row.state == DeliveryState.SENDING.value:
            return bool(row.claimed_by == delivery.claimed_by)
        return isinstance(outcome, Delivered) and bool(row.doubtful)

    ours = [
        _at_current_channel(d, o, (rows[d.id].team_id, rows[d.id].channel_id))
        for d, o in outcomes
        if is_ours(d, o)
    ]
    if len(ours) < len(outcomes):
        log.warning("outcomes_come_too_late", deliveries=len(outcomes) - len(ours))
    return ours


def _at_current_channel(delivery: Delivery, outcome: Outcome, place: ChannelRef) -> tuple[Delivery, Outcome]:
    if place == (delivery.team_id, delivery.channel_id):
        return delivery, outcome
    if not isinstance(outcome, Delivered):
        doubtful = delivery.maybe_sent if isinstance(outcome, DeadLettered) else outcome.maybe_sent
        reason = "its channel has another id now"
        outcome = Retry(not_before=delivery.created_at, reason=reason, maybe_sent=doubtful)
    return replace(delivery, team_id=place[0], channel_id=place[1]), outcome


def _delivery_from_row(row: Any, worker_id: str) -> Delivery:
    return Delivery(
        id=row.id,
        team_id=row.team_id,
        channel_id=row.channel_id,
        kind=DeliveryKind(row.kind),
        subject_id=row.subject_id,
        attempts=row.attempts + 1,
        maybe_sent=row.doubtful,
        created_at=row.created_at,
        attempted_at=row.attempted_at,
        thread_id=row.thread_id,
        superevent_id=row.superevent_id,
        target_revision=row.revision,
        root_ts=row.root_ts,
        posted_revision=row.shown_revision,
        root_uneditable=bool(row.root_fixed),
        was_posted=row.sent_at is not None,
        superevent_revision=row.superevent_revision,
        claimed_by=worker_id,
        message_key=row.key,
    )


async def _update_rows(connection: AsyncConnection, rows: list[dict[str, object]]) -> None:
    names = [name for name in rows[0] if name != "b_id"]
    await connection.execute(
        update(_d).where(_d.c.id == bindparam("b_id")).values({name: bindparam(name) for name in names}), rows
    )


async def _record_delivered(
    connection: AsyncConnection, sent: Sequence[tuple[Delivery, Delivered]], now: datetime
) -> None:
    await _update_rows(
        connection,
        [
            {
                "b_id": d.id,
                "state": DeliveryState.SENT.value,
                "sent_at": now,
                "ts": o.ts,
                "reason": None,
                "doubtful": False,
            }
            for d, o in sent
        ],
    )
    shown = {d.thread_id: (d, o) for d, o in sent if d.kind in (DeliveryKind.ROOT, DeliveryKind.EDIT)}
    if shown:
        await connection.execute(
            update(_t)
            .where(_t.c.id == bindparam("b_id"))
            .values(root_ts=bindparam("root"), shown_revision=bindparam("revision")),
            [
                {
                    "b_id": thread,
                    "root": o.ts if d.kind is DeliveryKind.ROOT else d.root_ts,
                    "revision": o.revision,
                }
                for thread, (d, o) in shown.items()
            ],
        )
        await _enqueue_missed_edits(connection, {d.thread_id: d for d, _ in shown.values()}, now)
        for d, o in shown.values():
            if o.follow_up_edit_at is not None and d.thread_id is not None:
                again = {d.thread_id: (d.team_id, d.channel_id)}
                await mark_threads_stale(connection, again, now, not_before=o.follow_up_edit_at)
    # The root stands, or the next reply may follow.
    await release_threads(connection, {d.thread_id for d, _ in sent if d.kind is not DeliveryKind.EDIT}, now)
    await publish_to_others(connection, {o.image_id for _, o in sent if o.image_id is not None}, now)
    await record_mention_outcomes(connection, sent, now)
    confirmed = {d.subject_id: d.id for d, _ in sent if d.kind is DeliveryKind.CONFIRMATION}
    if confirmed:
        await confirm_subscriptions(connection, confirmed, now)
    # An edit goes where a post may not, so only posts show that a channel is within reach again.
    posted = {(d.team_id, d.channel_id) for d, _ in sent if d.kind is not DeliveryKind.EDIT}
    for place in await _channels_with_problem(connection, posted):
        await requeue_channel(connection, place, now - REQUEUE_MAX_AGE, now)


async def _enqueue_missed_edits(
    connection: AsyncConnection, shown: Mapping[int | None, Delivery], now: datetime
) -> None:
    """Where something came while a thread's root or its edit was on its way, edit once more."""
    edit = (_d.c.thread_id == _t.c.id) & (_d.c.kind == DeliveryKind.EDIT.value)
    behind = (
        select(_t.c.id, _t.c.team_id, _t.c.channel_id, _d.c.id.label("edit"), _d.c.subject_id, _d.c.priority)
        .join(_d, edit, isouter=True)
        .where(_t.c.id.in_(shown), _t.c.wanted_revision > _t.c.shown_revision)
    )
    wanted: defaultdict[tuple[int, Priority], dict[int, ChannelRef]] = defaultdict(dict)
    for row in (await connection.execute(behind)).all():
        sent = shown[row.id]
        news = row.subject_id if row.edit == sent.id and row.subject_id != sent.subject_id else 0
        # A newer gwevent may know more of them.
        priority = Priority(min(row.priority, Priority.EDIT)) if news else Priority.EDIT
        wanted[news, priority][row.id] = (row.team_id, row.channel_id)
    for (news, priority), places in wanted.items():
        await enqueue_edits(connection, places, now, notice_id=news, priority=priority)


async def _channels_with_problem(
    connection: AsyncConnection, among: Collection[ChannelRef]
) -> set[ChannelRef]:
    """Those of these channels that were out of reach."""
    if not among:
        return set()
    table = schema.channel_problems
    query = select(table.c.team_id, table.c.channel_id).where(
        table.c.team_id.in_({team for team, _ in among}), table.c.channel_id.in_({c for _, c in among})
    )
    known = (await connection.execute(query)).all()
    return {(row.team_id, row.channel_id) for row in known} & set(among)


async def requeue_channel(
    connection: AsyncConnection, place: tuple[str, str], since: datetime, now: datetime
) -> int:
    team_id, channel_id = place
    table = schema.channel_problems
    known = (
        delete(table)
        .where(table.c.team_id == team_id, table.c.channel_id == channel_id)
        .returning(table.c.problem)
    )
    problem = (await connection.execute(known)).scalar_one_or_none()
    if problem is None:
        return 0
    wanted: ColumnElement[bool] = _d.c.kind == DeliveryKind.EDIT.value
    # At any age too: who was silenced hears of it.
    wanted |= _d.c.kind == DeliveryKind.CHANGE.value
    wanted |= (_d.c.created_at >= since) & _d.c.kind.in_([kind.value for kind in OPERATOR_KINDS])
    if await load_active_subscriptions(connection, place):
        # A confirmation died with its subscription.
        wanted |= (_d.c.created_at >= since) & (_d.c.kind != DeliveryKind.CONFIRMATION.value)
    here = (_d.c.team_id == team_id) & (_d.c.channel_id == channel_id)
    revived = await connection.execute(
        update(_d)
        .where(here, _d.c.state == DeliveryState.DEAD.value, _d.c.reason == problem, wanted)
        .values(state=DeliveryState.PENDING.value, not_before=now, attempts=0, reason=None)
    )
    # A root may be too old to come back.
    return revived.rowcount - await dead_letter_orphans(connection, place, problem)


async def _repost_root(connection: AsyncConnection, delivery: Delivery, now: datetime) -> None:
    """The root was deleted, and there is news: a new root says all of it, so what waited is done with."""
    mine = _d.c.thread_id == delivery.thread_id
    await connection.execute(
        update(_t)
        .where(_t.c.id == delivery.thread_id)
        .values(root_ts=None, shown_revision=None, root_fixed=False)
    )
    await connection.execute(
        update(_d)
        # Save whom it has yet to mention, and what no root says.
        .where(mine, _d.c.kind.in_([DeliveryKind.REPLY.value, DeliveryKind.EDIT.value]))
        .where(_d.c.state == DeliveryState.PENDING.value)
        .values(state=DeliveryState.DEAD.value, reason="said by a new root message")
    )
    await connection.execute(
        update(_d)
        .where(mine, _d.c.kind == DeliveryKind.ROOT.value)
        .values(
            state=DeliveryState.PENDING.value,
            not_before=now,
            attempts=0,
            doubtful=False,
            reason=None,
            created_at=now,
            key=_new_message_key(),
        )
    )


def _new_message_key() -> str:
    """For what is posted once more: by the old one the message that stands already would be found."""
    return secrets.token_hex(16)


async def _dead_letter(
    connection: AsyncConnection, dead: Sequence[tuple[Delivery, DeadLettered]], now: datetime
) -> None:
    await _update_rows(
        connection, [{"b_id": d.id, "state": DeliveryState.DEAD.value, "reason": o.reason} for d, o in dead]
    )
    for d, o in dead:
        if o.root_uneditable:
            await connection.execute(update(_t).where(_t.c.id == d.thread_id).values(root_fixed=True))
            # Its reply told the thread alone; told again, it shows the channel what the root can't.
            said = (_d.c.thread_id == d.thread_id) & (_d.c.kind == DeliveryKind.REPLY.value)
            await connection.execute(
                update(_d)
                .where(said, _d.c.subject_id == d.subject_id, _d.c.state == DeliveryState.SENT.value)
                .values(state=DeliveryState.PENDING.value, not_before=now, attempts=0, key=_new_message_key())
            )
        if o.root_deleted:
            await _repost_root(connection, d, now)
        if d.kind is DeliveryKind.ROOT:
            # What hangs on a root that never was can't go out either, save an apology: it stands alone.
            pending = (_d.c.thread_id == d.thread_id) & (_d.c.state == DeliveryState.PENDING.value)
            apology = _d.c.kind == DeliveryKind.UNREADABLE_NOTICE.value
            await connection.execute(update(_d).where(pending, apology).values(thread_id=None))
            await connection.execute(
                update(_d).where(pending).values(state=DeliveryState.DEAD.value, reason=o.reason)
            )
        if d.kind is DeliveryKind.CONFIRMATION:
            # Where nothing can be posted nothing is subscribed.
            await discard_unconfirmed(connection, {d.subject_id: d.maybe_sent}, now)
    await release_threads(connection, {d.thread_id for d, _ in dead}, now)
    shows = {
        d.thread_id
        for d, _ in dead
        if d.kind in (DeliveryKind.ROOT, DeliveryKind.EDIT) and d.thread_id is not None
    }
    await reassign_canary(connection, shows, now)
    problems: Mapping[tuple[str, str], str] = {
        (d.team_id, d.channel_id): o.channel_problem for d, o in dead if o.channel_problem is not None
    }
    if not problems:
        return
    table = schema.channel_problems
    known = await _channels_with_problem(connection, problems.keys())
    for (team, channel), problem in problems.items():
        if (team, channel) in known:
            here = (table.c.team_id == team) & (table.c.channel_id == channel)
            await connection.execute(update(table).where(here).values(problem=problem))
        else:
            new = {"team_id": team, "channel_id": channel, "problem": problem, "since": now}
            await connection.execute(insert(table).values(new))
