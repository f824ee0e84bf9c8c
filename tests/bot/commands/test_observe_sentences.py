"""What a sentence tells, as a type that no typed text can be taken for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.observe_sentences import read_observe_sentence, read_typed_report
from bot.commands.told_reports import Telling, ToldReport
from formatters.models.notice import Notice
from formatters.models.pointing import Telescope
from tests.bot.commands.test_observe import answer_text, stored
from tests.bot.commands.test_observe import event as event
from tests.bot.commands.test_observe import paranal as paranal


@pytest.mark.parametrize(
    ("sentence", "telling", "telescopes", "words"),
    [
        ("we observed it with ZTF", Telling.OBSERVED, (), '"ZTF"'),
        ("we observed it with MyScope", Telling.OBSERVED, (), '"MyScope"'),
        ("ZTF observed it in r to 21.5", Telling.OBSERVED, (), "ZTF in r to 21.5"),
        ("it was observed by ZTF in r", Telling.OBSERVED, (), "ZTF in r"),
        ("ZTF is done with it r 21.5", Telling.OBSERVED, (), "ZTF r 21.5"),
        ("observed 3 fields with ZTF", Telling.OBSERVED, (), "3 fields with ZTF"),
        ("ZTF aborted because of clouds", Telling.GIVES_UP, ("ZTF",), "clouds"),
        ("done 12 r 21.5", Telling.NO_TELESCOPE, (), "12 r 21.5"),
        ("it was observed", Telling.NO_TELESCOPE, (), ""),
    ],
)
def test_what_a_sentence_tells(
    sentence: str, telling: Telling, telescopes: tuple[str, ...], words: str
) -> None:
    told = ToldReport(telling=telling, telescopes=telescopes, words=words)
    assert read_observe_sentence(sentence) == told


@settings(deadline=None)
@given(
    st.sampled_from(
        ["", "given up by", "by which telescope:", "gives up", "no telescope", "ToldReport", "done"]
    ),
    st.text(max_size=60),
)
def test_typed_words_are_words_unless_they_begin_with_observed(start: str, text: str) -> None:
    """A sentence within them may still tell that a telescope observed; nothing else is read into them."""
    typed = f"{start} {text}"
    found = read_typed_report(typed)
    assert found == typed or (isinstance(found, ToldReport) and found.telling is Telling.OBSERVED)


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
