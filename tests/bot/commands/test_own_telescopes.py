"""Sentences that begin with a telescope that only the channel knows: "MyDome done 12 r 21.5"."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.observe_sentences import read_observe_sentence
from bot.commands.sentence_reports import ReportMeaning, SentenceReport
from bot.commands.telescope_names import (
    is_named_telescope,
    is_no_telescope,
    is_telescope,
    own_names,
    telescopes_at_start,
)
from formatters.models.notice import Notice
from tests.bot.commands.test_observe import CANCELLED, DONE, PLANNED, THERE, answer_text, states, stored
from tests.bot.commands.test_observe import event as event

NAME = "Old Mill 0.6m"
OTHERS = replace(THERE, channel_id="C2", thread_ts=None)


@pytest.fixture
async def old_mill(factory: Factory, event: Notice) -> str:
    """A site of C1 that no table knows, with a plan of three fields."""
    added = await answer_text(factory, f'sites add "{NAME}" -24.6 -70.4 2600m fov 1deg circle')
    assert f"{NAME} added" in added
    assert f"{NAME} plans 3 fields" in await answer_text(factory, f"observe {NAME} plan 3")
    return NAME


@pytest.mark.parametrize(
    "typed", [NAME, "old mill 0.6m", "OLD MILL 0.6M", "Old-Mill 0.6m", "the Old Mill 0.6m"]
)
async def test_what_it_has_done_is_stored(factory: Factory, event: Notice, old_mill: str, typed: str) -> None:
    text = await answer_text(factory, f"{typed} done 2 r 21.5", hours=21)
    assert f"{NAME} has done 2 fields in r to 21.5 mag" in text
    assert (NAME, DONE, 2) in states(await stored(factory, event))


@pytest.mark.parametrize("before", ["", "{event} ", "{event}: "])
@pytest.mark.parametrize("said", ["is down", "clouded out", "has clouds", "can't open"])
async def test_who_says_that_it_gives_up_gets_the_command(
    factory: Factory, event: Notice, old_mill: str, said: str, before: str
) -> None:
    typed = f"{before.format(event=event.superevent_id)}{NAME} {said}"
    text = await answer_text(factory, typed, hours=21)
    assert f"To give up the plan of {NAME}: /gwevent observe" in text
    assert states(await stored(factory, event)) == [(NAME, PLANNED, 3)]


async def test_a_cancelled_plan_is_given_up(factory: Factory, event: Notice, old_mill: str) -> None:
    await answer_text(factory, f"{NAME} cancelled: clouds", hours=21)
    assert [one.status for one in await stored(factory, event)] == [CANCELLED]


async def test_a_question_stores_nothing(factory: Factory, event: Notice, old_mill: str) -> None:
    await answer_text(factory, f"{NAME} done?", hours=21)
    await answer_text(factory, f"{NAME} done? {event.superevent_id}", hours=21)
    assert states(await stored(factory, event)) == [(NAME, PLANNED, 3)]


@pytest.mark.parametrize("quoted", ['"{}"', "'{}'", "“{}”", "‘{}’", "{}"])
async def test_quotes_around_a_new_name_are_no_part_of_it(factory: Factory, quoted: str) -> None:
    text = await answer_text(factory, f"sites add {quoted.format(NAME)} -24.6 -70.4 2600m")
    assert text.startswith(f"{NAME} added")


async def test_another_channel_does_not_know_it(factory: Factory, event: Notice, old_mill: str) -> None:
    text = await answer_text(factory, f"{NAME} done 2 r 21.5", OTHERS, hours=21)
    assert "I don't understand" in text
    assert not await stored(factory, event, "C2")


@settings(deadline=None)
@given(
    st.lists(
        st.text("abcdefghijklmnopqrstuvwxyzäéñABCZ0123456789", min_size=1, max_size=9), min_size=1, max_size=3
    ),
    st.sampled_from([" ", "-", "  "]),
    st.sampled_from([str, str.lower, str.upper, str.title]),
)
def test_any_name_of_a_site_begins_a_report(words: list[str], between: str, how: object) -> None:
    assert callable(how)
    name = " ".join(words)
    own = own_names([name])
    assume(own and not is_telescope(name))
    typed = how(between.join(words))
    if not is_named_telescope(typed, own):
        # Letters that change their number in capitals make another name.
        assume(False)
    # A shorter name that gwevent knows by itself may stand at the beginning.
    named, behind = telescopes_at_start(f"{typed} is down", own)
    assume(named and not is_telescope(named[0]))
    assert behind == " is down"
    told = read_observe_sentence(f"{typed} is down", own)
    assert isinstance(told, SentenceReport) and told.meaning is ReportMeaning.GIVES_UP


@pytest.mark.parametrize(
    "name", ["r", "Dome", "it", "Monday", "T0", "12", "S1", "O4", "telescope", "Me", "Sky"]
)
def test_words_that_mean_something_else_are_no_names(name: str) -> None:
    assert not own_names([name])


def test_the_channels_city_may_be_its_telescope() -> None:
    assert is_no_telescope("Madrid") and own_names(["Madrid"]) == {"madrid"}
    assert telescopes_at_start("Madrid is down", own_names(["Madrid"])) == (("Madrid",), " is down")
    assert telescopes_at_start("Madrid is down") == ((), "Madrid is down")
