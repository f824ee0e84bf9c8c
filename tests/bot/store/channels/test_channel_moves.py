"""A channel under another id: everything follows, whatever the new id has already."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from bot.app.factory import Factory
from bot.filters import parse_criteria
from bot.store import schema
from bot.store.channels.channel_moves import channel_tables
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import (
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    DeliveryState,
    delivery_row,
)
from formatters.models.observing import ObservingConstraints, Site
from tests.support.factories import AUTHOR, MOCK, NOW, REAL, TEAM, decoded_notice, record_notices, subscribe

BOTH = pytest.mark.backends("sqlite", "postgresql")
OLD, NEW, BESIDE = (TEAM, "C0OLD"), (TEAM, "C0NEW"), (TEAM, "C0BESIDE")
SINCE = NOW - timedelta(hours=24)
RENAMED = ("edit", "mention", "follow_up", "follow_up_edit")
"""Kinds whose slots name a thread, of which one of two goes."""
DOME = Site(name="MyDome", latitude=34.2, longitude=-116.9, height=1700.0)
LENS = Site(name="Lens", latitude=-30.0, longitude=-70.0, height=2400.0)


async def rows(factory: Factory, table: Any, place: tuple[str, str] | None = None) -> list[Any]:
    query = select(table)
    if place is not None:
        query = query.where(table.c.team_id == place[0], table.c.channel_id == place[1])
    async with factory.database.read_transaction() as connection:
        return list((await connection.execute(query)).all())


async def nothing_left(factory: Factory) -> None:
    for table in channel_tables():
        assert await rows(factory, table, OLD) == [], table.name


async def claimed_of(factory: Factory) -> list[Delivery]:
    await factory.leases.heartbeat({TEAM})
    return await factory.outbox.claim(NOW, 100)


async def send_all(factory: Factory) -> None:
    """Everything that is due stands in its channel, as a worker would have it."""
    for number in range(20):
        claimed = await claimed_of(factory)
        if not claimed:
            return
        await factory.outbox.record_outcomes(
            [
                (d, Delivered(ts=f"{number}.{d.id}", revision=d.follow_up_target or d.target_revision))
                for d in claimed
            ],
            NOW,
        )


def test_no_table_of_a_channel_is_forgotten() -> None:
    """A new table is moved row by row; one whose rows need more is named in channel_moves."""
    assert {table.name for table in channel_tables()} >= {
        "channels",
        "subscriptions",
        "threads",
        "deliveries",
        "operators",
        "channel_sites",
        "channel_conditions",
    }


@BOTH
async def test_move_carries_every_table_of_channel(factory: Factory, backend: str) -> None:
    await subscribe(factory, "CBC notify @here", OLD[1], BESIDE[1])
    await record_notices(factory, decoded_notice())
    await send_all(factory)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=5))
    await factory.observers.toggle(*OLD, REAL, "U1", NOW)
    await factory.sites.add(*OLD, [DOME], AUTHOR)
    await factory.sites.set_conditions(*OLD, ObservingConstraints(altitude=40.0, darkness=-12.0), AUTHOR)
    await factory.ops_channel.set(*OLD)
    await factory.subscriptions.request(*OLD, parse_criteria("Burst"), "U1", NOW)
    before = {table.name: len(await rows(factory, table, OLD)) for table in channel_tables()}
    beside = {table.name: await rows(factory, table, BESIDE) for table in channel_tables()}

    moved = await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    assert (moved.subscriptions, moved.threads, moved.merged) == (2, 1, 0)
    await nothing_left(factory)
    assert {table.name: len(await rows(factory, table, NEW)) for table in channel_tables()} == before
    assert {table.name: await rows(factory, table, BESIDE) for table in channel_tables()} == beside
    assert await factory.ops_channel.get() == NEW
    assert (await factory.sites.for_channel(*NEW)).sites == (DOME,)
    # Told twice, as Slack does what wasn't acknowledged in time.
    assert not await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    # The next notice finds the thread.
    await send_all(factory)
    await record_notices(factory, decoded_notice(alert_type="UPDATE", minutes=9, far=1e-12))
    assert {row.channel_id for row in await rows(factory, schema.threads)} == {"C0NEW", "C0BESIDE"}
    kinds = Counter(row.kind for row in await rows(factory, schema.deliveries, NEW))
    assert kinds["root"] == 1 and kinds["reply"] == 2


@BOTH
async def test_channel_move_merges_both_ids(factory: Factory, backend: str) -> None:
    await subscribe(factory, "CBC", OLD[1])
    await record_notices(factory, decoded_notice())
    await send_all(factory)
    await factory.observers.toggle(*OLD, REAL, "U1", NOW)
    await factory.sites.add(*OLD, [DOME], AUTHOR)
    # The event was missed, and people subscribed in the channel as it is called now.
    await subscribe(factory, "CBC", NEW[1])
    await subscribe(factory, "CBC mock", NEW[1])
    await factory.sites.add(*NEW, [LENS, DOME], AUTHOR)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=5))
    await factory.observers.toggle(*NEW, REAL, "U2", NOW)
    paused = (await factory.subscriptions.for_channel(*NEW))[0]
    await factory.subscriptions.pause(*NEW, paused.number, AUTHOR)

    moved = await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    assert moved.merged >= 3
    await nothing_left(factory)
    here = await factory.subscriptions.for_channel(*NEW)
    assert [(s.criteria.canonical, s.paused_at) for s in here] == [("CBC", None), ("CBC mock", None)]
    (thread,) = await rows(factory, schema.threads)
    assert thread.root_ts is not None and thread.wanted_revision > thread.shown_revision
    assert {row.user_id for row in await rows(factory, schema.observers)} == {"U1", "U2"}
    sites = (await factory.sites.for_channel(*NEW)).sites
    assert [site.name for site in sites] == ["Lens", "MyDome"]
    waiting = [
        r for r in await rows(factory, schema.deliveries, NEW) if r.state == DeliveryState.PENDING.value
    ]
    assert DeliveryKind.EDIT.value in {row.kind for row in waiting} and DeliveryKind.ROOT.value not in {
        r.kind for r in waiting
    }


@BOTH
@pytest.mark.parametrize("posted", ["old", "new", "both"])
async def test_of_two_follow_up_replies_the_one_below_the_root_that_stays_goes_on(
    factory: Factory, backend: str, posted: str
) -> None:
    for place in (OLD, NEW):
        await subscribe(factory, "CBC circulars", place[1])
    await record_notices(factory, decoded_notice())
    await send_all(factory)
    threads = {row.id: (row.team_id, row.channel_id) for row in await rows(factory, schema.threads)}
    some = {
        thread: place
        for thread, place in threads.items()
        if posted == "both" or place == (OLD if posted == "old" else NEW)
    }
    async with factory.database.exclusive_transaction() as connection:
        await request_follow_ups(connection, some, NOW)
    await send_all(factory)
    await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    await nothing_left(factory)
    (thread,) = await rows(factory, schema.threads)
    [reply] = await rows(factory, schema.follow_ups)
    assert reply.thread_id == thread.id
    assert (reply.ts is None) is (posted == "old"), "the other's hangs below a root that nobody looks at"
    follow_ups = [r for r in await rows(factory, schema.deliveries) if r.kind.startswith("follow_up")]
    assert [r.state for r in follow_ups if r.kind == "follow_up"] == [
        "pending" if reply.ts is None else "sent"
    ]
    assert {r.thread_id for r in follow_ups} == {thread.id}


@BOTH
async def test_channel_move_revives_deliveries_of_the_old_id(factory: Factory, backend: str) -> None:
    """The event came late: until then Slack said that there is no such channel."""
    await subscribe(factory, "CBC", OLD[1])
    await record_notices(factory, decoded_notice())
    (claimed,) = await claimed_of(factory)
    gone = DeadLettered(reason="channel_not_found", channel_problem="channel_not_found")
    await factory.outbox.record_outcomes([(claimed, gone)], NOW)
    assert await factory.channel_moves.list_unreachable_channels() == [(*OLD, "channel_not_found")]
    await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    assert await factory.channel_moves.list_unreachable_channels() == []
    (root,) = await claimed_of(factory)
    assert (root.kind, root.channel_id) == (DeliveryKind.ROOT, NEW[1])


@BOTH
async def test_a_root_that_waits_goes_before_one_that_was_given_up(factory: Factory, backend: str) -> None:
    """The new id was known before the bot could post there; the old one's alert is still to come."""
    await subscribe(factory, "CBC", OLD[1], NEW[1])
    await record_notices(factory, decoded_notice())
    (dead,) = [d for d in await claimed_of(factory) if d.channel_id == NEW[1]]
    await factory.outbox.record_outcomes([(dead, DeadLettered(reason="msg_too_long"))], NOW)
    await factory.outbox.requeue_stalled()
    await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    await nothing_left(factory)
    assert [(d.kind, d.channel_id) for d in await claimed_of(factory)] == [(DeliveryKind.ROOT, NEW[1])]


@BOTH
async def test_delivery_claimed_during_move_is_recorded_in_new_channel(
    factory: Factory, backend: str
) -> None:
    await subscribe(factory, "CBC", OLD[1])
    await record_notices(factory, decoded_notice())
    (sending,) = await claimed_of(factory)
    await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    assert await claimed_of(factory) == []
    # Its worker hears that the old id is no channel any more: that is no word about the new one.
    gone = DeadLettered(reason="channel_not_found", channel_problem="channel_not_found")
    await factory.outbox.record_outcomes([(sending, gone)], NOW)
    await nothing_left(factory)
    assert await rows(factory, schema.channel_problems) == []
    (again,) = await claimed_of(factory)
    assert (again.id, again.channel_id, again.maybe_sent) == (sending.id, NEW[1], False)
    # Or that it stands: then it isn't sent again.
    await factory.channel_moves.move_channel(NEW, OLD, SINCE, NOW)
    await factory.outbox.record_outcomes([(again, Delivered(ts="1.0", revision=1))], NOW)
    (thread,) = await rows(factory, schema.threads, OLD)
    assert thread.root_ts == "1.0" and await claimed_of(factory) == []


@pytest.mark.backends("postgresql")
async def test_channels_served_by_another_process_are_not_foreign(factory: Factory, backend: str) -> None:
    await subscribe(factory, "CBC", "C0SHARED", team="T0STRAY")
    await subscribe(factory, "CBC", "C0SHARED", team="T0SERVED")
    await factory.leases.heartbeat({"T0SERVED"})
    assert await factory.channel_moves.list_foreign_channels({TEAM}) == [("T0STRAY", "C0SHARED")]


async def scene(factory: Factory, dice: random.Random) -> None:
    """Both ids with anything that they may have."""
    for place in (OLD, NEW):
        for words in ("CBC", "CBC mock", "Burst", "CBC notify @here"):
            if dice.random() < 0.5:
                await subscribe(factory, words, place[1])
    for superevent in (REAL, MOCK):
        for number, kind in enumerate(("PRELIMINARY", "INITIAL", "UPDATE")):
            await record_notices(
                factory, decoded_notice(superevent, kind, minutes=number, far=10.0 ** -(9 + number))
            )
            async with factory.database.exclusive_transaction() as connection:
                for row in await connection.execute(select(schema.deliveries)):
                    state = dice.choice(
                        [DeliveryState.SENT, DeliveryState.PENDING, DeliveryState.DEAD, DeliveryState.SENDING]
                    ).value
                    if row.state != DeliveryState.SENT.value:
                        mine = schema.deliveries.c.id == row.id
                        await connection.execute(update(schema.deliveries).where(mine).values(state=state))
                        if row.kind == DeliveryKind.ROOT.value and state == DeliveryState.SENT.value:
                            posted = schema.threads.c.id == row.thread_id
                            await connection.execute(
                                update(schema.threads).where(posted).values(root_ts="1.0", shown_revision=1)
                            )
            if dice.random() < 0.5:
                async with factory.database.exclusive_transaction() as connection:
                    known = (await connection.execute(select(schema.threads))).all()
                    some = {r.id: (r.team_id, r.channel_id) for r in known if dice.random() < 0.5}
                    await request_follow_ups(connection, some, NOW)
                    ready = schema.follow_ups.c.thread_id.in_([r.id for r in known if r.root_ts])
                    stands = update(schema.follow_ups).where(ready).values(ts="2.0", shown_revision=1)
                    await connection.execute(stands)
            if dice.random() < 0.5:
                await factory.observers.toggle(*dice.choice([OLD, NEW]), superevent, f"U{number}", NOW)
    async with factory.database.exclusive_transaction() as connection:
        for place in (OLD, NEW):
            if dice.random() < 0.7:
                apology = delivery_row(*place, DeliveryKind.UNREADABLE_NOTICE, 1, NOW)
                apology["state"] = dice.choice(
                    [DeliveryState.SENT, DeliveryState.PENDING, DeliveryState.DEAD]
                ).value
                await connection.execute(insert(schema.deliveries).values(apology))
            if dice.random() < 0.5:
                problem = dice.choice(["channel_not_found", "is_archived"])
                away = {"team_id": place[0], "channel_id": place[1], "problem": problem, "since": NOW}
                await connection.execute(insert(schema.channel_problems).values(away))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
async def test_channel_move_loses_nothing(factory: Factory, seed: int) -> None:
    await scene(factory, random.Random(seed))
    words = {row.words for row in await rows(factory, schema.subscriptions)}
    threads = {row.superevent_id for row in await rows(factory, schema.threads)}
    observers = {row.user_id for row in await rows(factory, schema.observers)}
    posted = {row.superevent_id for row in await rows(factory, schema.threads) if row.root_ts}
    slots = {row.slot for row in await rows(factory, schema.deliveries) if row.kind not in RENAMED}
    await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    await nothing_left(factory)
    assert sorted(row.words for row in await rows(factory, schema.subscriptions)) == sorted(words)
    after = await rows(factory, schema.threads)
    assert Counter(row.superevent_id for row in after) == Counter(dict.fromkeys(threads, 1))
    assert {row.superevent_id for row in after if row.root_ts} == posted
    assert {row.user_id for row in await rows(factory, schema.observers)} == observers
    left = await rows(factory, schema.deliveries)
    assert {row.thread_id for row in left} <= {None, *(row.id for row in after)}
    kept = {row.slot for row in left if row.kind not in RENAMED}
    replies = await rows(factory, schema.follow_ups)
    assert {row.thread_id for row in replies} <= {row.id for row in after}
    assert slots - kept <= {f"root:{superevent}" for superevent in posted}, "of two roots one may be gone"
    roots = Counter(row.thread_id for row in left if row.kind == DeliveryKind.ROOT.value)
    assert all(count == 1 for count in roots.values())
    assert not await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)


@BOTH
async def test_move_reuses_no_former_number_of_either_channel(factory: Factory, backend: str) -> None:
    """Before channels counted for themselves 3 was the new id's "all", and 4 one of the old id's."""
    await subscribe(factory, "Burst", OLD[1])
    await subscribe(factory, "CBC", NEW[1])
    async with factory.database.exclusive_transaction() as connection:
        for place, number in ((NEW, 3), (OLD, 4)):
            row = {"team_id": place[0], "channel_id": place[1], "number": number}
            await connection.execute(insert(schema.former_numbers).values(row))
        burst = schema.subscriptions.c.channel_id == OLD[1]
        await connection.execute(update(schema.subscriptions).where(burst).values(number=3))
        await connection.execute(
            update(schema.channel_numbers)
            .values(last_number=3)
            .where(schema.channel_numbers.c.channel_id == OLD[1])
        )
    await factory.channel_moves.move_channel(OLD, NEW, SINCE, NOW)
    here = await factory.subscriptions.for_channel(*NEW)
    assert {s.criteria.canonical: s.number for s in here} == {"Burst": 5, "CBC": 1}
