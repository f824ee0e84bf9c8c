"""What a sentence tells, as a type that no typed text can be taken for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.observe_sentences import read_observe_sentence, read_typed_report
from bot.commands.sentence_reports import ReportMeaning, SentenceReport
from formatters.models.notice import Notice
from formatters.models.pointing import Telescope
from tests.bot.commands.test_observe import answer_text, stored
from tests.bot.commands.test_observe import event as event
from tests.bot.commands.test_observe import paranal as paranal
from tests.support.factories import decoded_notice, record_notices


@pytest.mark.parametrize(
    ("sentence", "meaning", "telescopes", "words"),
    [
        ("we observed it with ZTF", ReportMeaning.OBSERVED, (), '"ZTF"'),
        ("we observed it with MyScope", ReportMeaning.OBSERVED, (), '"MyScope"'),
        ("ZTF observed it in r to 21.5", ReportMeaning.OBSERVED, (), "ZTF in r to 21.5"),
        ("it was observed by ZTF in r", ReportMeaning.OBSERVED, (), "ZTF in r"),
        ("ZTF is done with it r 21.5", ReportMeaning.OBSERVED, (), "ZTF r 21.5"),
        ("observed 3 fields with ZTF", ReportMeaning.OBSERVED, (), "3 fields with ZTF"),
        ("ZTF aborted because of clouds", ReportMeaning.GIVES_UP, ("ZTF",), "clouds"),
        ("done 12 r 21.5", ReportMeaning.NO_TELESCOPE, (), "12 r 21.5"),
        ("it was observed", ReportMeaning.NO_TELESCOPE, (), ""),
    ],
)
def test_what_a_sentence_tells(
    sentence: str, meaning: ReportMeaning, telescopes: tuple[str, ...], words: str
) -> None:
    told = SentenceReport(meaning=meaning, telescopes=telescopes, words=words)
    assert read_observe_sentence(sentence) == told


@settings(deadline=None)
@given(
    st.sampled_from(
        ["", "given up by", "by which telescope:", "gives up", "no telescope", "SentenceReport", "done"]
    ),
    st.text(max_size=60),
)
def test_typed_words_are_words_unless_they_begin_with_observed(start: str, text: str) -> None:
    """A sentence within them may still tell that a telescope observed; nothing else is read into them."""
    typed = f"{start} {text}"
    found = read_typed_report(typed)
    assert found == typed or (isinstance(found, SentenceReport) and found.meaning is ReportMeaning.OBSERVED)


@pytest.mark.parametrize(
    "typed", ["given up by Paranal: clouds", "given up by Paranal:", "by which telescope: done 12 r 21.5"]
)
async def test_no_typed_text_passes_for_what_a_sentence_tells(
    factory: Factory, event: Notice, paranal: Telescope, typed: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    text = await answer_text(factory, f"observe {typed}", hours=21)
    assert "To give up the plan" not in text and "Which telescope? Write its name too" not in text
    assert await stored(factory, event) == before


@pytest.mark.parametrize(
    "words", ["observed Paranal r 21", "observe observed Paranal r 21", "Paranal observed r 21"]
)
async def test_observed_tells_also_behind_the_commands_word(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    assert "which fields were observed isn't said" in await answer_text(factory, words, hours=21)


@pytest.mark.parametrize(
    "words",
    [
        *("Paranal loves {0}", "Paranal is slewing to {0}", "Paranal started {0}", "frob Paranal {0}"),
        *("Paranal did not find anything in {0}", "Paranal was looking at other areas {0}"),
        *("Paranal frobnicated {0} tonight", "{0}: the night shift of Paranal likes cookies"),
        *("Paranal is no longer closed {0}", "Paranal has news {0}", "Paranal is observing {0}"),
        *("is Paranal down {0}", "are there clouds at Paranal {0}"),
    ],
)
async def test_what_else_is_said_of_a_telescope_is_answered_with_the_commands(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    name = event.superevent_id
    text = await answer_text(factory, words.format(name), hours=21)
    assert text.startswith("Nothing was stored, since what that says of Paranal isn't clear.")
    commands = ["Paranal done ", "Paranal cancel ", "Paranal plan ", "Paranal ", ""]
    shown = [text.index(f"/gwevent observe {command}{name}") for command in commands]
    assert len(set(shown)) == len(commands)
    assert await stored(factory, event) == before
    for command in commands:
        assert "Nothing was stored" not in await answer_text(factory, f"observe {command}{name}", hours=21)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("Paranal {0}", "Visibility tonight"),
        ("Paranal and Keck {0}", "Visibility tonight"),
        ("Paranal is up {0} tonight", "Visibility tonight"),
        ("is {0} visible from Paranal", "Visibility tonight"),
        ("is Paranal on {0}", "Visibility tonight"),
        ("Paranal distance {0}", "luminosity distance"),
        ("is {0} not real", "not retracted"),
        ("Not real {0}", "not retracted"),
        ("frobnicate {0}", "I don't understand “frobnicate”"),
        ("fast frob {0}", "I don't understand “fast frob”"),
        ("is Paranal down? {0}", "nobody of this channel has reported"),
        ("{0} was observed on Monday", "nobody of this channel has reported"),
    ],
)
async def test_questions_and_other_words_are_read_as_before(
    factory: Factory, event: Notice, words: str, shown: str
) -> None:
    assert shown in await answer_text(factory, words.format(event.superevent_id))


@pytest.mark.parametrize(
    "words", ["Paranal is down Trigger1", "Paranal is slewing to Trigger1", "done 12 r Trigger1"]
)
async def test_an_id_in_another_form_is_the_events_also_in_a_sentence(
    factory: Factory, event: Notice, words: str
) -> None:
    await record_notices(factory, [decoded_notice("Trigger1")])
    text = await answer_text(factory, words)
    assert "Trigger1" in text and event.superevent_id not in text and "Trigger1 Trigger1" not in text


@settings(deadline=None)
@given(
    st.sampled_from(
        ["on Monday", "yesterday", "last night", "at 03:20 UTC", "on Nov 28 at 03:20", "this morning"]
    ),
    st.sampled_from(["ZTF observed it in r to 21", "we observed it with ZTF", "it was observed by ZTF"]),
)
def test_a_time_is_read_before_the_sentence_as_behind_it(time: str, sentence: str) -> None:
    before, alone = read_observe_sentence(f"{time}, {sentence}"), read_observe_sentence(sentence)
    assert isinstance(before, SentenceReport) and isinstance(alone, SentenceReport)
    assert (before.meaning, before.words) == (alone.meaning, f"{alone.words} {time}")


@pytest.mark.parametrize("said", ["for tonight", "for now", "for today", "for the night", "for good"])
async def test_who_is_done_for_the_night_has_not_done_all(
    factory: Factory, event: Notice, paranal: Telescope, said: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    for verb in ("done", "finished"):
        text = await answer_text(factory, f"Paranal {verb} {said}", hours=21)
        assert "Nothing was stored, since what that says of Paranal isn't clear." in text
    assert await stored(factory, event) == before


@pytest.mark.parametrize(
    "before", ["I think", "we believe that", "apparently", "seems that", "somebody said"]
)
async def test_who_is_not_sure_names_no_site(
    factory: Factory, event: Notice, paranal: Telescope, before: str
) -> None:
    before_it = await stored(factory, event)
    text = await answer_text(factory, f"{before} ZTF observed it", hours=21)
    assert text.startswith("Nothing was stored, since what that says of ZTF isn't clear.")
    assert await stored(factory, event) == before_it
    for asked in ("can it be observed from Paranal", "which part can be observed at Paranal tonight"):
        assert (await answer_text(factory, asked)).startswith("Visibility tonight")


@pytest.mark.parametrize("last", ["for", "with", "on", "because of", "due to", "until", "12 r and", "but"])
async def test_a_sentence_that_breaks_off_stores_nothing(
    factory: Factory, event: Notice, paranal: Telescope, last: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    for end in ("", ".", " …", "…", "-"):
        text = await answer_text(factory, f"Paranal done {last}{end}", hours=21)
        assert "Nothing was stored, since what that says of Paranal isn't clear." in text
    assert await stored(factory, event) == before


@pytest.mark.parametrize(
    "words",
    [
        *("observing plan", "observation plan {0}", "observing schedule Paranal", "plan to observe {0}"),
        *("plan and observe", "plan how to observe {0}", "plan not to observe", "Observing plans Paranal"),
    ],
)
async def test_who_speaks_of_a_plan_makes_none(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    assert "Plan for Paranal" in await answer_text(factory, words.format(event.superevent_id))
    assert await stored(factory, event) == before


@pytest.mark.parametrize(
    "words",
    [
        *(
            "was {0} observed by Paranal",
            "has {0} been observed by Paranal",
            "was {0} observed by Paranal in r",
        ),
        *("was it observed by Paranal", "did we observe {0} with Paranal", "when did Paranal observe it"),
        *("which fields has Paranal observed", "when was {0} observed", "what did we observe last night"),
        *(
            "{0} not observed",
            "{0} NOT observed yet",
            "not yet observed",
            "has it been observed with Paranal in r",
        ),
    ],
)
async def test_who_asks_what_was_observed_is_shown_it(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    text = await answer_text(factory, words.format(event.superevent_id), hours=21)
    assert text.startswith(f"Observations of {event.superevent_id}") and "Paranal planned" in text


def test_lines_of_fields_stay_lines_behind_observed() -> None:
    told = read_typed_report("observed ZTF r 21\n197.45 -23.38\n198 -23")
    assert told == SentenceReport(meaning=ReportMeaning.OBSERVED, words="ZTF r 21\n197.45 -23.38\n198 -23")


@pytest.mark.parametrize(
    "sentence",
    ["ZTF observed it", "Paranal done", "Paranal is down", "ZTF cancelled", "I think ZTF observed it"],
)
@pytest.mark.parametrize("quoted", ['"{}"', "\u201c{}\u201d", "\u2018{}\u2019", '"{}" !'])
async def test_what_is_quoted_reports_nothing(
    factory: Factory, event: Notice, paranal: Telescope, sentence: str, quoted: str
) -> None:
    await answer_text(factory, "observe Paranal plan 4")
    before = await stored(factory, event)
    text = await answer_text(factory, quoted.format(sentence), hours=21)
    assert "/gwevent observe" not in text
    assert await stored(factory, event) == before


@pytest.mark.parametrize("words", ["ZTF telescope", "the ZTF observatory", "ZTF"])
@pytest.mark.parametrize("said", ["{} observed it", "{} observed the sky", "{} observed the field"])
async def test_general_words_behind_an_instrument_make_it_no_site(
    factory: Factory, event: Notice, words: str, said: str
) -> None:
    text = await answer_text(factory, said.format(words))
    assert text.startswith("Nothing was stored") and "Palomar" not in text
