"""Write edits of root messages into the outbox: one row for each thread, used again for each edit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.outbox.event_rank import event_ranks
from bot.store.outbox.models import (
    OPEN_STATES,
    RATE_LIMIT_ERRORS,
    DeliveryKind,
    DeliveryState,
    Priority,
    delivery_row,
)
from bot.store.outbox.muted_threads import without_muted

_d = schema.deliveries
_t = schema.threads


async def enqueue_edits(
    connection: AsyncConnection,
    channels: Mapping[int, ChannelRef],
    now: datetime,
    *,
    notice_id: int = 0,
    not_before: datetime | None = None,
    priority: Priority = Priority.EDIT,
    even_muted: bool = False,
) -> None:
    """Ensure that each of the threads (thread id -> channel) has a pending edit of its root message.

    Muted threads are left out unless `even_muted`: for a retraction, or for what people do about the event.

    Each thread has one row, which is used again for every edit. Its subject is the newest notice that it
    shows, or 0 if it has another reason, for example an image or a new observer. `not_before` delays new
    edits only; an edit that is pending already is never delayed further.
    """
    if not even_muted:
        channels = await without_muted(connection, channels)
    if not channels:
        return
    due = now if not_before is None else not_before
    edits = _d.c.thread_id.in_(channels) & (_d.c.kind == DeliveryKind.EDIT.value)
    present = set((await connection.execute(select(_d.c.thread_id).where(edits))).scalars())
    queued_again = {
        "state": DeliveryState.PENDING.value,
        "not_before": due,
        "held_until": not_before,
        "attempts": 0,
        "reason": None,
        "created_at": now,
        "subject_id": notice_id,
        "priority": int(priority),
    }
    # An edit that is being sent compares revisions when it is done, and queues itself again if needed.
    ended = _d.c.state.in_([DeliveryState.SENT.value, DeliveryState.DEAD.value])
    await connection.execute(update(_d).where(edits, ended).values(queued_again))
    if notice_id:
        under_way = update(_d).where(edits, _d.c.state.in_(OPEN_STATES))
        # What waits for another reason may be more urgent than the notice.
        least = case((_d.c.priority < int(priority), _d.c.priority), else_=int(priority))
        await connection.execute(under_way.values(subject_id=notice_id, priority=least))
        # The new notice must not expire because of the age of an earlier attempt.
        tried = (_d.c.state == DeliveryState.PENDING.value) & _d.c.reason.is_not(None)
        await connection.execute(update(_d).where(edits, tried).values(created_at=now))
        # The edit now brings news, so it is tried at once unless Slack itself set the delay (Retry-After).
        await _hasten_refused(connection, channels, due)
    if not_before is None:
        # Nothing is left to wait for, unless Slack asked for the delay; in that case `reason` is set.
        idle = _d.c.reason.is_(None) & (_d.c.not_before > due)
        await connection.execute(
            update(_d).where(edits, _d.c.state == DeliveryState.PENDING.value, idle).values(not_before=due)
        )
    missing = [thread_id for thread_id in channels if thread_id not in present]
    if not missing:
        return
    ranks = await event_ranks(connection, missing)
    rows = [
        delivery_row(
            *channels[thread_id],
            DeliveryKind.EDIT,
            notice_id,
            now,
            thread_id=thread_id,
            dedup_key=f"edit:{thread_id}",
            priority=priority,
            not_before=not_before,
            event=ranks.get(thread_id),
        )
        for thread_id in missing
    ]
    await connection.execute(insert(_d), rows)


async def mark_threads_stale(
    connection: AsyncConnection,
    channels: Mapping[int, ChannelRef],
    now: datetime,
    *,
    not_before: datetime | None = None,
    priority: Priority = Priority.EDIT,
    even_muted: bool = False,
) -> None:
    """Update the root messages of the threads (thread id -> channel) for a reason other than a notice.

    With a more urgent `priority` than other edits have, one that waits already becomes as urgent. That of a
    muted thread is updated when the mute ends, unless `even_muted`.
    """
    if not channels:
        return
    await connection.execute(
        update(_t).where(_t.c.id.in_(channels)).values(wanted_revision=_t.c.wanted_revision + 1)
    )
    await enqueue_edits(
        connection, channels, now, not_before=not_before, priority=priority, even_muted=even_muted
    )
    if priority < Priority.EDIT:
        # One that is being sent gives its priority to the next one (`bot.store.settlement`).
        waiting = (_d.c.kind == DeliveryKind.EDIT.value) & (_d.c.priority > int(priority))
        waiting &= _d.c.thread_id.in_(channels) & _d.c.state.in_(OPEN_STATES)
        await connection.execute(update(_d).where(waiting).values(priority=int(priority)))
        await _hasten_refused(connection, channels, now)


async def _hasten_refused(connection: AsyncConnection, threads: Collection[int], due: datetime) -> None:
    """Retry the threads' failed edits at `due`, unless Slack itself set the delay."""
    edits = _d.c.thread_id.in_(threads) & (_d.c.kind == DeliveryKind.EDIT.value)
    refused = _d.c.reason.is_not(None) & _d.c.reason.not_in(RATE_LIMIT_ERRORS) & (_d.c.not_before > due)
    await connection.execute(
        update(_d)
        .where(edits, _d.c.state == DeliveryState.PENDING.value, refused)
        .values(not_before=due, attempts=0)
    )
