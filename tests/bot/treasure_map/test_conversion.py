"""The Treasure Map's JSON becomes pointings and fields of view, whatever it holds."""

from __future__ import annotations

import json
import math
import random
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.footprints import covers, polygon_footprint
from bot.samples.treasure_map import FOOTPRINTS, pointing, square
from bot.store.events.treasure_map_content import ReportedPointings, from_bytes, to_bytes
from bot.treasure_map import conversion
from bot.treasure_map.client import UnreadableAnswer
from bot.treasure_map.conversion import (
    group_pointings,
    merge_pointings,
    parse_footprint,
    parse_instruments,
    parse_pointings,
)
from formatters.models.observation import ObservationStatus
from formatters.models.treasure_map import ReportedObservation
from tests.support.clock import NOW
from tests.support.treasure_map import grid


def observations(*pointings: Any) -> tuple[ReportedObservation, ...]:
    return group_pointings(parse_pointings(list(pointings))).observations


def only(*pointings: Any) -> ReportedObservation:
    (one,) = observations(*pointings)
    return one


def test_a_position_is_read_from_wkt_where_ra_and_dec_are_null() -> None:
    one = only(pointing(1, 313.5, -20.25, NOW))
    assert [(field.ra, field.dec) for field in one.fields] == [(313.5, -20.25)]


@pytest.mark.parametrize(
    ("given_as", "position"),
    [
        ({"ra": 10.5, "dec": -3}, (10.5, -3.0)),
        ({"ra": -46.5, "dec": -20}, (313.5, -20.0)),
        ({"ra": 360, "dec": 90}, (0.0, 90.0)),
        ({"position": "POINT (0 0)"}, (0.0, 0.0)),
        ({"position": "POINT (1.5e2 -3.25E1)"}, (150.0, -32.5)),
        ({"position": " point( -180   12.5 ) "}, (180.0, 12.5)),
        ({"position": "SRID=4326;POINT(20.1 -7.)"}, (20.1, -7.0)),
        ({"position": "POINT(-0.0000001 5)"}, (0.0, 5.0)),
        ({"ra": None, "dec": 5.0, "position": "POINT(20 6)"}, (20.0, 6.0)),
        ({"ra": 500.0, "dec": 5.0}, None),
        ({"ra": 5.0, "dec": 91}, None),
        ({"ra": True, "dec": False, "position": None}, None),
        ({"ra": "10", "dec": "5", "position": None}, None),
        ({"position": "POINT(NaN 5)"}, None),
        ({"position": "POINT EMPTY"}, None),
        ({"position": "POINT(1 2 3)"}, None),
        ({"position": "0101000020E61000000000000000002440"}, None),
        ({"position": ["POINT(1 2)"]}, None),
    ],
)
def test_positions_in_every_form_are_read_or_left_out_and_counted(
    given_as: dict[str, Any], position: tuple[float, float] | None
) -> None:
    known = pointing(1, 40.0, 40.0, NOW)
    found = group_pointings(parse_pointings([known, pointing(2, 50.0, 1.0, NOW) | given_as]))
    fields = [
        (f.ra, f.dec) for one in found.observations for f in one.fields if (f.ra, f.dec) != (40.0, 40.0)
    ]
    assert fields == ([] if position is None else [position])
    assert found.left_out == (position is None)


def test_pointings_of_one_instrument_status_band_and_unit_are_one_observation_in_order_of_time() -> None:
    later, earlier = NOW + timedelta(minutes=5), NOW
    found = observations(
        pointing(1, 10, 10, later, depth=21.5),
        pointing(2, 20, 10, earlier, depth=20.25),
        pointing(3, 30, 10, earlier, band="r"),
        pointing(4, 40, 10, earlier, status="planned", depth=None, depth_unit=None),
        pointing(5, 50, 10, earlier, instrumentid=38, instrument_name="DECam"),
        pointing(6, 60, 10, earlier, status="cancelled"),
    )
    assert [(one.instrument, one.status, one.band, one.depths, len(one.fields)) for one in found] == [
        ("DECam", ObservationStatus.DONE, "g", (20.5, 20.5), 1),
        ("ZTF", ObservationStatus.CANCELLED, "g", (20.5, 20.5), 1),
        ("ZTF", ObservationStatus.DONE, "g", (20.25, 21.5), 2),
        ("ZTF", ObservationStatus.DONE, "r", (20.5, 20.5), 1),
        ("ZTF", ObservationStatus.PLANNED, "g", None, 1),
    ]
    assert [field.ra for field in found[2].fields] == [20, 10]
    assert [field.time for field in found[2].fields] == [earlier, later]


def test_depths_in_different_units_are_never_one_range() -> None:
    found = observations(
        pointing(1, 10, 10, NOW, depth=20.5),
        pointing(2, 10, 10, NOW, depth=20.5, depth_unit="vega_mag"),
        pointing(3, 10, 10, NOW, depth=1e-13, depth_unit="flux_erg"),
        pointing(4, 10, 10, NOW, depth=19.0, depth_unit=None),
    )
    assert {(one.depth_unit, one.depths) for one in found} == {
        ("ab_mag", (20.5, 20.5)),
        ("vega_mag", (20.5, 20.5)),
        ("flux_erg", (1e-13, 1e-13)),
        (None, (19.0, 19.0)),
    }


def test_what_stands_in_no_list_is_carried_as_it_was_given() -> None:
    one = only(
        pointing(
            1, 10, 10, NOW, status="Paused", band="uJAVA", depth_unit="jansky", instrumentid=9_999,
            instrument_name="New <!channel> Camera",
        )
    )  # fmt: skip
    assert one.status is None and one.status_word == "paused"
    assert (one.band, one.depth_unit, one.instrument) == ("uJAVA", "jansky", "New <!channel> Camera")


def test_numbers_in_place_of_words_are_read_and_unknown_ones_carried() -> None:
    one = only(pointing(1, 10, 10, NOW, status=2, depth_unit=1, band=11))
    assert (one.status, one.depth_unit, one.band) == (ObservationStatus.DONE, "ab_mag", "11")
    assert only(pointing(1, 10, 10, NOW, status=9)).status_word == "9"


def test_missing_values_stay_missing() -> None:
    bare = {"position": "POINT(10 10)"}
    one = only(bare)
    assert (one.instrument_id, one.instrument) == (-1, "instrument unknown")
    assert (one.status, one.status_word, one.band, one.depths, one.depth_unit) == (None, "", None, None, None)
    assert one.fields[0].time is None and one.fields[0].position_angle == 0
    assert only({**bare, "instrumentid": 12}).instrument == "instrument 12"


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-22T12:00:00", NOW),
        ("2026-11-22T12:00:00.123456", NOW + timedelta(microseconds=123_456)),
        ("2026-11-22T12:00:00Z", NOW),
        ("2026-11-22T14:00:00+02:00", NOW),
        ("2026-11-22 12:00:00", NOW),
        ("9999-12-31T23:59:59", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("soon", None),
        (1_700_000_000, None),
    ],
)
def test_a_time_without_a_zone_is_utc_and_one_that_cannot_be_is_not_known(
    written: object, at: datetime | None
) -> None:
    assert only(pointing(1, 10, 10, NOW) | {"time": written}).fields[0].time == at


def test_a_pointing_without_a_time_comes_last() -> None:
    one = only(pointing(1, 10, 10, NOW) | {"time": None}, pointing(2, 20, 10, NOW))
    assert [field.ra for field in one.fields] == [20, 10]


def test_a_pointing_that_is_listed_twice_counts_once() -> None:
    twice = pointing(1, 10, 10, NOW)
    without_id = pointing(0, 20, 10, NOW) | {"id": None}
    one = only(twice, twice, without_id, without_id)
    assert [field.ra for field in one.fields] == [10, 20]
    answers = [parse_pointings([twice, without_id]), parse_pointings([without_id, twice])]
    assert group_pointings(merge_pointings(answers)).observations == (one,)


def test_who_submitted_a_pointing_is_not_kept() -> None:
    content = to_bytes(group_pointings(parse_pointings([pointing(1, 10, 10, NOW)])))
    assert b"an.observer" not in zlib.decompress(content)
    assert "an.observer" not in repr(from_bytes(content))


@pytest.mark.parametrize(
    "answer", [None, {}, {"message": "Invalid request", "errors": []}, "x", 5, [5], [[]]]
)
def test_an_answer_without_any_usable_pointing_is_refused(answer: Any) -> None:
    with pytest.raises(UnreadableAnswer) as caught:
        parse_pointings(answer)
    assert str(caught.value).endswith(".")


def test_an_event_that_nobody_points_at_has_no_observations() -> None:
    assert group_pointings(parse_pointings([])) == ReportedPointings()


def test_more_than_is_kept_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "MAX_POINTINGS", 50)
    found = group_pointings(parse_pointings(grid(60, NOW)))
    assert sum(len(one.fields) for one in found.observations) == 50 and found.left_out == 10
    monkeypatch.setattr(conversion, "MAX_GROUPS", 3)
    many = [pointing(n, n, 0, NOW, band=f"b{n}") for n in range(9)] + [pointing(20, 30, 0, NOW, band="b7")]
    found = group_pointings(parse_pointings(many))
    assert len(found.observations) == 3 and found.left_out == 6
    assert max(len(one.fields) for one in found.observations) == 2


@pytest.mark.slow
def test_a_hundred_thousand_pointings_fit_in_a_row() -> None:
    raw = merge_pointings(
        parse_pointings(grid(20_000, NOW + timedelta(days=n), first=20_000 * n)) for n in range(5)
    )
    found = group_pointings(raw)
    content = to_bytes(found)
    assert sum(len(one.fields) for one in found.observations) == 100_000 and not found.left_out
    assert len(content) < 3_000_000
    assert from_bytes(content) == found


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["POINT(1 2)", "POINT(-1e400 2)", "completed", "2026-11-22T12:00:00", "\ud800", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = sorted(pointing(1, 1, 1, NOW))


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8) | JSON, max_size=5), st.randoms())
def test_any_answer_is_converted_and_kept_or_refused(
    entries: list[Any], random_source: random.Random
) -> None:
    good = pointing(1, 10, 10, NOW)
    mixed = [
        {**good, "id": at, **entry} if isinstance(entry, dict) else entry for at, entry in enumerate(entries)
    ]
    random_source.shuffle(mixed)
    try:
        found = group_pointings(parse_pointings(mixed))
    except UnreadableAnswer as refusal:
        assert str(refusal).endswith(".") and len(str(refusal)) < 200
        return
    kept = sum(len(one.fields) for one in found.observations)
    assert kept + found.left_out <= len(mixed) or not mixed
    for one in found.observations:
        assert one.instrument.isprintable() and 0 < len(one.instrument) <= conversion.NAME_MAX
        assert one.depths is None or all(map(math.isfinite, one.depths))
        for field in one.fields:
            assert 0 <= field.ra < 360 and -90 <= field.dec <= 90 and 0 <= field.position_angle < 360
    assert from_bytes(to_bytes(found)) == found


@settings(deadline=None)
@given(JSON | st.lists(st.dictionaries(st.sampled_from(["id", "instrument_name", "nickname"]), JSON)))
def test_any_list_of_instruments_is_read_or_refused(answer: Any) -> None:
    try:
        found = parse_instruments(answer)
    except UnreadableAnswer:
        assert not isinstance(answer, list)
        return
    assert all(one.name.isprintable() and one.name for one in found)
    assert len({one.id for one in found}) == len(found)


@settings(deadline=None)
@given(
    JSON
    | st.lists(
        st.fixed_dictionaries(
            {"footprint": JSON | st.from_regex(r"(MULTI)?POLYGON ?\(\(([-0-9. ]{3,9},){1,4}[-0-9. ]*\)\)")}
        ),
        max_size=3,
    )
)
def test_any_footprint_is_read_or_counts_as_none(answer: Any) -> None:
    try:
        polygons = parse_footprint(answer, 47)
    except UnreadableAnswer:
        assert not isinstance(answer, list)
        return
    assert all(math.isfinite(x) and math.isfinite(y) for polygon in polygons for x, y in polygon)
    json.dumps(polygons, allow_nan=False)


def answer_of(number: int, *texts: object) -> list[dict[str, object]]:
    return [{"id": at, "instrumentid": number, "footprint": text} for at, text in enumerate(texts)]


def test_a_field_of_one_polygon_a_detector_has_the_area_that_its_detectors_have() -> None:
    polygons = parse_footprint(answer_of(38, *FOOTPRINTS[38]), 38)
    footprint = polygon_footprint(polygons, "DECam")
    assert len(polygons) == 9
    assert footprint.area == pytest.approx(9 * 0.6**2, rel=1e-3)


def test_corners_are_projected_from_the_sphere_to_the_plane() -> None:
    (polygon,) = parse_footprint(answer_of(47, square(10.0)), 47)
    # The field's edge at declination 0 lies 10° from its centre on the sky.
    footprint = polygon_footprint([polygon], "wide")
    near = np.radians([9.9, 10.1])
    points = (np.cos(near), np.sin(near), np.zeros(2))
    assert covers(footprint, 0.0, 0.0, points).tolist() == [True, False]


@pytest.mark.parametrize(
    "texts",
    [
        (square(0.5), None),
        (square(0.5), "POLYGON EMPTY"),
        (square(0.5), "POLYGON ((0 0, 1 0, x y, 0 0))"),
        ("POLYGON ((0 0, 120 0, 120 60, 0 0))",),
        ("0103000020E6100000",),
        (square(0.5), 5),
        ("LINESTRING (0 0, 1 1)",),
        ("POLYGON ((" + "1 1, " * 50_000 + "1 1))",),
        ("POLYGON ((" * 5_000,),
    ],
)
def test_a_field_of_which_a_part_cannot_be_read_is_not_known(texts: tuple[object, ...]) -> None:
    assert parse_footprint(answer_of(47, *texts), 47) == []


def test_multipolygons_and_corners_beyond_the_meridian_are_read_and_holes_are_not() -> None:
    with_hole = "((3 0, 4 0, 4 1, 3 0), (3.1 0.1, 3.2 0.1, 3.1 0.2))"
    text = f"MULTIPOLYGON (((359 0, 1 0, 1 1, 359 1, 359 0)), {with_hole})"
    first, second = parse_footprint(answer_of(47, text), 47)
    assert [round(x) for x, _ in first] == [-1, 1, 1, -1, -1] and len(second) == 4


def test_detectors_of_another_instrument_do_not_count() -> None:
    answer = [*answer_of(47, square(0.5)), *answer_of(48, square(0.5))]
    assert len(parse_footprint(answer, 47)) == 1
    assert parse_footprint(answer_of(48, square(0.5)), 47) == []


def test_instruments_have_both_names() -> None:
    found = parse_instruments(
        [
            {"id": 47, "instrument_name": "Zwicky Transient Facility", "nickname": "ZTF"},
            {"id": 48, "instrument_name": None, "nickname": None},
            {"id": None, "instrument_name": "x"},
            "x",
        ]
    )
    assert [(one.id, one.name, one.nickname) for one in found] == [
        (47, "Zwicky Transient Facility", "ZTF"),
        (48, "instrument 48", None),
    ]


def test_times_of_the_result_have_a_zone() -> None:
    assert all(f.time is not None and f.time.tzinfo is UTC for f in only(*grid(3, NOW)).fields)
