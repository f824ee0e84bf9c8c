"""A thread has one Follow-up reply: asked for, posted, edited, lost and found, never owed, never doubled."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text

from bot.app.factory import Factory
from bot.routing.delivery_times import COALESCE_FOR, REPOST_INTERVAL
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import (
    EDIT_KINDS,
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    Outcome,
    Priority,
    Retry,
)
from tests.support.factories import REAL, TEAM, Clock, decoded_notice, record_notices, subscribe, unsubscribe

pytestmark = pytest.mark.backends("sqlite", "postgresql")

FOLLOW_UP, EDIT = DeliveryKind.FOLLOW_UP, DeliveryKind.FOLLOW_UP_EDIT


@pytest.fixture
async def posted(factory: Factory, clock: Clock) -> Factory:
    """A store with one event whose root stands in C1."""
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all circulars", "C1")
    await record_notices(factory, decoded_notice(REAL), now=clock())
    await outcome(factory, clock, DeliveryKind.ROOT, Delivered(ts="1.0", revision=1))
    return factory


async def threads(factory: Factory) -> dict[int, ChannelRef]:
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(select(schema.threads))).all()
    return {row.id: (row.team_id, row.channel_id) for row in rows}


async def request(factory: Factory, clock: Clock, **options: bool) -> None:
    """Ask for the Follow-up reply of every thread."""
    every = await threads(factory)
    async with factory.database.exclusive_transaction() as connection:
        await request_follow_ups(connection, every, clock(), **options)


async def claim(factory: Factory, clock: Clock, kind: DeliveryKind) -> Delivery:
    """Claim what is due, which must be one delivery of this kind."""
    [delivery] = await factory.outbox.claim(clock(), 10)
    assert delivery.kind is kind
    return delivery


async def outcome(factory: Factory, clock: Clock, kind: DeliveryKind, result: Outcome) -> Delivery:
    """Claim what is due, of this kind, and record how it ended."""
    delivery = await claim(factory, clock, kind)
    await factory.outbox.record_outcomes([(delivery, result)], clock())
    return delivery


async def reply(factory: Factory) -> tuple[str | None, int, int | None]:
    """Return the only reply's ts, and the revisions that it should show and shows."""
    async with factory.database.read_transaction() as connection:
        row = (await connection.execute(select(schema.follow_ups))).one()
    return row.ts, row.wanted_revision, row.shown_revision


async def rows(factory: Factory, kind: DeliveryKind) -> list[Any]:
    table = schema.deliveries
    async with factory.database.read_transaction() as connection:
        found = select(table).where(table.c.kind == kind.value).order_by(table.c.id)
        return list((await connection.execute(found)).all())


async def post_reply(factory: Factory, clock: Clock, ts: str = "2.0") -> Delivery:
    """Ask for the reply, and have it posted."""
    await request(factory, clock)
    claimed = await claim(factory, clock, FOLLOW_UP)
    stands = Delivered(ts=ts, revision=claimed.follow_up_target)
    await factory.outbox.record_outcomes([(claimed, stands)], clock())
    return claimed


async def test_the_first_post_is_due_at_once_and_edits_are_coalesced(posted: Factory, clock: Clock) -> None:
    first = await post_reply(posted, clock)
    assert (first.follow_up_ts, first.follow_up_target, first.follow_up_posted) == (None, 1, None)
    assert (first.root_ts, first.superevent_id) == ("1.0", REAL)
    assert await reply(posted) == ("2.0", 1, 1)
    for _ in range(3):
        await request(posted, clock)
        assert await posted.outbox.claim(clock(), 10) == []
        clock.advance(seconds=1)
    clock.advance(seconds=COALESCE_FOR.total_seconds())
    edit = await claim(posted, clock, EDIT)
    assert (edit.follow_up_ts, edit.follow_up_target, edit.follow_up_posted) == ("2.0", 2, 1)
    # What comes while it is being sent is owed afterwards.
    await request(posted, clock)
    await posted.outbox.record_outcomes([(edit, Delivered(ts="2.0", revision=2))], clock())
    assert await reply(posted) == ("2.0", 3, 2)
    clock.advance(seconds=COALESCE_FOR.total_seconds())
    again = await outcome(posted, clock, EDIT, Delivered(ts="2.0", revision=3))
    assert again.id == edit.id
    clock.advance(minutes=5)
    assert await posted.outbox.claim(clock(), 10) == []


async def test_candidates_cost_an_edit_a_minute_and_hold_up_nothing_else(
    posted: Factory, clock: Clock
) -> None:
    await post_reply(posted, clock)
    for number in range(30):
        await request(posted, clock, create=False, can_wait=True)
        assert await posted.outbox.claim(clock(), 10) == [], number
        clock.advance(seconds=1)
    clock.advance(seconds=30)
    await outcome(posted, clock, EDIT, Delivered(ts="2.0", revision=2))
    assert await reply(posted) == ("2.0", 2, 2)
    # A new map, and a circular.
    for create in (False, True):
        await request(posted, clock, create=False, can_wait=True)
        clock.advance(seconds=1)
        await request(posted, clock, create=create)
        clock.advance(seconds=COALESCE_FOR.total_seconds())
        edit = await claim(posted, clock, EDIT)
        shown = Delivered(ts="2.0", revision=edit.follow_up_target)
        await posted.outbox.record_outcomes([(edit, shown)], clock())
        clock.advance(minutes=5)
        assert await posted.outbox.claim(clock(), 10) == []


async def test_news_that_comes_while_the_reply_is_posted_is_edited_in(posted: Factory, clock: Clock) -> None:
    await request(posted, clock)
    claimed = await claim(posted, clock, FOLLOW_UP)
    await request(posted, clock)
    await posted.outbox.record_outcomes([(claimed, Delivered(ts="2.0", revision=1))], clock())
    assert await reply(posted) == ("2.0", 2, 1)
    clock.advance(seconds=COALESCE_FOR.total_seconds())
    await outcome(posted, clock, EDIT, Delivered(ts="2.0", revision=2))
    assert await reply(posted) == ("2.0", 2, 2)


@pytest.mark.parametrize("result", [DeadLettered(reason="nothing to say any more")])
async def test_news_that_comes_while_the_reply_is_given_up_is_posted(
    posted: Factory, clock: Clock, result: DeadLettered
) -> None:
    await request(posted, clock)
    claimed = await claim(posted, clock, FOLLOW_UP)
    await request(posted, clock)
    await posted.outbox.record_outcomes([(claimed, result)], clock())
    again = await outcome(posted, clock, FOLLOW_UP, result)
    assert again.id == claimed.id
    assert await posted.outbox.claim(clock(), 10) == [], "nothing came meanwhile"
    await request(posted, clock)
    await outcome(posted, clock, FOLLOW_UP, Delivered(ts="2.0", revision=3))


async def test_a_reply_found_in_the_history_is_edited_to_the_newest(posted: Factory, clock: Clock) -> None:
    await request(posted, clock)
    await outcome(posted, clock, FOLLOW_UP, Delivered(ts="2.0", revision=0))
    clock.advance(seconds=COALESCE_FOR.total_seconds())
    await outcome(posted, clock, EDIT, Delivered(ts="2.0", revision=1))
    assert await reply(posted) == ("2.0", 1, 1)


@pytest.mark.parametrize("is_news", [True, False])
async def test_a_deleted_reply_comes_back_only_with_news(
    posted: Factory, clock: Clock, *, is_news: bool
) -> None:
    first = await post_reply(posted, clock)
    await request(posted, clock, create=is_news)
    clock.advance(minutes=5)
    lost = DeadLettered(reason="message_not_found", is_follow_up_lost=True)
    await outcome(posted, clock, EDIT, lost)
    assert await reply(posted) == (None, 2, None)
    if not is_news:
        await request(posted, clock, create=False)
        assert await posted.outbox.claim(clock(), 10) == []
        await request(posted, clock)
    again = await outcome(posted, clock, FOLLOW_UP, Delivered(ts="3.0", revision=3))
    assert again.id == first.id
    assert again.message_key != first.message_key, "the history would find the deleted one"
    assert (await reply(posted))[0] == "3.0"


async def test_news_that_comes_while_an_edit_finds_the_reply_gone_is_posted(
    posted: Factory, clock: Clock
) -> None:
    await post_reply(posted, clock)
    await request(posted, clock, create=False)
    clock.advance(minutes=5)
    edit = await claim(posted, clock, EDIT)
    await request(posted, clock)
    lost = DeadLettered(reason="message_not_found", is_follow_up_lost=True)
    await posted.outbox.record_outcomes([(edit, lost)], clock())
    await outcome(posted, clock, FOLLOW_UP, Delivered(ts="3.0", revision=3))


async def test_where_nothing_can_be_edited_a_burst_posts_once_a_minute(posted: Factory, clock: Clock) -> None:
    lost = DeadLettered(reason="edit_window_closed", is_follow_up_lost=True)
    await post_reply(posted, clock)
    posts = 0
    for second in range(300):
        clock.advance(seconds=1)
        await request(posted, clock)
        for delivery in await posted.outbox.claim(clock(), 10):
            posts += delivery.kind is FOLLOW_UP
            stands = Delivered(ts=f"3.{second}", revision=delivery.follow_up_target)
            await posted.outbox.record_outcomes(
                [(delivery, stands if delivery.kind is FOLLOW_UP else lost)], clock()
            )
    assert 2 <= posts <= 300 / REPOST_INTERVAL.total_seconds()


async def test_a_reply_that_isnt_there_is_not_made_by_what_isnt_news(posted: Factory, clock: Clock) -> None:
    await request(posted, clock, create=False)
    assert await posted.outbox.claim(clock(), 10) == []
    assert await rows(posted, FOLLOW_UP) == []
    await request(posted, clock)
    await request(posted, clock, create=False)
    claimed = await claim(posted, clock, FOLLOW_UP)
    await request(posted, clock, create=False)
    await posted.outbox.record_outcomes([(claimed, Delivered(ts="2.0", revision=1))], clock())
    clock.advance(seconds=COALESCE_FOR.total_seconds())
    await outcome(posted, clock, EDIT, Delivered(ts="2.0", revision=2))


async def test_what_came_before_the_thread_is_the_least_urgent_until_there_is_news(
    posted: Factory, clock: Clock
) -> None:
    await request(posted, clock, is_earlier=True)
    [row] = await rows(posted, FOLLOW_UP)
    assert row.priority == Priority.EDIT
    await request(posted, clock)
    [row] = await rows(posted, FOLLOW_UP)
    assert row.priority == Priority.REPLY


async def test_a_reply_waits_for_its_root_and_ends_with_it(factory: Factory, clock: Clock) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all circulars", "C1")
    await record_notices(factory, decoded_notice(REAL), now=clock())
    await request(factory, clock)
    await outcome(factory, clock, DeliveryKind.ROOT, DeadLettered(reason="msg_too_long"))
    assert [row.state for row in await rows(factory, FOLLOW_UP)] == ["dead"]
    await request(factory, clock)
    assert [row.state for row in await rows(factory, FOLLOW_UP)] == ["dead"], "no root, no reply"
    # The next notice opens the thread again, with nothing left of the old one.
    await record_notices(factory, decoded_notice(REAL, alert_type="INITIAL", minutes=5), now=clock())
    assert await rows(factory, FOLLOW_UP) == []
    await request(factory, clock)
    assert (await reply(factory))[1] == 1
    await outcome(factory, clock, DeliveryKind.ROOT, Delivered(ts="1.1", revision=2))
    await outcome(factory, clock, FOLLOW_UP, Delivered(ts="2.0", revision=1))


@pytest.mark.parametrize("state", ["stands", "waits", "edit waits"])
async def test_the_reply_follows_a_root_that_is_posted_again(
    posted: Factory, clock: Clock, state: str
) -> None:
    if state == "waits":
        await request(posted, clock)
    else:
        await post_reply(posted, clock)
    if state == "edit waits":
        await request(posted, clock)
    await record_notices(posted, decoded_notice(REAL, alert_type="INITIAL", minutes=5), now=clock())
    gone = DeadLettered(reason="message_not_found", root_deleted=True)
    [first] = await posted.outbox.claim(clock(), 10)
    assert first.kind in (DeliveryKind.REPLY, FOLLOW_UP)
    if first.kind is FOLLOW_UP:
        await posted.outbox.record_outcomes([(first, DeadLettered(reason="thread_not_found"))], clock())
        [first] = await posted.outbox.claim(clock(), 10)
    await posted.outbox.record_outcomes([(first, gone)], clock())
    assert (await reply(posted))[0] is None
    await outcome(posted, clock, DeliveryKind.ROOT, Delivered(ts="1.9", revision=2))
    clock.advance(seconds=REPOST_INTERVAL.total_seconds())
    again = await outcome(posted, clock, FOLLOW_UP, Delivered(ts="3.0", revision=2))
    assert again.root_ts == "1.9"
    clock.advance(minutes=5)
    assert [d.kind for d in await posted.outbox.claim(clock(), 10)] == []


async def test_a_root_posted_again_brings_no_reply_that_was_never_asked_for(
    posted: Factory, clock: Clock
) -> None:
    await record_notices(posted, decoded_notice(REAL, alert_type="INITIAL", minutes=5), now=clock())
    gone = DeadLettered(reason="message_not_found", root_deleted=True)
    await outcome(posted, clock, DeliveryKind.REPLY, gone)
    assert await rows(posted, FOLLOW_UP) == []


async def test_news_hastens_an_edit_that_was_refused_but_not_against_slacks_word(
    posted: Factory, clock: Clock
) -> None:
    await post_reply(posted, clock)
    await request(posted, clock)
    clock.advance(seconds=5)
    later = clock() + timedelta(seconds=300)
    await outcome(posted, clock, EDIT, Retry(not_before=later, reason="strange_new_error"))
    clock.advance(seconds=20)
    await request(posted, clock)
    clock.advance(seconds=5)
    await outcome(posted, clock, EDIT, Retry(not_before=later, reason="ratelimited"))
    await request(posted, clock)
    clock.advance(seconds=5)
    assert await posted.outbox.claim(clock(), 10) == []
    clock.advance(seconds=300)
    await outcome(posted, clock, EDIT, Delivered(ts="2.0", revision=4))


async def test_a_channel_that_comes_back_shows_the_newest(posted: Factory, clock: Clock) -> None:
    await post_reply(posted, clock)
    await request(posted, clock)
    clock.advance(seconds=5)
    await outcome(posted, clock, EDIT, DeadLettered(reason="is_archived", channel_problem="is_archived"))
    clock.advance(days=3)
    await posted.outbox.requeue_channel(TEAM, "C1", clock() - timedelta(days=1), clock())
    await outcome(posted, clock, EDIT, Delivered(ts="2.0", revision=2))


async def test_a_reply_that_waits_ends_with_the_subscription_and_one_that_stands_stays_true(
    posted: Factory, clock: Clock
) -> None:
    await request(posted, clock)
    await unsubscribe(posted, "C1")
    assert [row.state for row in await rows(posted, FOLLOW_UP)] == ["dead"]
    await request(posted, clock, create=False)
    assert FOLLOW_UP not in {d.kind for d in await posted.outbox.claim(clock(), 10)}


async def test_a_reply_that_may_stand_keeps_its_key(posted: Factory, clock: Clock) -> None:
    await request(posted, clock)
    claimed = await claim(posted, clock, FOLLOW_UP)
    again = Retry(not_before=clock(), reason="no answer", maybe_sent=True)
    await posted.outbox.record_outcomes([(claimed, again)], clock())
    old = DeadLettered(reason="old news before it could be posted")
    await outcome(posted, clock, FOLLOW_UP, old)
    await request(posted, clock)
    [row] = await rows(posted, FOLLOW_UP)
    assert (row.state, row.doubtful, row.key) == ("pending", True, claimed.message_key)


async def test_an_outcome_that_lost_parts_by_a_guess_is_edited_again(posted: Factory, clock: Clock) -> None:
    await request(posted, clock)
    later = clock() + timedelta(seconds=60)
    await outcome(posted, clock, FOLLOW_UP, Delivered(ts="2.0", revision=1, follow_up_edit_at=later))
    clock.advance(seconds=30)
    assert await posted.outbox.claim(clock(), 10) == []
    clock.advance(seconds=30)
    await outcome(posted, clock, EDIT, Delivered(ts="2.0", revision=2))


async def test_edits_alone_count_against_the_quota_of_edits(posted: Factory, clock: Clock) -> None:
    await request(posted, clock)
    [post] = await posted.outbox.claim(clock(), 10, edit_quota=lambda *_: 0)
    await posted.outbox.record_outcomes([(post, Delivered(ts="2.0", revision=1))], clock())
    await request(posted, clock)
    clock.advance(seconds=5)
    assert await posted.outbox.claim(clock(), 10, edit_quota=lambda *_: 0) == []
    await claim(posted, clock, EDIT)


async def test_the_indexes_of_the_queue_name_the_kinds_that_edit() -> None:
    kinds = ", ".join(f"'{kind}'" for kind in EDIT_KINDS)
    assert f"IN ({kinds})" in schema.READY_EDITS
    assert f"NOT IN ({kinds})" in schema.READY_POSTS


async def test_a_burst_of_messages_writes_no_further_rows(factory: Factory, clock: Clock) -> None:
    channels = [f"C{number}" for number in range(50)]
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all circulars", *channels)
    await record_notices(factory, decoded_notice(REAL), now=clock())
    roots = await factory.outbox.claim(clock(), 100)
    assert len(roots) == 50
    await factory.outbox.record_outcomes([(d, Delivered(ts="1.0", revision=1)) for d in roots], clock())
    await request(factory, clock)
    posts = await factory.outbox.claim(clock(), 100)
    await factory.outbox.record_outcomes([(d, Delivered(ts="2.0", revision=1)) for d in posts], clock())
    await request(factory, clock)
    statements: list[str] = []
    every = await threads(factory)

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = factory.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    async with factory.database.exclusive_transaction() as connection:
        statements.clear()
        for _ in range(20):
            await request_follow_ups(connection, every, clock())
    event.remove(engine, "before_cursor_execute", record)
    asked = [one for one in statements if "deliveries" in one or "follow_ups" in one]
    assert len(asked) == 20 and all(one.startswith("SELECT") for one in asked)
    edits = await rows(factory, EDIT)
    assert len(edits) == 50
    clock.advance(seconds=5)
    claimed = await factory.outbox.claim(clock(), 100)
    assert {(d.follow_up_target, d.follow_up_posted) for d in claimed} == {(2, 1)}


async def test_a_reply_in_a_state_of_a_newer_version_may_stand_and_gets_no_twin(
    posted: Factory, clock: Clock
) -> None:
    await request(posted, clock)
    async with posted.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE deliveries SET state = 'frozen' WHERE kind = 'follow_up'"))
    await request(posted, clock)
    assert [row.state for row in await rows(posted, FOLLOW_UP)] == ["frozen"]
    assert await posted.outbox.claim(clock(), 10) == []
    assert (await reply(posted))[1] == 2, "whoever settles it sees that more is to be shown"


@dataclass
class Channel:
    """One thread in a simulated Slack, whose replies are made and lost by chance."""

    factory: Factory
    clock: Clock
    dice: random.Random
    said: int = 0
    """Number of messages that a reply would list now."""
    replies: dict[str, int] = field(default_factory=dict)
    """What the replies that stand, and can be edited, list: number of messages by ts."""
    by_key: dict[str, str] = field(default_factory=dict)
    """The history: ts by key, also of deleted messages' keys, which aren't found."""
    minutes: int = 5

    async def news(self) -> None:
        self.said += 1
        await request(self.factory, self.clock)

    async def other_change(self) -> None:
        self.said += 1
        await request(self.factory, self.clock, create=False)

    async def notice(self) -> None:
        self.minutes += 1
        update = decoded_notice(REAL, alert_type="UPDATE", minutes=self.minutes)
        await record_notices(self.factory, update, now=self.clock())

    async def time_passes(self) -> None:
        self.clock.advance(seconds=self.dice.choice([0.5, 3, 30, 70]))

    async def somebody_deletes(self) -> None:
        self.replies.clear()

    async def attempt(self, *, goes_well: bool = False) -> None:
        for delivery in await self.factory.outbox.claim(self.clock(), 1):
            said, fate = self.said, 0.0 if goes_well else self.dice.random()
            if self.dice.random() < 0.2 and not goes_well:
                # It comes after the message was rendered.
                await self.dice.choice([self.news, self.other_change])()
            result: Outcome | None
            if delivery.kind in (FOLLOW_UP, EDIT):
                result = self.follow_up(delivery, said, fate)
            elif fate > 0.9 and delivery.kind in (DeliveryKind.EDIT, DeliveryKind.REPLY):
                # The root was deleted, and its thread is lost to people.
                self.replies.clear()
                result = DeadLettered(reason="message_not_found", root_deleted=True)
            else:
                result = Delivered(ts=f"1.{delivery.id}{self.minutes:03}", revision=delivery.target_revision)
            if result is None:
                await self.factory.outbox.requeue_stalled()
            else:
                await self.factory.outbox.record_outcomes([(delivery, result)], self.clock())

    async def settle(self) -> None:
        """Let all that waits be delivered."""
        for _ in range(40):
            await self.attempt(goes_well=True)
            self.clock.advance(seconds=70)

    def follow_up(self, delivery: Delivery, said: int, fate: float) -> Outcome | None:
        """Return how an attempt ends; None if the process is killed."""
        soon = self.clock() + timedelta(seconds=self.dice.choice([0, 2, 30]))
        if fate > 0.85:
            return Retry(not_before=soon, reason=self.dice.choice(["ratelimited", "strange_new_error"]))
        if delivery.kind is FOLLOW_UP:
            assert delivery.follow_up_ts is None and delivery.message_key is not None
            found = self.by_key.get(delivery.message_key) if delivery.maybe_sent else None
            if found in self.replies:
                return Delivered(ts=found, revision=0)
            ts = f"2.{len(self.by_key)}"
            assert not self.replies, "a second one would stand"
            self.replies[ts] = said
            self.by_key[delivery.message_key] = ts
        else:
            assert delivery.follow_up_ts is not None
            ts = delivery.follow_up_ts
            if ts not in self.replies or fate > 0.75:
                self.replies.pop(ts, None)
                reason = self.dice.choice(["message_not_found", "edit_window_closed"])
                return DeadLettered(reason=reason, is_follow_up_lost=True)
            if delivery.follow_up_posted != delivery.follow_up_target:
                self.replies[ts] = said
        if fate > 0.55:
            return None
        if fate > 0.4:
            return Retry(not_before=soon, reason="no answer", maybe_sent=True)
        return Delivered(ts=ts, revision=delivery.follow_up_target)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_one_reply_stands_in_the_end_and_lists_everything(
    posted: Factory, clock: Clock, seed: int
) -> None:
    channel = Channel(posted, clock, random.Random(seed))
    steps = {
        channel.news: 5,
        channel.other_change: 2,
        channel.notice: 1,
        channel.time_passes: 6,
        channel.attempt: 10,
        channel.somebody_deletes: 1,
    }
    for _ in range(150):
        await channel.dice.choices(list(steps), list(steps.values()))[0]()
    await channel.settle()
    # Without news a reply that was deleted stays away.
    assert list(channel.replies.values()) in ([], [channel.said])
    await channel.news()
    await channel.settle()
    assert list(channel.replies.values()) == [channel.said]
