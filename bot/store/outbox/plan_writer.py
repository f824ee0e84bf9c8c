"""What a plan makes of the ledger: threads, roots, replies, edits, pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import (
    CancelRoot,
    ChannelRef,
    DeferToSkyMap,
    EditRoot,
    Intent,
    Mention,
    MentionReason,
    OpenRoot,
    Reply,
)
from bot.routing.state import RootState, Thread
from bot.store import schema
from bot.store.outbox.models import (
    RATE_LIMIT_ERRORS,
    DeliveryKind,
    DeliveryState,
    EventRank,
    ImageState,
    Priority,
    delivery_row,
)
from formatters.models.notice import Category, category_from_id
from formatters.models.superevent import Superevent

CANCELLED_REASON = "retracted before it was posted"
IMAGE_WAIT = timedelta(seconds=10)
"""How long an edit waits for the new map's picture, so that one edit does both."""

MAYBE_POSTED_MAX_AGE = timedelta(hours=24)
"""How long a root that may stand is looked for; later it is old news, and news opens another."""

_d = schema.deliveries
_m = schema.mentions
_n = schema.notices
_t = schema.threads


async def event_rank(connection: AsyncConnection, superevent_id: str) -> EventRank:
    """Where an event stands in the queue; what can't be told from its id is real."""
    first = select(func.min(_n.c.id)).where(_n.c.superevent_id == superevent_id)
    return _create_rank(superevent_id, (await connection.execute(first)).scalar_one())


async def _event_ranks(connection: AsyncConnection, threads: Collection[int]) -> dict[int, EventRank]:
    """The same by thread."""
    # Each event's own, looked up: PostgreSQL would rather read a whole table for a join.
    first = select(func.min(_n.c.id)).where(_n.c.superevent_id == _t.c.superevent_id).scalar_subquery()
    query = select(_t.c.id, _t.c.superevent_id, first.label("first")).where(_t.c.id.in_(threads))
    rows = (await connection.execute(query)).all()
    return {row.id: _create_rank(row.superevent_id, row.first) for row in rows}


def _create_rank(superevent_id: str, first: int | None) -> EventRank:
    return EventRank(mock=category_from_id(superevent_id) is not Category.REAL, order=-(first or 0))


async def load_threads(connection: AsyncConnection, superevent_id: str) -> list[Thread]:
    """A superevent's threads, each with how far its root got."""
    root = (_d.c.thread_id == _t.c.id) & (_d.c.kind == DeliveryKind.ROOT.value)
    query = (
        select(_t, _d.c.state, _d.c.doubtful)
        .join(_d, root, isouter=True)
        .where(_t.c.superevent_id == superevent_id)
        .order_by(_t.c.id)
    )
    rows = (await connection.execute(query)).all()
    roots = {row.id: _root_state(row.state, row.doubtful) for row in rows}
    mentioned, told = await _load_mentioned(connection, superevent_id, roots)
    return [
        Thread(
            id=row.id,
            team_id=row.team_id,
            channel_id=row.channel_id,
            subscription_id=row.subscription_id,
            root=roots[row.id],
            mentioned=frozenset(mentioned[row.id]),
            notified=frozenset(told[row.id]),
        )
        for row in rows
    ]


async def _load_mentioned(
    connection: AsyncConnection, superevent_id: str, roots: Mapping[int, RootState]
) -> tuple[Mapping[int, set[str]], Mapping[int, set[str]]]:
    """Who was or will be mentioned, and who of them may know it already, by thread."""
    mentioned: defaultdict[int, set[str]] = defaultdict(set)
    told: defaultdict[int, set[str]] = defaultdict(set)
    if not roots:
        return mentioned, told
    own = (_d.c.kind == DeliveryKind.MENTION.value) & (_d.c.subject_id == _m.c.id)
    # Without the thread all that was ever sent would be read.
    own &= _d.c.thread_id == _m.c.thread_id
    query = select(_m, _d.c.state, _d.c.doubtful).join(_d, own, isouter=True)
    query = query.join(_t, _t.c.id == _m.c.thread_id).where(_t.c.superevent_id == superevent_id)
    asked = query.where(_m.c.occasion != MentionReason.RETRACTION.value)
    for row in (await connection.execute(asked)).all():
        in_root = row.occasion == MentionReason.NEW_EVENT
        state = roots[row.thread_id] if in_root else _root_state(row.state, row.doubtful)
        if state is not RootState.DEAD:
            mentioned[row.thread_id].update(row.targets.split())
        if state in (RootState.ATTEMPTED, RootState.POSTED):
            told[row.thread_id].update(row.targets.split())
    return mentioned, told


def _root_state(state: str | None, doubtful: bool | None) -> RootState:
    if state == DeliveryState.SENT:
        return RootState.POSTED
    if state == DeliveryState.SENDING or (state == DeliveryState.PENDING and doubtful):
        return RootState.ATTEMPTED
    return RootState.WAITING if state == DeliveryState.PENDING else RootState.DEAD


async def write_plan(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    superevent: Superevent,
    notice_id: int,
    now: datetime,
    *,
    draw_image: bool,
) -> None:
    """Write a plan into the ledger; `picture` says that the notice's map shall be drawn."""
    superevent_id = superevent.superevent_id
    # Whatever is decided below, each root that exists shows less than is known now.
    await connection.execute(
        update(_t).where(_t.c.superevent_id == superevent_id).values(wanted_revision=_t.c.wanted_revision + 1)
    )
    if DeferToSkyMap() in intents:
        row = {
            "notice_id": notice_id,
            "superevent_id": superevent_id,
            "picture": draw_image,
            "created_at": now,
        }
        await connection.execute(insert(schema.deferred_notices).values(row))
    event = await event_rank(connection, superevent_id)
    roots = [i for i in intents if isinstance(i, OpenRoot)]
    await _open_roots(connection, roots, superevent_id, event, notice_id, now)
    cancelled = [i.thread_id for i in intents if isinstance(i, CancelRoot)]
    if cancelled:
        await connection.execute(
            update(_d)
            .where(_d.c.thread_id.in_(cancelled), _d.c.state == DeliveryState.PENDING.value)
            .values(state=DeliveryState.DEAD.value, reason=CANCELLED_REASON)
        )
    places = await _channels_by_thread(connection, superevent_id)
    # What takes an alert back is as urgent as an alert.
    reply, edit = (
        (Priority.ROOT, Priority.RETRACTED) if superevent.is_retracted else (Priority.REPLY, Priority.EDIT)
    )
    replies = [
        delivery_row(
            *places[i.thread_id],
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
        await connection.execute(insert(_d), replies)
    if superevent.is_retracted:
        # What goes before it in its thread mustn't hold it up.
        before = _d.c.thread_id.in_([i.thread_id for i in intents if isinstance(i, Reply)])
        waits = (_d.c.kind == DeliveryKind.REPLY.value) & (_d.c.state == DeliveryState.PENDING.value)
        await connection.execute(update(_d).where(before, waits).values(priority=int(reply)))
    await _enqueue_mentions(connection, intents, places, event, notice_id, now)
    edited = {i.thread_id: places[i.thread_id] for i in intents if isinstance(i, EditRoot)}
    teams = {place[0] for place in edited.values()} | {root.team_id for root in roots}
    if draw_image and teams:
        await _enqueue_images(connection, teams, superevent_id, notice_id, now)
    due = now + IMAGE_WAIT if draw_image else None
    await enqueue_edits(connection, edited, now, notice_id=notice_id, not_before=due, priority=edit)


async def write_deferred_plan(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    superevent: Superevent,
    notice_id: int,
    now: datetime,
    *,
    draw_image: bool,
) -> None:
    """Write into the ledger what the map decided, after what `apply` did for the same notice."""
    superevent_id = superevent.superevent_id
    event = await event_rank(connection, superevent_id)
    roots = [i for i in intents if isinstance(i, OpenRoot)]
    await _open_roots(connection, roots, superevent_id, event, notice_id, now)
    places = await _channels_by_thread(connection, superevent_id)
    made = set(
        (await connection.execute(select(_m.c.thread_id).where(_m.c.notice_id == notice_id))).scalars()
    )
    fresh = [i for i in intents if not (isinstance(i, Mention) and i.thread_id in made)]
    await _enqueue_mentions(connection, fresh, places, event, notice_id, now)
    if draw_image:
        pictures = schema.images
        drawn = select(pictures.c.team_id).where(pictures.c.notice_id == notice_id)
        teams = {root.team_id for root in roots} - set((await connection.execute(drawn)).scalars())
        if teams:
            await _enqueue_images(connection, teams, superevent_id, notice_id, now)


async def _enqueue_mentions(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    places: Mapping[int, ChannelRef],
    event: EventRank,
    notice_id: int,
    now: datetime,
) -> None:
    """Write down who is to be mentioned; what doesn't stand in a root is a delivery of its own."""
    threads = {place: thread_id for thread_id, place in places.items()}
    wanted = [i for i in intents if isinstance(i, Mention)]
    wanted += [
        Mention(threads[i.team_id, i.channel_id], i.mention, MentionReason.NEW_EVENT)
        for i in intents
        if isinstance(i, OpenRoot) and i.mention
    ]
    if not wanted:
        return
    await connection.execute(
        insert(_m),
        [
            {
                "thread_id": mention.thread_id,
                "notice_id": notice_id,
                "occasion": mention.reason.value,
                "targets": " ".join(mention.targets),
            }
            for mention in wanted
        ],
    )
    own = select(_m.c.id, _m.c.thread_id).where(
        _m.c.notice_id == notice_id, _m.c.occasion != MentionReason.NEW_EVENT.value
    )
    rows = [
        delivery_row(
            *places[row.thread_id],
            DeliveryKind.MENTION,
            row.id,
            now,
            thread_id=row.thread_id,
            dedup_key=f"mention:{row.thread_id}:{notice_id}",
            event=event,
        )
        for row in (await connection.execute(own)).all()
    ]
    if rows:
        await connection.execute(insert(_d), rows)


async def enqueue_edits(
    connection: AsyncConnection,
    places: Mapping[int, ChannelRef],
    now: datetime,
    *,
    notice_id: int = 0,
    not_before: datetime | None = None,
    priority: Priority = Priority.EDIT,
) -> None:
    """Make sure that each of these threads (id -> place) has an edit under way.

    One row a thread, used again and again; its subject is the newest notice that it brings, 0 if it brings
    none (a picture, an observer). One that waits is not made to wait longer than it would.
    """
    if not places:
        return
    due = now if not_before is None else not_before
    mine = _d.c.thread_id.in_(places) & (_d.c.kind == DeliveryKind.EDIT.value)
    present = set((await connection.execute(select(_d.c.thread_id).where(mine))).scalars())
    again = {
        "state": DeliveryState.PENDING.value,
        "not_before": due,
        "held_until": not_before,
        "attempts": 0,
        "reason": None,
        "created_at": now,
        "subject_id": notice_id,
        "priority": int(priority),
    }
    # One that is being sent now looks again by itself when it is done.
    ended = _d.c.state.in_([DeliveryState.SENT.value, DeliveryState.DEAD.value])
    await connection.execute(update(_d).where(mine, ended).values(again))
    if notice_id:
        under_way = update(_d).where(
            mine, _d.c.state.in_([DeliveryState.PENDING.value, DeliveryState.SENDING.value])
        )
        await connection.execute(under_way.values(subject_id=notice_id, priority=int(priority)))
        # Nor is news given up for the age of what was refused before it.
        tried = (_d.c.state == DeliveryState.PENDING.value) & _d.c.reason.is_not(None)
        await connection.execute(update(_d).where(mine, tried).values(created_at=now))
        # What was refused before is news now: it doesn't wait for its next attempt, save where Slack set it.
        refused = _d.c.reason.is_not(None) & _d.c.reason.not_in(RATE_LIMIT_ERRORS) & (_d.c.not_before > due)
        await connection.execute(
            update(_d)
            .where(mine, _d.c.state == DeliveryState.PENDING.value, refused)
            .values(not_before=due, attempts=0)
        )
    if not_before is None:
        # Nothing to wait for any more, unless Slack asked for it (then there is a reason).
        idle = _d.c.reason.is_(None) & (_d.c.not_before > due)
        await connection.execute(
            update(_d).where(mine, _d.c.state == DeliveryState.PENDING.value, idle).values(not_before=due)
        )
    missing = [thread_id for thread_id in places if thread_id not in present]
    if not missing:
        return
    ranks = await _event_ranks(connection, missing)
    rows = [
        delivery_row(
            *places[thread_id],
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
    places: Mapping[int, ChannelRef],
    now: datetime,
    *,
    not_before: datetime | None = None,
) -> None:
    """Have the roots of these threads brought up to date for another reason than a notice."""
    if not places:
        return
    await connection.execute(
        update(_t).where(_t.c.id.in_(places)).values(wanted_revision=_t.c.wanted_revision + 1)
    )
    await enqueue_edits(connection, places, now, not_before=not_before)


async def dead_letter_orphans(connection: AsyncConnection, place: ChannelRef, reason: str) -> int:
    """Give up what waits in a channel for roots that were given up: in vain. Return how many."""
    root = _d.alias("root")
    here = (root.c.team_id == place[0]) & (root.c.channel_id == place[1])
    gone = select(root.c.thread_id).where(
        here, root.c.kind == DeliveryKind.ROOT.value, root.c.state == DeliveryState.DEAD.value
    )
    result = await connection.execute(
        update(_d)
        .where(_d.c.team_id == place[0], _d.c.channel_id == place[1], _d.c.thread_id.in_(gone))
        .where(_d.c.state == DeliveryState.PENDING.value)
        .values(state=DeliveryState.DEAD.value, reason=reason)
    )
    return result.rowcount


async def _channels_by_thread(connection: AsyncConnection, superevent_id: str) -> dict[int, ChannelRef]:
    query = select(_t.c.id, _t.c.team_id, _t.c.channel_id).where(_t.c.superevent_id == superevent_id)
    return {row.id: (row.team_id, row.channel_id) for row in (await connection.execute(query)).all()}


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
    """The roots that died and may stand all the same: only under their own ids can they be found."""
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
    superevent_id: str,
    event: EventRank,
    notice_id: int,
    now: datetime,
) -> None:
    if not roots:
        return
    wanted = {(root.team_id, root.channel_id): root.subscription_id for root in roots}
    # A thread whose root died is opened again: what it never said is old by now.
    known = {place: id_ for id_, place in (await _channels_by_thread(connection, superevent_id)).items()}
    doubted = await _maybe_posted_roots(connection, superevent_id, now)
    for place in wanted.keys() & known.keys():
        kept = _d.c.id == doubted.get(place, 0)
        await connection.execute(delete(_d).where(_d.c.thread_id == known[place], ~kept))
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
        await connection.execute(delete(_m).where(_m.c.thread_id == known[place]))
        await connection.execute(
            update(_t)
            .where(_t.c.id == known[place])
            .values(subscription_id=wanted[place], root_ts=None, shown_revision=None, root_fixed=False)
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
        await connection.execute(insert(_t), fresh)
    by_place = {place: id_ for id_, place in (await _channels_by_thread(connection, superevent_id)).items()}
    rows = [
        delivery_row(
            *place,
            DeliveryKind.ROOT,
            notice_id,
            now,
            thread_id=by_place[place],
            dedup_key=f"root:{superevent_id}",
            event=event,
        )
        for place in wanted
        if place not in doubted
    ]
    if rows:
        await connection.execute(insert(_d), rows)
