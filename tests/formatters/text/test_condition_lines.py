"""Conditions of criteria sets as lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formatters.models.criteria_set import ConditionOutcome, Verdict, WhyUndecided
from formatters.text.condition_lines import condition_line, condition_lines, verdict_text

HELD, FAILED = Verdict.HELD, Verdict.FAILED


def line(
    text: str, verdict: Verdict, value: float | None = None, limit: float | None = None, unit: str = ""
) -> str:
    outcome = ConditionOutcome(text=text, verdict=verdict, value=value, limit=limit, unit=unit)
    return condition_line(outcome).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("text", "verdict", "value", "limit", "unit", "expected"),
    [
        ("distance<150", FAILED, 168.2, 150, "Mpc", "✗ distance<150: 168 Mpc, 18 Mpc too far"),
        ("distance<150", FAILED, 150.2, 150, "Mpc", "✗ distance<150: 150.2 Mpc, 0.2 Mpc too far"),
        ("distance<150", FAILED, 150, 150, "Mpc", "✗ distance<150: 150 Mpc, right at the limit"),
        ("distance<150", HELD, 121.4, 150, "Mpc", "✓ distance<150: 121 Mpc"),
        ("distance<150", HELD, 149.7, 150, "Mpc", "✓ distance<150: 149.7 Mpc"),
        ("not distance<150", FAILED, 121, 150, "Mpc", "✗ not distance<150: 121 Mpc, 29 Mpc too near"),
        ("area90<50", FAILED, 1234.5, 50, "deg²", "✗ area90<50: 1,234 deg², 1,184 deg² too large"),
        ("Ω_obs isn't empty", FAILED, 0.0, None, "deg²", "✗ Ω_obs isn't empty: 0 deg²"),
        ("area90<5", HELD, 3.14, 5, "deg²", "✓ area90<5: 3.1 deg²"),
        ("NS", FAILED, 0.3, 0.5, "probability", "✗ NS: 30 %, 20 points short of 50 %"),
        ("NS>0.9", FAILED, 0.896, 0.9, "probability", "✗ NS>0.9: 89.6 %, 0.4 points short of 90 %"),
        (
            "Terrestrial<0.125",
            FAILED,
            0.25,
            0.125,
            "probability",
            "✗ Terrestrial<0.125: 25 %, 13 points above 12.5 %",
        ),
        ("BNS", FAILED, 0.0, 0.5, "probability", "✗ BNS: <1 %, 50 points short of 50 %"),
        ("mchirp<2", FAILED, 2.4, 2, "Msun", "✗ mchirp<2: 2.4 M☉, 0.4 M☉ too heavy"),
        ("z<0.1", FAILED, 0.25, 0.1, "redshift", "✗ z<0.1: 0.25, 0.15 too high"),
        ("instruments>=3", FAILED, 2, 3, "", "✗ instruments>=3: 2, 1 too few"),
        ("far<1/yr", FAILED, 2e-7, 3.17e-8, "Hz", "✗ far<1/yr: 1 per 1.9 months, 6.3 times too often"),
        ("far<1/yr", FAILED, 3.3e-8, 3.17e-8, "Hz", "✗ far<1/yr: 1 per 1.0 yr, 4.1 % too often"),
        ("far<1/yr", HELD, 1e-14, 3.17e-8, "Hz", "✓ far<1/yr: rarer than 1 per 10⁶ yr"),
        ("SNR>8", FAILED, 7, 8, "sigma", "✗ SNR>8: 7.00 sigma, 1.00 sigma too low"),
        ("V1", HELD, None, None, "", "✓ V1"),
        ("V1", FAILED, None, None, "", "✗ V1"),
        ("distance<150", FAILED, float("nan"), 150, "Mpc", "✗ distance<150"),
        (
            "distance<150",
            Verdict.UNKNOWN,
            None,
            150,
            "Mpc",
            "? distance<150: not known from the notice or its map",
        ),
        ("area90<50", Verdict.UNDECIDED, None, 50, "deg²", "? area90<50: the sky map decides"),
    ],
)
def test_a_condition_says_whether_it_held_and_by_how_much_it_failed(
    text: str, verdict: Verdict, value: float | None, limit: float | None, unit: str, expected: str
) -> None:
    assert line(text, verdict, value, limit, unit) == expected


def test_a_condition_of_the_map_says_what_it_waits_for() -> None:
    condition = ConditionOutcome(text="area90<50", verdict=Verdict.UNDECIDED)
    assert condition_line(condition, WhyUndecided.NO_MAP) == "? area90<50: no map yet"
    assert condition_line(condition, WhyUndecided.MAP_PENDING).endswith("the map is still being read")


def test_the_section_of_published_rules_stands_behind_the_condition() -> None:
    condition = ConditionOutcome(text="FAR < 1/yr", verdict=HELD, section="§2.1")
    assert condition_line(condition) == "✓ FAR < 1/yr (§2.1)"


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@settings(deadline=None)
@given(
    verdict=st.sampled_from(Verdict),
    value=st.none() | NUMBERS,
    limit=st.none() | NUMBERS,
    unit=st.sampled_from(["", "probability", "deg²", "Mpc", "redshift", "Msun", "Hz", "furlong"]),
    why=st.none() | st.sampled_from(WhyUndecided),
)
def test_any_outcome_has_a_line(
    verdict: Verdict, value: float | None, limit: float | None, unit: str, why: WhyUndecided | None
) -> None:
    outcome = ConditionOutcome(text="x<1", verdict=verdict, value=value, limit=limit, unit=unit)
    said = condition_line(outcome, why)
    assert said[:5] in ("✓ x<1", "✗ x<1", "? x<1") and "nan" not in said and "inf" not in said
    assert len(said) < 150 and verdict_text(verdict)


@settings(deadline=None)
@given(limit=st.floats(5, 1e4), factor=st.floats(1.0001, 1e3))
def test_a_value_beyond_its_limit_never_looks_like_the_limit(limit: float, factor: float) -> None:
    said = line(f"distance<{limit}", FAILED, limit * factor, limit, "Mpc").partition(": ")[2]
    value, excess = (float(text.replace(",", "")) for text in re.findall(r"[\d.,]+(?= Mpc)", said))
    assert excess > 0 and abs(value - limit * factor) <= 0.05 * value and "too far" in said


def test_the_numbers_of_a_long_condition_are_never_cut_off() -> None:
    said = line(f"pipeline={'gstlal|' * 200}", FAILED, 2.0, 1.0)
    assert len(said) < 250 and said.endswith("…: 2, 1 too many")


def test_alternatives_stand_indented_below_their_condition() -> None:
    either = ConditionOutcome(
        text="BNS or NSBH",
        verdict=FAILED,
        alternatives=tuple(
            ConditionOutcome(text=name, verdict=FAILED, value=value, limit=0.5, unit="probability")
            for name, value in (("BNS", 0.1), ("NSBH", 0.2))
        ),
    )
    assert [line.replace("\u00a0", " ") for line in condition_lines(either)] == [
        "✗ BNS or NSBH",
        "   ✗ BNS: 10 %, 40 points short of 50 %",
        "   ✗ NSBH: 20 %, 30 points short of 50 %",
    ]
