"""Write the mentions of a plan into the outbox, with the escalations that follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef, Intent, Mention, MentionReason, OpenRoot
from bot.store import schema
from bot.store.outbox.drill_writer import preempt_drills
from bot.store.outbox.escalation_writer import NewEscalation, begin_escalations
from bot.store.outbox.models import DeliveryKind, EventRank, delivery_row

_d = schema.deliveries
_m = schema.mentions


async def enqueue_mentions(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    channels: Mapping[int, ChannelRef],
    event: EventRank,
    notice_id: int,
    now: datetime,
) -> None:
    """Record the mentions of a plan; each outside a root message becomes a delivery of its own."""
    threads = {channel: thread_id for thread_id, channel in channels.items()}
    wanted = [i for i in intents if isinstance(i, Mention)]
    wanted += [
        Mention(threads[i.team_id, i.channel_id], i.mention, MentionReason.NEW_EVENT, i.steps)
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
    await _begin_escalations(connection, wanted, channels, notice_id, now)
    own = select(_m.c.id, _m.c.thread_id).where(
        _m.c.notice_id == notice_id, _m.c.occasion != MentionReason.NEW_EVENT.value
    )
    rows = [
        delivery_row(
            *channels[row.thread_id],
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


async def _begin_escalations(
    connection: AsyncConnection,
    mentions: Sequence[Mention],
    channels: Mapping[int, ChannelRef],
    notice_id: int,
    now: datetime,
) -> None:
    """Begin the escalations that follow the mentions of a notice."""
    steps = {mention.thread_id: mention for mention in mentions if mention.steps}
    if not steps:
        return
    made = select(_m.c.id, _m.c.thread_id).where(_m.c.notice_id == notice_id, _m.c.thread_id.in_(steps))
    new = [
        NewEscalation(
            channel=channels[row.thread_id],
            steps=steps[row.thread_id].steps,
            thread_id=row.thread_id,
            mention_id=row.id,
            is_held=steps[row.thread_id].is_held,
        )
        for row in (await connection.execute(made)).all()
    ]
    # Who is mentioned for an event must not take it for the drill.
    await preempt_drills(connection, {one.channel for one in new if not one.is_held}, now)
    await begin_escalations(connection, new, now)
