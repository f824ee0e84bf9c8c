"""Rubin's rules of 2026: every worked case, each comparison's strictness, and what isn't known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.criteria.measurements import RubinSky
from bot.criteria.rubin_2026 import (
    RUBIN_GRADES,
    RUBIN_REVISION,
    RUBIN_SOURCE,
    CategoryOutcome,
    RubinJudgement,
    grades_meeting,
    judge_rubin,
)
from formatters.models.criteria_set import GRADE_NAME, GRADE_NAME_MAX, Verdict, WhyUndecided
from formatters.models.filter import Op
from formatters.models.notice import Localization, MassBins, Notice
from tests.support.rubin_maps import PLANE, SUN, round_sky, rubin_notice

ONE_A_YEAR = 1 / (365.25 * 86_400)
NO_NS_CLASSES = {"BNS": 0.0, "NSBH": 0.0, "BBH": 0.99, "Terrestrial": 0.01}
NO_NS_PROPERTIES = {"HasNS": 0.0, "HasRemnant": 0.0, "HasMassGap": 0.0}
NO_NS: dict[str, Any] = {"classification": NO_NS_CLASSES, "properties": NO_NS_PROPERTIES}
LENSED: dict[str, Any] = {
    "classification": {"BNS": 0.85, "NSBH": 0.05, "BBH": 0.04, "Terrestrial": 0.06},
    "properties": {"HasNS": 0.9, "HasRemnant": 0.5, "HasMassGap": 0.95},
}
HEAVY: dict[str, Any] = {**NO_NS, "bins": {22: 0.6, 44: 0.35, 11: 0.05}}
SSM: dict[str, Any] = {"search": "SSM", "classification": {}, "properties": {"HasSSM": 1.0}, "far": 5e-9}
SHAPES = ["top hat", "gaussian"]


def grades(
    area: float, shape: str = "top hat", place: tuple[float, float] | None = None, **facts: Any
) -> tuple[str, ...]:
    """The grades of the worked cases' notice with a round 90 % region of this area (deg²)."""
    sky = round_sky(area, shape=shape) if place is None else round_sky(area, place, shape)
    return judge_rubin(rubin_notice(**facts), sky, sky_pending=False).grades


def category(found: RubinJudgement, name: str) -> CategoryOutcome:
    return next(one for one in found.categories if one.name == name)


def made_sky(**facts: Any) -> RubinSky:
    """A sky of 75 deg² that Rubin can observe wholly, with other facts."""
    usual: dict[str, Any] = {
        "area_90": 75.0,
        "observable_area": 75.0,
        "observable_probability": 0.9,
        "all_observable_probability": 0.95,
        "off_plane_probability": {500.0: 0.9, 1500.0: 0.9},
        "is_all_north": False,
    }
    return RubinSky(**(usual | facts))


def judged(sky: RubinSky | None = None, **facts: Any) -> RubinJudgement:
    return judge_rubin(rubin_notice(**facts), sky or made_sky(), sky_pending=False)


def with_event(notice: Notice, **facts: Any) -> Notice:
    assert notice.event is not None
    return replace(notice, event=replace(notice.event, **facts))


# The worked cases, in the order of the specification, on a top hat and on a Gaussian.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("area", "expected"),
    [(75, "Gold"), (400, "Silver"), (800, "Bronze"), (1_200, "Bronze"), (2_500, "Bronze")],
)
def test_the_area_of_omega_decides_the_grade(area: float, expected: str, shape: str) -> None:
    assert grades(area, shape) == (expected,)


@pytest.mark.parametrize(
    ("far", "expected"),
    [
        (0.99 * ONE_A_YEAR, ("Gold",)),
        (4e-8, ()),
        (ONE_A_YEAR, ()),
        (math.nextafter(ONE_A_YEAR, 0), ("Gold",)),
    ],
)
def test_the_far_is_below_one_a_year(far: float, expected: tuple[str, ...]) -> None:
    assert grades(75, far=far) == expected


def test_bns_and_nsbh_are_above_nine_tenths() -> None:
    classes = {"BNS": 0.5, "NSBH": 0.4, "BBH": 0.1, "Terrestrial": 0.0}
    assert grades(75, classification=classes, properties=NO_NS_PROPERTIES) == ()
    more = {"BNS": 0.05, "NSBH": 0.9, "BBH": 0.04, "Terrestrial": 0.01}
    assert grades(75, classification=more, properties=NO_NS_PROPERTIES) == ("Gold",)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"HasNS": 0.5, "HasRemnant": 0.0}, ("Gold",)),
        ({"HasNS": 0.25, "HasRemnant": 0.10}, ("Gold",)),
        ({"HasNS": 0.25, "HasRemnant": 0.05}, ()),
        ({"HasNS": math.nextafter(0.5, 0), "HasRemnant": math.nextafter(0.1, 0)}, ()),
    ],
)
def test_has_ns_or_has_remnant_suffices(properties: dict[str, float], expected: tuple[str, ...]) -> None:
    facts = NO_NS | {"properties": NO_NS_PROPERTIES | properties}
    assert grades(75, **facts) == expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", [PLANE, SUN])
def test_on_the_galactic_plane_and_around_the_sun_nothing_triggers(
    place: tuple[float, float], shape: str
) -> None:
    assert grades(100, shape, place) == ()


@pytest.mark.parametrize(
    ("bins", "expected"),
    [
        ({1.1: 0.5, 1.2: 0.45, 2.3: 0.05}, ("Gold",)),
        ({1.1: 0.5, 1.2: 0.39, 2.3: 0.11}, ()),
        # Whatever the last binary digits of the sums say.
        ({1.1: 0.1, 1.2: 0.2, 1.3: 0.6, 2.3: 0.1}, ("Gold",)),
        ({1.1: 0.7, 1.2: 0.1, 1.3: 0.1, 2.3: 0.1}, ("Gold",)),
        ({1.1: 0.899, 2.3: 0.101}, ()),
    ],
)
def test_chirp_masses_below_2_3_suffice(bins: dict[float, float], expected: tuple[str, ...]) -> None:
    assert grades(75, **NO_NS, bins=bins) == expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("area", "expected"), [(800, ("lensed A", "Bronze")), (12, ("lensed B", "Gold")), (1_000, ("Bronze",))]
)
def test_lensed_stands_before_the_neutron_stars_grade(
    area: float, expected: tuple[str, ...], shape: str
) -> None:
    assert grades(area, shape, **LENSED) == expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("area", "place", "expected"), [(90, None, ("BBH",)), (110, None, ()), (90, SUN, ())]
)
def test_heavy_black_holes(
    area: float, place: tuple[float, float] | None, expected: tuple[str, ...], shape: str
) -> None:
    assert grades(area, shape, place, **HEAVY) == expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("area", "expected"), [(50, "SSM Gold"), (300, "SSM Silver"), (800, "SSM Silver")])
def test_sub_solar_masses(area: float, expected: str, shape: str) -> None:
    assert grades(area, shape, **SSM) == (expected,)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"properties": {"HasSSM": 0.5}}, ("SSM Gold",)),
        ({"properties": {"HasSSM": 0.49}}, ()),
        ({"far": 2 / 3 * ONE_A_YEAR}, ()),
        ({"far": ONE_A_YEAR / 3}, ()),
        ({"far": math.nextafter(ONE_A_YEAR / 3, 0)}, ("SSM Gold",)),
        ({"search": "AllSky"}, ()),
        # No chirp mass stands in for HasSSM, and an SSM event is no BNS whatever its chirp mass.
        ({"properties": {"HasSSM": 0.0}, "bins": {0.1: 0.95, 0.87: 0.05}}, ()),
        ({"bins": {0.1: 0.95, 0.87: 0.05}}, ("SSM Gold",)),
        ({"properties": {"HasSSM": 0.0, "HasNS": 1.0, "HasMassGap": 1.0}}, ()),
    ],
)
def test_sub_solar_masses_at_their_limits(facts: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert grades(50, **(SSM | facts)) == expected


def test_sub_solar_masses_on_the_plane_trigger_nothing() -> None:
    assert grades(50, place=PLANE, **SSM) == ()


@pytest.mark.parametrize("alert_type", ["EARLYWARNING", "PRELIMINARY", "UPDATE"])
def test_any_notice_is_judged_and_when_it_triggers_is_said_elsewhere(alert_type: str) -> None:
    assert grades(75, alert_type=alert_type) == ("Gold",)


# Comparisons that no worked case reaches.


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ({"NSBH": 0.2, "BNS": 0.0}, ("Gold",)),
        ({"NSBH": 0.05, "BNS": 0.05}, ()),
        ({"NSBH": 0.1, "BNS": 0.001}, ("Gold",)),
    ],
)
def test_masses_in_the_gap_need_a_class_above_a_tenth(
    classes: dict[str, float], expected: tuple[str, ...]
) -> None:
    found = judged(
        classification=NO_NS_CLASSES | classes,
        properties=NO_NS_PROPERTIES,
        bins={2.3: 0.6, 3: 0.35, 5.5: 0.05},
    )
    assert tuple(grade for grade in found.grades if grade != "lensed A") == expected


@pytest.mark.parametrize(
    ("change", "area", "expected"),
    [
        ({"HasMassGap": 0.9}, 900.0, True),
        ({"HasMassGap": math.nextafter(0.9, 0)}, 900.0, False),
        ({}, math.nextafter(900, 1_000), False),
        ({"NSBH": 0.1}, 800.0, False),
        ({"NSBH": math.nextafter(0.1, 0)}, 800.0, True),
    ],
)
def test_lensed_at_its_limits(change: dict[str, float], area: float, expected: bool) -> None:
    facts = {
        key: {name: change.get(name, value) for name, value in values.items()}
        for key, values in LENSED.items()
    }
    assert ("lensed A" in judged(made_sky(area_90=area), **facts).grades) is expected


def test_masses_in_the_gap_stand_in_for_has_mass_gap_and_15_deg2_is_no_b() -> None:
    facts = LENSED | {"properties": {"HasNS": 0.0, "HasRemnant": 0.0, "HasMassGap": 0.0}}
    bins = {2.3: 0.6, 3: 0.3, 5.5: 0.1}
    assert judged(made_sky(area_90=15.0), **facts, bins=bins).grades[0] == "lensed A"
    assert judged(made_sky(area_90=14.99), **facts, bins=bins).grades[0] == "lensed B"
    assert judged(**facts).grades == ()


def test_lensed_asks_nothing_of_what_can_be_observed() -> None:
    hidden = made_sky(
        area_90=800.0,
        observable_area=0.0,
        observable_probability=0.0,
        all_observable_probability=0.0,
        off_plane_probability={500.0: 0.0, 1500.0: 0.0},
    )
    assert judged(hidden, **LENSED).grades == ("lensed A",)


@pytest.mark.parametrize(
    ("facts", "sky", "expected"),
    [
        ({"bins": {22: 0.5, 44: 0.4, 11: 0.1}}, {}, True),
        ({"bins": {22: 0.5, 44: 0.35, 11: 0.15}}, {}, False),
        ({}, {"area_90": 100.0}, False),
        ({}, {"area_90": 99.99}, True),
        ({}, {"all_observable_probability": 0.7}, False),
        ({}, {"all_observable_probability": 0.7001}, True),
        ({"far": ONE_A_YEAR}, {}, False),
    ],
)
def test_heavy_black_holes_at_their_limits(
    facts: dict[str, Any], sky: dict[str, Any], expected: bool
) -> None:
    assert (judged(made_sky(**sky), **(HEAVY | facts)).grades == ("BBH",)) is expected


@pytest.mark.parametrize(
    ("area", "expected"),
    [(99.99, "Gold"), (100, "Silver"), (499.99, "Silver"), (500, "Bronze"), (1_500, "Bronze")],
)
def test_omega_at_the_grades_limits(area: float, expected: str) -> None:
    assert judged(made_sky(observable_area=area)).grades == (expected,)


@pytest.mark.parametrize(
    ("area", "expected"), [(99.99, "SSM Gold"), (100, "SSM Silver"), (9_000, "SSM Silver")]
)
def test_omega_at_the_sub_solar_grades_limits(area: float, expected: str) -> None:
    assert judged(made_sky(observable_area=area), **SSM).grades == (expected,)


@pytest.mark.parametrize(("value", "expected"), [(0.1, ()), (0.1001, ("Gold",))])
def test_more_than_a_tenth_lies_off_the_plane_of_what_each_category_trims_to(
    value: float, expected: tuple[str, ...]
) -> None:
    assert judged(made_sky(off_plane_probability={500.0: 0.0, 1500.0: value})).grades == expected
    small = made_sky(off_plane_probability={500.0: value, 1500.0: 0.0})
    assert judged(small, **SSM).grades == tuple(f"SSM {grade}" for grade in expected)


@pytest.mark.parametrize("facts", [{}, LENSED, HEAVY, SSM])
def test_a_region_that_is_all_north_triggers_nothing(facts: dict[str, Any]) -> None:
    assert judged(**facts).grades
    assert judged(made_sky(is_all_north=True), **facts).grades == ()


def test_all_that_hold_are_named_in_their_precedence() -> None:
    facts = LENSED | {"bins": {22: 0.95, 5.5: 0.05}}
    assert judged(made_sky(area_90=80.0), **facts).grades == ("BBH", "lensed A", "Gold")
    assert [one.name for one in judged().categories] == ["SSM", "BBH", "lensed BNS", "BNS/NSBH"]


# Sums and bins.


@given(st.lists(st.integers(0, 100), min_size=2, max_size=6).filter(any))
@settings(deadline=None)
def test_sums_of_decimals_compare_as_the_decimals_do(percents: list[int]) -> None:
    """P(chirp mass < 2.3) of up to six bins below, each a whole percent."""
    edges = (0.1, 0.87, 1.0, 1.1, 1.2, 1.3, 1.4)
    bins = {edge: percent / 100 for edge, percent in zip(edges, percents, strict=False)}
    held = judged(**NO_NS, bins=bins).grades == ("Gold",)
    assert held is (sum(percents) >= 90)


@given(st.integers(0, 100), st.integers(0, 100))
@example(34, 56)  # 0.34 + 0.56 is 0.9000000000000001
@settings(deadline=None)
def test_the_sum_of_both_classes_compares_as_the_decimals_do(bns: int, nsbh: int) -> None:
    classes = {"BNS": bns / 100, "NSBH": nsbh / 100, "BBH": 0.0, "Terrestrial": 0.0}
    found = judged(classification=classes, properties=NO_NS_PROPERTIES)
    assert (found.grades == ("Gold",)) is (bns + nsbh > 90)


def test_a_bin_that_straddles_a_bound_is_left_out() -> None:
    notice = rubin_notice(**NO_NS)
    straddling = MassBins(bin_edges=(1.0, 2.0, 2.5, 30.0), probabilities=(0.89, 0.11, 0.0))
    assert (
        judge_rubin(with_event(notice, mchirp_source=straddling), made_sky(), sky_pending=False).grades == ()
    )
    # The same edge as a 32-bit number.
    close = MassBins(bin_edges=(1.0, 2.299_999_952, 5.5), probabilities=(0.05, 0.95))
    facts = with_event(
        rubin_notice(classification=NO_NS_CLASSES | {"NSBH": 0.2}, properties=NO_NS_PROPERTIES),
        mchirp_source=close,
    )
    assert judge_rubin(facts, made_sky(), sky_pending=False).grades == ("Gold",)


def test_bins_count_whatever_the_pipeline_and_its_frame() -> None:
    facts: dict[str, Any] = {"group": "Burst", "pipeline": "cwb", "search": "BBH", "classification": {}}
    found = judged(**facts, properties={}, bins=HEAVY["bins"])
    assert found.grades == ("BBH",)


# What isn't known.


def test_without_bins_conditions_on_the_chirp_mass_are_false() -> None:
    assert category(judged(**NO_NS), "BBH").verdict is Verdict.FAILED
    unread = with_event(rubin_notice(**NO_NS), unread=("mchirp_source",))
    found = category(judge_rubin(unread, made_sky(), sky_pending=False), "BBH")
    assert (found.verdict, found.possible) == (Verdict.UNKNOWN, ("BBH",)), (
        "bins that can't be read are unknown"
    )


@pytest.mark.parametrize(
    ("classification", "properties", "expected"),
    [
        # HasNS isn't stated, and nothing else suffices.
        ({"BNS": 0.2, "NSBH": 0.0}, {"HasRemnant": 0.0, "HasMassGap": 0.0}, Verdict.UNKNOWN),
        ({"BNS": 0.2, "NSBH": 0.0}, {"HasRemnant": 0.1, "HasMassGap": 0.0}, Verdict.HELD),
        ({"BNS": 0.2}, {"HasNS": 0.0, "HasRemnant": 0.0}, Verdict.UNKNOWN),
        # One class is above the limit alone.
        ({"NSBH": 0.95}, {"HasNS": 0.0, "HasRemnant": 0.0}, Verdict.HELD),
        ({}, {}, Verdict.UNKNOWN),
        ({}, {"HasNS": 0.6}, Verdict.HELD),
    ],
)
def test_what_isnt_stated_is_unknown_unless_another_alternative_holds(
    classification: dict[str, float], properties: dict[str, float], expected: Verdict
) -> None:
    found = category(judged(classification=classification, properties=properties), "BNS/NSBH")
    assert found.verdict is expected
    if expected is Verdict.UNKNOWN:
        assert (found.label, found.possible) == (None, ("Gold",)), "the map says which it would be"
        assert found.why_undecided is WhyUndecided.NOT_STATED


def test_a_far_that_isnt_stated_is_unknown() -> None:
    notice = with_event(rubin_notice(), far=None)
    found = judge_rubin(notice, made_sky(), sky_pending=False)
    assert (found.grades, found.possible) == ((), ("Gold",))
    assert category(found, "BBH").verdict is Verdict.FAILED, "there are no bins"


def test_a_search_that_isnt_stated_may_be_that_for_sub_solar_masses() -> None:
    found = judge_rubin(with_event(rubin_notice(), search=""), made_sky(), sky_pending=False)
    assert category(found, "BNS/NSBH").verdict is Verdict.UNKNOWN


def test_a_burst_has_no_classes_and_is_none_of_them() -> None:
    """It isn't unknown, or each burst would be said to be undecided for ever."""
    burst: dict[str, Any] = {"group": "Burst", "pipeline": "cwb", "classification": {}, "properties": {}}
    assert judged(**burst).possible == judged(**burst).grades == ()
    unread = with_event(rubin_notice(**burst), unread=("properties.HasNS",))
    assert judge_rubin(unread, made_sky(), sky_pending=False).possible == ("Gold",)


def test_without_an_event_everything_is_unknown() -> None:
    retraction = replace(rubin_notice(), event=None)
    found = judge_rubin(retraction, None, sky_pending=False)
    assert {one.verdict for one in found.categories} <= {Verdict.UNKNOWN, Verdict.UNDECIDED}
    assert found.grades == ()


# Without the map.


def located(notice: Notice, area: float) -> Notice:
    """The notice with a map whose stated 90 % area is this."""
    where = Localization(
        ra=60.0, dec=-30.0, area_50=area / 4, area_90=area, regions=(), distance=None, peak_distance=None
    )
    return replace(notice, localization=where)


def test_a_far_that_is_too_high_needs_no_map() -> None:
    for pending in (True, False):
        found = judge_rubin(rubin_notice(far=4e-8), None, sky_pending=pending)
        assert {one.verdict for one in found.categories} == {Verdict.FAILED}
        assert found.possible == ()


@pytest.mark.parametrize(
    ("pending", "verdict", "why"),
    [
        (True, Verdict.UNDECIDED, WhyUndecided.MAP_PENDING),
        (False, Verdict.UNDECIDED, WhyUndecided.NO_MAP),
    ],
)
def test_without_a_map_its_grades_are_undecided(pending: bool, verdict: Verdict, why: WhyUndecided) -> None:
    found = judge_rubin(rubin_notice(), None, sky_pending=pending)
    assert (found.grades, found.possible) == ((), ("Gold", "Silver", "Bronze"))
    one = category(found, "BNS/NSBH")
    assert (one.verdict, one.label, one.why_undecided) == (verdict, None, why)


@pytest.mark.parametrize("lost", [{"map_problem": "The map is empty."}, {"localization": 75.0}])
def test_a_map_that_cant_be_read_or_is_gone_leaves_it_unknown(lost: dict[str, Any]) -> None:
    notice = rubin_notice()
    notice = located(notice, 75.0) if "localization" in lost else replace(notice, **lost)
    one = category(judge_rubin(notice, None, sky_pending=False), "BNS/NSBH")
    assert (one.verdict, one.why_undecided) == (Verdict.UNKNOWN, WhyUndecided.NOT_STATED)


def test_what_isnt_stated_waits_for_the_map_that_may_deny_it() -> None:
    facts: dict[str, Any] = {"classification": {"BNS": 0.2, "NSBH": 0.0}, "properties": {}}
    one = category(judge_rubin(rubin_notice(**facts), None, sky_pending=True), "BNS/NSBH")
    assert (one.verdict, one.why_undecided) == (Verdict.UNDECIDED, WhyUndecided.MAP_PENDING)


@pytest.mark.parametrize(
    ("facts", "area", "possible"),
    [
        (HEAVY, 99.0, ("BBH",)),
        (HEAVY, 100.0, ()),
        (LENSED, 14.0, ("lensed B", "lensed A")),
        (LENSED, 15.0, ("lensed A",)),
        (LENSED, 901.0, ()),
    ],
)
def test_the_stated_area_denies_before_the_map_is_measured(
    facts: dict[str, Any], area: float, possible: tuple[str, ...]
) -> None:
    """The rules' area, of whole tiles, is never smaller than the interpolated one that messages state."""
    found = judge_rubin(located(rubin_notice(**facts), area), None, sky_pending=True)
    assert tuple(one for one in found.possible if one not in ("Gold", "Silver", "Bronze")) == possible


@given(
    sky=st.builds(
        made_sky,
        area_90=st.sampled_from([10.0, 80.0, 300.0, 1_000.0]),
        observable_area=st.sampled_from([0.0, 50.0, 300.0, 2_000.0]),
        all_observable_probability=st.sampled_from([0.0, 0.7, 0.9]),
        is_all_north=st.booleans(),
    ),
    facts=st.sampled_from([{}, LENSED, HEAVY, SSM, NO_NS, {"far": 4e-8}]),
    share=st.floats(0.5, 1),
)
@settings(deadline=None)
def test_what_is_decided_before_the_map_stays_so_after_it(
    sky: RubinSky, facts: Mapping[str, Any], share: float
) -> None:
    notice = located(rubin_notice(**facts), sky.area_90 * share)
    before = judge_rubin(notice, None, sky_pending=True)
    after = judge_rubin(notice, sky, sky_pending=False)
    for early, late in zip(before.categories, after.categories, strict=True):
        if early.verdict is Verdict.FAILED:
            assert late.verdict is Verdict.FAILED
        assert late.label is None or late.label in early.possible
    assert set(after.grades) <= set(before.possible)


# What people read.


def test_each_condition_has_its_section_and_its_numbers() -> None:
    found = category(judged(made_sky(observable_area=2_000.0)), "BNS/NSBH")
    said = {one.text: (one.value, one.limit, one.unit, one.section, one.verdict) for one in found.conditions}
    assert said["FAR < 1 per year"] == (1e-8, ONE_A_YEAR, "Hz", "§2.1.3 step 2", Verdict.HELD)
    omega = said[
        "Ω_obs, trimmed from 2,000 to 1,500 deg², isn't empty"
        " (Gold below 100 deg², Silver below 500, else Bronze)"
    ]
    assert omega[0] == pytest.approx(1_500, abs=0.21) and omega[0] is not None and omega[0] <= 1_500
    assert omega[2:] == ("deg²", "§2.1.3 steps 3, 5", Verdict.HELD)
    assert said["probability in Ω_obs at |b| > 10° is above 0.1"][:2] == (0.9, 0.1)
    assert all(
        one.section
        for each in judged().categories
        for condition in each.conditions
        for one in (condition, *condition.alternatives)
    )


def test_alternatives_stand_below_their_condition_with_their_numbers() -> None:
    facts = {**NO_NS, "bins": {1.1: 0.5, 1.2: 0.39, 2.3: 0.11}}
    [signs] = [one for one in category(judged(**facts), "BNS/NSBH").conditions if one.alternatives]
    assert signs.verdict is Verdict.FAILED
    assert {one.text: one.value for one in signs.alternatives} == {
        "BNS + NSBH > 0.9": 0.0,
        "HasNS ≥ 0.5": 0.0,
        "HasRemnant ≥ 0.1": 0.0,
        "P(chirp mass < 2.3 M☉) ≥ 0.9": pytest.approx(0.89),
        "P(chirp mass 2.3 to 5.5 M☉) ≥ 0.9 and BNS + NSBH > 0.1": pytest.approx(0.11),
    }


def test_without_bins_the_conditions_on_them_say_so() -> None:
    texts = [one.text for one in category(judged(), "BBH").conditions]
    assert "P(chirp mass ≥ 22 M☉) ≥ 0.9 (the notice has no bins)" in texts


def test_where_the_search_decides_nothing_else_is_listed() -> None:
    assert [one.text for one in category(judged(), "SSM").conditions] == ["the search is SSM"]
    for name in ("BBH", "lensed BNS", "BNS/NSBH"):
        assert [one.text for one in category(judged(**SSM), name).conditions] == ["the search isn't SSM"]


def test_a_category_holds_exactly_if_all_its_conditions_do() -> None:
    for facts in ({}, LENSED, HEAVY, SSM, NO_NS, {"far": 4e-8}):
        for one in judged(**facts).categories:
            all_held = all(condition.verdict is Verdict.HELD for condition in one.conditions)
            assert (one.verdict is Verdict.HELD) is all_held is (one.label is not None)


def test_the_source_names_the_revision_and_whose_reading_it_is() -> None:
    assert RUBIN_REVISION == "22dbfa2" and RUBIN_REVISION in RUBIN_SOURCE
    assert "gwevent's reading, not Rubin's word" in RUBIN_SOURCE


def test_grades_are_ordered_by_precedence_and_are_names_of_grades() -> None:
    assert RUBIN_GRADES == (
        "SSM Gold",
        "SSM Silver",
        "BBH",
        "lensed B",
        "lensed A",
        "Gold",
        "Silver",
        "Bronze",
    )
    assert all(GRADE_NAME.fullmatch(name) and len(name) <= GRADE_NAME_MAX for name in RUBIN_GRADES)


@pytest.mark.parametrize(
    ("op", "grade", "expected"),
    [
        (Op.GE, None, set(RUBIN_GRADES)),
        (Op.EQ, "Silver", {"Silver"}),
        (Op.GE, "Silver", {"Gold", "Silver"}),
        (Op.GT, "Silver", {"Gold"}),
        (Op.LE, "Silver", {"Silver", "Bronze"}),
        (Op.LT, "Silver", {"Bronze"}),
        (Op.GT, "Gold", set()),
        (Op.GE, "SSM Silver", {"SSM Gold", "SSM Silver"}),
        (Op.EQ, "lensed A", {"lensed A"}),
        (Op.GE, "BBH", {"BBH"}),
        (Op.LT, "BBH", set()),
    ],
)
def test_grades_compare_within_their_category(op: Op, grade: str | None, expected: set[str]) -> None:
    assert grades_meeting(op, grade) == expected
