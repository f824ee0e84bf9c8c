"""Positions in the spellings of observers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from astropy.coordinates import SkyCoord
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.runtime.typed_text import normalize_typed_text
from bot.skymaps.coordinates import InvalidPosition, match_position, parse_position

RA, DEC = (13 + 9 / 60 + 48 / 3600) * 15, -(23 + 22 / 60 + 53 / 3600)


@pytest.mark.parametrize(
    "text",
    [
        "13h09m48s -23d22m53s",
        "13H09M48S, -23D22M53S",
        "13h 09m 48s -23d 22m 53s",
        "13h09m48.0s-23d22m53.0s",
        "13ʰ09ᵐ48ˢ −23°22′53″",
        "13h09m48s -23°22'53\"",
        "13:09:48 -23:22:53",
        "13:09:48.00,-23:22:53.0",
        "13h09m48s -23:22:53",
        "13:09:48 -23d22m53s",
        "13 09 48 -23 22 53",
        "13 09 48.0, -23 22 53.0",
        "13 09.8 -23 22.883333333",
        "RA 13h09m48s Dec -23d22m53s",
        "ra=197.45 dec=-23.381388889",
        "RA: 197.45, Decl.: -23.381388889",
        "197.45 -23.381388889",
        "197.45d -23.381388889d",
        "197.45deg, -23.381388889deg",
        "197.45° −23.381388889°",
        "197d27m00s -23d22m53s",
        "197.45-23.381388889",
        "J130948.0-232253",
        "130948.00-232253.0",
        "130948.00 -232253.0",
        "J13094800-2322530",
        "13h09m48s.0 -23°22'53\".0",
        "13hr 09min 48sec -23deg 22arcmin 53arcsec",
        "13h09.8m -23d22.883333333m",
        "13h09m48s -23 22 53",
        "13.163333333333h -23.381388889",
        "RA(J2000) = 13h09m48s, Dec(J2000) = -23d22m53s",
        "RA (J2000): 13:09:48 Dec (J2000): -23:22:53",
        "R.A. = 13:09:48, Decl. = -23:22:53",
        "Right Ascension: 13:09:48 Declination: -23:22:53",
        "RA/Dec (J2000): 13:09:48 -23:22:53",
        "(RA, Dec) = (197.45, -23.381388889)",
        "RA, Dec = 197.45, -23.381388889",
        "RA=13 09 48 Dec=-23 22 53",
        "RAJ2000=197.45 DEJ2000=-23.381388889",
        "ra_deg=197.45, dec_deg=-23.381388889",
        "alpha_J2000 = 197.45 delta_J2000 = -23.381388889",
        "α=13h09m48s δ=−23°22′53″",
        "Dec -23.381388889 RA 197.45",
        "dec=-23:22:53, ra=13:09:48",
        "(197.45, -23.381388889)",
        "[197.45, -23.381388889]",
        '{"ra": 197.45, "dec": -23.381388889}',
        "ra=197.45&dec=-23.381388889",
        "1.9745e+02 -2.3381388889e+01",
        "13:09:48 -23:22:53 J2000",
        "13:09:48 -23:22:53 (J2000.0)",
        "13:09:48 -23:22:53, ICRS",
        "13:09:48 -23:22:53 equinox 2000.0",
        "ICRS 197.45 -23.381388889",
        "FK5: 13:09:48 -23:22:53",
        "197.45 -23.381388889 deg",
        "197.45 -23.381388889 deg ICRS",
        "１３：０９：４８ －２３：２２：５３",
    ],
)
def test_one_position_in_many_spellings(text: str) -> None:
    found = parse_position(text.split())
    assert found.ra == pytest.approx(RA, abs=1e-8)
    assert found.dec == pytest.approx(DEC, abs=1e-8)
    assert found.words_used == len(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("197.45 -23.38 40 Mpc", (197.45, -23.38, 2)),
        ("197 -23 5", (197, -23, 2)),
        ("12 30 5", (12, 30, 2)),
        ("12 30", (12, 30, 2)),
        ("12 30 -5 30 2deg", (187.5, -5.5, 4)),
        ("0h -00d30m", (0, -0.5, 2)),
        ("0h -00d30m 40 Mpc", (0, -0.5, 2)),
        ("0h -00°30' 5 deg", (0, -0.5, 2)),
        ("0h -00d30m 36 z=0.1", (0, -0.51, 3)),
        ("360 90 x", (0, 90, 2)),
        ("24h +90", (0, 90, 2)),
        ("1 2 3 4 5 6 7", ((1 + 2 / 60 + 3 / 3600) * 15, 4 + 5 / 60 + 6 / 3600, 6)),
        ("197.45, -23.38, 40", (197.45, -23.38, 2)),
    ],
)
def test_words_after_the_position_are_not_consumed(text: str, expected: tuple[float, float, int]) -> None:
    assert parse_position(text.split()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("400 10", "RA 400 isn't between 0° and 360°."),
        ("-12.5 10", "RA -12.5 isn't between 0° and 360°."),
        ("25h 10", "RA 25h isn't between 0h and 24h."),
        ("12 91", "Dec 91 isn't between −90° and +90°."),
        ("12 -90d00m01s", "Dec -90°00′01″ isn't between −90° and +90°."),
        ("24h00m00.5s 10", "RA 24h00m00.5s isn't between 0h and 24h."),
        ("l=308.4 b=90.0000001", "Galactic latitude 90.0000001 isn't between −90° and +90°."),
        ("13h60m 0", "RA has 60 minutes, and 60 is the next whole."),
        ("13:09:48 -23:22:61", "Dec has 61 seconds, and 60 is the next whole."),
        ("13:09:48 -23:22:53 B1950", "Positions in B1950 aren't converted; give RA and Dec in ICRS (J2000)."),
        ("RA(1950)=13:09:48 Dec(1950)=-23:22:53", "That is no position"),
        ("13:09:48 -23:22:53 J2016.5", "Positions in J2016.5 aren't converted"),
        ("308.4 39.3 supergalactic", "Positions in supergalactic aren't converted"),
        ("13:09:48 -23:22:53 galactic", "A galactic position is written like l=308.4 b=39.3, in degrees."),
        ("l=308.4 b=99", "Galactic latitude 99 isn't between −90° and +90°."),
        ("197.45 - 23.38", "“- 23.38” may be a minus or only a dash: write -23.38 or +23.38."),
        ("23.5d30m 10", "RA has 23.5 and minutes too: one of them has the fraction."),
        ("13:09.5:48 -23:22:11", "RA has 09.5 minutes and seconds too: one of them has the fraction."),
        *(
            (text, "That is no position; write it like")
            for text in ("", "12", "a b", "nan nan", "1e5 2", "🔭 🌌")
        ),
        *((text, "That is no position; write it like") for text in ("9" * 10_000, "' OR 1=1; --", "*1 _2")),
    ],
)
def test_invalid_position_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidPosition) as told:
        parse_position(text.split())
    assert str(told.value).startswith(reason)


@given(
    st.sampled_from(
        [("RA", "{} +10d", "h", 24), ("RA", "{} +10d00m00s", "d", 360), ("Dec", "12h {}", "d", 90)]
    ),
    st.integers(0, 2),
    st.integers(0, 59),
    st.integers(0, 59),
    st.integers(0, 99),
)
def test_what_is_called_outside_is_outside_as_it_is_written(
    case: tuple[str, str, str, int], beyond: int, minutes: int, seconds: int, hundredths: int
) -> None:
    said, typed, mark, limit = case
    value = limit + beyond + minutes / 60 + seconds / 3600 + hundredths / 360_000
    assume(value > limit)
    sign = "+" if said == "Dec" else ""
    text = typed.format(f"{sign}{limit + beyond}{mark}{minutes:02d}m{seconds:02d}.{hundredths:02d}s")
    with pytest.raises(InvalidPosition) as told:
        parse_position(text.split())
    shown = re.search(r"(?:RA|Dec) \+?([^ ]+) isn't between", str(told.value))
    assert shown is not None
    whole, *parts = [float(part) for part in re.split(r"[h°m′s″]", shown[1]) if part]
    assert whole + sum(part / 60 ** (n + 1) for n, part in enumerate(parts)) > limit


@pytest.mark.parametrize(
    "text",
    [
        "l=308.4 b=39.3",
        "l: 308.4, b: +39.3",
        "l 308.4 b 39.3",
        "(l, b) = (308.4, 39.3)",
        "glon=308.4 glat=39.3",
        "ℓ = 308.4° b = +39.3°",
        "308.4 +39.3 galactic",
        "308.4, 39.3 (gal)",
        "galactic 308.4 39.3",
        "Galactic coordinates: 308.4 39.3",
    ],
)
def test_one_galactic_position_in_many_spellings(text: str) -> None:
    found = match_position(normalize_typed_text(text))
    assert found is not None and found.galactic == (308.4, 39.3) and found.end >= len(text.rstrip(")"))
    same = SkyCoord(308.4, 39.3, unit="deg", frame="galactic").icrs
    assert same.separation(SkyCoord(found.ra, found.dec, unit="deg")).arcsec < 0.001


@pytest.mark.slow
@given(
    st.floats(0, 359.999),
    st.floats(-89.999, 89.999),
    st.sampled_from(
        [
            {"style": "hmsdms"},
            {"style": "hmsdms", "sep": ":"},
            {"style": "hmsdms", "sep": " "},
            {"style": "hmsdms", "format": "unicode"},
            {"style": "decimal"},
            {"style": "dms"},
        ]
    ),
    st.sampled_from(["{}", "({})", "{} J2000", "ICRS {}", "{}, FK5"]),
    st.booleans(),
)
def test_what_astropy_writes_is_read(
    ra: float, dec: float, style: dict[str, Any], frame: str, is_galactic: bool
) -> None:
    place = SkyCoord(ra, dec, unit="deg", frame="icrs")
    # "alwayssign" gives RA a sign too.
    text = frame.format(place.to_string(precision=6, alwayssign=True, **style).removeprefix("+"))
    if is_galactic:
        text = f"{place.galactic.to_string('decimal', precision=8)} galactic"
    found = match_position(normalize_typed_text(text))
    assert found is not None and found.end == len(text)
    assert place.separation(SkyCoord(found.ra, found.dec, unit="deg")).arcsec < 0.01


@given(st.floats(0, 359.99), st.floats(-90, 90))
def test_degrees_are_read_as_written(ra: float, dec: float) -> None:
    found = parse_position([f"{ra:.9f}", f"{dec:.9f}"])
    assert found.ra == pytest.approx(ra, abs=1e-8)
    assert found.dec == pytest.approx(dec, abs=1e-8)


@given(st.lists(st.text(max_size=20), max_size=20))
def test_any_words_give_a_valid_position_or_an_error(words: list[str]) -> None:
    try:
        found = parse_position(words)
    except InvalidPosition:
        return
    assert 0 <= found.ra < 360 and -90 <= found.dec <= 90 and found.words_used > 0
