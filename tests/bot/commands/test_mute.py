"""The commands `mute` and `unmute`."""

from __future__ import annotations

import pytest

from bot.app.factory import Factory
from bot.commands.context import CommandContext
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
    "words", ["mute {}", "{} mute", "mute {} please", "mute this event {}", "MUTE {}", "mute on {}"]
)
async def test_an_event_is_muted_in_either_order(factory: Factory, event: str, words: str) -> None:
    answer = await said(factory, words.format(event))
    assert f"{event}: it is muted here since" in answer and "but a retraction" in answer
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


async def test_a_second_unmute_is_told_that_nothing_was_muted(factory: Factory, event: str) -> None:
    assert "it isn't muted here" in await said(factory, f"unmute {event}")


async def test_help_has_a_page_for_it(factory: Factory) -> None:
    for word in ("mute", "unmute", "silence"):
        assert "mute S230518h" in await said(factory, f"help {word}")
    assert "mute" in await said(factory, "help")
