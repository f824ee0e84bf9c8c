"""Repository of mentions that Slack refuses in a channel; messages are posted without them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.database import Database
from bot.store.outbox.models import Delivered, Delivery, DeliveryKind, delivery_row
from formatters.models.subscription import RefusedMention, Subscription

_r = schema.refused_mentions


class RefusedMentionRepository:
    """Returns refused mentions. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_refusal(self, refusal_id: int) -> list[RefusedMention]:
        """Return all mentions refused in the channel of one refusal; none if that refusal was forgotten."""
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(select(_r).where(_r.c.id == refusal_id))).first()
            if row is None:
                return []
            return (await load_refused_mentions(connection, in_channel(_r, (row.team_id, row.channel_id))))[
                row.team_id, row.channel_id
            ]


async def load_refused_mentions(
    connection: AsyncConnection, which: ColumnElement[bool]
) -> defaultdict[ChannelRef, list[RefusedMention]]:
    """Return the refused mentions that meet a condition, by channel."""
    found: defaultdict[ChannelRef, list[RefusedMention]] = defaultdict(list)
    for row in (await connection.execute(select(_r).where(which).order_by(_r.c.id))).all():
        refused = RefusedMention(target=row.target, reason=row.reason, since=row.since)
        found[row.team_id, row.channel_id].append(refused)
    return found


async def attach_refusals(
    connection: AsyncConnection, subscriptions: Sequence[Subscription], team_id: str
) -> list[Subscription]:
    """Return a workspace's subscriptions, each with those of its targets that Slack refuses."""
    refused = await load_refused_mentions(connection, _r.c.team_id == team_id)
    return [
        replace(
            s,
            refused_mentions=tuple(
                r
                for r in refused.get((s.team_id, s.channel_id), ())
                if s.criteria.notify is not None and r.target in s.criteria.notify.all_targets
            ),
        )
        for s in subscriptions
    ]


async def forget_refusals(connection: AsyncConnection, channel_ref: ChannelRef) -> None:
    """Forget a channel's refusals after its subscriptions changed; a new one is then reported again."""
    await connection.execute(delete(_r).where(in_channel(_r, channel_ref)))


async def record_mention_outcomes(
    connection: AsyncConnection, sent: Sequence[tuple[Delivery, Delivered]], now: datetime
) -> None:
    """Record the mentions that Slack refused, and forget refusals of those that were posted.

    The first refusal of a mention is reported in its channel, by a delivery of its own.
    """
    with_mentions = [(d, o) for d, o in sent if o.mentions]
    if not with_mentions:
        return
    channel_refs = {(d.team_id, d.channel_id) for d, _ in with_mentions}
    known = await load_refused_mentions(
        connection, _r.c.channel_id.in_({channel for _, channel in channel_refs})
    )
    for d, o in with_mentions:
        channel_ref = (d.team_id, d.channel_id)
        before = {refused.target for refused in known[channel_ref]}
        posted = before & (set(o.mentions) - o.refused_mentions.keys())
        if posted:
            await connection.execute(delete(_r).where(in_channel(_r, channel_ref), _r.c.target.in_(posted)))
        new = [target for target in o.refused_mentions if target not in before]
        if new:
            await _record_refusals(connection, channel_ref, {t: o.refused_mentions[t] for t in new}, now)
            known[channel_ref] += [
                RefusedMention(target=t, reason=o.refused_mentions[t], since=now) for t in new
            ]


async def _record_refusals(
    connection: AsyncConnection, channel_ref: ChannelRef, reasons: dict[str, str], now: datetime
) -> None:
    team_id, channel_id = channel_ref
    rows: Collection[dict[str, object]] = [
        {"team_id": team_id, "channel_id": channel_id, "target": target, "reason": reason, "since": now}
        for target, reason in reasons.items()
    ]
    # When the workspace's lease moves to another process, both may record the same refusal.
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    await connection.execute(upsert(_r).on_conflict_do_nothing(), list(rows))
    mine = select(_r.c.id).where(in_channel(_r, channel_ref), _r.c.target == next(iter(reasons)))
    refusal_id = (await connection.execute(mine)).scalar_one()
    report = delivery_row(team_id, channel_id, DeliveryKind.MENTION_REFUSED, refusal_id, now)
    await connection.execute(upsert(schema.deliveries).values(report).on_conflict_do_nothing())
