"""Names of criteria sets as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.criteria_names import find_sets, mentioned_sets
from bot.commands.errors import CommandError
from formatters.models.criteria_set import CriteriaSet, Grade


def sets(*slugs: str) -> dict[str, CriteriaSet]:
    return {slug: CriteriaSet(slug=slug, grades=(Grade("Gold", None),)) for slug in slugs}


KNOWN = sets("rubin-2026", "grandma", "ntt-kilonova", "ntt-grb", "only-bns")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("rubin-2026", ["rubin-2026"]),
        ("Rubin 2026", ["rubin-2026"]),
        ("Rubin", ["rubin-2026"]),
        ("rubin2026?", ["rubin-2026"]),
        ("rubin_2026", ["rubin-2026"]),
        ("ntt kilonova, Rubin and GRANDMA", ["ntt-kilonova", "rubin-2026", "grandma"]),
        ("only-bns only bns", ["only-bns"]),
        ("the criteria set “grandma”", ["grandma"]),
        ("", []),
    ],
)
def test_a_set_is_named_in_any_usual_spelling(text: str, names: list[str]) -> None:
    assert [one.slug for one in find_sets(text, KNOWN)] == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ntt", "“ntt” may be ntt-kilonova or ntt-grb: write the whole name."),
        (
            "granma",
            "There is no criteria set “granma”. Did you mean grandma? There are: rubin",
        ),
        ("rubin-2027", "Did you mean rubin-2026?"),
        ("rubn", "Did you mean rubin-2026?"),
        ("zzz", "There is no criteria set “zzz”. There are: rubin-2026"),
        ("rubin-2026 nonsense", "There is no criteria set “nonsense”."),
    ],
)
def test_what_names_no_set_gets_a_sentence(text: str, said: str) -> None:
    with pytest.raises(CommandError) as caught:
        find_sets(text, KNOWN)
    assert said in str(caught.value)


def test_an_error_names_a_dozen_sets_and_counts_the_rest() -> None:
    with pytest.raises(CommandError, match=r"a10, a11 and 8 more\.$"):
        find_sets("zzz", sets(*(f"a{n}" for n in range(20))))
    with pytest.raises(CommandError, match=r"There is none yet\.$"):
        find_sets("zzz", {})


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("would rubin trigger", ["rubin-2026"]),
        ("would Rubin 2026 trigger?", ["rubin-2026"]),
        ("why is it only silver", []),
        ("what's grandma's grade", ["grandma"]),
        ("would the ntt trigger", ["ntt-kilonova", "ntt-grb"]),
        ("would only-bns trigger", ["only-bns"]),
        ("would we trigger", []),
    ],
)
def test_a_sentence_names_sets_among_other_words(sentence: str, names: list[str]) -> None:
    assert [one.slug for one in mentioned_sets(sentence, KNOWN)] == names


@pytest.mark.slow
@pytest.mark.parametrize("text", ["a " * 3_000, "a" * 6_000, "rubin " * 1_000, "rubin-" * 1_000])
def test_a_long_text_is_refused_in_one_short_sentence(text: str) -> None:
    many = KNOWN | sets(*(f"set-{n}" for n in range(50)))
    with pytest.raises(CommandError) as caught:
        find_sets(text, many)
    assert len(str(caught.value)) < 400


@settings(deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_names_sets_or_gets_a_sentence(text: str) -> None:
    mentioned_sets(text, KNOWN)
    try:
        find_sets(text, KNOWN)
    except CommandError as error:
        assert str(error).endswith((".", "?"))
