"""The commands `mute` and `unmute`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.channel_history import ChannelHistory
from formatters.models.event_action import EventAction
from formatters.terminal import message_text
from tests.support.factories import NOW, REAL, TEAM, Clock, decoded_notice, record_notices, subscribe

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
OTHER = CommandContext(TEAM, "C1", "U0OTHER")


async def said(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    answer = await factory.create_command_router(Clock()).dispatch(words, context)
    return message_text.render(answer)


async def is_muted(factory: Factory, channel: str = "C1") -> bool:
    done = await factory.mutes.unmute(TEAM, channel, "S0", "U1", NOW)
    assert done is None
    outcome = await factory.mutes.mute(TEAM, channel, REAL, "U1", NOW)
    assert outcome is not None
    if outcome.has_changed:
        await factory.mutes.unmute(TEAM, channel, REAL, "U1", NOW)
    return not outcome.has_changed


@pytest.fixture
async def event(factory: Factory, confirmation_without_wait: None) -> str:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, [decoded_notice()])
    return REAL


@pytest.mark.parametrize(
    "words",
    [
        "mute {}",
        "{} mute",
        "mute {} please",
        "mute this event {}",
        "MUTE {}",
        "mute on {}",
        "please mute {}",
        "could you mute {}?",
    ],
)
async def test_an_event_is_muted_in_either_order(factory: Factory, event: str, words: str) -> None:
    answer = await said(factory, words.format(event))
    assert f"{event}: it is now muted here, since" in answer and "except a retraction" in answer
    assert await is_muted(factory)


@pytest.mark.parametrize("words", ["unmute {}", "{} unmute", "mute {}", "mute off {}", "mute {} undo"])
async def test_a_mute_is_undone_by_the_same_word_and_by_others(
    factory: Factory, event: str, words: str
) -> None:
    await said(factory, f"mute {event}")
    assert f"{event}: it is no longer muted here" in await said(factory, words.format(event), OTHER)
    assert not await is_muted(factory)


async def test_without_an_event_it_is_the_channels_newest_and_the_answer_says_which(
    factory: Factory, event: str
) -> None:
    assert event in await said(factory, "mute")
    assert await is_muted(factory)


@pytest.mark.parametrize("words", ["mute BBH {}", "mute {} for 2 hours", "mute all {}", "unmute {} 3"])
async def test_what_is_not_understood_mutes_nothing_and_says_so(
    factory: Factory, event: str, words: str
) -> None:
    answer = await said(factory, words.format(event))
    assert "isn't understood, and nothing was muted" in answer
    assert not await is_muted(factory)


async def test_a_typing_error_is_never_taken_for_mute(factory: Factory, event: str) -> None:
    await said(factory, f"mutte {event}")
    await said(factory, f"{event} unmut")
    assert not await is_muted(factory)


async def test_elsewhere_there_is_nothing_to_mute(factory: Factory, event: str) -> None:
    for channel in ("C2", "D1"):
        answer = await said(factory, f"mute {event}", CommandContext(TEAM, channel, "U0ASKER"))
        assert "no message in this channel, so there is nothing to mute here" in answer
    assert "type this in Slack" in await said(factory, f"mute {event}", None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("silence this event", "Did you mean /gwevent mute?"),
        ("stop these replies", "Did you mean /gwevent mute?"),
        ("stop this", "Did you mean /gwevent unsubscribe?"),
        ("how do I mute an event", "mute S230518h"),
        ("muted", "Did you mean /gwevent mute?"),
    ],
)
async def test_a_sentence_near_it_is_shown_the_word_and_mutes_nothing(
    factory: Factory, event: str, words: str, expected: str
) -> None:
    assert expected in await said(factory, words)
    assert not await is_muted(factory)


async def test_a_second_unmute_is_told_that_nothing_was_muted(factory: Factory, event: str) -> None:
    assert "it isn't muted here" in await said(factory, f"unmute {event}")


async def test_help_has_a_page_for_it(factory: Factory) -> None:
    for word in ("mute", "unmute", "silence"):
        assert "mute S230518h" in await said(factory, f"help {word}")
    assert "mute" in await said(factory, "help")


async def test_the_channels_history_shows_mutes_between_the_changes(factory: Factory, event: str) -> None:
    await said(factory, f"mute {event}")
    await said(factory, "subscriptions pause 1", OTHER)
    await factory.mutes.unmute(TEAM, "C1", event, "U0OTHER", NOW + timedelta(minutes=5))
    history = await said(factory, "subscriptions history")
    lines = [line for line in history.splitlines() if "·" in line]
    assert lines[0].endswith(f"{event} unmuted") and "5:00" in lines[0]
    assert any(line.endswith(f"{event} muted") for line in lines[1:]) and "U0ASKER" in history
    assert any("subscription 1 paused" in line for line in lines[1:])


async def test_the_pages_of_a_history_hold_each_entry_once(factory: Factory, event: str) -> None:
    for minute in range(13):
        at = NOW + timedelta(minutes=minute)
        await factory.mutes.toggle(TEAM, "C1", event, "U1", at)
        await factory.subscriptions.pause(TEAM, "C1", 1, ChangeAuthor("U1", at), resume=minute % 2 == 1)
    pages = [await ChannelHistory(factory.database).page(TEAM, "C1", page) for page in (1, 2, 3, 4)]
    assert {total for _, total in pages} == {27} and [len(found) for found, _ in pages] == [10, 10, 7, 0]
    times = [
        one.at if isinstance(one, EventAction) else one.changed_at for found, _ in pages for one in found
    ]
    assert times == sorted(times, reverse=True)
