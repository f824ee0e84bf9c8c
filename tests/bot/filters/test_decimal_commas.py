"""A comma in a number: refused with the right spelling wherever it can be read in two ways."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError, parse_criteria, parse_filter
from bot.filters.limits import MAX_LENGTH
from bot.filters.tokens import tokenize
from bot.observing.site_references import resolve_site
from formatters.models.quantity import QUANTITIES

UNITS = {"probability": ("", "%"), "Mpc": ("", " Mpc", "Gpc"), "deg²": ("", "deg2"), "": ("",)}
TEMPLATES = [
    *(
        f"{name}{op}{{}}{unit}"
        for name, quantity in QUANTITIES.items()
        for unit in UNITS.get(quantity.unit, ("",))
        for op in ("<", ">= ", "=")
    ),
    *(f"far<{{}}{unit}" for unit in ("", "/yr", " per month", " Hz")),
    *(f"far<1/{{}}{unit}" for unit in ("yr", " day")),
    *("near 10 20 {}deg", "near {} 20 5deg", "near 10 {} 5deg", "near 10 20 {} arcmin"),
    *("near 10 20 5deg > {}", "visible from Palomar > {}"),
]
"""Every place of the language where a number may stand."""
templates = st.sampled_from(TEMPLATES)
digits = st.text("0123456789", min_size=1, max_size=4)


@given(templates, digits, digits)
def test_a_number_with_one_comma_is_refused_with_the_point_everywhere(
    template: str, whole: str, fraction: str
) -> None:
    for text in (template, f"BNS {template} notify @here", f"notify @here if {template}"):
        with pytest.raises(FilterSyntaxError) as refused:
            parse_criteria(text.format(f"{whole},{fraction}"), resolve_site)
        assert f"{whole}.{fraction}" in str(refused.value)
        assert len(str(refused.value)) < 150


@given(templates, digits)
def test_a_number_that_begins_with_a_comma_is_refused(template: str, fraction: str) -> None:
    with pytest.raises(FilterSyntaxError, match=f"0[.]{fraction}"):
        parse_criteria(template.format(f",{fraction}"), resolve_site)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("far<0,001/yr", '"0,001" isn\'t clear: write 0.001 with a point; commas separate words.'),
        ("distance<0,300 Gpc", '"0,300" isn\'t clear: write 0.300 with a point; commas separate words.'),
        ("BNS>0,5", '"0,5" isn\'t clear: write 0.5 with a point; commas separate words.'),
        ("area90<1,000", '"1,000" can be read in two ways: write 1.000 or 1000.'),
        ("near 10,20 5deg", '"10,20" can be read in two ways: write 10.20 or 10 20.'),
        ("distance<,5 Gpc", '",5" isn\'t clear: write 0.5 with a point.'),
        (
            "near 10,20,5deg",
            '"10,20,5" can be read in several ways: write numbers like 0.5, with blanks between.',
        ),
    ],
)
def test_the_sentence_has_the_right_spelling(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_filter(words)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("distance<1,234,567", "distance<1234567"),
        ("distance<1,000.5", "distance<1000.5"),
        ("near 197.45,-23.38 5deg", "near 197.45 -23.38 5deg>0.1"),
        ("near 197.45,23.38,5deg", "near 197.45 23.38 5deg>0.1"),
        ("near 13h09m48s,-23d22m53s,5deg", "near 197.45 -23.381389 5deg>0.1"),
        ("distance<300,area90<500", "distance<300 area90<500"),
        ("BNS>0.5, V1", "BNS>0.5 V1"),
        ("NSBH,V1", "NSBH V1"),
    ],
)
def test_a_comma_with_one_reading_stays(words: str, canonical: str) -> None:
    assert parse_filter(words).canonical == canonical


def read_or_none(read: Callable[[str], object], text: str) -> object:
    try:
        return read(text)
    except FilterSyntaxError:
        return None


@given(st.text("0123456789,. -dgeBNS><far/yr", max_size=30))
def test_taking_commas_for_blanks_or_points_never_gives_two_filters(text: str) -> None:
    """Whatever is accepted with commas is nothing else when they are read as decimal points."""
    found = read_or_none(parse_filter, text)
    if "," in text and found is not None:
        assert read_or_none(parse_filter, text.replace(",", ".")) in (None, found)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["1", "1.", "1,", ",", ".1", "1,x"])
def test_the_longest_row_of_digits_and_signs_takes_no_time(piece: str) -> None:
    with suppress(FilterSyntaxError):
        tokenize(piece * (MAX_LENGTH // len(piece)))
