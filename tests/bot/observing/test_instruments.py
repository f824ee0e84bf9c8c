"""The table of instruments, and a file of one's own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.instruments import open_instruments, read_instruments
from bot.observing.footprints import FootprintProblem, UnknownFootprint
from bot.observing.instruments import (
    MAX_FILE_BYTES,
    Instruments,
    InvalidInstruments,
    built_in,
)
from bot.observing.observatories import normalized_name

SQUARE = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]


def test_each_instrument_has_a_source_and_says_what_its_shape_stands_for() -> None:
    for instrument in built_in():
        assert len(instrument.source) > 20 and instrument.approximation, instrument
        assert 0.1 < instrument.footprint.area < 60
        assert instrument.footprint.words == instrument.name
    names = Counter(n for i in built_in() for n in set(map(normalized_name, (i.name, *i.aliases))))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    ("name", "area"),
    [
        ("ZTF", 47),
        ("decam", 3),
        ("Dark Energy Camera", 3),
        ("LSST", 9.6),
        ("PS2", 7),
        ("tarot reunion", 17.6),
    ],
)
def test_instruments_are_found_by_any_spelling(name: str, area: float) -> None:
    assert Instruments().parse(name).area == pytest.approx(area, rel=0.01)


def test_words_that_are_no_instrument_are_a_field_of_view() -> None:
    assert Instruments().parse("2.2x2.2deg").words == "2.2x2.2deg"
    with pytest.raises(FootprintProblem, match="400° isn't"):
        Instruments().parse("400deg circle")
    with pytest.raises(UnknownFootprint, match="I know ATLAS"):
        Instruments().parse("FOOCAM")


def write(folder: Path, content: object) -> Path:
    path = folder / "cameras.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_file_has_words_and_polygons(tmp_path: Path) -> None:
    far = [[x + 2, y] for x, y in SQUARE]
    given_instruments = {
        "MyCam": [SQUARE, far],
        "One polygon": SQUARE,
        "Named": {"polygons": [SQUARE]},
        "Round": "1.1deg circle",
        "ZTF": "46sqdeg",
    }
    instruments = open_instruments(write(tmp_path, given_instruments))
    assert instruments.parse("my cam").area == pytest.approx(2, rel=2e-3)
    assert instruments.parse("MyCam").words == "MyCam"
    assert instruments.parse("One polygon").area == pytest.approx(1, rel=1e-3)
    assert instruments.parse("named") == instruments.parse("One polygon").__class__(
        polygons=instruments.parse("One polygon").polygons,
        area=instruments.parse("One polygon").area,
        words="Named",
    )
    assert instruments.parse("Round").radius == pytest.approx(0.55)
    assert instruments.parse("ZTF").area == pytest.approx(46), "one's own comes first"
    assert instruments.names[0] == "MyCam"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "isn't JSON"),
        ("[" * 5_000, "isn't JSON"),
        ([1, 2], "isn't an object"),
        ({"MyCam": 3}, "MyCam: It needs words"),
        ({"MyCam": []}, "MyCam: It needs words"),
        ({"MyCam": "400deg circle"}, "MyCam: A field of view is between"),
        ({"MyCam": "FOO"}, 'MyCam: "FOO" is no field of view'),
        ({"MyCam": [[[0, 0], [1, "x"], [0, 1]]]}, "two numbers in degrees"),
        ({"MyCam": [[[0, 0], [1, 0]]]}, "at least three corners"),
        ({"MyCam": [SQUARE, 5]}, "two numbers in degrees"),
        ({"MyCam": [[[0, 0], [400, 0], [0, 1]]]}, "more than 15°"),
        ('{"MyCam": [[[0, 0], [NaN, 0], [0, 1]]]}', "more than 15°"),
        ({"": SQUARE}, "a name has 1 to 40"),
        ({"x" * 41: SQUARE}, "a name has 1 to 40"),
        ({f"c{number}": "1deg circle" for number in range(201)}, "more than 200"),
        ('"' + "x" * MAX_FILE_BYTES + '"', "larger than 2 MB"),
    ],
)
def test_damaged_file_gets_one_sentence(content: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInstruments, match=words.replace("(", r"\(")) as caught:
        read_instruments(write(tmp_path, content))
    assert str(tmp_path) in str(caught.value)


def test_file_names_the_only_fields_of_a_camera(tmp_path: Path) -> None:
    (tmp_path / "grid.csv").write_text(
        "# my fields\nid,RA,Dec\n1,10.5,-20\n2,-0.5,90\n\n3,10.5,-20\n", "utf-8"
    )
    instruments = open_instruments(
        write(tmp_path, {"Mine": {"fov": "2x2deg", "fields": "grid.csv"}, "ZTF": {"fields": "grid.csv"}})
    )
    assert instruments.fixed_fields("mine") == ((10.5, -20.0), (359.5, 90.0))
    assert instruments.parse("ZTF").area == pytest.approx(47)
    assert instruments.fixed_fields("ZTF") == instruments.fixed_fields("mine")
    assert instruments.fixed_fields("DECam") == instruments.fixed_fields("2x2deg") == ()
    assert instruments.fixed_fields("") == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "grid.csv: it is empty"),
        (b"a,b\n1,2\n", "name a column ra and a column dec"),
        (b"ra,dec\n", "has no fields"),
        (b"ra,dec\n1,2\n1,x\n", "line 3 has no RA and Dec"),
        (b"ra,dec\n1\n", "line 2 has no RA and Dec"),
        (b"#x\nra,dec\n1,91\n", "line 3 has a position that isn't on the sky"),
        (b"ra,dec\nnan,1\n", "line 2 has a position that isn't on the sky"),
        (b"ra,dec\n" + b"1,2\n" * 20_001, "more than 20,000 fields"),
        (b'ra,dec\n"1\n2",3\n', "several lines"),
        (b"ra,dec\n1,2\xff\n", "isn't UTF-8"),
        (b"ra,dec,c\n1,2," + b"x" * MAX_FILE_BYTES, "larger than 2 MB"),
        (b"ra,dec,c\n1,2," + b"x" * 200_000, "isn't a CSV file"),
    ],
)
def test_damaged_fields_get_one_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "grid.csv").write_bytes(content)
    with pytest.raises(InvalidInstruments, match=words) as caught:
        read_instruments(write(tmp_path, {"Mine": {"fov": "2x2deg", "fields": "grid.csv"}}))
    assert "cameras.json: Mine: grid.csv: " in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"fov": "2x2deg", "fields": "none.csv"}, "none.csv can't be read"),
        ({"fov": "2x2deg", "fields": 3}, "its fields are the name of a CSV file"),
        ({"fov": "2x2deg", "fields": "\0"}, "Mine: "),
        ({"fov": "2x2deg", "polygons": [SQUARE]}, "both fov and polygons"),
        ({"fields": None}, "no fov and no polygons"),
        ({"fov": 3}, "Its fov are words"),
        ({"fov": "2x2deg", "colour": "red"}, '"colour" is none of fov, polygons and fields'),
    ],
)
def test_wrong_keys_get_one_sentence(value: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInstruments, match=words):
        read_instruments(write(tmp_path, {"Mine": value}))


def test_missing_file_gets_one_sentence_and_leaves_the_table(tmp_path: Path) -> None:
    with pytest.raises(InvalidInstruments, match="can't be read: No such file"):
        read_instruments(tmp_path / "none.json")
    assert open_instruments(tmp_path / "none.json").parse("ZTF").area == pytest.approx(47)
    assert open_instruments(None).names == Instruments().names


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20) | st.just("1deg circle"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(_JSON | st.dictionaries(st.text(max_size=5), _JSON, max_size=3))
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    try:
        found = read_instruments(write(tmp_path_factory.mktemp("cameras"), value))
    except InvalidInstruments:
        return
    assert all(one.footprint.area > 0 for one in found)
