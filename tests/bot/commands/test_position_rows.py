"""Rows as people paste them: the position that counts, and a question about what could be another."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.commands.position_query import parse_query
from bot.commands.position_rows import parse_row
from bot.filters import FilterSyntaxError
from bot.runtime.typed_text import normalize_typed_text
from bot.skymaps.coordinates import InvalidPosition
from formatters.text import quantities


@pytest.mark.parametrize(
    ("line", "question"),
    [
        (
            "AT2026abc 188.1 +12.3 19.5",
            "19.5: write 19.5 Mpc if it is a distance, mag=19.5 if a magnitude, or name",
        ),
        ("188.1 12.3 0.041", "0.041: write z=0.041 or 0.041 Mpc if it is a distance"),
        ("AT2026abc 0.041 88.1 +12.3", "Which of 0.041, 88.1, +12.3 are RA and Dec? Write ra=… dec=…"),
        ("Foo 12 10.5 20.5", "20.5: write 20.5 Mpc if it is a distance"),
        ("Foo 12, 10.5, 20.5", "20.5: write 20.5 Mpc if it is a distance"),
        ("12 57 -17 51 25", "25: write 25 Mpc if it is a distance"),
        ("13:09:48 -23 22", "22: write 22 Mpc if it is a distance"),
        ("12 57 13 -17.85", "13 and -17.85: write 13 Mpc"),
        ("12:34:56 13:09:48 -23:22:53", "“-23:22:53” beside the position is no distance"),
        ("188.1 12.3 13:09:48 -23:22:53", "There are two positions on this line"),
        ("13:09:48 -23:22:53 14:09:48 -23:22:53", "There are two positions on this line"),
        ("PSR J130948-232253 250.1 10.2", "There are two positions on this line"),
        ("M 31 2026-11-27 13:09:48 23:22:53 -19.5", "Which of 31, -19.5 are RA and Dec?"),
        ("12:34:56 -19.5 10.5 +20.5", "10.5 and +20.5: write 10.5 Mpc"),
        ("19.5 mag 10.5 +20.5", "“19.5 mag 10.5” has two readings: write mag=19.5 or mag=10.5."),
        ("10.5 20.5 mag 19.5", "“20.5 mag 19.5” has two readings: write mag=20.5 or mag=19.5."),
        ("0.1 z 8.1 +12.3", "“0.1 z 8.1” has two readings: write z=0.1 or z=8.1."),
        ("12 30 5deg", "“5deg” beside the position"),
        ("1 " * 3_000, "That line is too long for one position: write one on each line."),
        ("12 30 err:0.1", "“err:0.1” beside the position is no distance"),
        ("12 30 z<0.1", "“z<0.1” beside the position is no distance; write it like 40 Mpc or z=0.0098."),
        ("12 30 40 Mpc/h", "40: write 40 Mpc"),
        ("12 30 d=40", "“d=40” beside the position is no distance; write it like 40 Mpc"),
        ("12 30 40 Mpc z=0.01", "There are two distances for one position"),
        ("12 30 cz=2938 km/s", "2938 km/s: velocities aren't converted; c z of that size is z=0.0098"),
        ("12 30 dm=500", "A distance modulus here is above 0 and at most 55 mag"),
        ("M87", "“M87” is no position: names aren't resolved; give RA and Dec"),
        ("NGC 4993", "“NGC 4993” is no position: names aren't resolved"),
        ("AT2017gfo", "“AT2017gfo” is no position: names aren't resolved"),
        ("ESO 100-12", "“ESO 100-12” is no position: names aren't resolved"),
        ("M 31 10.68", "“M 31 10.68” is no position: names aren't resolved"),
        ("M 31 40 Mpc", "“M 31” is no position: names aren't resolved"),
        ("194,3042 -17,8569", "A comma is no decimal point here: write 194.3042 -17.8569"),
        ("10,20 30", "A comma is no decimal point here: write 10.20 30"),
        ("12 30 40,5 Mpc", "A comma is no decimal point here: write 12 30 40.5 Mpc"),
        ("12 30 z=0,0098", "A comma is no decimal point here: write 12 30 z=0.0098"),
        ("12 30 1,000 Mpc", "“1,000” has a comma: write 1000 or 1.000."),
        ("12 30 1,234.5 Mpc", "“1,234.5” has a comma: write 1234.5."),
        ("10 20, 30 40", "30 and 40: write 30 Mpc if it is a distance, mag=30 if a magnitude"),
        ("13:09:48,08 -23:22:53,3", "A comma is no decimal point here: write 13:09:48.08 -23:22:53.3"),
        ("12h57,2m -17d51,4m", "A comma is no decimal point here: write 12h57.2m -17d51.4m"),
        ("197.45 - 23.38", "“- 23.38” may be a minus or only a dash: write -23.38 or +23.38"),
        ("197.45 — 23.38", "“— 23.38” may be a minus or only a dash: write -23.38 or +23.38"),
        ("13:09:48 -23:22:53 B1950", "Positions in B1950 aren't converted; give RA and Dec in ICRS (J2000)"),
        ("RA(B1950)=13:09:48 Dec(B1950)=-23:22:53", "Positions in B1950 aren't converted"),
        ("13:09:48 -23:22:53 FK4", "Positions in FK4 aren't converted"),
        ("10 20 ecliptic", "Positions in ecliptic aren't converted"),
        ("361 0", "RA 361 isn't between 0° and 360°"),
        ("25h00m00s 10d", "RA 25h isn't between 0h and 24h"),
        ("-23.38 197.45", "RA -23.38 isn't between 0° and 360°"),
    ],
)
def test_what_has_two_readings_or_none_is_asked_about(line: str, question: str) -> None:
    with pytest.raises(InvalidPosition) as asked:
        parse_row(normalize_typed_text(line))
    assert str(asked.value).startswith(question)
    assert str(asked.value).endswith((".", ")"))


@pytest.mark.parametrize(
    ("line", "name", "ra", "dec", "distance"),
    [
        ("360 -90", "", 0, -90, None),
        ("M 31 10.6847 41.2687", "M 31", 10.6847, 41.2687, None),
        ("M 31, 10.6847, 41.2687", "M 31", 10.6847, 41.2687, None),
        ("ESO 508-24 197.45 -23.38", "ESO 508-24", 197.45, -23.38, None),
        ("NGC 4993 13 09 48 -23 22 53 40 Mpc", "NGC 4993", 197.45, -23.3814, 40),
        ("Foo 12\t10.5\t20.5", "Foo 12", 10.5, 20.5, None),
        ("197.45 -23.38 AT2017gfo", "AT2017gfo", 197.45, -23.38, None),
        ("SDSS J130948.1-232253", "SDSS J130948.1-232253", 197.4504, -23.3814, None),
        ("at 10 20", "", 10, 20, None),
        ("position of AT2017gfo is 10 20 please", "AT2017gfo", 10, 20, None),
        ("13:09:48 -23:22:53 (197.45 -23.3814)", "", 197.45, -23.3814, None),
        ("10,20", "", 10, 20, None),
        ("197.45,-23.381389", "", 197.45, -23.3814, None),
        ("12 30 z=0.0098", "", 12, 30, 43.75),
        ("12 30 z 0.0098", "", 12, 30, 43.75),
        ("12 30 redshift 0.0098", "", 12, 30, 43.75),
        ("12 30 Redshift: .0098 ± .0002", "", 12, 30, 43.75),
        ("12 30 z_spec = 0.0098", "", 12, 30, 43.75),
        ("z=0.0098 12 30", "", 12, 30, 43.75),
        ("12 30 40 +/- 5 Mpc", "", 12, 30, 40),
        ("12 30 (40 ± 5) Mpc", "", 12, 30, 40),
        ("12 30 40±5Mpc", "", 12, 30, 40),
        ("12 30 d=40Mpc", "", 12, 30, 40),
        ("12 30 D_L ≈ 40 Mpc", "", 12, 30, 40),
        ("12 30 luminosity distance 40 Mpc", "", 12, 30, 40),
        ("12 30 0.04 Gpc", "", 12, 30, 40),
        ("12 30 dm=33", "", 12, 30, 39.81),
        ("12 30 μ = 33.0 ± 0.1 mag", "", 12, 30, 39.81),
        ("12 30 m−M=33", "", 12, 30, 39.81),
        ("12 30 r=19.5 2026-11-27", "", 12, 30, None),
        ("M 31 2026-11-27 00:42:44 +41:16:09", "M 31", 10.6833, 41.2692, None),
        ("2026-11-27 12:34:56 00:42:44 +41:16:09", "", 10.6833, 41.2692, None),
        ("00 42 44 +41 16 09 mag=19.5", "", 10.6833, 41.2692, None),
        ("12 30 19.5 mag MJD 61371.2", "", 12, 30, None),
        ("188.1±0.2 12.3±0.3", "", 188.1, 12.3, None),
        ("13h09m48.0s ± 0.018s, -23d22m53.0s ± 0.2", "", 197.45, -23.3814, None),
        ("GRB 170817A: RA = 176.8, Dec = -39.8 (90% radius 11.6 deg)", "GRB 170817A", 176.8, -39.8, None),
        ("ra=188.1 dec=12.3 19.5", "", 188.1, 12.3, None),
        (
            "12345 AT 2017gfo 13:09:48 -23:22:53 Kilonova 0.0098 NGC 4993",
            "AT 2017gfo",
            197.45,
            -23.3814,
            None,
        ),
        ("AT2026abc 0.041 13:09:48 -23:22:53", "AT2026abc", 197.45, -23.3814, None),
    ],
)
def test_what_has_one_reading_is_read(
    line: str, name: str, ra: float, dec: float, distance: float | None
) -> None:
    target = parse_row(normalize_typed_text(line)).target
    assert target.name == name
    assert [target.ra, target.dec] == pytest.approx([ra, dec], abs=1e-3)
    assert target.distance == (None if distance is None else pytest.approx(distance, rel=1e-3))


def test_what_is_not_used_is_said() -> None:
    asked = parse_query(
        "AT1 13:09:48 -23:22:53 0.0098\nAT2 13:09:48 -23:22:53 r=19.5 40 ± 5 Mpc\nAT3 1 2 0.04"
    )
    assert [target.name for target in asked.targets] == ["AT1", "AT2"]
    assert asked.omitted == (
        "Left out “AT3 1 2 0.04”: 0.04: write z=0.04 or 0.04 Mpc if it is a distance, mag=0.04 if a"
        " magnitude, or name the position: ra=1 dec=2.",
        "Not used, since nothing says what it is: 0.0098 (AT1). A distance is written z=0.0098 or"
        " 0.0098 Mpc.",
        "Not used: ±\u00a05, r=19.5.",
    )


Spelling = Callable[[float, float], str]


def sexagesimal(separators: str, dec_separators: str) -> Spelling:
    """Spell to 0.01 s and 0.1″ with the three marks after hours, minutes, seconds and after degrees …"""

    def spell(ra: float, dec: float) -> str:
        hundredths, tenths = round(ra / 15 * 360_000) % 8_640_000, round(abs(dec) * 36_000)
        h, m, s = hundredths // 360_000, hundredths // 6_000 % 60, hundredths % 6_000 / 100
        d, am, arc = tenths // 36_000, tenths // 600 % 60, tenths % 600 / 10
        a, b, c = separators.split("~")
        x, y, z = dec_separators.split("~")
        sign = "-" if dec < 0 else "+"
        return f"{h:02d}{a}{m:02d}{b}{s:05.2f}{c} {sign}{d:02d}{x}{am:02d}{y}{arc:04.1f}{z}"

    return spell


CERTAIN: list[Spelling] = [
    sexagesimal("h~m~s", "d~m~s"),
    sexagesimal("h~m~s", "°~'~\""),
    sexagesimal("ʰ~ᵐ~ˢ", "°~′~″"),
    sexagesimal(":~:~", ":~:~"),
    sexagesimal(" ~ ~", " ~ ~"),
    lambda ra, dec: f"ra={ra:.5f} dec={dec:+.5f}",
    lambda ra, dec: f"RA(J2000) = {ra:.5f}, Dec(J2000) = {dec:.5f}",
    lambda ra, dec: f"{ra:.5f}° {dec:+.5f}°",
]
names = st.sampled_from(
    ["", "AT2026abc", "NGC 4993", "SN 2026xy", "M 31", "ZTF26aaa", "3C273", "check-me", "2017gfo"]
)
ras, decs = st.floats(0, 359.99), st.floats(-89.99, 89.99)
labelled = st.sampled_from(
    [
        "r=19.5",
        "mag=19.52 ± 0.03",
        "2026-11-27",
        "2026-11-27T12:34:56.1Z",
        "MJD 61371.25",
    ]
)
distances = st.sampled_from(
    [("", None), ("40 Mpc", 40.0), ("40±5 Mpc", 40.0), ("0.04 Gpc", 40.0), ("dm=33", 39.81)]
)
bare = st.sampled_from(
    [
        *(
            "0.041",
            "19.5",
            "-19.5",
            "17",
            "+12.3",
            "61371.2",
            "1",
            "12:34:56",
            "2026-11-27 12:34:56",
            "2026-11-27",
        ),
        *("19.5 mag", "Foo", "SN Ia", "M", "AT", "host", "1,5", "J2000", "12h", "3C273", "ESO 100-12"),
    ]
)
"""Columns beside a position, of which none is a distance."""


def place_of(line: str) -> tuple[float, float, float | None]:
    target = parse_row(normalize_typed_text(line)).target
    return target.ra, target.dec, target.distance


def is_at(ra: float, dec: float, found: tuple[float, float, float | None]) -> bool:
    return quantities.separation(ra, dec, *found[:2]) < 1e-4


@given(names, ras, decs, st.sampled_from(CERTAIN), st.permutations([0, 1, 2]), labelled, distances)
def test_labelled_values_may_stand_in_any_order(
    name: str,
    ra: float,
    dec: float,
    spell: Spelling,
    order: list[int],
    value: str,
    distance: tuple[str, float | None],
) -> None:
    columns = [spell(ra, dec), value, distance[0]]
    line = " ".join([name, *(columns[at] for at in order)])
    found = place_of(line)
    assert is_at(ra, dec, found)
    assert found[2] == (None if distance[1] is None else pytest.approx(distance[1], rel=1e-3))


@given(
    names,
    ras,
    decs,
    st.lists(bare, max_size=3),
    st.lists(bare, max_size=3),
    st.sampled_from(["\t", " ", ", ", " | "]),
)
def test_a_bare_number_never_moves_the_place(
    name: str, ra: float, dec: float, before: list[str], after: list[str], separator: str
) -> None:
    """In generated column orders, the answer is about the position of the row, or the row is asked about."""
    for place in (*(spell(ra, dec) for spell in CERTAIN), f"{ra:.5f}{separator}{dec:+.5f}"):
        columns = [*([name] if name else []), *before, place, *after]
        try:
            found = place_of(separator.join(columns))
        except InvalidPosition as asked:
            assert str(asked)
            assert before or after, "a row without other numbers is read"
        else:
            assert is_at(ra, dec, found), (columns, found)
            assert found[2] is None, "nothing said that a number is a distance"


VARIANTS = {
    " ": " \u00a0\u2009\u202f\u3000",
    "-": "-−–‐‑‒—－\u00ad",
    "+": "+＋",
    "'": "'′’ʹ´",
    '"': '"″”“ʺ',
    "°": "°º˚∘",
    ":": ":：∶",
    ".": ".．",
    "=": "=＝",
    **{str(n): f"{n}{chr(0xFF10 + n)}{chr(0x1D7CE + n)}" for n in range(10)},
}


@pytest.mark.slow
@given(
    ras,
    decs,
    st.sampled_from(CERTAIN),
    st.sampled_from(["{}", "`{}`", "*{}*", "_{}_", "*`{}`*", "({})"]),
    st.data(),
)
def test_a_position_in_any_unicode_is_the_same_place(
    ra: float, dec: float, spell: Spelling, marks: str, data: st.DataObject
) -> None:
    text = normalize_typed_text(spell(ra, dec))
    typed = "".join(
        data.draw(st.sampled_from(VARIANTS.get(character, character)))
        + data.draw(st.sampled_from(["", "", "", "\u200b", "\ufeff"]))
        for character in text
    )
    (target,) = parse_query(f"S230518h {marks.format(typed)}").targets
    assert is_at(ra, dec, (target.ra, target.dec, None))


@given(
    names,
    ras,
    decs,
    st.floats(0.001, 9),
    st.permutations(["name", "ra", "dec", "z", "mag", "date"]),
    st.sampled_from("\t|;, "),
)
def test_a_header_says_which_column_is_which(
    name: str, ra: float, dec: float, z: float, order: list[str], delimiter: str
) -> None:
    assume(name)
    titles = {
        "name": "Name",
        "ra": "RA (deg)",
        "dec": "DEC",
        "z": "Redshift",
        "mag": "Discovery_Mag",
        "date": "Date",
    }
    values = {
        "name": name,
        "ra": f"{ra:.5f}",
        "dec": f"{dec:.5f}",
        "z": f"{z:.4f}",
        "mag": "19.5",
        "date": "2026-11-27",
    }
    lines = [delimiter.join(table[kind] for kind in order) for table in (titles, values)]
    (target,) = parse_query("\n".join(["S230518h", *lines])).targets
    assert is_at(ra, dec, (target.ra, target.dec, None))
    assert target.redshift == pytest.approx(float(values["z"])) and target.name == name


def test_tables_as_people_paste_them() -> None:
    tns = (
        '"ID","Name","RA","DEC","Obj. Type","Redshift","Host Name","Host Redshift","Discovery Date (UT)"\n'
        '"10","AT 2017gfo","13:09:48.089","-23:22:53.35","Kilonova","0.009727","NGC 4993","","2017-08-17"'
    )
    (target,) = parse_query(tns).targets
    assert (target.name, target.redshift) == ("AT 2017gfo", 0.009727)
    assert is_at(197.45037, -23.38149, (target.ra, target.dec, None))
    asked = parse_query("| Name | RA | Dec |\n|---|---|---|\n| Foo 1 | 10.5 | 20.5 |\n| Bar | | 20.5 |")
    assert [target.name for target in asked.targets] == ["Foo 1"]
    assert asked.omitted[0].endswith("It has no RA.")
    (hours,) = parse_query("RA (h)\tDec\n13.1633\t-23.38").targets
    assert hours.ra == pytest.approx(197.4495)
    (far,) = parse_query("RA Dec Dist (Mpc)\n10 20 40").targets
    assert far.distance == 40
    (galactic,) = parse_query("name\tl\tb\nX\t308.4\t39.3").targets
    assert galactic.galactic == (308.4, 39.3)
    for header, sentence in (
        ("name ra dec dist\nX 10 20 40", "“40” is no distance; write it like 40 Mpc"),
        ("RA(B1950)\tDec\n13:09\t-23", "Positions in B1950 aren't converted"),
        ("Name;RA;Dec\nFoo;197,45;-23,38", "A comma is no decimal point here: write 197.45"),
    ):
        with pytest.raises(FilterSyntaxError, match=".*" + sentence.replace("(", ".").replace("?", ".")):
            parse_query(header)


def test_a_row_that_does_not_fit_its_header_is_read_by_itself() -> None:
    """Blanks part the columns, so a name or a position with blanks has more of them."""
    asked = parse_query(
        "Name RA Dec z\nNGC 4993 197.45 -23.38 0.0098\nM 31 0.68 4.27\nFoo 13 09 48 -23 22 53 0.01"
    )
    assert [(t.name, round(t.ra, 2), round(t.dec, 2), t.redshift) for t in asked.targets] == [
        ("NGC 4993", 197.45, -23.38, 0.0098),
        ("M 31", 0.68, 4.27, None),
        ("Foo", 197.45, -23.38, None),
    ]


@given(
    st.sampled_from(["10 20", "AT2026abc 10 20", "10 20 40 Mpc", "ra=10 dec=20"]),
    st.sampled_from(
        [
            "S230518h",
            "s230518h",
            "(S230518h)",
            "in S230518h?",
            "@S230518h",
            "*S230518h*",
            "S230518h:",
            "`S230518h`",
        ]
    ),
    st.integers(0, 4),
)
def test_the_id_may_stand_anywhere(position: str, typed_id: str, at: int) -> None:
    words = position.split()
    assume(at <= len(words) and not (at and words[at - 1 : at] == ["40"]))
    asked = parse_query(" ".join([*words[:at], typed_id, *words[at:]]))
    assert asked.superevent_id == "S230518h"
    assert (asked.targets[0].ra, asked.targets[0].dec) == (10, 20)


@given(
    st.lists(
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(
                [
                    "10",
                    "20.5",
                    "-5",
                    "z=0.1",
                    "40",
                    "Mpc",
                    "13:09:48",
                    "-23:22:53",
                    "M",
                    "31",
                    "RA",
                    "Dec",
                    "name",
                    "\t",
                    "\n",
                    ",",
                    "|",
                    "±",
                    "S230518h",
                    "l=",
                    "b=",
                    "galactic",
                    "J2000",
                    "mag",
                    "1,5",
                    "—",
                    "-",
                    "2026-11-27",
                    "°",
                    "h",
                    "m",
                    "s",
                ]
            ),
        ),
        max_size=14,
    )
)
def test_any_text_is_answered_or_told_why(words: list[str]) -> None:
    try:
        asked = parse_query(" ".join(words))
    except FilterSyntaxError as refused:
        assert str(refused)
        return
    for target in asked.targets:
        assert 0 <= target.ra < 360 and -90 <= target.dec <= 90
        assert target.distance is None or (math.isfinite(target.distance) and target.distance > 0)
