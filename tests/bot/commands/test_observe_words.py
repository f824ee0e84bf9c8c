"""What stands after `observe`, in the spellings that people use at night."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.errors import CommandError
from bot.commands.observe_fields import parse_fields
from bot.commands.observe_values import Selection
from bot.commands.observe_words import ObserveWords, Verb, expand_observe, parse_observe_words
from bot.filters import FilterSyntaxError
from bot.observing.instruments import Instruments
from bot.observing.observatories import find_site
from formatters.models.observing import ChannelSites
from formatters.models.pointing import Telescope

NOW = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
INSTRUMENTS = Instruments()
OWN = ChannelSites(
    sites=(find_site("Palomar"), find_site("Paranal")),
    telescopes=(
        Telescope(
            site="Palomar",
            footprint=INSTRUMENTS.parse("ZTF"),
            exposure=timedelta(seconds=30),
            overhead=timedelta(seconds=10),
        ),
    ),
)
FIRST_12 = Selection(first=12)


def read(text: str) -> ObserveWords:
    """Read what stands behind `observe`."""
    return parse_observe_words(text, OWN, INSTRUMENTS, NOW)


def question(text: str) -> str:
    with pytest.raises(CommandError) as error:
        read(text)
    return str(error.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("observe", ("observe", "")),
        ("observe list", ("observe", "")),
        ("obs this event", ("observe", "")),
        ("observe help", ("help", "observe")),
        ("obs ZTF done 12", ("observe change", "ZTF done 12")),
        ("observed ZTF 12 r 21.5", ("observe change", "observed ZTF 12 r 21.5")),
        ("plan ZTF observe", ("observe change", "plan ZTF")),
        ("plan observe 12 ZTF", ("observe change", "plan 12 ZTF")),
        ("plan ZTF 12", None),
        ("plan to observe", ("plan", "")),
        ("plan to observe with ZTF", None),
        ("plan ZTF and observe", ("plan", "ZTF")),
        ("observing plan", ("plan", "")),
        ("observation plan ZTF 12", ("plan", "ZTF 12")),
        ("observations schedule ZTF", ("plan", "ZTF")),
        ("observe plan ZTF", ("observe change", "plan ZTF")),
        ("obs plan", ("observe change", "plan")),
        ("visible ZTF", None),
    ],
)
def test_the_command_that_words_stand_for(words: str, expected: tuple[str, str] | None) -> None:
    word, _, rest = words.partition(" ")
    assert expand_observe(word, rest) == expected


@pytest.mark.parametrize(
    "words",
    [
        "ZTF done 12 r 21.5",
        "done ZTF 12 r 21.5",
        "ztf done 12 r21.5",
        "ZTF done 12 21.5 r",
        "ZTF done 12 r=21.5 AB",
        "ZTF done 12 r > 21.5",
        "ZTF done first 12 r mag 21.5",
        "ZTF done 12 fields in r to 21.5 mag",
        "ZTF done r-band 21.5, 12 fields",
        "ZTF done 12 in the r band, limiting mag 21.5",
        "palomar done 12 r 21.5",
        "with ZTF done: 12 r 21.5mag",
        "ZTF 12 done r 21.5",
        "ZTF observed 12 r 21.5",
        "I'm observing with ZTF, done 12 r 21.5",
        "ZTF completed 12 r 21.5.",
    ],
)
def test_twelve_fields_in_r_to_21_5(words: str) -> None:
    found = read(words)
    assert (found.verb, found.target and found.target.name) == (Verb.DONE, "ZTF")
    assert (found.values.selection, found.values.band, found.values.depth) == (FIRST_12, "r", 21.5)


@pytest.mark.parametrize(
    ("words", "selection", "band", "depth"),
    [
        ("ZTF done", None, None, None),
        ("ZTF done all", Selection(is_all=True), None, None),
        ("ZTF done rest i 20", Selection(is_rest=True), "i", 20.0),
        ("ZTF done 1-3 r", Selection(numbers=(1, 2, 3)), "r", None),
        ("ZTF done 1 to 3 r", Selection(numbers=(1, 2, 3)), "r", None),
        ("ZTF done 3,5,7 g 21", Selection(numbers=(3, 5, 7)), "g", 21.0),
        ("ZTF done 3, 5 and 7 g 21", Selection(numbers=(3, 5, 7)), "g", 21.0),
        ("ZTF done field 3 r 21.5", Selection(numbers=(3,)), "r", 21.5),
        ("ZTF done #3 r 21.5", Selection(numbers=(3,)), "r", 21.5),
        ("ZTF done 12 r", FIRST_12, "r", None),
        ("ZTF done mag 12 r", None, "r", 12.0),
        ("ZTF done r 21", None, "r", 21.0),
        ("ZTF done 20 21.5", Selection(first=20), None, 21.5),
        ("ZTF done 12 J 18.5 Vega", FIRST_12, "J (Vega)", 18.5),
        ("ZTF done 12 F160W 24", FIRST_12, "F160W", 24.0),
        ("ZTF done 12 i 21.5", FIRST_12, "i", 21.5),
        ("ZTF done 12 band foo 20.1", FIRST_12, "foo", 20.1),
        ("ZTF done 12 clear 19.5", FIRST_12, "clear", 19.5),
        ("ZTF done 12 at 03:20 z 20.5", FIRST_12, "z", 20.5),
    ],
)
def test_fields_band_and_depth(
    words: str, selection: Selection | None, band: str | None, depth: float | None
) -> None:
    values = read(words).values
    assert (values.selection, values.band, values.depth) == (selection, band, depth)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("ZTF done 21 r", "21 fields, or a limiting magnitude of 21?"),
        ("ZTF done r12", "12 fields, or a limiting magnitude of 12?"),
        ("ZTF done 12 20 r", "12 fields, or a limiting magnitude of 12?"),
        ("ZTF done fields 12 r", "the first 12 fields, or field 12?"),
        ("ZTF done 12 r 21,5", "fields 21 and 5, or a limiting magnitude of 21.5?"),
        ("ZTF done 12 r 35", "can't be a limiting magnitude"),
        ("ZTF done 12 r 2.5", "can't be a limiting magnitude"),
        ("ZTF done 12 g r 21.5", "One band at a time"),
        ("ZTF done 12 r 21.5 20.5", "One depth at a time"),
        ("ZTF done 12 r 21.5 seeing", "“seeing” is nothing I know here"),
        ("ZTF done 12-3 r", "from the smaller number"),
        ("ZTF done 0 r", "1 to 500 fields"),
        ("ZTF done last 3 r", "write which fields"),
        ("ZTF doen 12 r", "Did you mean “done”?"),
        ("ZTF cancle clouds", "Did you mean “cancel”?"),
        ("ZFT done 12 r", "did you mean ZTF?"),
        ("foo", "I know no site or instrument “foo”"),
        ("from Palomar tonight", "/gwevent visible Palomar"),
        ("not ZTF", "write cancel"),
        ("ZTF done 12 r 21 at 03:20 PST", "Times are in UTC"),
        ("ZTF done 12 r 21 at 3:20 am", "Times are in UTC"),
        ("ZTF done 12 r 21 2026-11-28T03:20:00-04:00", "Times are in UTC"),
        ("ZTF done 12 r 21 2026-11-28T03:20:00+0100", "Times are in UTC"),
        ("ZTF done 12 r 21 2026-11-28 03:20-04:00", "a range, or another zone?"),
        ("ZTF done 12 r 21 at 25:20", "is no time"),
        ("ZTF done 12 r 21 2026-11-27", "at what time?"),
        ("ZTF done 12 r 21 03:20-04:10", "times, or a position?"),
        ("ZTF done 12 r pa 30", "position angle belongs to fields"),
        ("ZTF\n197.45 -23.38", "planned or done?"),
        ("ZTF done 3\n197.45 -23.38", "The lines have 1 field"),
        ("ZTF plan at 03:20\n197.45 -23.38", "A plan's fields have their own times"),
        ("without a telescope done 12", "Fields belong to a telescope"),
    ],
)
def test_what_is_not_clear_is_asked_about(words: str, asked: str) -> None:
    assert asked in question(words)


@pytest.mark.parametrize(
    ("words", "time"),
    [
        ("at 03:20", NOW.replace(hour=3, minute=20)),
        ("03:20 UTC", NOW.replace(hour=3, minute=20)),
        ("around 3:20z", NOW.replace(hour=3, minute=20)),
        ("at 23:50", NOW.replace(day=27, hour=23, minute=50)),
        ("2026-11-26 23:50:30", datetime(2026, 11, 26, 23, 50, 30, tzinfo=UTC)),
        ("20 min ago", NOW - timedelta(minutes=20)),
        ("an hour ago", NOW - timedelta(hours=1)),
        ("just now", NOW),
        ("03:20-04:10 UTC", NOW.replace(hour=3, minute=20)),
        ("at 2026-11-28 03:20-04:10", NOW.replace(hour=3, minute=20)),
        ("2026-11-28T03:20 to 04:10", NOW.replace(hour=3, minute=20)),
    ],
)
def test_times(words: str, time: datetime) -> None:
    found = read(f"ZTF done 12 r 21.5 {words}")
    assert found.observed_at == time and found.values.depth == 21.5
    assert found.note == ("until 04:10 UTC" if "04:10" in words else "")


@pytest.mark.parametrize(
    ("words", "name", "reason"),
    [
        ("ZTF cancel clouds", "ZTF", "clouds"),
        ("cancel ZTF dome stuck at 03:20", "ZTF", "dome stuck at 03:20"),
        ("ZTF cancelled: clouds, wind", "ZTF", "clouds, wind"),
        ("cancel", None, ""),
        ("cancel ZTF", "ZTF", ""),
    ],
)
def test_what_stands_behind_cancel_is_the_reason(words: str, name: str | None, reason: str) -> None:
    found = read(words)
    assert (found.verb, found.target and found.target.name, found.note) == (Verb.CANCEL, name, reason)


@pytest.mark.parametrize(
    ("words", "name", "plan"),
    [
        ("ZTF plan", "ZTF", ""),
        ("ZTF plan 12", "ZTF", "12"),
        ("plan ZTF 90 minutes", "ZTF", "90 minutes"),
        ("ZTF plan until dawn", "ZTF", "until dawn"),
        ("plan", None, ""),
        ("will observe with ZTF, plan 12", "ZTF", "12"),
    ],
)
def test_the_words_of_plan_are_left_to_it(words: str, name: str | None, plan: str) -> None:
    found = read(words)
    assert (found.verb, found.target and found.target.name, found.plan_words) == (Verb.PLAN, name, plan)
    assert read(f"{words} r").values.band == "r"


@pytest.mark.parametrize(
    ("words", "name", "is_known"),
    [
        ("ZTF", "ZTF", True),
        ("Palomar", "ZTF", True),
        ("VLT", "Paranal", True),
        ("Keck", "Keck", True),
        ("Dark Energy Camera done r 23", "DECam", True),
        ("MyScope done 12 r 20.5", "MyScope", False),
        ('"ZFT" done 12 r 20.5', "ZFT", False),
        ('done "My 2nd telescope" r 20.5', "My 2nd telescope", False),
    ],
)
def test_instruments(words: str, name: str, is_known: bool) -> None:
    target = read(words).target
    assert target is not None and (target.name, target.is_known) == (name, is_known)


def test_oneself_without_a_telescope() -> None:
    assert read("without a telescope").is_myself
    found = read("without a telescope cancel")
    assert found.is_myself and found.verb is Verb.CANCEL


def test_a_remark_stands_behind_note() -> None:
    assert read("ZTF done 12 r 21.5 note thin clouds, done 3").note == "thin clouds, done 3"
    assert read("ZTF done 12 r 21.5 5σ note dawn").note == "5σ dawn"


@pytest.mark.parametrize(
    "text",
    [
        "ZTF done r 21.5\nf1 197.45 -23.38\nf2 198.45 +3.5",
        "ZTF done r 21.5\n13:09:48 -23:22:48\n13h13m48s +03d30m00s",
        "ZTF done r 21.5\nname,ra,dec\na,197.45,-23.38\nb,198.45,3.5",
        "ZTF done 2 r 21.5\n| RA | Dec |\n|---|---|\n| 197.45 | -23.38 |\n| 198.45 | +3.5 |",
        "ZTF done 197.45 -23.38, 198.45 +3.5 r 21.5",
    ],
)
def test_pasted_fields(text: str) -> None:
    found = read(text)
    assert found.fields is not None and (found.values.band, found.values.depth) == ("r", 21.5)
    places = [(round(row.field.ra, 2), round(row.field.dec, 2)) for row in found.fields.rows]
    assert places == [(197.45, -23.38), (198.45, 3.5)]


def test_a_table_says_time_band_depth_and_angle_of_each_field() -> None:
    pasted = parse_fields(
        [
            "field,ra,dec,filter,limmag,obs_mjd,PA,airmass",
            "a,197.45,-23.38,g,21.1,61007.5,30,1.2",
            "b,198.45,-23.38,r,,61007.75,-30,1.3",
        ]
    )
    first, second = pasted.rows
    assert (first.band, first.depth, first.field.position_angle) == ("g", 21.1, 30.0)
    assert first.field.time == datetime(2025, 11, 28, 12, tzinfo=UTC)
    assert (second.band, second.depth, second.field.position_angle) == ("r", None, 330.0)
    assert pasted.notes == ("Columns used: ra, dec, filter, limmag, obs_mjd, PA.",)


def test_a_line_that_is_no_field_is_left_out_and_said() -> None:
    pasted = parse_fields(["197.45 -23.38", "NGC 4993", "198.45 -23.38 2026-11-28T03:20:00Z"])
    assert len(pasted.rows) == 2 and pasted.rows[1].field.time == NOW.replace(hour=3, minute=20)
    assert pasted.notes[0].startswith("Left out “NGC 4993”")
    with pytest.raises(CommandError, match="at most 500 fields"):
        parse_fields([f"{number / 10} -23.38" for number in range(1, 503)])


WORDS = st.sampled_from(
    [
        "ZTF",
        "Palomar",
        "DECam",
        "plan",
        "done",
        "cancel",
        "12",
        "3,5,7",
        "1-12",
        "21.5",
        "21",
        "r",
        "g",
        "i",
        "mag",
        "AB",
        "at",
        "03:20",
        "UTC",
        "all",
        "rest",
        "fields",
        "note",
        "until",
        "dawn",
        "197.45",
        "-23.38",
        "without",
        "a",
        "telescope",
        "clouds",
        "pa",
        "30",
        ">",
        "=",
        "first",
        "field",
        "\n",
        "ra,dec",
    ]
)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.lists(WORDS, max_size=10))
def test_any_words_are_read_or_asked_about(words: list[str]) -> None:
    try:
        found = read(" ".join(words))
    except FilterSyntaxError as error:
        assert 10 < len(str(error)) < 500
    else:
        assert found.target is not None or found.is_myself or found.verb is not Verb.OBSERVING


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(st.none(), st.integers(1, 500).map(lambda n: (f"{n} fields", Selection(first=n)))),
    st.sampled_from(["u", "g", "r", "i", "z", "y", "J", "H", "K", "clear"]),
    st.integers(500, 3000).map(lambda n: n / 100),
    st.permutations([0, 1]),
)
def test_what_is_said_clearly_is_read_as_it_was_said(
    fields: tuple[str, Selection] | None, band: str, depth: float, order: list[int]
) -> None:
    parts = [fields[0] if fields else "", f"band {band} mag {depth:.2f}"]
    values = read(f"ZTF done {' '.join(parts[at] for at in order)}").values
    assert values.selection == (fields[1] if fields else None)
    assert (values.band, values.depth) == (band, depth)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    try:
        read(text)
    except FilterSyntaxError as error:
        assert str(error)


@pytest.mark.parametrize("unit", ["fields", "pointings", "exposures"])
@pytest.mark.parametrize("typed", ["2-3", "1-2", "2 to 3", "7-12", "10–12"])
def test_about_so_many_fields_are_asked_about(typed: str, unit: str) -> None:
    first, last = re.findall(r"\d+", typed)
    assert f"fields {first} to {last}, or about so many" in question(f"ZTF done {typed} {unit} r 21")
    assert read(f"ZTF done fields {typed} r 21").values.selection is not None


@pytest.mark.parametrize("said", ["1-12", "1 to 12", "3,5,7"])
def test_a_list_of_a_plans_fields_is_one(said: str) -> None:
    assert read(f"ZTF done {said} fields r 21").values.selection is not None


@pytest.mark.parametrize(
    "word", ["half", "minute", "other", "next", "before", "hours", "times", "soon", "already"]
)
def test_what_names_no_time_is_not_asked_for_one(word: str) -> None:
    assert f"“{word}” is nothing I know here" in question(f"ZTF done {word} of it")
