"""Related messages: stored once for each event, in whatever order they come; told where they are wanted."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.app.factory import Factory
from bot.routing.related_messages import plan_message
from bot.store import schema
from bot.store.events import related_messages
from bot.store.events.related_messages import RecordedMessage
from bot.store.outbox.models import DeadLettered, DeliveryKind, Priority
from formatters.models.related_message import RelatedMessage, Stream
from tests.support.factories import NOW, REAL, TEAM, TEST, decoded_notice, record_notices, subscribe
from tests.support.related_messages import planned_follow_ups, related_message, stored_messages

pytestmark = pytest.mark.backends("sqlite", "postgresql")

FOLLOW_UP, ANNOUNCED = DeliveryKind.FOLLOW_UP.value, DeliveryKind.RETRACTION_CIRCULAR.value
LATER = NOW + timedelta(hours=1)


async def record(factory: Factory, message: RelatedMessage, *, is_news: bool = True) -> RecordedMessage:
    return await factory.related_messages.record(message, LATER, is_news=is_news, plan=plan_message)


@pytest.fixture
async def followed(factory: Factory) -> Factory:
    """A store with the threads of one event in C1, which wants circulars, and in C2, which doesn't."""
    await subscribe(factory, "all circulars", "C1")
    await subscribe(factory, "all", "C2")
    await record_notices(factory, decoded_notice())
    return factory


async def test_a_message_is_told_once_where_its_stream_is_wanted(followed: Factory) -> None:
    first = await record(followed, related_message())
    again = await record(followed, related_message())
    assert (first.is_new, first.intents) == (True, 1) and (again.is_new, again.intents) == (False, 0)
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP)]
    (stored,) = await followed.related_messages.for_event(REAL)
    assert stored.message == related_message() and stored.received == LATER
    assert await followed.related_messages.get(stored.id) == stored
    assert await followed.related_messages.get(stored.id + 1) is None


async def test_a_repeat_takes_no_lock_and_neither_does_what_names_no_event(followed: Factory) -> None:
    await record(followed, related_message())
    last = followed.database.last_commit_monotonic
    await record(followed, related_message())
    nameless = await record(followed, replace(related_message("7"), superevent_ids=()))
    assert followed.database.last_commit_monotonic == last and nameless.superevent_ids == ()
    assert len(await stored_messages(followed)) == 1


async def test_what_is_no_news_is_stored_and_told_to_nobody(followed: Factory) -> None:
    assert (await record(followed, related_message(), is_news=False)).is_new
    assert await planned_follow_ups(followed) == []
    await record_notices(followed, decoded_notice(alert_type="INITIAL", minutes=1))
    assert await planned_follow_ups(followed) == [], "nor with the next notice"
    assert len(await followed.related_messages.for_event(REAL)) == 1


async def test_what_a_file_brought_first_is_told_once_it_comes_live(followed: Factory) -> None:
    await record(followed, related_message(), is_news=False)
    assert (await record(followed, related_message())).intents == 1
    assert (await record(followed, related_message())).intents == 0
    assert not (await record(followed, related_message(), is_news=False)).is_new
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP)]
    guano = related_message("9", stream=Stream.GUANO)
    await record(followed, replace(guano, is_retracted=True), is_news=False)
    assert not (await record(followed, guano)).is_new, "what is withdrawn stays so"


async def test_a_message_about_two_events_is_told_in_both_threads(followed: Factory) -> None:
    await subscribe(followed, "all test circulars", "C3")
    await record_notices(followed, decoded_notice(TEST))
    assert (await record(followed, related_message("45640", REAL, TEST))).intents == 2
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP), ("C3", FOLLOW_UP)]


async def test_streams_that_nobody_chooses_make_no_reply(followed: Factory) -> None:
    boom = related_message("ZTF26a", stream=Stream.BOOM, number=None)
    await record(followed, boom)
    assert await planned_follow_ups(followed) == []
    await record(followed, related_message())
    later = replace(boom, created=NOW + timedelta(minutes=1))
    assert (await record(followed, later)).is_new
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP)]


@pytest.mark.parametrize("seed", range(8))
async def test_versions_in_any_order_and_twice_end_the_same(factory: Factory, seed: int) -> None:
    versions = [
        related_message("1", REAL, created=NOW),
        related_message("1", REAL, created=NOW + timedelta(minutes=2), subject="corrected"),
        related_message(
            "1", REAL, created=NOW + timedelta(minutes=2), subject="withdrawn", is_retracted=True
        ),
        related_message("2", REAL, TEST, created=NOW),
        related_message("1", REAL, created=NOW + timedelta(minutes=1), stream=Stream.GUANO),
        related_message("3", REAL, created=NOW),
        related_message("3", TEST, created=NOW + timedelta(minutes=1)),
    ]
    shuffled = versions * 2
    random.Random(seed).shuffle(shuffled)
    for version in shuffled:
        await record(factory, version)
    of_event = await factory.related_messages.for_event(REAL)
    told = [(stored.message.stream, stored.message.subject) for stored in of_event]
    assert told == [
        (Stream.CIRCULARS, "withdrawn"),
        (Stream.GUANO, "Circular 1"),
        (Stream.CIRCULARS, "Circular 2"),
    ]
    of_test = await factory.related_messages.for_event(TEST)
    assert [stored.message.key for stored in of_test] == ["3", "2"]


async def test_a_withdrawal_that_names_no_event_withdraws_what_its_key_named(followed: Factory) -> None:
    await record(followed, related_message("9", stream=Stream.GUANO))
    gone = replace(
        related_message("9", stream=Stream.GUANO, created=LATER), is_retracted=True, superevent_ids=()
    )
    assert (await record(followed, gone)).superevent_ids == (REAL,)
    (stored,) = await followed.related_messages.for_event(REAL)
    assert stored.message.is_retracted


async def test_an_edited_circular_leaves_the_thread_of_an_event_that_it_no_longer_names(
    followed: Factory,
) -> None:
    wrong = related_message("50", retracts_event=True)
    right = related_message("50", TEST, created=NOW + timedelta(minutes=3))
    await record(followed, wrong)
    assert (await record(followed, right)).intents == 1, "the reply that stands"
    assert not (await record(followed, wrong)).is_new
    assert await followed.related_messages.for_event(REAL) == []
    assert len(await followed.related_messages.for_event(TEST)) == 1
    await subscribe(followed, "all circulars", "C2")
    await record_notices(followed, decoded_notice(alert_type="INITIAL", minutes=1))
    assert ("C2", FOLLOW_UP) not in await planned_follow_ups(followed)
    gone = replace(right, created=NOW + timedelta(minutes=5), superevent_ids=())
    assert (await record(followed, gone)).is_new
    assert await followed.related_messages.for_event(TEST) == []


async def test_a_message_without_a_time_of_its_own_is_repeated_whenever_it_comes(followed: Factory) -> None:
    async def receive(minutes: int, subject: str) -> bool:
        now = LATER + timedelta(minutes=minutes)
        message = related_message("h", stream=Stream.HERMES, number=None, created=now, subject=subject)
        done = await followed.related_messages.record(message, now, is_news=True, plan=plan_message)
        return done.is_new

    assert [await receive(0, "a"), await receive(1, "a"), await receive(2, "b")] == [True, False, True]


@pytest.mark.parametrize("key", ["k" * 500, "nul\0", "half \ud800", "ü" * 128])
async def test_any_key_is_one_key(factory: Factory, key: str) -> None:
    assert (await record(factory, related_message(key))).is_new
    assert not (await record(factory, related_message(key))).is_new
    assert (await record(factory, related_message(f"{key}2"))).is_new


async def test_a_row_that_cannot_be_read_hides_no_other_and_is_replaced(factory: Factory) -> None:
    await record(factory, related_message("1"))
    await record(factory, related_message("2"))
    table = schema.related_messages
    async with factory.database.exclusive_transaction() as connection:
        newer = update(table).where(table.c.key == "1").values(facts='{"stream": "telegrams"}')
        await connection.execute(newer)
    assert [stored.message.key for stored in await factory.related_messages.for_event(REAL)] == ["2"]
    await record(factory, related_message("1"))
    assert len(await factory.related_messages.for_event(REAL)) == 2


async def test_the_newest_message_stands_first_by_its_own_time(factory: Factory) -> None:
    for number, minutes in ((1, 5), (2, 9), (3, 7)):
        await record(factory, related_message(str(number), created=NOW + timedelta(minutes=minutes)))
    assert [s.message.number for s in await factory.related_messages.for_event(REAL)] == [2, 3, 1]


async def test_what_came_before_the_notice_is_in_the_new_threads_reply(followed: Factory) -> None:
    for number in range(10, 40):
        await record(followed, related_message(str(number), TEST))
    await subscribe(followed, "all test circulars", "C3", "C4")
    await subscribe(followed, "all test streams icecube", "C5")
    await record_notices(followed, decoded_notice(TEST))
    assert sorted(await planned_follow_ups(followed)) == [("C3", FOLLOW_UP), ("C4", FOLLOW_UP)]
    table = schema.deliveries
    query = select(table.c.priority).where(table.c.kind == FOLLOW_UP).distinct()
    async with followed.database.read_transaction() as connection:
        assert list((await connection.execute(query)).scalars()) == [Priority.EDIT], "news goes first"


async def test_a_stream_that_is_chosen_later_comes_with_the_next_news(followed: Factory) -> None:
    await record(followed, related_message())
    await subscribe(followed, "all circulars", "C2")
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP)]
    await record_notices(followed, decoded_notice(alert_type="INITIAL", minutes=1))
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP), ("C2", FOLLOW_UP)]


async def test_nothing_waits_below_a_root_that_was_given_up(followed: Factory) -> None:
    await followed.leases.heartbeat({TEAM})
    (root,) = [d for d in await followed.outbox.claim(NOW, 10) if d.channel_id == "C1"]
    await followed.outbox.record_outcomes([(root, DeadLettered(reason="msg_too_long"))], NOW)
    await record(followed, related_message())
    assert await planned_follow_ups(followed) == []
    await record_notices(followed, decoded_notice(alert_type="INITIAL", minutes=1))
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP)], "the thread is opened again"


async def test_a_retraction_by_circular_is_announced_once_and_before_the_notice_only(
    followed: Factory,
) -> None:
    gone = related_message("50", retracts_event=True)
    await record(followed, gone)
    await record(followed, replace(gone, created=LATER, subject="edited"))
    await record(followed, related_message("51", retracts_event=True))
    announced = [(channel, kind) for channel, kind in await planned_follow_ups(followed) if kind == ANNOUNCED]
    assert announced == [("C1", ANNOUNCED)]
    await subscribe(followed, "all test circulars", "C3")
    await record_notices(followed, [decoded_notice(TEST), decoded_notice(TEST, "RETRACTION", minutes=1)])
    await record(followed, related_message("52", TEST, retracts_event=True))
    assert ("C3", ANNOUNCED) not in await planned_follow_ups(followed)


async def test_an_event_that_a_circular_has_retracted_already_says_so_at_once(followed: Factory) -> None:
    await record(followed, related_message("50", TEST, retracts_event=True))
    await subscribe(followed, "all test circulars", "C3")
    await record_notices(followed, decoded_notice(TEST))
    table = schema.deliveries
    query = select(table.c.priority).where(table.c.kind == FOLLOW_UP, table.c.channel_id == "C3")
    async with followed.database.read_transaction() as connection:
        assert list((await connection.execute(query)).scalars()) == [Priority.REPLY]


async def test_of_a_flood_of_candidates_the_newest_are_read_and_every_circular(
    followed: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        written = NOW + timedelta(minutes=number)
        for stream in (Stream.HERMES, Stream.CIRCULARS):
            await record(followed, related_message(f"{number}", stream=stream, created=written))
    every = await followed.related_messages.for_event(REAL)
    assert len(every) == 12
    facts = next(row[4] for row in await stored_messages(followed) if row[0] == Stream.HERMES)
    monkeypatch.setattr(related_messages, "MAX_CANDIDATE_CHARACTERS", 2 * len(facts) + 10)
    read = await followed.related_messages.for_event(REAL)
    assert read == [
        one for one in every if one.message.stream is Stream.CIRCULARS or one.message.key in ("4", "5")
    ]


def edited(number: str, *, sent_days_ago: float = 0.0, minutes: int = 30, **given: object) -> RelatedMessage:
    """A circular that its sender edited this many minutes after NOW."""
    first = NOW - timedelta(days=sent_days_ago)
    return replace(
        related_message(number, created=NOW + timedelta(minutes=minutes), **given), first_created=first
    )


async def test_an_edited_circular_stays_in_its_place_and_changes_the_replies_that_stand(
    followed: Factory,
) -> None:
    for number, minutes in (("1", 5), ("2", 9)):
        await record(followed, related_message(number, created=NOW + timedelta(minutes=minutes)))
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP)]
    again = replace(edited("1"), first_created=NOW + timedelta(minutes=5))
    done = await record(followed, again)
    assert (done.is_new, done.intents) == (True, 1)
    stored = await followed.related_messages.for_event(REAL)
    assert [one.message.number for one in stored] == [2, 1] and stored[1].message == again


async def test_the_edit_of_an_old_circular_makes_no_reply(followed: Factory) -> None:
    await record(followed, related_message("1", created=NOW - timedelta(days=3)), is_news=False)
    repository = followed.related_messages
    for old in (edited("1", sent_days_ago=3), edited("2", sent_days_ago=3)):
        done = await repository.record(old, LATER, is_news=False, is_current=True, plan=plan_message)
        assert done.is_new
    assert await planned_follow_ups(followed) == []
    assert len(await repository.for_event(REAL)) == 2
    await record_notices(followed, decoded_notice(alert_type="INITIAL", minutes=1))
    assert await planned_follow_ups(followed) == [], "nor with the next notice"


async def test_an_edited_circular_that_was_never_told_is_news_on_the_day_it_was_sent(
    followed: Factory,
) -> None:
    assert (await record(followed, edited("1"))).intents == 1
    assert await planned_follow_ups(followed) == [("C1", FOLLOW_UP)]


async def test_an_edit_announces_a_retraction_once_and_none_of_old_news(followed: Factory) -> None:
    await record(followed, related_message("1"))
    await record(followed, edited("1", retracts_event=True))
    assert ("C1", ANNOUNCED) in await planned_follow_ups(followed)
    assert (await record(followed, edited("1", minutes=40, retracts_event=True))).intents == 1
    other = edited("2", sent_days_ago=3, retracts_event=True)
    done = await followed.related_messages.record(
        other, LATER, is_news=False, is_current=True, plan=plan_message
    )
    assert done.intents == 1
