"""Rubin's trigger rules of 2026: which categories and grades one notice has, and which conditions decide.

They are the rules of the "Rubin ToO 2026 revised strategy" as scimma/rubin-ToO-producer applies them at
revision 22dbfa2: gwevent's reading, not Rubin's word. Sections are that report's. What the rules ask of the
sky map is measured by `bot.observing.rubin_sky`.

That only an INITIAL triggers, and that a retraction ends it, is `bot.criteria.grading`'s part: here one
notice is judged, whatever its type.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.criteria.rubin_conditions import (
    FAR_ONE_A_YEAR,
    FAR_ONE_IN_THREE_YEARS,
    NoticeConditions,
    SkyConditions,
    any_of,
    combine,
)
from bot.observing.rubin_sky import NEUTRON_STAR_MAX_AREA, SUB_SOLAR_MAX_AREA, RubinSky
from formatters.models.criteria_set import ConditionOutcome, Verdict, WhyUndecided
from formatters.models.filter import Op
from formatters.models.notice import Notice

__all__ = [
    "RUBIN_GRADES",
    "RUBIN_REVISION",
    "RUBIN_SOURCE",
    "CategoryOutcome",
    "RubinJudgement",
    "grades_meeting",
    "judge_rubin",
]

RUBIN_REVISION = "22dbfa2"
"""The revision of scimma/rubin-ToO-producer whose rules these are."""
RUBIN_SOURCE = (
    "The “Rubin ToO 2026 revised strategy” as scimma/rubin-ToO-producer applies it at revision "
    f"{RUBIN_REVISION}; gwevent's reading, not Rubin's word."
)
RUBIN_GRADES = ("SSM Gold", "SSM Silver", "BBH", "lensed B", "lensed A", "Gold", "Silver", "Bronze")
"""The grades in the order in which they take precedence.

So the best of an event's grades is the one as which Rubin would treat it. Lensed B is the better localized of
the two (the producer's code calls it gold, and A silver).
"""
_ORDERED = (("SSM Gold", "SSM Silver"), ("Gold", "Silver", "Bronze"))
"""Grades of one category, the best first; each other grade compares with itself alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryOutcome:
    """The verdict on a notice's membership in one of the rules' categories, and its grade there."""

    name: str
    """"SSM", "BBH", "lensed BNS" or "BNS/NSBH"."""
    verdict: Verdict
    label: str | None
    """Its grade, one of RUBIN_GRADES; None unless the verdict is HELD."""
    conditions: tuple[ConditionOutcome, ...]
    """All have to hold; of a condition's alternatives one suffices. Where the search alone decides that the
    category is out of the question, that is the only one."""
    possible: tuple[str, ...] = ()
    """If unknown or undecided, the grades that it may turn out to have, the best first."""
    why_undecided: WhyUndecided | None = None
    """Given exactly if `possible` isn't empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RubinJudgement:
    """The rules' judgement of one notice."""

    categories: tuple[CategoryOutcome, ...]
    """All four, in the order in which they take precedence."""

    @property
    def grades(self) -> tuple[str, ...]:
        """The grades of the categories that hold, the one that takes precedence first."""
        return tuple(category.label for category in self.categories if category.label is not None)

    @property
    def possible(self) -> tuple[str, ...]:
        """The grades that may still turn out to hold, in the order of RUBIN_GRADES."""
        return tuple(grade for category in self.categories for grade in category.possible)


def grades_meeting(op: Op, grade: str | None) -> frozenset[str]:
    """Return the grades that compare so with one of RUBIN_GRADES; ">=" means as good or better.

    Grades are compared within their category: "Gold" is better than "Silver", and neither better nor worse
    than "BBH". With None any grade meets it.
    """
    if grade is None:
        return frozenset(RUBIN_GRADES)
    family = next((family for family in _ORDERED if grade in family), (grade,))
    place = family.index(grade)
    match op:
        case Op.EQ:
            return frozenset({grade})
        case Op.GE:
            return frozenset(family[: place + 1])
        case Op.GT:
            return frozenset(family[:place])
        case Op.LE:
            return frozenset(family[place:])
        case Op.LT:
            return frozenset(family[place + 1 :])


def judge_rubin(notice: Notice, sky: RubinSky | None, *, sky_pending: bool) -> RubinJudgement:
    """Judge one notice by Rubin's rules.

    `sky` is measured on the map of the GW signal alone, for the event's time. Without it, what the map
    decides is undecided while the map is being computed on (`sky_pending`) or the notice has none yet, and
    unknown if the map can't be read or is gone.
    """
    stated, on_map = NoticeConditions(notice.event), SkyConditions(notice, sky, sky_pending)
    return RubinJudgement(
        categories=(
            _judge_sub_solar(stated, on_map),
            _judge_black_holes(stated, on_map),
            _judge_lensed(stated, on_map),
            _judge_neutron_star(stated, on_map),
        )
    )


def _judge_sub_solar(stated: NoticeConditions, on_map: SkyConditions) -> CategoryOutcome:
    section, maximum = "§2.3.3", SUB_SOLAR_MAX_AREA
    conditions = [
        stated.sub_solar(section),
        stated.at_least("HasSSM", 0.5, section),
        stated.far_below("1 per 3 years", FAR_ONE_IN_THREE_YEARS, section),
        on_map.reaches_south(),
        on_map.omega_not_empty(maximum, "Gold below 100 deg², else Silver", section),
        on_map.off_plane(maximum, section),
    ]
    grades = _graded_by_area(("SSM Gold", "SSM Silver"), (100,), on_map.omega(maximum))
    return _category("SSM", conditions, grades, on_map)


def _judge_black_holes(stated: NoticeConditions, on_map: SkyConditions) -> CategoryOutcome:
    section = "§2.2.3"
    conditions = [
        stated.not_sub_solar(),
        stated.far_below("1 per year", FAR_ONE_A_YEAR, section),
        stated.mass_within(22, math.inf, "P(chirp mass ≥ 22 M☉) ≥ 0.9", section),
        on_map.reaches_south(),
        on_map.area_90(100, "90 % area < 100 deg²", section, lambda area: area < 100),
        on_map.observable_share(0.7, section),
    ]
    return _category("BBH", conditions, ("BBH",), on_map)


def _judge_lensed(stated: NoticeConditions, on_map: SkyConditions) -> CategoryOutcome:
    section = "§5.1.3"
    conditions = [
        stated.not_sub_solar(),
        stated.far_below("1 per year", FAR_ONE_A_YEAR, section),
        any_of(
            "one of two says that a mass in the gap is likely",
            section,
            stated.at_least("HasMassGap", 0.9, section),
            stated.mass_within(2.3, 5.5, "P(chirp mass 2.3 to 5.5 M☉) ≥ 0.9", section),
        ),
        stated.below("NSBH", 0.1, section),
        on_map.reaches_south(),
        on_map.area_90(900, "90 % area ≤ 900 deg² (B below 15 deg², else A)", section, lambda x: x <= 900),
    ]
    grades: tuple[str, ...] = ("lensed B", "lensed A")
    if on_map.sky is not None:
        grades = _graded_by_area(grades, (15,), on_map.sky.area_90)
    elif on_map.least_area_90 is not None and on_map.least_area_90 >= 15:
        grades = ("lensed A",)
    return _category("lensed BNS", conditions, grades, on_map)


def _judge_neutron_star(stated: NoticeConditions, on_map: SkyConditions) -> CategoryOutcome:
    one, two, three, four = (f"§2.1.3 {step}" for step in ("step 1", "step 2", "steps 3, 5", "step 4"))
    maximum = NEUTRON_STAR_MAX_AREA
    conditions = [
        stated.not_sub_solar(),
        any_of(
            "one of five says that a neutron star is likely",
            one,
            stated.neutron_star_above(0.9, "BNS + NSBH > 0.9", one),
            stated.at_least("HasNS", 0.5, one),
            stated.at_least("HasRemnant", 0.1, one),
            stated.mass_within(0, 2.3, "P(chirp mass < 2.3 M☉) ≥ 0.9", one),
            stated.in_gap_with_class("P(chirp mass 2.3 to 5.5 M☉) ≥ 0.9 and BNS + NSBH > 0.1", one),
        ),
        stated.far_below("1 per year", FAR_ONE_A_YEAR, two),
        on_map.reaches_south(),
        on_map.omega_not_empty(maximum, "Gold below 100 deg², Silver below 500, else Bronze", three),
        on_map.off_plane(maximum, four),
    ]
    grades = _graded_by_area(("Gold", "Silver", "Bronze"), (100, 500), on_map.omega(maximum))
    return _category("BNS/NSBH", conditions, grades, on_map)


def _graded_by_area(grades: tuple[str, ...], limits: Sequence[float], area: float | None) -> tuple[str, ...]:
    """Return the grade that an area (deg²) gives, all if it isn't known.

    The first grade is for an area below the first limit, and so on; the last for any other.
    """
    if area is None:
        return grades
    below = (grade for grade, limit in zip(grades, limits, strict=False) if area < limit)
    return (next(below, grades[-1]),)


def _category(
    name: str,
    conditions: Sequence[ConditionOutcome],
    grades: tuple[str, ...],
    on_map: SkyConditions,
) -> CategoryOutcome:
    """Combine the conditions of a category, of which the first is on the search.

    `grades` are those it can have, one if the map is measured.
    """
    if conditions[0].verdict is Verdict.FAILED:
        conditions = conditions[:1]
    verdict = combine(conditions)
    why = None
    if verdict is Verdict.UNKNOWN:
        why = WhyUndecided.NOT_STATED
    elif verdict is Verdict.UNDECIDED:
        why = on_map.why_missing
    return CategoryOutcome(
        name=name,
        verdict=verdict,
        label=grades[0] if verdict is Verdict.HELD else None,
        conditions=tuple(conditions),
        possible=() if why is None else grades,
        why_undecided=why,
    )
