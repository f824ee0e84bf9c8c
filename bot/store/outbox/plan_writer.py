"""Write a notice's plan into the outbox: threads, root messages, replies, mentions, edits, images.

Also loads the threads of a superevent, on which planning is based. All functions run in the caller's
transaction, which stores the notice and its plan together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.delivery_times import IMAGE_WAIT, MAYBE_POSTED_MAX_AGE
from bot.routing.intents import (
    CancelRoot,
    ChannelRef,
    DeferToSkyMap,
    EditRoot,
    EndEscalation,
    Intent,
    Mention,
    MentionReason,
    OpenRoot,
    Reply,
)
from bot.routing.state import RootState, RoutingState, Thread
from bot.store import schema
from bot.store.outbox.edit_writer import enqueue_edits, mark_threads_stale
from bot.store.outbox.escalation_writer import (
    end_escalations,
    load_notified_by_steps,
    load_open_targets,
)
from bot.store.outbox.event_rank import event_rank
from bot.store.outbox.mention_writer import enqueue_mentions
from bot.store.outbox.models import (
    DeliveryKind,
    DeliveryState,
    EventRank,
    ImageState,
    Priority,
    delivery_row,
)
from bot.store.outbox.muted_threads import load_muted_threads
from formatters.models.escalation import EscalationEnd
from formatters.models.notice import Category, category_from_id

CANCELLED_REASON = "retracted before it was posted"


_a = schema.acknowledgements
_d = schema.deliveries
_e = schema.escalations
_f = schema.follow_ups
_m = schema.mentions
_t = schema.threads

# Built once, because building a statement takes longer than executing it.
_THREADS_WITH_ROOTS = (
    select(_t, _d.c.state, _d.c.doubtful)
    .join(_d, (_d.c.thread_id == _t.c.id) & (_d.c.kind == DeliveryKind.ROOT.value), isouter=True)
    .where(_t.c.superevent_id == bindparam("superevent_id"))
    .order_by(_t.c.id)
)
_INSERT_THREADS, _INSERT_DELIVERIES = insert(_t), insert(_d)
_CHANNELS_OF_THREADS = select(_t.c.id, _t.c.team_id, _t.c.channel_id).where(
    _t.c.superevent_id == bindparam("superevent_id")
)


async def load_threads(connection: AsyncConnection, superevent_id: str) -> list[Thread]:
    """Return a superevent's threads in order of id, each with the state of its root and its mentions."""
    rows = (await connection.execute(_THREADS_WITH_ROOTS, {"superevent_id": superevent_id})).all()
    if not rows:
        return []
    roots = {row.id: _root_state(row.state, row.doubtful) for row in rows}
    mentioned, notified = await _load_mentioned(connection, superevent_id, roots)
    muted = await load_muted_threads(connection, superevent_id)
    open_targets = await load_open_targets(connection, superevent_id)
    acknowledged = await _acknowledged_threads(connection, superevent_id)
    return [
        Thread(
            id=row.id,
            team_id=row.team_id,
            channel_id=row.channel_id,
            subscription_id=row.subscription_id,
            root=roots[row.id],
            mentioned=frozenset(mentioned[row.id]),
            notified=frozenset(notified[row.id]),
            is_muted=row.id in muted,
            is_acknowledged=row.id in acknowledged,
            escalating=open_targets[row.id].waiting if row.id in open_targets else None,
            held=open_targets[row.id].held if row.id in open_targets else frozenset(),
        )
        for row in rows
    ]


async def _load_mentioned(
    connection: AsyncConnection, superevent_id: str, roots: Mapping[int, RootState]
) -> tuple[Mapping[int, set[str]], Mapping[int, set[str]]]:
    """Return by thread who was or will be mentioned, and which of them may have been notified already."""
    mentioned: defaultdict[int, set[str]] = defaultdict(set)
    notified: defaultdict[int, set[str]] = defaultdict(set)
    own = (_d.c.kind == DeliveryKind.MENTION.value) & (_d.c.subject_id == _m.c.id)
    # Without this condition the query would read every delivery that was ever sent.
    own &= _d.c.thread_id == _m.c.thread_id
    query = select(_m, _d.c.state, _d.c.doubtful).join(_d, own, isouter=True)
    query = query.join(_t, _t.c.id == _m.c.thread_id).where(_t.c.superevent_id == superevent_id)
    query = query.where(_m.c.occasion != MentionReason.RETRACTION.value)
    for row in (await connection.execute(query)).all():
        in_root = row.occasion == MentionReason.NEW_EVENT
        state = roots[row.thread_id] if in_root else _root_state(row.state, row.doubtful)
        if state is not RootState.DEAD:
            mentioned[row.thread_id].update(row.targets.split())
        if state in (RootState.ATTEMPTED, RootState.POSTED):
            notified[row.thread_id].update(row.targets.split())
    for thread_id, targets in (await load_notified_by_steps(connection, superevent_id)).items():
        notified[thread_id] |= targets
    return mentioned, notified


async def _acknowledged_threads(connection: AsyncConnection, superevent_id: str) -> set[int]:
    """Return the threads of an event that somebody has in their channel."""
    query = select(_a.c.thread_id).join(_t, _t.c.id == _a.c.thread_id)
    return set((await connection.execute(query.where(_t.c.superevent_id == superevent_id))).scalars())


def _root_state(state: str | None, doubtful: bool | None) -> RootState:
    if state == DeliveryState.SENT:
        return RootState.POSTED
    if state == DeliveryState.SENDING or (state == DeliveryState.PENDING and doubtful):
        return RootState.ATTEMPTED
    if state == DeliveryState.PENDING:
        return RootState.WAITING
    # A state that only a newer version knows may mean that the root stands: a second one is worse than none.
    return RootState.DEAD if state in (None, DeliveryState.DEAD) else RootState.ATTEMPTED


async def write_plan(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    state: RoutingState,
    notice_id: int,
    now: datetime,
    *,
    draw_image: bool,
) -> None:
    """Write a notice's plan into the outbox; with `draw_image`, also request the image of its sky map.

    `state` are the facts by which it was planned, read in this transaction.
    """
    superevent = state.superevent
    superevent_id = superevent.superevent_id
    if state.threads:
        # Whatever the plan contains, each root message that exists is outdated now.
        mine = _t.c.superevent_id == superevent_id
        await connection.execute(update(_t).where(mine).values(wanted_revision=_t.c.wanted_revision + 1))
    if DeferToSkyMap() in intents:
        row = {
            "notice_id": notice_id,
            "superevent_id": superevent_id,
            "picture": draw_image,
            "created_at": now,
        }
        await connection.execute(insert(schema.deferred_notices).values(row))
    await _end_escalations(connection, intents, now)
    event = await event_rank(connection, superevent_id)
    roots = [i for i in intents if isinstance(i, OpenRoot)]
    channels = await _open_roots(connection, roots, state, event, notice_id, now)
    cancelled = [i.thread_id for i in intents if isinstance(i, CancelRoot)]
    if cancelled:
        await connection.execute(
            update(_d)
            .where(_d.c.thread_id.in_(cancelled), _d.c.state == DeliveryState.PENDING.value)
            .values(state=DeliveryState.DEAD.value, reason=CANCELLED_REASON)
        )
    # A retraction is as urgent as an alert.
    reply, edit = (
        (Priority.ROOT, Priority.RETRACTED) if superevent.is_retracted else (Priority.REPLY, Priority.EDIT)
    )
    replies = [
        delivery_row(
            *channels[i.thread_id],
            DeliveryKind.REPLY,
            notice_id,
            now,
            thread_id=i.thread_id,
            priority=reply,
            event=event,
        )
        for i in intents
        if isinstance(i, Reply)
    ]
    if replies:
        await connection.execute(_INSERT_DELIVERIES, replies)
    if superevent.is_retracted:
        # Older replies of the thread are sent before the retraction, so they must not delay it.
        before = _d.c.thread_id.in_([i.thread_id for i in intents if isinstance(i, Reply)])
        waits = (_d.c.kind == DeliveryKind.REPLY.value) & (_d.c.state == DeliveryState.PENDING.value)
        await connection.execute(update(_d).where(before, waits).values(priority=int(reply)))
    await enqueue_mentions(connection, intents, channels, event, notice_id, now)
    edited = {i.thread_id: channels[i.thread_id] for i in intents if isinstance(i, EditRoot)}
    teams = {channel[0] for channel in edited.values()} | {root.team_id for root in roots}
    # A muted thread shows the picture once the mute ends.
    teams |= {thread.team_id for thread in state.threads if thread.is_muted}
    if draw_image and teams:
        await _enqueue_images(connection, teams, superevent_id, notice_id, now)
    due = now + IMAGE_WAIT if draw_image else None
    # Whether a muted thread is edited was decided with the intents.
    await enqueue_edits(
        connection, edited, now, notice_id=notice_id, not_before=due, priority=edit, even_muted=True
    )


async def write_deferred_plan(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    state: RoutingState,
    notice_id: int,
    now: datetime,
    *,
    draw_image: bool,
) -> None:
    """Write the part of a notice's plan that depended on the sky map, after `write_plan` wrote the rest.

    `state` are the facts by which it was planned, read in this transaction. Writing the same plan twice adds
    each mention and each image only once.
    """
    superevent_id = state.superevent.superevent_id
    ended = await _end_escalations(connection, intents, now)
    event = await event_rank(connection, superevent_id)
    roots = [i for i in intents if isinstance(i, OpenRoot)]
    channels = await _open_roots(connection, roots, state, event, notice_id, now)
    # The edit of the notice may have been sent before nobody was awaited any more.
    shown = select(_t.c.id).where(_t.c.id.in_(ended), _t.c.root_ts.is_not(None))
    stale = {id_: channels[id_] for id_ in (await connection.execute(shown)).scalars()}
    await mark_threads_stale(connection, stale, now)
    made = set(
        (await connection.execute(select(_m.c.thread_id).where(_m.c.notice_id == notice_id))).scalars()
    )
    fresh = [i for i in intents if not (isinstance(i, Mention) and i.thread_id in made)]
    await enqueue_mentions(connection, fresh, channels, event, notice_id, now)
    if draw_image:
        pictures = schema.images
        drawn = select(pictures.c.team_id).where(pictures.c.notice_id == notice_id)
        teams = {root.team_id for root in roots} - set((await connection.execute(drawn)).scalars())
        if teams:
            await _enqueue_images(connection, teams, superevent_id, notice_id, now)


async def _end_escalations(
    connection: AsyncConnection, intents: Sequence[Intent], now: datetime
) -> list[int]:
    """End the escalations that the plan ends; return their threads."""
    planned = [i for i in intents if isinstance(i, EndEscalation)]
    for ended in planned:
        mine = _e.c.thread_id == ended.thread_id
        await end_escalations(connection, mine, ended.reason, now, kept=ended.kept)
    return [ended.thread_id for ended in planned]


async def dead_letter_orphans(connection: AsyncConnection, channel: ChannelRef, reason: str) -> int:
    """Dead-letter a channel's pending deliveries whose root was dead-lettered. Return their number."""
    root = _d.alias("root")
    here = (root.c.team_id == channel[0]) & (root.c.channel_id == channel[1])
    gone = select(root.c.thread_id).where(
        here, root.c.kind == DeliveryKind.ROOT.value, root.c.state == DeliveryState.DEAD.value
    )
    result = await connection.execute(
        update(_d)
        .where(_d.c.team_id == channel[0], _d.c.channel_id == channel[1], _d.c.thread_id.in_(gone))
        .where(_d.c.state == DeliveryState.PENDING.value)
        .values(state=DeliveryState.DEAD.value, reason=reason)
    )
    return result.rowcount


async def _enqueue_images(
    connection: AsyncConnection, teams: set[str], superevent_id: str, notice_id: int, now: datetime
) -> None:
    await connection.execute(
        insert(schema.images),
        [
            {
                "team_id": team,
                "superevent_id": superevent_id,
                "notice_id": notice_id,
                "mock": category_from_id(superevent_id) is not Category.REAL,
                "state": ImageState.WANTED.value,
                "attempts": 0,
                "not_before": now,
                "created_at": now,
            }
            for team in sorted(teams)
        ],
    )


async def _maybe_posted_roots(
    connection: AsyncConnection, superevent_id: str, now: datetime
) -> dict[ChannelRef, int]:
    """Return the dead-lettered roots that may have been posted nevertheless: channel -> delivery id.

    The rows must be kept, because the history lookup finds a message only by its delivery id.
    """
    query = (
        select(_d.c.team_id, _d.c.channel_id, _d.c.id)
        .join(_t, _t.c.id == _d.c.thread_id)
        .where(_t.c.superevent_id == superevent_id, _d.c.kind == DeliveryKind.ROOT.value)
        .where(
            _d.c.state == DeliveryState.DEAD.value,
            _d.c.doubtful,
            _d.c.created_at > now - MAYBE_POSTED_MAX_AGE,
        )
    )
    return {(row.team_id, row.channel_id): row.id for row in (await connection.execute(query)).all()}


async def _open_roots(
    connection: AsyncConnection,
    roots: Sequence[OpenRoot],
    state: RoutingState,
    event: EventRank,
    notice_id: int,
    now: datetime,
) -> dict[int, ChannelRef]:
    """Open the root messages of a plan; return the channels of all threads of the event, by thread."""
    superevent_id = state.superevent.superevent_id
    known = {thread.channel: thread.id for thread in state.threads}
    if not roots:
        return {thread: channel for channel, thread in known.items()}
    wanted = {(root.team_id, root.channel_id): root.subscription_id for root in roots}
    # A thread whose root was dead-lettered is opened again; its other deliveries are outdated and removed.
    reopened = wanted.keys() & known.keys()
    maybe_posted = await _maybe_posted_roots(connection, superevent_id, now) if reopened else {}
    for channel in reopened:
        kept = _d.c.id == maybe_posted.get(channel, 0)
        await connection.execute(delete(_d).where(_d.c.thread_id == known[channel], ~kept))
        await connection.execute(
            update(_d)
            .where(kept)
            .values(
                state=DeliveryState.PENDING.value,
                subject_id=notice_id,
                not_before=now,
                attempts=0,
                reason=None,
            )
        )
        await connection.execute(delete(_m).where(_m.c.thread_id == known[channel]))
        # The new root mentions again, and its steps count from then.
        mine = _e.c.thread_id == known[channel]
        await end_escalations(connection, mine, EscalationEnd.CONDITION, now)
        # The reply stood, if anywhere, below a root that is gone.
        await connection.execute(delete(_f).where(_f.c.thread_id == known[channel]))
        await connection.execute(
            update(_t)
            .where(_t.c.id == known[channel])
            .values(subscription_id=wanted[channel], root_ts=None, shown_revision=None, root_fixed=False)
        )
    fresh = [
        {
            "team_id": team,
            "channel_id": channel,
            "superevent_id": superevent_id,
            "subscription_id": subscription,
            "wanted_revision": 1,
            "root_fixed": False,
        }
        for (team, channel), subscription in wanted.items()
        if (team, channel) not in known
    ]
    if fresh:
        await connection.execute(_INSERT_THREADS, fresh)
        made = (await connection.execute(_CHANNELS_OF_THREADS, {"superevent_id": superevent_id})).all()
        known = {(row.team_id, row.channel_id): row.id for row in made}
    rows = [
        delivery_row(
            *channel,
            DeliveryKind.ROOT,
            notice_id,
            now,
            thread_id=known[channel],
            dedup_key=f"root:{superevent_id}",
            event=event,
        )
        for channel in wanted
        if channel not in maybe_posted
    ]
    if rows:
        await connection.execute(_INSERT_DELIVERIES, rows)
    return {thread: channel for channel, thread in known.items()}
