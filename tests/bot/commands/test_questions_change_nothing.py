"""A question mark behind words that would act: nothing is changed, and what stands is said."""

from __future__ import annotations

import pytest

from bot.app.factory import Factory
from bot.commands.question_cleaning import is_question
from formatters.models.notice import Notice
from formatters.models.pointing import Telescope
from tests.bot.commands.test_observe import ASKER, THERE, answer_text, stored
from tests.bot.commands.test_observe import event as event
from tests.bot.commands.test_observe import paranal as paranal
from tests.support.factories import NOW


@pytest.mark.parametrize(
    "words",
    [
        "Paranal done?",
        "observe Paranal done r 21 ?",
        "observe Paranal done? 🙏",
        "observe Paranal cancel？",
        "observe is Paranal done",
        "has Paranal observed it?",
        "obs Paranal done r 21.5 ?!",
        "Paranal done? {event}",
        "observe Paranal done r 21 ? {event}!",
        "{event} Paranal done? 🙏",
    ],
)
async def test_a_question_reports_nothing(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    text = await answer_text(factory, words.format(event=event.superevent_id), hours=21)
    assert await stored(factory, event) == before
    assert "Nothing was changed" in text or "Paranal planned · 4 fields" in text


@pytest.mark.parametrize("words", ["mute?", "mute this?", "unmute?", "mute? {event}", "unmute? {event}"])
async def test_a_question_mutes_nothing(factory: Factory, event: Notice, words: str) -> None:
    if words.startswith("un"):
        await answer_text(factory, "mute")
    before = await factory.mutes.mute(*ASKER.channel, event.superevent_id, "U0OTHER", NOW)
    if not words.startswith("un"):
        await factory.mutes.unmute(*ASKER.channel, event.superevent_id, "U0OTHER", NOW)
    assert "Nothing was changed" in await answer_text(factory, words.format(event=event.superevent_id), THERE)
    after = await factory.mutes.mute(*ASKER.channel, event.superevent_id, "U0OTHER", NOW)
    assert before is not None and after is not None
    assert after.has_changed == (not words.startswith("un"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            ("done?", True),
            ("done? please", True),
            ("done ? 👍🏽", True),
            ("was?done", False),
            ("?" * 90, True),
        ),
        *(("", False), ("who? me", False), ("done\n197.4 -23.4", False), ("could you mute it?", False)),
        *(("@gwevent would you unmute this?", False), ("can we mute it?", True)),
    ],
)
def test_what_ends_as_a_question_is_one(text: str, expected: bool) -> None:
    assert is_question(text) is expected


@pytest.mark.parametrize(
    "words",
    ["was {event} observed", "is {event} done", "nobody observed {event}", "anyone observing {event}"],
)
async def test_who_observed_is_answered_where_no_telescope_is_named(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, words.format(event=event.superevent_id), hours=21)
    assert "Paranal planned · 4 fields" in text


@pytest.mark.parametrize("words", ["Paranal plan", "Paranal, plan", "Paranal Plan?"])
async def test_a_site_before_the_word_plan_is_planned_for(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    assert "Plan for Paranal" in await answer_text(factory, words)
    assert not await stored(factory, event)
