"""Ask for threads' Follow-up replies: rows for the first post and for edits, each used again.

A thread's row of `follow_ups` says where its reply stands (`ts`) and which revision it shows; its two rows of
`deliveries` bring it there. The first post is due at once. Edits wait for `COALESCE_FOR`, and whatever comes
meanwhile is in the same edit, so that a burst of messages costs one edit a thread, and each further message
one query that finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.delivery_times import COALESCE_CANDIDATES_FOR, COALESCE_FOR, REPOST_INTERVAL
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.outbox.event_rank import event_ranks
from bot.store.outbox.models import (
    DELIVERY_KINDS,
    RATE_LIMIT_ERRORS,
    DeliveryKind,
    DeliveryState,
    Priority,
    delivery_row,
    new_message_key,
)
from bot.store.outbox.muted_threads import without_muted

_d = schema.deliveries
_f = schema.follow_ups

_Row = Any
_OPEN = (DeliveryState.PENDING, DeliveryState.SENDING)
_ENDED = (DeliveryState.SENT, DeliveryState.DEAD)


async def request_follow_ups(
    connection: AsyncConnection,
    threads: Mapping[int, ChannelRef],
    now: datetime,
    *,
    is_earlier: bool = False,
    create: bool = True,
    can_wait: bool = False,
    even_muted: bool = False,
) -> None:
    """Plan the post of each thread's Follow-up reply (thread id -> channel), or its edit if it stands.

    Call it in an exclusive transaction, which excludes that an outcome is recorded meanwhile. Threads whose
    root was given up are left out. With `is_earlier`, all that is to be said came before its thread, and a
    reply that isn't there yet is the least urgent post. Without `create`, what happened isn't news: only
    replies that stand or are under way are brought up to date, and none comes back that somebody deleted.
    With `can_wait` an edit is due after COALESCE_CANDIDATES_FOR. Muted threads are left out unless
    `even_muted`, for a retraction; the reply is asked for again when the mute ends.
    """
    due = now + (COALESCE_CANDIDATES_FOR if can_wait else COALESCE_FOR)
    priority = Priority.EDIT if is_earlier else DELIVERY_KINDS[DeliveryKind.FOLLOW_UP].priority
    waiting = await _load_waiting(connection, threads, priority, due, is_news=create)
    asked: Mapping[int, ChannelRef] = {t: channel for t, channel in threads.items() if t not in waiting}
    if not even_muted:
        asked = await without_muted(connection, asked)
    rows = await _load_deliveries(connection, asked)
    alive = [
        thread
        for thread in asked
        if (root := rows.get((thread, DeliveryKind.ROOT))) is None or root.state != DeliveryState.DEAD
    ]
    known = await _load_replies(connection, alive)
    standing = [thread for thread in alive if known.get(thread) is not None]
    others = [thread for thread in alive if known.get(thread) is None]
    under_way = [thread for thread in others if _is_under_way(rows.get((thread, DeliveryKind.FOLLOW_UP)))]
    posted = others if create else under_way
    await _increment_revisions(connection, [*standing, *posted], known)
    if create:
        await enqueue_posts(connection, {t: threads[t] for t in posted}, now, priority=priority, rows=rows)
    await enqueue_follow_up_edits(
        connection, {t: threads[t] for t in standing}, now, is_news=create, due=due, rows=rows
    )


async def enqueue_posts(
    connection: AsyncConnection,
    channels: Mapping[int, ChannelRef],
    now: datetime,
    *,
    priority: Priority = Priority.REPLY,
    rows: Mapping[tuple[int, DeliveryKind], _Row] | None = None,
) -> None:
    """Ensure that the Follow-up reply of each thread (thread id -> channel) is posted, as soon as possible.

    One that was posted before is posted again `REPOST_INTERVAL` later at the earliest.
    `rows` are the deliveries of these threads, if the caller has read them.
    """
    if not channels:
        return
    rows = await _load_deliveries(connection, channels) if rows is None else rows
    present = [row for thread in channels if (row := rows.get((thread, DeliveryKind.FOLLOW_UP)))]
    ended = [row for row in present if row.state in _ENDED]
    if ended:
        await connection.execute(
            update(_d)
            .where(_d.c.id == bindparam("b_id"))
            .values(
                {
                    "state": DeliveryState.PENDING.value,
                    "not_before": bindparam("b_due"),
                    "held_until": bindparam("b_due"),
                    "attempts": 0,
                    "reason": None,
                    "created_at": now,
                    "priority": int(priority),
                    "key": bindparam("b_key"),
                }
            ),
            # One that may have been posted is looked for by its key before it is sent again.
            [
                {
                    "b_id": row.id,
                    "b_key": row.key if row.doubtful else new_message_key(),
                    "b_due": _repost_time(row.sent_at, now),
                }
                for row in ended
            ],
        )
    await _hasten(connection, [row for row in present if row.state == DeliveryState.PENDING], now, now)
    late = [row.id for row in present if row.state in _OPEN and row.priority > priority]
    if late:
        await connection.execute(update(_d).where(_d.c.id.in_(late)).values(priority=int(priority)))
    missing = [thread for thread in channels if (thread, DeliveryKind.FOLLOW_UP) not in rows]
    if not missing:
        return
    ranks = await event_ranks(connection, missing)
    await connection.execute(
        insert(_d),
        [
            delivery_row(
                *channels[thread],
                DeliveryKind.FOLLOW_UP,
                thread,
                now,
                thread_id=thread,
                priority=priority,
                event=ranks.get(thread),
            )
            for thread in missing
        ],
    )


async def enqueue_follow_up_edits(
    connection: AsyncConnection,
    channels: Mapping[int, ChannelRef],
    now: datetime,
    *,
    is_news: bool,
    due: datetime | None = None,
    rows: Mapping[tuple[int, DeliveryKind], _Row] | None = None,
) -> None:
    """Ensure that the Follow-up reply of each thread (thread id -> channel) is edited at `due`.

    By default that is after `COALESCE_FOR`. An edit that waits already is not put off, and brought forward if
    it would wait for longer. Its subject is the thread if it brings news, for which a reply that was deleted
    is posted again, else 0.
    """
    if not channels:
        return
    due = now + COALESCE_FOR if due is None else due
    rows = await _load_deliveries(connection, channels) if rows is None else rows
    present = [row for thread in channels if (row := rows.get((thread, DeliveryKind.FOLLOW_UP_EDIT)))]
    ended = [row for row in present if row.state in _ENDED]
    if ended:
        await connection.execute(
            update(_d)
            .where(_d.c.id.in_([row.id for row in ended]))
            .values(
                state=DeliveryState.PENDING.value,
                not_before=due,
                held_until=due,
                attempts=0,
                reason=None,
                created_at=now,
                subject_id=_d.c.thread_id if is_news else 0,
            )
        )
    late = [
        row.id
        for row in present
        if row.state == DeliveryState.PENDING and row.reason is None and row.not_before > due
    ]
    if late:
        await connection.execute(update(_d).where(_d.c.id.in_(late)).values(not_before=due, held_until=due))
    if is_news:
        # An edit that is being sent compares revisions when it is done, and queues itself again.
        quiet = [row for row in present if row.state in _OPEN and row.subject_id == 0]
        if quiet:
            ids = [row.id for row in quiet]
            await connection.execute(update(_d).where(_d.c.id.in_(ids)).values(subject_id=_d.c.thread_id))
        await _hasten(connection, [row for row in present if row.state == DeliveryState.PENDING], now, due)
    missing = [thread for thread in channels if (thread, DeliveryKind.FOLLOW_UP_EDIT) not in rows]
    if not missing:
        return
    ranks = await event_ranks(connection, missing)
    await connection.execute(
        insert(_d),
        [
            delivery_row(
                *channels[thread],
                DeliveryKind.FOLLOW_UP_EDIT,
                thread if is_news else 0,
                now,
                thread_id=thread,
                dedup_key=f"follow_up_edit:{thread}",
                not_before=due,
                event=ranks.get(thread),
            )
            for thread in missing
        ],
    )


async def _hasten(connection: AsyncConnection, waiting: Sequence[_Row], now: datetime, due: datetime) -> None:
    """Retry failed posts and edits because of news, at `due` unless Slack itself set the delay."""
    failed = [row for row in waiting if row.reason is not None]
    if failed:
        # Nor may the news expire because of the age of an earlier attempt.
        again = update(_d).where(_d.c.id.in_([row.id for row in failed]))
        await connection.execute(again.values(created_at=now, held_until=_d.c.held_until))
    refused = [row.id for row in failed if row.reason not in RATE_LIMIT_ERRORS and row.not_before > due]
    if refused:
        await connection.execute(
            update(_d).where(_d.c.id.in_(refused)).values(not_before=due, held_until=due)
        )


async def _load_waiting(
    connection: AsyncConnection, threads: Collection[int], priority: Priority, due: datetime, *, is_news: bool
) -> set[int]:
    """Return the threads of which a delivery waits that will show all there is when it is sent, by `due`."""
    if not threads:
        return set()
    # A scalar subquery looks up one reply by its id; for a join PostgreSQL might read the whole table.
    is_owed = case(
        (_f.c.ts.is_(None), DeliveryKind.FOLLOW_UP.value),
        (_f.c.wanted_revision > func.coalesce(_f.c.shown_revision, 0), DeliveryKind.FOLLOW_UP_EDIT.value),
    )
    owed = select(is_owed).where(_f.c.thread_id == _d.c.thread_id).correlate(_d).scalar_subquery()
    post = (_d.c.kind == DeliveryKind.FOLLOW_UP.value) & (_d.c.priority <= int(priority))
    edit = (_d.c.kind == DeliveryKind.FOLLOW_UP_EDIT.value) & (_d.c.not_before <= due)
    if is_news:
        edit &= _d.c.subject_id != 0
    query = select(_d.c.thread_id).where(
        _d.c.thread_id.in_(threads),
        # An expression, so that PostgreSQL does not use the index on the state.
        (_d.c.state + "") == DeliveryState.PENDING.value,
        _d.c.reason.is_(None),
        post | edit,
        owed == _d.c.kind,
    )
    return set((await connection.execute(query)).scalars())


async def _load_deliveries(
    connection: AsyncConnection, threads: Collection[int]
) -> dict[tuple[int, DeliveryKind], _Row]:
    """Return the threads' root and Follow-up deliveries, by thread and kind."""
    if not threads:
        return {}
    kinds = [kind.value for kind in (DeliveryKind.ROOT, DeliveryKind.FOLLOW_UP, DeliveryKind.FOLLOW_UP_EDIT)]
    columns = (
        *(_d.c.id, _d.c.thread_id, _d.c.kind, _d.c.state, _d.c.subject_id, _d.c.priority),
        *(_d.c.reason, _d.c.not_before, _d.c.doubtful, _d.c.key, _d.c.sent_at),
    )
    query = select(*columns).where(_d.c.thread_id.in_(threads), _d.c.kind.in_(kinds))
    rows = (await connection.execute(query)).all()
    return {(row.thread_id, DeliveryKind(row.kind)): row for row in rows}


async def _load_replies(connection: AsyncConnection, threads: Collection[int]) -> dict[int, str | None]:
    """Return Slack's ts of the replies that were ever asked for, by thread."""
    if not threads:
        return {}
    query = select(_f.c.thread_id, _f.c.ts).where(_f.c.thread_id.in_(threads))
    return {row.thread_id: row.ts for row in (await connection.execute(query)).all()}


def _repost_time(sent_at: datetime | None, now: datetime) -> datetime:
    """Return when a reply may be posted again; a time ahead of that is of a clock that was set back."""
    return now if sent_at is None else min(max(now, sent_at + REPOST_INTERVAL), now + REPOST_INTERVAL)


def _is_under_way(row: _Row | None) -> bool:
    # A state that only a newer version knows may mean that the reply stands.
    return row is not None and row.state not in _ENDED


async def _increment_revisions(
    connection: AsyncConnection, threads: Collection[int], known: Collection[int]
) -> None:
    """Record that the replies have more to show than they do."""
    if changed := [thread for thread in threads if thread in known]:
        await connection.execute(
            update(_f).where(_f.c.thread_id.in_(changed)).values(wanted_revision=_f.c.wanted_revision + 1)
        )
    if fresh := [thread for thread in threads if thread not in known]:
        await connection.execute(
            insert(_f), [{"thread_id": thread, "wanted_revision": 1} for thread in fresh]
        )
