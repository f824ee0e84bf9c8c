"""Which event a question is about that names none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import update

from bot.app.factory import Factory
from bot.app.permalinks import create_permalinks
from bot.commands.context import CommandContext
from bot.commands.default_event import MAX_ROOTS
from bot.slack.client import SlackClient
from bot.store import schema
from formatters.models.notice import Notice
from formatters.terminal import message_text
from tests.support.factories import TEAM, Clock, decoded_notice, record_notices, subscribe

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
QUESTIONS = (
    *("history", "how far is it", "check 10 20", "visible Palomar", "export csv", "is it retracted"),
    *("criteria show lasair", "would we trigger?"),
)


async def answer_text(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    async def permalink(team: str, channel: str, ts: str) -> str | None:
        return f"https://example.slack.com/archives/{channel}/p{ts.replace('.', '')}"

    router = factory.create_command_router(Clock(), get_permalink=permalink)
    return message_text.render(await router.dispatch(words, context))


def dated(name: str, day: int, kind: str = "PRELIMINARY", **facts: Any) -> Notice:
    notice = decoded_notice(name, kind, **facts)
    if notice.event is None:
        return notice
    return replace(notice, event=replace(notice.event, time=datetime(2026, 11, day, 12, tzinfo=UTC)))


async def post_roots(factory: Factory) -> None:
    """Give every planned root message a `ts`: its event's id stands in it."""
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(schema.threads).values(root_ts=schema.threads.c.superevent_id + ".1"))


async def story(factory: Factory, channel_words: str = "all") -> None:
    """Store a significant event, then a retracted, a low-significance and a mock one, newer each."""
    await subscribe(factory, channel_words, "C1")
    await record_notices(
        factory,
        [
            dated("S261118a", 18),
            dated("S261119b", 19),
            dated("S261120c", 20),
            replace(decoded_notice("S261120c", "RETRACTION", 5)),
            dated("S261121d", 21, significant=False, far=1e-5),
            dated("MS261122e", 22),
        ],
    )


@pytest.mark.slow
@pytest.mark.parametrize("words", QUESTIONS)
@pytest.mark.parametrize("context", [None, ASKER])
async def test_without_threads_it_is_the_newest_significant_event_that_stands(
    factory: Factory, words: str, context: CommandContext | None
) -> None:
    await story(factory)
    shown = await answer_text(factory, words, context)
    assert shown.startswith("No event was named; S261119b is the newest significant one.")
    for noise in ("S261120c", "S261121d", "MS261122e"):
        assert noise not in shown


@pytest.mark.parametrize("words", QUESTIONS)
async def test_in_an_events_thread_it_is_that_event(factory: Factory, words: str) -> None:
    await story(factory, "all mock lowsig")
    await post_roots(factory)
    for name in ("S261118a", "S261119b", "S261120c", "S261121d", "MS261122e"):
        shown = await answer_text(factory, words, replace(ASKER, thread_ts=f"{name}.1"))
        assert name in shown and "No event was named" not in shown
        assert "This channel's thread" not in shown


async def test_in_a_channel_it_is_the_newest_root_that_stands(factory: Factory) -> None:
    await story(factory)
    await post_roots(factory)
    await record_notices(factory, dated("S261123z", 23, significant=False, far=1e-5))
    shown = await answer_text(factory, "history")
    assert shown.startswith("No event was named; S261119b is this channel's newest.")
    assert "This channel's thread: S261119b" in shown
    other = await answer_text(factory, "history", CommandContext(TEAM, "C2", "U1"))
    assert other.startswith("No event was named; S261119b is the newest significant one.")


async def test_a_channels_low_significance_root_is_marked_and_the_significant_one_named(
    factory: Factory,
) -> None:
    await story(factory, "all mock lowsig")
    await post_roots(factory)
    shown = await answer_text(factory, "history")
    assert shown.startswith(
        "No event was named; LOW SIGNIFICANCE S261121d is this channel's newest."
        " Its newest significant one is S261119b."
    )


@pytest.mark.parametrize("words", ["observe ZTF done r 21.5", "observe ZTF", "mute", "ZTF done"])
async def test_where_two_events_may_be_meant_nothing_is_stored_before_one_is_named(
    factory: Factory, words: str
) -> None:
    await story(factory, "all mock lowsig")
    await post_roots(factory)
    shown = await answer_text(factory, words)
    assert "S261121d is this channel's newest." in shown and "one is S261119b." in shown
    assert "Nothing was changed: say which one, by its id." in shown
    for name in ("S261121d", "S261119b"):
        assert await factory.observations.for_event(*ASKER.channel, name) == ()
    named = await answer_text(factory, f"{words} S261119b")
    assert "S261119b" in named and "Nothing was changed" not in named
    in_thread = await answer_text(factory, words, replace(ASKER, thread_ts="S261121d.1"))
    assert "S261121d" in in_thread and "Nothing was changed" not in in_thread


async def test_a_channel_with_mocks_alone_means_its_mock(factory: Factory) -> None:
    await subscribe(factory, "all mock", "C1")
    await record_notices(factory, dated("MS261122e", 22))
    await post_roots(factory)
    await record_notices(factory, dated("S261001a", 1), live=False)
    shown = await answer_text(factory, "history")
    assert shown.startswith("No event was named; MOCK MS261122e is this channel's newest.")


async def test_mocks_hide_no_real_event_of_a_channel(factory: Factory) -> None:
    await subscribe(factory, "all mock", "C1")
    mocks = [dated(f"MS2611{20 + n // 26}{chr(97 + n % 26)}", 20 + n // 26) for n in range(MAX_ROOTS + 1)]
    await record_notices(factory, [dated("S261118a", 18), *mocks])
    await post_roots(factory)
    shown = await answer_text(factory, "history")
    assert shown.startswith("No event was named; S261118a is this channel's newest.")


async def test_a_thread_that_is_no_events_means_the_channels_newest(factory: Factory) -> None:
    await story(factory)
    await post_roots(factory)
    shown = await answer_text(factory, "history", replace(ASKER, thread_ts="12345.678"))
    assert shown.startswith("No event was named; S261119b is this channel's newest.")


async def test_an_event_that_is_named_is_answered_in_any_thread(factory: Factory) -> None:
    await story(factory)
    await post_roots(factory)
    shown = await answer_text(factory, "S261118a history", replace(ASKER, thread_ts="S261119b.1"))
    assert shown.startswith("S261118a: 1 notice") and "This channel's thread: S261118a" in shown


async def test_without_significant_events_the_answer_says_what_it_is_about(factory: Factory) -> None:
    assert "No event was received yet that still stands" in await answer_text(factory, "history")
    await record_notices(factory, dated("MS261122e", 22))
    assert "There is no real event; MOCK MS261122e is the newest mock." in await answer_text(
        factory, "history"
    )
    await record_notices(factory, dated("S261121d", 21, significant=False, far=1e-5))
    shown = await answer_text(factory, "history")
    assert shown.startswith(
        "No event was named, and none is significant; LOW SIGNIFICANCE S261121d is the newest."
    )


async def test_the_shared_answer_names_the_event_that_was_chosen(factory: Factory) -> None:
    await story(factory)
    router = factory.create_command_router(Clock())
    message = await router.dispatch("history", ASKER)
    (button,) = [b for block in message.blocks if block["type"] == "actions" for b in block["elements"]]
    assert button["value"] == "history S261119b"


async def test_where_all_events_are_retracted_the_answer_says_that_none_stands(factory: Factory) -> None:
    await record_notices(factory, [dated("S261120c", 20), decoded_notice("S261120c", "RETRACTION", 5)])
    for words in ("history", "candidates", "check 10 20", "how far is it"):
        assert "one that was retracted has to be named" in await answer_text(factory, words), words


async def test_latest_is_the_newest_significant_event_that_stands_and_says_what_was_retracted(
    factory: Factory,
) -> None:
    await story(factory)
    shown = await answer_text(factory, "latest")
    assert shown.startswith("S261120c, which is newer, was retracted.") and "S261119b" in shown
    assert "S261121d" in await answer_text(factory, "latest lowsig")
    assert "RETRACTED · S261120c" in await answer_text(factory, "latest retracted")


async def test_who_observes_is_what_the_channels_people_say(factory: Factory) -> None:
    await story(factory)
    await post_roots(factory)
    assert "nobody of this channel has reported" in await answer_text(factory, "who is observing?")
    await factory.observers.toggle(TEAM, "C1", "S261119b", "U0WATCHER", Clock()())
    shown = await answer_text(factory, "who is observing S261119b")
    assert "S261119b" in shown and "U0WATCHER" in shown


async def test_who_has_it_is_what_the_channels_message_says(factory: Factory) -> None:
    await story(factory)
    await post_roots(factory)
    for words in ("who has it", "has anybody got it?", "who's on it"):
        shown = await answer_text(factory, words)
        assert "nobody has it and nobody has said that they observe it" in shown, words
    await factory.observers.toggle(TEAM, "C1", "S261119b", "U0WATCHER", Clock()())
    await factory.acknowledgements.acknowledge(TEAM, "C1", "S261119b", "U0HASIT", Clock()())
    shown = await answer_text(factory, "who has it?")
    assert "On it: " in shown and "U0HASIT" in shown and "U0WATCHER" in shown


async def test_slack_that_gives_no_address_keeps_no_answer_waiting(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.commands.event_questions.PERMALINK_TIMEOUT_S", 0.01)
    await story(factory)
    await post_roots(factory)

    async def slow(_team: str, _channel: str, _ts: str) -> str | None:
        await asyncio.sleep(60)
        return None

    async def none(_team: str, _channel: str, _ts: str) -> str | None:
        return None

    for permalink in (slow, none, None):
        router = factory.create_command_router(Clock(), get_permalink=permalink)
        shown = message_text.render(await router.dispatch("S261119b history", ASKER))
        assert shown.startswith("S261119b: 1 notice") and "thread" not in shown


async def test_an_address_is_asked_of_slack_once() -> None:
    asked: list[str] = []

    class Client:
        async def permalink(self, channel: str, ts: str) -> str | None:
            asked.append(ts)
            return None if ts == "0" else f"https://example.slack.com/{channel}/{ts}"

    get = create_permalinks(cast(Mapping[str, SlackClient], {"T1": Client()}))
    assert [await get("T1", "C1", "1") for _ in range(3)] == ["https://example.slack.com/C1/1"] * 3
    assert [await get("T1", "C1", "0") for _ in range(2)] == [None, None]
    assert await get("T2", "C1", "1") is None
    assert asked == ["1", "0", "0"]


@pytest.mark.parametrize("words", ["compare S261118a", "compare with S261118a", "S261118a vs this"])
async def test_in_an_events_thread_another_one_is_compared_with_it(factory: Factory, words: str) -> None:
    await story(factory)
    await post_roots(factory)
    shown = await answer_text(factory, words, replace(ASKER, thread_ts="S261119b.1"))
    assert shown.startswith("S261119b and S261118a compared")
    asked = await answer_text(factory, "compare S261118a")
    assert "name two events: compare S261118a and the other's id" in asked
