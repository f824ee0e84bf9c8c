"""Places by latitude and longitude, in the usual spellings; what has two readings is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.observing.places import (
    InvalidPlace,
    Place,
    distance_km,
    match_place,
    normalized_characters,
    refuse_decimal_commas,
)
from bot.observing.site_doubts import place_doubt
from formatters.models.observing import Site


def place(text: str) -> Place | None:
    text = normalized_characters(text)
    refuse_decimal_commas(text)
    found = match_place(text)
    assert found is None or found[1] == len(text), (text, found)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    "text",
    [
        "34.2 -116.9 1700",
        "34.2, -116.9, 1700",
        "34.2,-116.9,1700",
        "(34.2, -116.9) 1700m",
        "[34.2, -116.9, 1700]",
        "34.2 243.1 1700",
        "34.2N 116.9W 1700",
        "34.2n116.9w 1.7km",
        "N34.2 W116.9 1700 m",
        "116.9W 34.2N, 1700 metres",
        "34.2° N, 116.9° W, 1700 m",
        "34.2˚N 116.9ºW 1700masl",
        "34.2 deg north, 116.9 degrees west, elevation 1700 m",
        "34°12′00″N 116°54′00″W 1700m",
        "34°12’N 116°54’W 1700m",
        "34d12m00s N 116d54m00s W 1700",
        "34:12:00 −116:54:00 1700",
        "34:12 N 116:54 W 1700",
        "34 12 00 N 116 54 00 W 1700",
        "34 12.0 N 116 54.0 W 1700",
        "N 34 12 00 W 116 54 00 1700",
        "N 34 12 W 116 54 1700",
        "N 34.2 W 116.9 1700",
        "N34.2W116.9 1700m",
        "W 116°54′ N 34°12′ 1700m",
        "lat 34.2 lon –116.9 height 1700",
        "latitude: 34.2, longitude: -116.9, height: 1700 m",
        "lon=-116.9 lat=34.2 h=1700",
        "３４.２N 116.9W 1700",
        "34.2\u200bN\u00a0116.9W 1700",
    ],
)
def test_every_usual_spelling_of_a_place(text: str) -> None:
    found = place(text)
    assert found is not None
    assert (found.latitude, found.longitude, found.height) == pytest.approx((34.2, -116.9, 1700))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("45,98 7,78 3135", "“45,98” can be read in two ways: write 45.98 with a point"),
        ("45.98 7.78 3,135", "or 3135, if it is thousands"),
        ("45,98N 7,78E", "can be read in two ways"),
        ("10,20,30", "can be read in two ways"),
        ("34.2 -116.9", "needs a height in metres behind it, or letters (34.20N 116.90W)"),
        ("34.2 -116.9 S230518h", "could be a position on the sky"),
        ("-24.6S 70.4W", "a sign and a letter"),
        ("N34.2N 116.9W", "two latitudes"),
        ("N 34 12 00 W 116 54", "both numbers of a place alike"),
        ("34.2N -116.9", "both numbers of a place with their letters"),
        ("34.2N 12S", "two latitudes"),
        ("34.2E 12W", "two longitudes"),
        ("lat 34.2E lon 12", "E and W longitudes"),
        ("91 0 0", "A latitude of 91° doesn't exist"),
        ("-116.9 34.2 1700", "The latitude comes first: 34.2 -116.9?"),
        ("10 -181 0", "A longitude of -181° doesn't exist"),
        ("91N 10E", "A latitude of 91°"),
        ("10 20 9000", "isn't on this Earth's ground"),
        ("34:72:00 -116:54:00 10", "end before 60"),
        ("34:12.5:10 -116:54:00 10", "have no point"),
    ],
)
def test_what_means_no_one_place_is_refused_with_the_right_spelling(text: str, sentence: str) -> None:
    with pytest.raises(InvalidPlace) as caught:
        normalized = normalized_characters(text)
        refuse_decimal_commas(normalized)
        match_place(normalized)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "Palomar", "34.2", "34.2 S230518h", "N", "34.2 m", "P48 P60", "34d12m30S 18d2mE"]
)
def test_other_text_is_no_place(text: str) -> None:
    assert match_place(normalized_characters(text)) is None


degrees = st.integers(0, 89 * 3600)


@given(
    latitude=degrees,
    longitude=st.integers(0, 179 * 3600),
    south=st.booleans(),
    west=st.booleans(),
    height=st.integers(-400, 8000),
    spelling=st.sampled_from(["signs", "letters", "before", "colons", "spaces", "marks", "labels"]),
    separator=st.sampled_from([" ", ", "]),
    minus=st.sampled_from("-−–‐"),
)
def test_generated_places_come_back(
    latitude: int,
    longitude: int,
    south: bool,
    west: bool,
    height: int,
    spelling: str,
    separator: str,
    minus: str,
) -> None:
    def written(arcseconds: int, negative: bool, letters: str) -> str:
        decimal = f"{arcseconds / 3600:.6f}"
        sign, letter = minus if negative else "", letters[negative]
        d, m, s = arcseconds // 3600, arcseconds // 60 % 60, arcseconds % 60
        match spelling:
            case "signs":
                return f"{sign}{decimal}"
            case "letters":
                return f"{decimal}{letter.lower()}"
            case "before":
                return f"{letter} {decimal}"
            case "colons":
                return f"{sign}{d}:{m:02}:{s:02}"
            case "spaces":
                return f"{d} {m:02} {s:02} {letter}"
            case "marks":
                return f"{d}°{m:02}′{s:02}″ {letter}"
        return f"{'lat' if letters == 'NS' else 'lon'}={sign}{decimal}"

    text = separator.join([written(latitude, south, "NS"), written(longitude, west, "EW"), f"{height} m"])
    found = place(text)
    assert found is not None, text
    expected = (-latitude if south else latitude) / 3600, (-longitude if west else longitude) / 3600
    assert (found.latitude, found.longitude) == pytest.approx(expected, abs=1e-6)
    assert found.height == height


@given(
    whole=st.integers(0, 89), part=st.integers(0, 99), other=st.integers(0, 89), height=st.integers(0, 5000)
)
def test_decimal_commas_are_never_guessed(whole: int, part: int, other: int, height: int) -> None:
    for text in (
        f"{whole},{part} {other},5 {height}",
        f"{other}.5 {whole},{part} {height}",
        f"{whole},{part}N {other}E",
    ):
        with pytest.raises(InvalidPlace, match="two ways"):
            refuse_decimal_commas(normalized_characters(text))


@given(st.text("0123456789.,:+-−°'\" NSEWnsewdmlaton()", max_size=30))
def test_any_numbers_are_a_place_on_earth_or_refused(text: str) -> None:
    normalized = normalized_characters(text)
    try:
        refuse_decimal_commas(normalized)
        found = match_place(normalized)
    except InvalidPlace as error:
        assert str(error).endswith((".", "?"))
        return
    if found is not None:
        assert -90 <= found[0].latitude <= 90 and -180 <= found[0].longitude <= 180
        assert 0 < found[1] <= len(normalized)


def test_normalizing_twice_changes_nothing() -> None:
    text = "34°12′00″N  116°54’W −5 ３４"
    once = normalized_characters(text)
    assert normalized_characters(once) == once


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
def test_distance_is_symmetric_and_at_most_half_the_circumference(
    a: float, b: float, c: float, d: float
) -> None:
    there = distance_km(a, b, c, d)
    assert there == pytest.approx(distance_km(c, d, a, b), abs=1e-3) and 0 <= there < 20_020


def site(latitude: float, longitude: float, zone: str | None = None) -> Site:
    return Site(name="X", latitude=latitude, longitude=longitude, height=0, zone=zone)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (site(33.36, 116.86), "with the other sign of the longitude it would be at Palomar; as typed, it is"),
        (site(34.2, 116.9), "with the other sign of the longitude it would be 94 km from Palomar"),
        (site(24.63, -70.4), "with the other sign of the latitude it would be at Paranal"),
        (site(-16.51, 28.3), "with latitude and longitude swapped it would be at Teide"),
        (site(45.98, 7.78, "America/Los_Angeles"), "h from the clock of America/Los_Angeles"),
    ],
)
def test_a_position_that_looks_mistyped_is_doubted(typed: Site, sentence: str) -> None:
    assert sentence in (place_doubt(typed) or "")


@pytest.mark.parametrize(
    "typed",
    [
        site(33.36, -116.86),
        site(45.98, 7.78, "Europe/Zurich"),
        site(34.2, -116.9),
        site(-90, 0, "Antarctica/South_Pole"),
    ],
)
def test_a_plausible_position_is_not_doubted(typed: Site) -> None:
    assert place_doubt(typed) is None
