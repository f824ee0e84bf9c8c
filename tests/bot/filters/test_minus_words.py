"""A minus before a word isn't overlooked: "-BBH" never asks for BBH."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError, parse_criteria
from bot.filters.vocabulary import (
    DETECTOR_NAMES,
    EXTERNAL,
    OBSERVATORIES,
    PIPELINES,
    SIGNIFICANT,
    SWITCHES,
    VOCABULARY,
)

WORDS = sorted({*VOCABULARY, *SWITCHES, *PIPELINES, *OBSERVATORIES, *EXTERNAL, *SIGNIFICANT, *DETECTOR_NAMES})


@given(
    word=st.sampled_from(WORDS),
    minus=st.sampled_from(["-", "−", "–", "--"]),
    before=st.sampled_from(["", "CBC ", "BNS>0.5 "]),
    after=st.sampled_from(["", ">0.5", "=0.5"]),
)
def test_a_minus_before_a_word_is_refused(word: str, minus: str, before: str, after: str) -> None:
    with pytest.raises(FilterSyntaxError):
        parse_criteria(f"{before}{minus}{word}{after}")


def test_the_refusal_gives_the_right_spelling() -> None:
    with pytest.raises(FilterSyntaxError, match='write "not BBH" to leave it out'):
        parse_criteria("CBC -BBH")
