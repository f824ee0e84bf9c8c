"""What in a circular's text is a reported position, and what isn't. The texts are made up or single lines."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bot.related_messages.position_context import has_unit
from bot.related_messages.positions_in_text import MAX_POSITIONS, find_positions
from formatters.text.quantities import separation

_HERE = (197.45042, -23.38147)
_IN_PROSE = {
    "labels and degrees": "The source is at RA = 197.45042, Dec = -23.38147.",
    "no equals sign": "The most probable direction is RA 197.45042, Dec -23.38147 degrees.",
    "both labels": "RA, Dec = 197.45042, -23.38147 (degrees, J2000)",
    "both labels in parentheses": "(R.A., Dec) = (197.45042 deg, -23.38147 deg) (J2000)",
    "lower case": "ra,dec = 197.45042, -23.38147",
    "degrees with units": "R.A.= 197.45042d, Dec.= -23.38147d",
    "unit behind": "R.A.= 197.45042, Dec.= -23.38147 [deg J2000]",
    "hours": "RA=13h09m48.1s Dec=-23d22m53.3s",
    "two lines": "RA(J2000) = 13h 09m 48.1s\nDec(J2000) = -23d 22' 53.3\"\nwith an error",
    "colons": "RA: 13:09:48.1, Dec: -23:22:53.3",
    "blanks": "RA (J2000): 13 09 48.1\nDec (J2000): -23 22 53.3",
    "slash": "RA/Dec (J2000): 13:09:48.10 -23:22:53.3",
    "words": "Right Ascension: 13h 09m 48.1s\nDeclination: -23d 22m 53.3s",
    "greek letters": "α = 13h09m48.1s, δ = −23°22′53.3″",
    "raised letters": "α(J2000) = 13ʰ09ᵐ48.1ˢ, δ(J2000) = −23°22′53.3″",
    "fraction behind the unit": "R.A. 13h09m48s.1, Decl. -23d22'53\".3 (J2000.0)",
    "en dash": "RA 13:09:48.1 Dec –23:22:53.3",
    "blank behind the minus": "RA = 13h 09m 48.1s, Dec = - 23d 22m 53.3s",
    "TeX": "RA = $13^h09^m48.1^s$, Dec = $-23^\\circ22'53.3\"$",
    "prime written as p": "RA (J2000.0) =  13h 09m 48.1s\nDEC(J2000.0) = -23d 22p 53.3s",
    "sentence": "the RA is 197.45042 and the Dec is -23.38147",
    "units alone": "the trigger (13h 09m 48.1s , -23d 22m 53.3s) was",
    "colons behind a name": "AT2017gfo 13:09:48.1 -23:22:53.3",
    "own errors": "RA(2000.0) = 197.45042+/-0.2 deg\nDecl.(2000.0) = -23.38147+/-0.7 deg",
    "errors in parentheses": (
        "RA: 197.45042 (+ 1.14 / - 0.65 deg 90% PSF containment) J2000\n"
        "Dec: -23.38147 (+ 0.50 / - 0.30 deg 90% PSF containment) J2000"
    ),
    "errors with units": (
        "RA(J2000) = 13h09m48.1s +/- 0.01s, Dec(J2000) = -23d22m53.3s +/- 0.2s and the flux 16 +/- 3 uJy"
    ),
    "errors in arc seconds": "RA = 197.45042 +/- 0.3 arcsec, Dec = -23.38147 +/- 0.2 arcsec",
    "the same in degrees behind": (
        "RA (J2000)  =  13:09:48.10 = 197.45042 (deg.)\nDec (J2000) = -23:22:53.3  = -23.38147 (deg.)"
    ),
    "errors of each coordinate": "RA = 13:09:48.1 ± 0.3 s, Dec = -23:22:53.3 ± 0.4 arcsec",
    "errors in whole words": "RA = 13:09:48.1 ± 0.3 seconds; Dec = -23:22:53.3 ± 4 arc seconds",
    "fractions of errors behind the unit": 'RA = 13:09:48.1 ± 0s.3, Dec = -23:22:53.3 ± 0".4',
    "errors in TeX": "RA = $197.45042^{+0.2}_{-0.3}$ deg, Dec = $-23.38147^{+0.2}_{-0.1}$ deg",
    "errors with a word": "RA = 13:09:48.1, err = 0.3 s, Dec = -23:22:53.3, err = 0.4 arcsec",
    "key and value": "Name: AT2017gfo\nRA: 197.45042\nDec: -23.38147\nFilter: r",
    "key and value with bars": "RA | 197.45042\nDec | -23.38147",
    "key and value in a frame": (
        "| Parameter | Value |\n|---|---|\n| RA (deg) | 197.45042 |\n| Dec (deg) | -23.38147 |\n| r | 17.3 |"
    ),
    "key, value and unit": "| RA | 197.45042 | deg (J2000) |\n| Dec | -23.38147 | deg (J2000) |",
    "key, value, and the same in degrees": (
        "| RA (J2000) | **13 09 48.10** (197.45042) — DR3 |\n"
        "| Dec (J2000) | **−23 22 53.3** (−23.38147) — DR3 |"
    ),
    "key and value with tabs": "Name\tAT2017gfo\nRA\t197.45042\nDec\t-23.38147",
    "key, value and error lines": "RA [deg] = 197.45042\nRA error [deg] = 0.1\nDec [deg] = -23.38147",
    "key, value and an error": "RA: 197.45042 deg\nError: 0.1 deg\nDec: -23.38147 deg\nError: 0.1 deg",
    "keywords": "RA      = 197.45042   / [deg]\nDEC     = -23.38147   / [deg]",
    "keys with words": "RA_OBJECT:  197.45042\nDEC_OBJECT: -23.38147",
    "a pair behind a name": "the kilonova AT2017gfo (197.45042, -23.38147) faded",
    "a pair of degrees behind a name": "AT2017gfo (197.45042 deg, -23.38147 deg)",
    "a pair and more behind a name": "AT2017gfo (197.45042, -23.38147, z = 0.0098)",
    "Galactic": "at the Galactic coordinates l = 308.37924, b = 39.29593 deg",
}


@pytest.mark.parametrize("text", _IN_PROSE.values(), ids=_IN_PROSE.keys())
def test_position_in_a_sentence_is_found(text: str) -> None:
    (position,) = find_positions(f"We report a new object.\n\n{text}\n\nFurther observations are planned.")
    assert separation(position.ra, position.dec, *_HERE) < 1 / 3600


_TABLES = {
    "wide blanks": "Name        RA          Dec         z\nAT 2017gfo  197.45042   -23.38147   0.0098",
    "single blanks": "Name RA Dec z\nAT2017gfo 197.45042 -23.38147 0.0098",
    "tabs": "name\tRA(deg)\tDec(deg)\tz\nAT2017gfo\t197.45042\t-23.38147\t0.0098",
    "several tabs": "name\tRA(deg)\t\tDec(deg)\tz\nAT2017gfo \t197.45042   \t\t-23.38147   \t\t0.0098",
    "bars": "| Name | RA | Dec | z |\n| AT 2017gfo | 13:09:48.10 | -23:22:53.3 | 0.0098 |",
    "a bar too many": "| Name | RA | Dec | z |\n| AT 2017gfo | 13:09:48.10| | -23:22:53.3 | 0.0098 |",
    "Markdown": "| Name | RA | Dec | z |\n|:--|-:|-:|-|\n| AT 2017gfo | 197.45042 | -23.38147 | 0.0098 |",
    "frame": "+--+\n| name | ra | dec | z |\n|--+--|\n| AT2017gfo | 197.45042 | -23.38147 | 0.0098 |\n+--+",
    "commas": "name,ra,dec,z\nAT2017gfo,197.45042,-23.38147,0.0098",
    "ruling": "Name  RA  Dec  z\n----------\nAT2017gfo  13h09m48.1s  -23d22m53.3s  0.0098",
    "sexagesimal with blanks": "Name RA Dec z\nAT 2017gfo 13 09 48.1 -23 22 53.3 0.0098",
    "units below": "Name  RA  Dec  z\n     (deg)  (deg)\nAT2017gfo  197.45042  -23.38147  0.0098",
    "hours": "Name  RA (h)  Dec (deg)  z\nAT2017gfo  13.163361  -23.38147  0.0098",
    "one column": "Name | RA, Dec (J2000) | z\nAT2017gfo | 13:09:48.1 -23:22:53.3 | 0.0098",
    "offset from the host": "Name | RA | Dec | z | Offset\nAT2017gfo | 197.45042 | -23.38147 | 0.0098 | 10.3",
    "extinction": "Name  RA  Dec  z  Galactic extinction\nAT2017gfo  197.45042  -23.38147  0.0098  0.33",
    "VizieR's names": "Name RAJ2000 DEJ2000 z\nAT2017gfo 197.45042 -23.38147 0.0098",
    "coordinates": "Name | Coordinates (J2000) | z\nAT2017gfo | 13:09:48.1 -23:22:53.3 | 0.0098",
}  # fmt: skip


@pytest.mark.parametrize("text", _TABLES.values(), ids=_TABLES.keys())
def test_row_of_a_table_is_found_with_name_and_redshift(text: str) -> None:
    (position,) = find_positions(f"Our candidates are:\n\n{text}\n\nMore is planned.")
    assert separation(position.ra, position.dec, *_HERE) < 1 / 3600
    assert position.name.replace(" ", "") == "AT2017gfo"
    assert position.redshift == 0.0098


_NOT_REPORTED = {
    "the Sun": "The Sun is at RA = 197.4, Dec = -23.3.",
    "the Earth": "behind the Earth for Fermi, located at an RA=335.9, Dec=25.3 with a radius of 67.6 degrees",
    "a field": "We observed a field centered at RA = 197.4, Dec = -23.3",
    "fields on lines of their own": "We observed fields centered at:\n\nRA = 197.4, Dec = -23.3",
    "a pointing": "The telescope pointed at RA=197.4 Dec=-23.3 for 300 s",
    "a phase centre": "The phase centre was RA = 13h09m48.069s, Dec = -23d22m53.39s",
    "offsets with errors": "from the nucleus: RA = 1.21 +/- 0.3 arcsec, Dec = 3.22 +/- 0.2 arcsec",
    "an aim": "We aimed at RA = 197.45, Dec = -23.38 for 600 s",
    "galaxies": "We targeted galaxies: NGC 4993 (RA=197.45, Dec=-23.38), NGC 4970 (RA=196.9, Dec=-24.01)",
    "a pointing then": "The pointing direction at the time of the event was RA = 201.12, Dec = -12.33",
    "a boresight then": "The boresight at trigger time T0 was at RA = 201.12, Dec = -12.33",
    "the zenith then": "Zenith at trigger: RA = 197.1, Dec = -20.3",
    "whole degrees": "Something near RA 12, Dec 13. Then RA 12 Dec -13.",
    "offsets in columns": "Name | RA offset | Dec offset\nAT2023abc | 1.25 | 3.55",
    "differences in columns": "Name Offset RA Dec\nAT2023abc 10.2 1.25 3.55",
    "Galactic columns": "Name | Galactic RA | Dec\nAT2023abc | 1.25 | 3.55",
    "corners": "corners of the error box: RA=197.4, Dec=-23.3",
    "an annulus": "annulus centered at RA(2000)=123.456 deg, Dec(2000)=-12.3 deg",
    "a list of corners": "corners of the box: (RA, Dec) = (197.4, -23.3), (RA, Dec) = (198.4, -24.3)",
    "a part of an annulus": (
        "that portion of the annulus (centered at RA, Decl(2000)= 1.5, -37.5 degrees, radius 14.8 +/- 0.1"
        " degrees) between RA,\nDecl = 344, -34 degrees, and 348, -49 degrees"
    ),
    "an ellipse": "icrs; ellipse(22h34m10s, -22d57m11s, 12.85d, 8.25d, 102.09d)",
    "the map's peak": "The peak of the skymap is at RA=197.4, Dec=-23.3",
    "a comparison star": "comparison star RA=197.45 Dec=-23.38 R=14.2",
    "unrelated": "GRB 230101A (RA=197.45, Dec=-23.38) is unrelated to the event",
    "errors": "with errors of RA = 0.10 deg, Dec = 0.20 deg",
    "offsets": "offsets RA = 0.1 deg, Dec = 0.2 deg",
    "differences": "dRA = 0.10, dDec = 0.20 and ΔRA = 0.10, ΔDec = 0.20",
    "arc seconds": "RA = 0.5 arcsec, Dec = 0.3 arcsec",
    "approximations": "RA ~ 197 deg, Dec ~ -23 deg",
    "ranges": "RA = 150-160, Dec = -20 to -10",
    "B1950": "RA(B1950) = 13h09m48s, Dec = -23d22m53s and RA = 197.45, Dec = -23.38 (B1950)",
    "out of range": "RA = 397.45, Dec = -23.38; RA = 97.45, Dec = -93.38; RA 13:61:00.0 Dec 10:00:00.0",
    "times": "exposures of the transient 22:03:35.2 -23:07:43.1 UT",
    "date and time": "on 2023-09-12 12:34:56.7 -12:00:00.1 the transient",
    "initials and a month": "R.A.J. Eyles-Ferris, R.A. Perley 12.5, Dec 12.5",
    "spectral indices": "alpha = 1.30, delta = 0.5",
    "rounded Galactic": "The galactic latitude b = 10 deg., longitude l =  9 deg.",
    "names": "MASTER OT J130948.10-232253.3, MAXI J2215+39 and Swift J1727.8-1613",
    "magnitudes": "r = 19.5, i = 18.2 and 197.45 -23.38",
    "observed galaxies": "The locations of the galaxies observed are\n\nNo. RA Dec\n1 10.676272 -21.774082",
    "fields of a survey": "Field RA Dec limit\nF1 10.676272 -21.774082 20.1",
    "tiles without a header": "58 | OAFA | (17h 31m 05.95s , -16d 28m 30.0s) | C | 10 | 14.0",
    "photometry": "mjd mag filter\n60192.24512 20.32 ztfg",
    "the map's place": "The maximum a posteriori location is RA = 197.4, Dec = -23.4",
    "columns of a pointing": "Pointing\nRA | 197.45042\nDec | -23.38147",
    "two columns of values": "Field | A | B\nRA | 197.45 | 198.45\nDec | -23.38 | -23.39",
    "magnitudes behind a name": "AT2017gfo (17.45, 18.38) and AT2017gfo (17.4, +18.3)",
    "offsets behind a name": "AT2017gfo (0.35, -0.12)",
    "offsets with digits behind a name": "AT2017gfo (1.2504, -0.1235) arcsec",
    "distance and magnitude behind a name": "the distance and magnitude of AT2017gfo (140.5, -15.8)",
    "a pair with a unit behind a name": "AT2017gfo (197.45, -23.38) km/s",
    "a pair with a unit": "AT2017gfo (197.45, -23.38 mag)",
    "another pair": "the data (197.45042, -23.38147) of AT2017gfo",
    "a pair behind a galaxy": "NGC 4993 (197.45042, -23.38147)",
    "flux limits": "time soft hard\n0.256  22.8  15.3\n1.024  11.6  7.8",
}


@pytest.mark.parametrize("text", _NOT_REPORTED.values(), ids=_NOT_REPORTED.keys())
def test_other_numbers_are_no_reported_position(text: str) -> None:
    assert find_positions(text) == ()


def test_rows_that_a_mail_has_wrapped_are_found() -> None:
    found = find_positions(
        "|-----\n| id | alias | ra | dec | mjd |\nmag±err (ab) | filter |\n|-----\n"
        "| AT2023abc | ZTF23abcdefg | 197.45 | -23.38 | 60085.3 |\n20.1±0.1 | ztfg |\n"
        "| AT2023abd | ZTF23abcdefh | 198.45 | -24.38 | 60085.4 |\n20.2±0.1 | ztfg |\n"
    )
    assert [position.name for position in found] == ["AT2023abc", "AT2023abd"]


def test_row_that_is_shifted_against_its_header_is_left_out() -> None:
    assert find_positions("TNS Name RA Dec z\nAT2017gfo 197.45 23.38 0.0098 17.3") == ()
    assert find_positions("Disc Date RA Dec\n2023-09-12 197.45 23.38 19.5") == ()


def test_error_circle_and_containment_are_read_from_the_sentence() -> None:
    (position,) = find_positions(
        "a source at RA, Dec 67.0313, -12.5822 which is equivalent to:\n  RA(J2000) = 04h 28m 07.51s\n"
        "  Dec(J2000) = -12d 34' 55.9\"\nwith an uncertainty of 4.8 arcseconds (radius, 90% containment)."
        " This location is 72 arcseconds from the BAT position."
    )
    assert position.radius == pytest.approx(4.8 / 3600)
    assert position.containment == 0.9


@pytest.mark.parametrize(
    "text",
    [
        "RA: 77.43 (+ 1.14 / - 0.65 deg 90% PSF)\nDec: 5.72 (+ 0.50 / - 0.30 deg 90% containment)",
        "RA = 77.43 +/- 0.2 deg, Dec = 5.72 +/- 0.7 deg",
        "at (R.A., Dec) = (77.43, 5.72) with an elliptical error region with radii of 0.4 deg and 0.3 deg",
        "RA = 77.43, Dec = 5.72. We estimate a systematic error of 1 deg",
    ],
)
def test_errors_that_are_no_circle_give_no_radius(text: str) -> None:
    (position,) = find_positions(text)
    assert position.radius is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("We discovered AT2023abc at RA=49.8224, Dec=37.7884", "AT2023abc"),
        ("1. ZTF23abawyxp (AT2023abc): RA=49.8224, Dec=37.7884", "AT2023abc"),
        ("RA=49.8224, Dec=37.7884 (GRB 230911D) was seen", "GRB 230911D"),
        ("We observed AT2023abc at\n\nRA=49.8224, Dec=37.7884\n\nwith a redshift", "AT2023abc"),
        ("source 3: RA=49.8224, Dec=37.7884", "source 3"),
        ("MASTER OT J031917.38+374718.2 at RA=49.8224, Dec=37.7884", "MASTER OT J031917.38+374718.2"),
        ("Swift J1727.8-1613 is known. The new source has RA=49.8224, Dec=37.7884", ""),
    ],
)
def test_name_comes_from_the_same_sentence(text: str, name: str) -> None:
    (position,) = find_positions(text)
    assert position.name == name


def test_distance_of_the_event_isn_t_taken_for_the_source_s() -> None:
    (own,) = find_positions("AT2023abc at RA=49.8, Dec=37.8 has a host at a distance of 40 +/- 8 Mpc")
    assert (own.distance, own.distance_error) == (40, 8)
    (other,) = find_positions("AT2023abc at RA=49.8, Dec=37.8 agrees with the LVK distance of 140 +/- 8 Mpc")
    assert other.distance is None
    (magnitude,) = find_positions("AT2023abc at RA=49.8, Dec=37.8 with z = 19.5")
    assert magnitude.redshift is None


@pytest.mark.parametrize(
    ("text", "redshifts"),
    [
        ("AT2023aaa at RA=1.12, Dec=2.23 and AT2023aab (z=0.03) at RA=3.12, Dec=2.12", [None, 0.03]),
        ("AT2023aaa at RA=1.12, Dec=2.23 has z=0.03, and AT2023aab lies at RA=3.12, Dec=2.12", [0.03, None]),
        ("RA=1.12, Dec=2.23 (AT2023aaa), z=0.03, and AT2023aab at RA=3.12, Dec=2.12", [0.03, None]),
        ("AT2023aaa: RA=1.12, Dec=2.23, z=0.03\nAT2023aab: RA=3.12, Dec=2.12, z=0.07", [0.03, 0.07]),
        ("MY23a: RA=1.12, Dec=2.23, z=0.03\nMY23b: RA=3.12, Dec=2.12", [0.03, None]),
        ("one at RA=1.12, Dec=2.23 and one (z=0.03) at RA=3.12, Dec=2.12", [None, None]),
        ("AT2023aaa at RA=1.12, Dec=2.23. AT2023aab (z=0.03) at RA=3.12, Dec=2.12", [None, 0.03]),
    ],
)
def test_redshift_is_of_the_position_that_it_is_said_of(text: str, redshifts: list[float | None]) -> None:
    assert [position.redshift for position in find_positions(text)] == redshifts


@pytest.mark.parametrize(
    ("words", "redshift"),
    [
        ("Z = 0.02", None),
        ("a metallicity of Z = 0.02", None),
        ("Z_sun = 0.02", None),
        ("z = 0.02", 0.02),
        ("redshift Z = 0.02", 0.02),
        ("redshift (Z=0.02)", 0.02),
        ("Z_spec = 0.02", 0.02),
        ("REDSHIFT = 0.02", 0.02),
    ],
)
def test_a_capital_z_is_a_redshift_only_where_its_words_say_so(words: str, redshift: float | None) -> None:
    (position,) = find_positions(f"AT2023abc at RA=49.8, Dec=37.8 has a host with {words}.")
    assert position.redshift == redshift


@pytest.mark.parametrize(
    ("header", "redshift"),
    [
        ("Name RA Dec Z", None),
        ("Name RA Dec z", 0.02),
        ("NAME RA DEC Z", 0.02),
        ("Name RA Dec Redshift", 0.02),
    ],
)
def test_a_capital_z_is_a_column_of_redshifts_among_capitals(header: str, redshift: float | None) -> None:
    (position,) = find_positions(f"{header}\nAT2023abc 49.8224 37.7884 0.02")
    assert position.redshift == redshift


@pytest.mark.parametrize(
    "text",
    [
        "RA [deg] = 77.43\nRA error [deg] = 0.1\nDec [deg] = 5.72\nDec error [deg] = 0.2",
        "RA = 13:09:48.1, err = 0.3 s, Dec = -23:22:53.3, err = 0.4 arcsec",
        "RA = 77.43 ± 0.2 degrees, Dec = 5.72 ± 0.7 degrees",
    ],
)
def test_errors_of_each_coordinate_are_no_radius(text: str) -> None:
    (position,) = find_positions(text)
    assert position.radius is None


def test_pairs_behind_names_are_theirs() -> None:
    found = find_positions("AT2017gfo (197.4, −23.4) and AT2023abc (12.5042, +3.3815).")
    assert [(one.name, one.ra, one.dec) for one in found] == [
        ("AT2017gfo", 197.4, -23.4),
        ("AT2023abc", 12.5042, 3.3815),
    ]


def test_distance_of_the_next_source_isn_t_this_one_s() -> None:
    first, _ = find_positions(
        "AT2023aaa at RA=1.12, Dec=2.23; AT2023aab, at a distance of 120 Mpc, at RA=3.12, Dec=2.12"
    )
    assert first.distance is None


def test_legend_below_a_table_says_what_its_error_means() -> None:
    (neutrino,) = find_positions(
        "dt(s) \tRA(deg) \tDec(deg) \tAngular uncertainty(deg) \tp-value\n-----\n"
        "141.95 \t296.38 \t38.28 \t1.987 \t0.0054\n\nwhere:\ndt = time\n"
        "Angular uncertainty = the radius of a circle representing 90% CL containment by area.\n"
    )
    assert (neutrino.radius, neutrino.containment) == (1.987, 0.9)


def test_position_said_twice_is_found_once_and_distinct_ones_each() -> None:
    twice = "RA = 199.8, Dec = -45.2 (J2000 degrees, equivalent to RA = 13h 19m, Dec = -45d 12')"
    assert len(find_positions(twice)) == 1
    assert len(find_positions("AT2023aaa: RA=49.8224, Dec=37.7884\nAT2023aab: RA=49.8324, Dec=37.7884")) == 2


def test_numbers_of_sources_become_their_names() -> None:
    found = find_positions("Source  RA  Dec\n3  197.45  -23.38\n²  198.45  -23.38")
    assert [position.name for position in found] == ["source 3", ""]


def test_number_of_positions_is_bounded() -> None:
    rows = "".join(f"AT2023a{chr(97 + at % 26)} {at / 10 + 0.05:.2f} -23.38\n" for at in range(2000))
    assert len(find_positions(f"Name RA Dec\n{rows}")) == MAX_POSITIONS


_RA = st.floats(0, 359.999)
_DEC = st.floats(-89.99, 89.99)


def _sexagesimal(value: float, pattern: str, *, signed: bool) -> str:
    tenths = round(abs(value) * 36000)
    whole, rest = divmod(tenths, 36000)
    minutes, rest = divmod(rest, 600)
    sign = ("-" if value < 0 else "+") if signed else ""
    return sign + pattern.format(whole, minutes, rest // 10, rest % 10)


_HOURS = (
    "{:02d}h{:02d}m{:02d}.{}s",
    "{:02d}h {:02d}m {:02d}.{}s",
    "{:02d}:{:02d}:{:02d}.{}",
    "{:d} {:02d} {:02d}.{}",
)
_ARCS = (
    "{:02d}d{:02d}m{:02d}.{}s",
    "{:02d}° {:02d}' {:02d}.{}\"",
    "{:02d}:{:02d}:{:02d}.{}",
    "{:02d} {:02d} {:02d}.{}",
)
_SENTENCES = (
    "RA = {}, Dec = {}", "RA(J2000) = {}\nDec(J2000) = {}", "R.A.: {} Decl.: {}", "(RA, Dec) = ({}, {})",
    "RA/Dec (J2000): {}, {}", "α = {}, δ = {} (J2000)", "ra,dec = {}, {}",
)  # fmt: skip
_ROWS = (
    "Name,RA,Dec,mag\nX1,{},{},20.1",
    "Name\tRA\tDec\nX1\t{}\t{}",
    "| Name | RA | Dec |\n|---|---|---|\n| X1 | {} | {} |",
)


@settings(deadline=None)
@given(ra=_RA, dec=_DEC, form=st.sampled_from((*_SENTENCES, *_ROWS)), spelling=st.integers(-1, 3))
def test_any_position_in_any_spelling_is_found_again(ra: float, dec: float, form: str, spelling: int) -> None:
    if spelling < 0:
        assume("alpha" not in form)
        texts = (f"{ra:.5f} deg" if "α" in form else f"{ra:.5f}", f"{dec:+.5f}")
    else:
        texts = (
            _sexagesimal(ra / 15, _HOURS[spelling], signed=False),
            _sexagesimal(dec, _ARCS[spelling], signed=True),
        )
    assume(not texts[0].startswith("24"))
    (found,) = find_positions(f"We report a new source:\n\n{form.format(*texts)}\n")
    assert separation(found.ra, found.dec, ra, dec) < 1.2 / 3600


_WORDS = "mag flux SNR z r i T90 index fluence FAR width limit alpha beta Ep kT chi2 l b error offset"
_QUANTITIES = st.sampled_from(_WORDS.split())


@settings(deadline=None)
@given(one=_QUANTITIES, other=_QUANTITIES, ra=_RA, dec=_DEC, digits=st.integers(0, 5))
def test_pair_that_nothing_calls_a_position_isn_t_found(
    one: str, other: str, ra: float, dec: float, digits: int
) -> None:
    left, right = f"{ra:.{digits}f}", f"{dec:.{digits}f}"
    for text in (
        f"We measure {one} = {left}, {other} = {right} for the source.",
        f"({left}, {right})",
        f"{left} {right}",
        f"{one} {other}\n{left} {right}\n",
        f"| {one} | {other} |\n| {left} | {right} |",
    ):
        assert find_positions(text) == ()


_MAPS = st.sampled_from(("sky map", "skymap", "BAYESTAR skymap", "LVK sky map", "localization\nmap", "map"))
_PROPERTY = st.text(alphabet="bcdhklmnprstz", min_size=4, max_size=10)
"""Any word; without vowels it is none that says whose the position is."""
_INTRODUCTION = st.sampled_from(("", "For this event, ", "For the candidate S230518h ", "After the GRB, "))


@settings(deadline=None)
@given(
    map_=_MAPS, introduction=_INTRODUCTION, one=_PROPERTY, other=_PROPERTY, ra=st.floats(0, 359.9), dec=_DEC
)
def test_whatever_property_of_a_map_has_a_position_it_is_no_source(
    map_: str, introduction: str, one: str, other: str, ra: float, dec: float
) -> None:
    place = f"RA {ra:.2f}, Dec {dec:.2f}"
    for text in (
        f"{introduction}the {map_}'s {one} {other} location is {place}",
        f"{introduction}the {one} {other} location of the {map_} is {place}",
        f"{introduction}the {map_} of the event {one} at {place}",
        f"{introduction}the {one} pixel in the {map_} lies at {place}",
        f"The maximum a posteriori {one} is {place}",
        f"The posterior {one} {other} is at {place}",
    ):
        assert find_positions(text) == (), text
    for text in (
        f"In the {map_} we found a transient, {one} {other}, at {place}",
        f"The {one} direction of the source based on the {map_} is {place}",
        f"The maximum a posteriori position of the neutrino is {place}",
        f"{introduction}AT2023abc was found in the {map_} at {place}",
    ):
        assert len(find_positions(text)) == 1, text


_UNIT = st.text(alphabet="bcfghjklmpqrsuvwxyzσµ", min_size=1, max_size=9).filter(
    lambda word: word not in ("by", "j", "fk", "frb", "grb")
)
"""Words without vowels: none of them is one of grammar, a verb or a noun but these."""


@settings(deadline=None)
@example(unit="bbly", value=1.0, blank=" ")
@example(unit="Mly", value=1.0, blank=" ")
@given(unit=_UNIT, value=st.floats(0.01, 4.99), blank=st.sampled_from((" ", "", "\n", " [", "  ")))
def test_number_with_a_unit_is_no_redshift_and_no_position(unit: str, value: float, blank: str) -> None:
    for text in (
        f"AT2023abc {unit}x 12:00:01.1 -01:12:33.2",
        f"AT2023abc 12:00:01.1 -01:12:33.2 +/- 0.5 {unit}",
    ):
        assert find_positions(text) == ()
    unit = f"{unit}]" if "[" in blank else unit
    (position,) = find_positions(f"AT2023abc at RA=49.8, Dec=37.8 with z = {value:.3f}{blank}{unit}, is new")
    assert position.redshift is None
    if blank:
        assert find_positions(f"AT2023abc 12:00:01.1 -01:12:33.2{blank}{unit}") == ()


@pytest.mark.parametrize(
    "word", ["securely", "newly", "used", "aged", "freed", "being", "measured", "Early", "indicating"]
)
def test_a_verb_or_an_adverb_behind_a_redshift_is_no_unit(word: str) -> None:
    (position,) = find_positions(f"AT2023abc at RA=49.8, Dec=37.8 with z = 1.0 {word}, is new")
    assert position.redshift == 1.0


@pytest.mark.parametrize(
    "behind",
    ["", ", r = 19.5", " was seen", " with KAIT", " (J2000)", " J2000", " in NGC 4993", "\nHost: NGC 4993",
     " (host: NGC 4993)", " and AT2023abd", " AT2023abd", " measured", " 19.5"],
)  # fmt: skip
def test_what_is_no_unit_behind_a_number_takes_nothing_away(behind: str) -> None:
    (position,) = find_positions(f"AT2023abc 12:00:01.1 -01:12:33.2{behind}")
    assert position.name == "AT2023abc"
    (position,) = find_positions(f"AT2023abc at RA=49.8, Dec=37.8 has z = 0.034{behind}")
    assert position.redshift == 0.034


@pytest.mark.parametrize(
    "unit", ["sigma", "σ", "mag", "AB", "Mpc", "kpc", "deg", "hours", "UT", "GPS", "%", "s"]
)
def test_known_units_are_units(unit: str) -> None:
    assert has_unit(f"4.5 {unit}", 3)
    assert has_unit(f"4.5 ({unit})", 3)


@settings(deadline=None)
@given(st.text(alphabet="RADecra.=:,+-−° '\"()|hms\t\n0123456789J", max_size=200))
def test_any_text_is_survived_and_gives_valid_positions(text: str) -> None:
    for position in find_positions(text):
        assert 0 <= position.ra < 360
        assert -90 <= position.dec <= 90


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_mutated_texts_are_survived() -> None:
    source = random.Random(13)
    texts = [*_IN_PROSE.values(), *_TABLES.values(), *_NOT_REPORTED.values()]
    for _ in range(2000):
        characters = list(source.choice(texts) + "\n" + source.choice(texts))
        for _ in range(source.randint(1, 12)):
            at = source.randrange(len(characters))
            kind = source.randrange(4)
            if kind == 0:
                del characters[at]
            elif kind == 1:
                characters.insert(at, source.choice("0123456789.:+-|°'\"\t\n RADec\x00�٣²"))
            elif kind == 2:
                characters[at] = chr(source.randrange(1, 0x3000))
            else:
                characters[at:at] = characters[max(0, at - 20) : at] * 3
        for position in find_positions("".join(characters)):
            assert 0 <= position.ra < 360
            assert -90 <= position.dec <= 90
