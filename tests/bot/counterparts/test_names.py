"""Which spellings of a candidate's name are one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.counterparts.names import (
    NAME_MAX,
    display_name,
    is_tns_designation,
    name_from_position,
    normalize_name,
    split_names,
)
from bot.runtime.typed_text import normalize_typed_text


@pytest.mark.parametrize(
    "spellings",
    [
        (
            "AT2017gfo",
            "at 2017gfo",
            "AT 2017gfo",
            "SN2017gfo",
            "2017gfo",
            "AT-2017gfo",
            "AT_2017GFO",
            "AT 2017 gfo",
            "`AT2017gfo`",
        ),
        ("ZTF23abidzvf", "ztf 23abidzvf", "ZTF-23abidzvf"),
        ("IceCube-230416A", "icecube 230416a"),
        ("J130948.0-232253", "j130948.0−232253", "J 130948.0-232253"),
    ],
)
def test_spellings_of_one_name(spellings: tuple[str, ...]) -> None:
    assert len({normalize_name(name) for name in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("J130948-232253", "J130948+232253"),
        ("AT2017gfo", "AT2017gfp"),
        ("NGC 4993-1", "NGC 49931"),
        ("NGC 1-234", "NGC 12-34"),
        ("GRB170817A", "EP170817A"),
    ],
)
def test_different_sources_have_different_names(one: str, other: str) -> None:
    assert normalize_name(one) != normalize_name(other)


def test_a_bare_designation_is_shown_with_its_prefix() -> None:
    assert display_name(" 2017gfo ") == "AT2017gfo"
    assert display_name("at  2017gfo") == "AT2017gfo"
    assert display_name("sn2017gfo") == "SN2017gfo"
    assert display_name("ZTF23\n<!here>") == "ZTF23 <!here>"
    assert is_tns_designation(normalize_name("AT 2017gfo")) and not is_tns_designation("ztf23abidzvf")


def test_several_names_of_one_source() -> None:
    assert split_names("SSS17a = AT2017gfo") == ("SSS17a", "AT2017gfo")
    assert split_names("AT2017gfo (DLT17ck, a.k.a. SSS17a)") == ("AT2017gfo", "DLT17ck", "SSS17a")
    assert split_names("AT2017gfo / SN 2017gfo") == ("AT2017gfo",)
    assert split_names(" ?! ") == ()


def test_name_of_a_position_is_cut_not_rounded() -> None:
    assert name_from_position(197.45, -23.381389) == "J130948.0-232253"
    assert name_from_position(359.999999, 89.99999) == "J235959.9+895959"
    assert name_from_position(0.0, -0.0001) == "J000000.0-000000"


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_has_one_normalized_name(text: str) -> None:
    name = normalize_name(text)
    assert len(name) <= NAME_MAX
    # What a person copies from a message comes in the spelling of typed text.
    assert all(normalize_name(normalize_typed_text(one)) == normalize_name(one) for one in split_names(text))
    assert all(len(one) <= NAME_MAX for one in split_names(text))
    assert all(normalize_name(one) for one in split_names(text))


@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))
@settings(deadline=None)
def test_every_position_has_a_name_that_stays_its_own(ra: float, dec: float) -> None:
    name = name_from_position(ra, dec)
    assert len(name) == len("J130948.0-232253") and split_names(name) == (name,)
