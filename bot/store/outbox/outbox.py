"""The outbox: which deliveries are due, who may send them, and how each one ended.

The transaction that stores a notice also writes the plan: rows of `deliveries`, one for each thing to be said
in each channel (the transactional outbox pattern). A row is an intent ("this superevent's root message in
this channel"), not words; the words are rendered when it is sent, from the newest state.

A row's way
-----------

`PENDING` → `claim` → `SENDING` → `record_outcomes` → `SENT`, `DEAD`, or `PENDING` again at a later time.

- `claim` takes the rows that are due, at most one a channel, in the order that `bot.store.outbox.claiming`
  explains, and only of workspaces that this process has the lease of (`bot.store.outbox.leases`).
- The delivery worker renders, calls Slack, and gathers outcomes; `record_outcomes` writes a batch of them in
  one transaction together with their effects (`bot.store.settlement`): the next reply of a thread is
  released, an image is shown elsewhere, a subscription is put in force.
- `Retry` puts the row back with a time before which it isn't claimed. `DeadLettered` ends it, with the reason
  kept.

Order
-----

In a thread the root goes first, then replies in the order of their planning. Edits, mentions and the
Follow-up reply wait for the root only. Edits are coalesced: a thread has one edit row, and
`threads.wanted_revision` against `shown_revision` says whether it owes an edit; what changes while an edit is
being sent is noticed when its outcome is recorded, and one more edit is enqueued. The Follow-up reply has two
rows of its own, used again for each post and edit, and its revisions in `follow_ups`
(`bot.store.outbox.follow_up_writer`). A channel that can't be posted to delays no other, because a claim
takes one row of each channel.

What may have been sent
-----------------------

A call that got no answer (a time-out, a kill between Slack's answer and the commit) leaves the row
`doubtful`: the message may stand in the channel. Such a row is looked for in the channel's history by the key
in its metadata before it is sent again. Rows that a dead process had claimed come back as doubtful
(`requeue_stalled…`). Without the history scope there is no way to know, and such a message may be posted
twice.

An outcome counts only while the row is still this worker's: a process that was paused for longer than its
lease finds that others took over, and its outcomes are discarded, except that a message stands.

Dead letters and coming back
----------------------------

What can't be posted because its whole channel is out of reach (archived, the bot was removed) is
dead-lettered with that reason, and comes back with `requeue_channel` once a post shows that the channel can
be posted to again: edits and reports of changes at any age, news for a day. One post about a real event is
tried again every ten minutes (`requeue_probes`), since Slack doesn't report each way in which a channel comes
back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Container, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import structlog
from sqlalchemy import ColumnElement, bindparam, false, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.database import Database, StoreUnavailable
from bot.store.database_identity import get_or_create_database_id
from bot.store.outbox.claim_choice import ClaimRequest, unlimited_edits
from bot.store.outbox.claiming import ClaimQuery
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import (
    OPEN_STATES,
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Outcome,
    Retry,
)

_d = schema.deliveries

MAX_COMMIT_DELAY_S = 600.0
"""The time after which a database that was frozen makes no commit any more, in seconds."""
_PROBES_AT_ONCE = 500
"""Probes that one transaction requeues; a database limits the parameters of a statement."""

log = structlog.get_logger(__name__)


class OutcomeEffects(Protocol):
    """Applies the effects of outcomes beyond the outbox's own states (`bot.store.settlement.Settlement`)."""

    async def apply(
        self,
        connection: AsyncConnection,
        delivered: Sequence[tuple[Delivery, Delivered]],
        dead: Sequence[tuple[Delivery, DeadLettered]],
        now: datetime,
    ) -> None:
        """Apply the effects, in the transaction that wrote the states."""

    def on_committed(self, outcomes: Sequence[tuple[Delivery, Outcome]]) -> None:
        """Handle that the transaction was committed."""

    async def requeue_channel(
        self, connection: AsyncConnection, channel: ChannelRef, since: datetime, now: datetime
    ) -> int:
        """Requeue deliveries that were dead-lettered with their channel; return their number."""

    async def choose_probes(self, connection: AsyncConnection, since: datetime) -> list[int]:
        """Return the id of one delivery in each channel that is out of reach."""

    async def requeue_probes(
        self, connection: AsyncConnection, chosen: Collection[int], now: datetime
    ) -> int:
        """Requeue those of the chosen deliveries that are still given up; return their number."""


class Outbox:
    """Claims deliveries and records their outcomes; each batch is one transaction."""

    def __init__(self, database: Database, leases: WorkerLeases, settlement: OutcomeEffects) -> None:
        self._database = database
        self._settlement = settlement
        self.leases = leases
        """The workspaces that this process may send for; claims are made for those alone."""
        self.database_id: str | None = None
        """The database's random id; None before `requeue_stalled`."""
        self._claim_query = ClaimQuery(self._is_leased)
        self._claim_statement = _claim_statement(may_be_rivals=not database.is_sqlite)
        self._unanswered_claims: dict[int, float] = {}
        """Ids of deliveries in claims whose commit failed for this process, though the database may have made
        it or may make it still, with the monotonic time of the claim.
        """

    async def requeue_stalled(self) -> int:
        """Requeue deliveries claimed by a worker that no longer runs, as maybe sent; return their number.

        Call it when a worker starts: what this process had claimed before is put back too.
        """
        condition: ColumnElement[bool] = true()
        if not self._database.is_sqlite:
            condition = (_d.c.claimed_by == self.leases.worker_id) | self.leases.is_orphaned(_d.c.claimed_by)
        async with self._database.shared_transaction() as connection:
            self.database_id = await get_or_create_database_id(connection)
            return await _requeue_claimed(connection, condition)

    async def requeue_stalled_of_dead_workers(self) -> int:
        """Requeue deliveries of workers whose heartbeat stopped; return their number. What a live one sends
        is untouched.
        """
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
        edit_quota: Callable[[str, bool], int] = unlimited_edits,
        non_urgent_limit: int | None = None,
    ) -> list[Delivery]:
        """Claim up to `limit` due deliveries, at most one a channel and none in `busy_channels`.

        The order is that of `bot.store.outbox.claiming`. On PostgreSQL only workspaces are served that this
        worker has the lease of. `edit_quota(team_id, is_urgent)` returns how many edits of a workspace may be
        claimed, `non_urgent_limit` is how many deliveries that aren't urgent. Raises StoreUnavailable; what
        was claimed although the answer to the commit was lost is put back by the next claims.
        """
        if limit <= 0:
            return []
        asked = ClaimRequest(
            limit, busy_channels, edit_quota, limit if non_urgent_limit is None else non_urgent_limit
        )
        mine: set[int] = set()
        try:
            async with self._database.shared_transaction() as connection:
                if self._unanswered_claims:
                    await _put_back(connection, self._unanswered_claims, self.leases.worker_id)
                chosen = await self._claim_query.select_claimable(connection, now, asked)
                worker_id = self.leases.worker_id
                if chosen:
                    values = {"ids": [row.id for row in chosen], "now": now, "worker_id": worker_id}
                    mine.update((await connection.execute(self._claim_statement, values)).scalars())
        except StoreUnavailable:
            self._unanswered_claims.update(dict.fromkeys(mine, time.monotonic()))
            raise
        if self._unanswered_claims:
            oldest = time.monotonic() - MAX_COMMIT_DELAY_S
            self._unanswered_claims = {
                id_: since
                for id_, since in self._unanswered_claims.items()
                if since > oldest and id_ not in mine
            }
        return [_delivery_from_row(row, worker_id) for row in chosen if row.id in mine]

    def _is_leased(self, team_id: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that this worker has the lease of a workspace."""
        if self._database.is_sqlite:
            return true()
        # PostgreSQL would make a join of a bare IN, and lose the order of the index.
        return func.coalesce(team_id.in_(self.leases.owned_workspaces()), false())

    async def record_outcomes(self, outcomes: Sequence[tuple[Delivery, Outcome]], now: datetime) -> None:
        """Record how claimed deliveries ended, and apply the effects, in one transaction.

        If the batch can't be recorded, each outcome is recorded in a transaction of its own, so that one that
        can't takes no other with it; the last error is raised after all were tried. Raises StoreUnavailable.
        """
        try:
            await self._record_outcomes(outcomes, now)
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(outcomes) == 1:
                raise
            wrong: Exception | None = None
            for outcome in outcomes:
                try:
                    await self._record_outcomes([outcome], now)
                except StoreUnavailable:
                    raise
                except Exception as again:  # noqa: BLE001  raised after all others were recorded
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
                await _update_rows(
                    connection,
                    [{"b_id": d.id, "state": DeliveryState.DEAD.value, "reason": o.reason} for d, o in dead],
                )
            if sent:
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
            await self._settlement.apply(connection, sent, dead, now)
        self._settlement.on_committed(outcomes)

    async def requeue_channel(self, team_id: str, channel_id: str, since: datetime, now: datetime) -> int:
        """Requeue deliveries dead-lettered because the channel was out of reach, if created after `since`.

        Edits come back at any age, so that root messages stay true. Where nothing is subscribed any more,
        nothing else does. Return how many deliveries wait again.
        """
        async with self._database.exclusive_transaction() as connection:
            return await self._settlement.requeue_channel(connection, (team_id, channel_id), since, now)

    async def requeue_probes(self, since: datetime, now: datetime) -> int:
        """Try one post about a real event again in each channel that is out of reach; return their number.

        Only posts created after `since` are tried.
        """
        # Looking takes a query or two a channel, which nothing that is to be stored should wait for.
        async with self._database.read_transaction() as connection:
            chosen = await self._settlement.choose_probes(connection, since)
        requeued = 0
        for first in range(0, len(chosen), _PROBES_AT_ONCE):
            async with self._database.exclusive_transaction() as connection:
                ids = chosen[first : first + _PROBES_AT_ONCE]
                requeued += await self._settlement.requeue_probes(connection, ids, now)
        return requeued


def _claim_statement(*, may_be_rivals: bool) -> ReturningUpdate[int]:
    """Return the statement that claims the rows with these `ids`, and returns the ids of those it got."""
    still = select(_d.c.id).where(_d.c.id.in_(bindparam("ids", expanding=True)))
    if may_be_rivals:
        # Of two workers that read the same rows one gets them, and the other waits for none of them.
        # SQLite would not find them by their ids if it were asked for the state as well.
        pending = _d.c.state == DeliveryState.PENDING.value
        still = still.where(pending).with_for_update(skip_locked=True)
    return (
        update(_d)
        .where(_d.c.id.in_(still))
        .values(
            state=DeliveryState.SENDING.value,
            attempts=_d.c.attempts + 1,
            attempted_at=bindparam("now"),
            claimed_by=bindparam("worker_id"),
        )
        .returning(_d.c.id)
    )


async def _put_back(connection: AsyncConnection, ids: Collection[int], worker_id: str) -> None:
    """Put deliveries back that this worker claimed without hearing of it, so that nobody has tried them."""
    mine = update(_d).where(_d.c.id.in_(ids), _d.c.claimed_by == worker_id)
    mine = mine.where(_d.c.state == DeliveryState.SENDING.value)
    await connection.execute(mine.values(state=DeliveryState.PENDING.value, claimed_by=None))


async def _requeue_claimed(connection: AsyncConnection, condition: ColumnElement[bool]) -> int:
    result = await connection.execute(
        update(_d)
        .where(_d.c.state == DeliveryState.SENDING.value, condition)
        .values(state=DeliveryState.PENDING.value, doubtful=True, claimed_by=None)
    )
    return result.rowcount


async def _still_claimed(
    connection: AsyncConnection, outcomes: Sequence[tuple[Delivery, Outcome]]
) -> Sequence[tuple[Delivery, Outcome]]:
    """Return the outcomes whose rows are still this worker's, with the channel's current id.

    A row goes to another worker when this one's lease ran out. Of a row that was put back and that nobody has
    claimed since, one outcome still counts: that the message stands. Where Slack gave the channel another id
    meanwhile, what was sent stands there, and what wasn't is sent again. An outcome that was written before,
    by a commit whose answer was lost, isn't written again.
    """
    columns = (_d.c.id, _d.c.claimed_by, _d.c.state, _d.c.doubtful, _d.c.team_id, _d.c.channel_id)
    mine = select(*columns).where(_d.c.id.in_([d.id for d, _ in outcomes])).with_for_update()
    rows = {row.id: row for row in (await connection.execute(mine)).all()}

    def is_ours(delivery: Delivery, outcome: Outcome) -> bool:
        row = rows.get(delivery.id)
        if row is None or row.state not in OPEN_STATES:
            return False
        if row.state == DeliveryState.SENDING.value:
            return bool(row.claimed_by == delivery.claimed_by)
        return isinstance(outcome, Delivered) and bool(row.doubtful)

    ours = [
        _at_current_channel(d, o, (rows[d.id].team_id, rows[d.id].channel_id))
        for d, o in outcomes
        if is_ours(d, o)
    ]
    # Whoever puts a claim back or takes it over changes `claimed_by`.
    written = sum(
        row.state != DeliveryState.SENDING.value and row.claimed_by == delivery.claimed_by
        for delivery, _ in outcomes
        if (row := rows.get(delivery.id)) is not None
    )
    if len(ours) + written < len(outcomes):
        log.warning("outcome_discarded", reason="lease_lost", deliveries=len(outcomes) - len(ours) - written)
    return ours


def _at_current_channel(
    delivery: Delivery, outcome: Outcome, channel: ChannelRef
) -> tuple[Delivery, Outcome]:
    if channel == (delivery.team_id, delivery.channel_id):
        return delivery, outcome
    if not isinstance(outcome, Delivered):
        doubtful = delivery.maybe_sent if isinstance(outcome, DeadLettered) else outcome.maybe_sent
        reason = "its channel has another id now"
        outcome = Retry(not_before=delivery.created_at, reason=reason, maybe_sent=doubtful)
    return replace(delivery, team_id=channel[0], channel_id=channel[1]), outcome


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
        follow_up_ts=row.follow_up_ts,
        follow_up_target=row.follow_up_target,
        follow_up_posted=row.follow_up_posted,
        was_posted=row.sent_at is not None,
        superevent_revision=row.superevent_revision,
        claimed_by=worker_id,
        priority=row.priority,
        message_key=row.key,
    )


async def _update_rows(connection: AsyncConnection, rows: list[dict[str, object]]) -> None:
    names = [name for name in rows[0] if name != "b_id"]
    await connection.execute(
        update(_d).where(_d.c.id == bindparam("b_id")).values({name: bindparam(name) for name in names}), rows
    )
