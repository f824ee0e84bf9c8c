"""The words of `sites add` about a telescope, as people type them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.errors import CommandError
from bot.commands.telescope_words import TelescopeWords, extract_telescope, site_without_telescope
from bot.observing.instruments import Instruments
from bot.runtime.typed_text import normalize_typed_text

INSTRUMENTS = Instruments()
MINUTE = timedelta(minutes=1)
WORDS = [
    *("fov", "field of view", "exposure", "overhead", "3min", "3", "45 s", "2x2deg", "1.1", "deg", "x"),
    *("circle", "ZTF", "Palomar", "34.2", "-116.9", "1700", ",", ":", "=", "of", "and", "none", "<@U1>"),
]
PLACE = "MyDome 34.2 -116.9 1700"


def read(words: str) -> tuple[str, TelescopeWords]:
    return extract_telescope(normalize_typed_text(words), INSTRUMENTS)


@pytest.mark.parametrize(
    "words",
    [
        "Palomar fov 2.2x2.2deg exposure 3min overhead 1min",
        "Palomar fov 2.2 x 2.2 deg, exposure 3 min, overhead 1 min",
        "Palomar fov: 2.2x2.2 deg exposure: 3 minutes overhead: 60 s",
        "Palomar FoV=2.2×2.2° exp=180s overhead=60sec",
        "Palomar field of view 2.2 x 2.2 deg exposure 3min overhead 1min",
        "Palomar field-of-view 2.2x2.2deg exptime 180s readout 60s",
        "Palomar exposure 3min overhead 1min fov 2.2x2.2deg",
        "Palomar overhead 1min fov 2.2x2.2deg exposure 3min",
        "fov 2.2x2.2deg Palomar exposure 3min overhead 1min",
        "exposure 3min overhead 1min fov 2.2x2.2deg Palomar",
        "Palomar 3 min exposure, 1 min overhead, fov 2.2x2.2deg",
        "Palomar 2.2 x 2.2 deg field of view, 3 min exposures, 1 min overhead",
        "Palomar fov 2.2x2.2deg 3min exposure overhead 1min",
        "Palomar fov 2.2x2.2deg exposure 3min 1min overhead",
        "Palomar with a field of view of 2.2 x 2.2 deg and an exposure of 3 min and overhead of 1 min",
        "Palomar, fov 2.2x2.2deg exposure 3 x 60 s per field overhead 1min",
        "Palomar fov 132' x 132' exposure time 3min slew time 1min",
        "Palomar fov2.2x2.2deg exposure 3min overhead 1min",
    ],
)
def test_order_and_spelling_are_free(words: str) -> None:
    rest, said = read(words)
    assert rest == "Palomar"
    assert said.footprint is not None and said.footprint.area == pytest.approx(4.8394, rel=1e-3)
    assert (said.exposure, said.overhead) == (3 * MINUTE, MINUTE)
    assert not said.is_removed


@pytest.mark.parametrize(
    ("words", "rest", "field"),
    [
        (f"{PLACE} fov 1.1deg circle", PLACE, "1.1deg circle"),
        (f"{PLACE} radio Europe/Paris fov 1.1deg circle", f"{PLACE} radio Europe/Paris", "1.1deg circle"),
        ("MyDome fov 1.1deg circle 34.2 -116.9 1700", PLACE, "1.1deg circle"),
        (f"fov 1.1deg circle {PLACE}", PLACE, "1.1deg circle"),
        (f"{PLACE} 1.1 deg circle fov", PLACE, "1.1 deg circle"),
        ("34.2N 116.9W 1700m fov 47 deg²", "34.2N 116.9W 1700m", "47 deg2"),
        ("ZTF fov ZTF", "ZTF", "ZTF"),
        ("Siding Spring fov tarot-chile", "Siding Spring", "TAROT Chile"),
        ("Palomar with a 47 sq deg field of view", "Palomar", "47 sq deg"),
        ("Dark Energy Camera fov Dark Energy Camera", "Dark Energy Camera", "DECam"),
    ],
)
def test_what_is_left_is_the_site(words: str, rest: str, field: str) -> None:
    found, said = read(words)
    assert found == rest
    assert said.footprint is not None and said.footprint.words == field
    assert said.exposure is None and said.overhead is None


@pytest.mark.parametrize(
    "words",
    [
        "Palomar",
        "Palomar, Keck",
        PLACE,
        "34.2S 116.9W 1700m",
        "33d21m22s -116d51m54s 1706",
        "Exposure Hill 34.2 -116.9 1700",
        "Footprint Hill 34.2 -116.9 1700",
        "Dark Energy Camera",
        "Hale Telescope",
        "x" * 1_000,
    ],
)
def test_sites_without_telescope_stay_as_they_are(words: str) -> None:
    assert read(words) == (words, TelescopeWords())
    assert not TelescopeWords()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("Palomar fov 0", "0° isn't"),
        ("Palomar fov 0deg circle", "0° isn't"),
        ("Palomar fov 400 deg", "400° isn't"),
        ("Palomar fov 400x1deg exposure 3min", "400° isn't"),
        ("Palomar fov 1 deg", "round or square"),
        ("Palomar fov 1 deg exposure 3min", "round or square"),
        ("Palomar fov 2x2", "has no unit"),
        ("Palomar fov", "Which field of view?"),
        ("Palomar fov exposure 3min", "Which field of view?"),
        ("Palomar fov FOOCAM", "“FOOCAM” is no instrument that I know; I know ATLAS"),
        ("Palomar fov dekam", "did you mean DECam?"),
        ("Palomar fov TAROT", "did you mean TAROT Calern, TAROT Chile or TAROT Réunion?"),
        ("Palomar fov one degree", "is no instrument that I know"),
        ("Palomar fov -1deg circle", "is no field of view"),
        ("Palomar fov 1deg circle fov 2deg circle", "gives two"),
        ("Palomar fov ZTF exposure 3", "takes a time with its unit, for example exposure 3min"),
        ("Palomar exposure 3", "takes a time with its unit"),
        ("Palomar exposure -3min", "takes a time with its unit"),
        ("Palomar fov ZTF exposure soon", "takes a time with its unit"),
        ("Palomar fov ZTF exposure 0s", "between 1 s and 4 h"),
        ("Palomar fov ZTF exposure 9h", "between 1 s and 4 h"),
        ("Palomar fov ZTF overhead 2h", "between 0 and 1 h"),
        ("Palomar fov ZTF exposure 1min exposure 2min", "one exposure, and this gives two"),
        ("Palomar fov none exposure 3min", "no exposure or overhead"),
    ],
)
def test_nonsense_gets_one_sentence(words: str, sentence: str) -> None:
    with pytest.raises(CommandError) as caught:
        read(words)
    assert sentence.replace("“", '"').replace("”", '"') in str(caught.value)
    assert len(str(caught.value)) < 350


def test_overhead_may_be_nothing() -> None:
    assert read("Palomar fov ZTF overhead 0")[1].overhead == timedelta(0)


def test_field_of_view_is_taken_away() -> None:
    assert read("Palomar fov none") == ("Palomar", TelescopeWords(is_removed=True))
    assert site_without_telescope("Palomar fov") == "Palomar"
    assert site_without_telescope("My Dome, field of view") == "My Dome"
    assert site_without_telescope("Hale Telescope") is None


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(WORDS),
        max_size=25,
    ).map(" ".join)
    | st.text(max_size=650)
)
def test_any_text_is_read_or_refused_with_a_sentence(words: str) -> None:
    try:
        rest, said = extract_telescope(words, INSTRUMENTS)
    except CommandError as error:
        assert 20 < len(str(error)) < 400
        return
    assert len(rest) <= max(len(words), 600)
    if said.exposure is not None:
        assert timedelta(seconds=1) <= said.exposure <= timedelta(hours=4)
    assert said.footprint is None or said.footprint.area > 0
