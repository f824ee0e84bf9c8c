"""Words that are offered as a telescope's name, and those that surely are none."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.observe_sentences import read_observe_sentence, report_without_details
from bot.commands.telescope_names import (
    is_doubtful_name,
    is_named_telescope,
    is_no_telescope,
    is_telescope,
    telescopes_at_start,
)
from formatters.models.notice import Notice
from formatters.models.pointing import Telescope
from tests.bot.commands.test_observe import answer_text, stored
from tests.bot.commands.test_observe import event as event
from tests.bot.commands.test_observe import paranal as paranal
from tests.bot.commands.test_time_words import NAMES

OF_THE_SENDER = ["MyScope", "T80", "S50", "Nickel", "C11", "CSST", "Lulin"]
NOT_TELESCOPES = [
    *("Monday", "Nov28", "Tonight", "Twilight", "UTC", "T0", "MJD61000"),
    *("R", "F160W", "r21", "i20.5"),
    *("Chile", "Namibia", "Madrid", "Europe"),
    *("M31", "NGC4993", "AT2017gfo", "2017gfo", "GRB230518A", "GW170817", "S230518h", "ZTF25abcdef"),
    *("H1", "L1", "H1L1V1", "O4", "O4b", "ER16"),
    *("LIGO", "Virgo", "KAGRA", "Telescope", "CCD", "Slack", "Clouds"),
]


@pytest.mark.parametrize("name", NOT_TELESCOPES)
def test_what_surely_is_something_else(name: str) -> None:
    assert is_no_telescope(name) and not is_telescope(name)


@pytest.mark.parametrize("name", OF_THE_SENDER)
def test_what_may_be_a_telescope_of_the_senders_own(name: str) -> None:
    assert not is_no_telescope(name) and not is_telescope(name)


@settings(deadline=None)
@given(
    st.sampled_from(["we", "I", "we have", ""]),
    st.sampled_from(["observed", "imaged", "covered"]),
    st.sampled_from(["it", "this", "the event"]),
    st.sampled_from(["on", "at", "with", "from", "by", "using", "through", "on the"]),
    st.sampled_from([*NOT_TELESCOPES, *NAMES]),
)
def test_what_surely_is_none_is_never_offered(who: str, verb: str, what: str, by: str, word: str) -> None:
    sentence = " ".join(f"{who} {verb} {what} {by} {word}".split())
    assert report_without_details(sentence) is None
    assert (
        report_without_details(sentence.title()) is None and report_without_details(sentence.upper()) is None
    )


@settings(deadline=None)
@given(
    st.sampled_from(["observed", "imaged"]),
    st.sampled_from(["with", "from"]),
    st.from_regex(r"[a-z]{3,9}", fullmatch=True),
)
def test_capitals_count_only_where_not_all_words_have_them(verb: str, by: str, word: str) -> None:
    assume(not is_telescope(word.strip()))
    assert report_without_details(f"WE {verb.upper()} IT {by.upper()} {word.strip().upper()}") is None


@pytest.mark.parametrize("name", OF_THE_SENDER)
async def test_a_telescope_of_the_senders_own_is_offered(factory: Factory, event: Notice, name: str) -> None:
    text = await answer_text(factory, f"we observed {event.superevent_id} with {name}")
    assert f'/gwevent observe "{name}" done {event.superevent_id}' in text


@pytest.mark.parametrize("when", ["on Monday", "yesterday", "last night", "on Nov 28", "in November"])
@pytest.mark.parametrize(
    "words", ["we observed it {}", "we observed it {} with Paranal", "Paranal observed it {}"]
)
async def test_a_report_that_tells_a_day_is_asked_for_its_time(
    factory: Factory, event: Notice, paranal: Telescope, words: str, when: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    text = await answer_text(factory, words.format(when), hours=21)
    assert "at what time? Write it like at 03:20 UTC" in text and '"' not in text
    assert await stored(factory, event) == before


@pytest.mark.parametrize(
    "words", ["observe {} done", "observe {} done r 21.5", "observe {} plan", "{} observe"]
)
@pytest.mark.parametrize("when", ["yesterday", "Monday", "last night", "Nov28"])
async def test_no_telescope_of_a_days_name_is_stored(
    factory: Factory, event: Notice, paranal: Telescope, words: str, when: str
) -> None:
    await answer_text(factory, words.format(when))
    assert await stored(factory, event) == ()


@pytest.mark.parametrize(
    "words", ["it was observed on Monday by Paranal", "it was observed by Paranal on Monday"]
)
async def test_a_time_before_the_telescope_hides_it_not(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    assert "“Monday”: at what time?" in await answer_text(factory, words)
    text = await answer_text(factory, words.replace("on Monday ", "").replace(" on Monday", ""))
    assert f"/gwevent observe Paranal done {event.superevent_id}" in text


@pytest.mark.parametrize("words", ["it was observed", "it was observed on Monday", "this was imaged by us"])
async def test_a_report_without_a_telescope_is_asked_which(
    factory: Factory, event: Notice, words: str
) -> None:
    text = await answer_text(factory, words)
    assert (
        f"Which telescope? Write its name too, as in /gwevent observe ZTF done {event.superevent_id}" in text
    )


@pytest.mark.parametrize(
    ("text", "names", "behind"),
    [
        ("Paranal is down", ("Paranal",), " is down"),
        ("the Dark Energy Camera's dome", ("Dark Energy Camera",), "'s dome"),
        ("Paranal - down", ("Paranal",), " - down"),
        ("Paranal \u2013 down", ("Paranal",), " \u2013 down"),
        ("Paranal: mount stuck", ("Paranal",), ": mount stuck"),
        ("Mount Wilson closed", ("Mount Wilson",), " closed"),
        ("ZTF, Keck and Palomar are", ("ZTF", "Keck", "Palomar"), " are"),
        ("ZTF and others", ("ZTF",), " and others"),
        ("NOT is down", ("NOT",), " is down"),
        ("not down", (), "not down"),
        ("Not down", (), "Not down"),
        ("fast work", (), "fast work"),
        ("of Paranal", (), "of Paranal"),
        ("", (), ""),
    ],
)
def test_the_telescopes_that_a_text_begins_with(text: str, names: tuple[str, ...], behind: str) -> None:
    assert telescopes_at_start(text) == (names, behind)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_names_and_what_stands_behind_them_are_of_the_text(text: str) -> None:
    names, behind = telescopes_at_start(text)
    assert text.endswith(behind) and all(name in text for name in names)


WORDS = [
    "not",
    "fast",
    "arc",
    "salt",
    "git",
    "int",
    "magic",
    "wise",
    "winter",
    "clay",
    "lick",
    "vista",
    "hale",
]


@settings(deadline=None)
@given(
    st.sampled_from([*WORDS, "stella", "shane", "alma", "john", "wilson"]),
    st.sampled_from(
        [
            *(
                "{} done",
                "{} finished",
                "{} cancelled",
                "{} done 2 r 21",
                "{} is done with it",
                "{} observed it",
            ),
            *("{} observed", "{} observed in r to 21", "it was observed by {}"),
            *("{} is down", "it was observed by {} in r", "{} cancelled because of clouds"),
        ]
    ),
)
def test_a_word_that_is_a_telescopes_name_too_names_none_in_small_letters(word: str, sentence: str) -> None:
    assert is_telescope(word) and not is_named_telescope(word)
    told = read_observe_sentence(sentence.format(word))
    # A sentence without a telescope is asked for one, and stores nothing.
    assert told is None or (not isinstance(told, str) and word not in f"{told.telescopes} {told.words}")


@pytest.mark.parametrize("name", ["ZTF", "FAST", "WINTER", "Winter", "Wise", "Keck", "NOT", "Mount Wilson"])
def test_a_name_with_its_capitals_names_a_telescope(name: str) -> None:
    assert is_named_telescope(name)


@pytest.mark.parametrize(
    "name", ["Winter", "Magic", "Wise", "Clay", "Lick", "Vista", "Hale", "Stella", "Shane"]
)
@pytest.mark.parametrize(
    "said", ["done", "finished!", "completed", "cancelled", "cancelled because of clouds"]
)
async def test_a_word_that_begins_a_sentence_stores_nothing(
    factory: Factory, event: Notice, paranal: Telescope, name: str, said: str
) -> None:
    assert is_doubtful_name(name)
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    for sentence in (f"{name} {said}", f"{name} {said}".upper()):
        text = await answer_text(factory, sentence, hours=21)
        assert text.startswith("Nothing was") and "/gwevent observe" in text
    assert await stored(factory, event) == before


@pytest.mark.parametrize(
    "words", ["{0} is not up at Paranal", "is {0} not visible from Paranal", "not up tonight"]
)
async def test_not_is_no_site_of_a_question(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    text = await answer_text(factory, words.format(event.superevent_id))
    assert "Visibility tonight" in text and "La Palma" not in text
