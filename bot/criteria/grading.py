"""Judges criteria sets: which grade a superevent has, and why. Pure.

The grade is a function of the set of notices, whatever the order in which they arrived. An ordinary set judges
the newest notice that carries an event. A set with `judges_initial` judges the newest INITIAL, whose grade
stands whatever comes later; while none is known, even if an UPDATE is, it says what the newest notice would
give. A retraction ends both. Mocks, tests and alerts of low significance are judged like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.criteria.explanation import explain_filter
from bot.criteria.filter_verdicts import judge_filter
from bot.criteria.measurements import MapMeasurements, MeasuredNotices
from bot.filters.evaluator import MapProbabilities
from bot.filters.event_attributes import EventAttributes, extract_attributes
from formatters.models.criteria_set import (
    CriteriaSet,
    Grade,
    GradeExplanation,
    GradeOutcome,
    SetExplanation,
    Stage,
    Verdict,
    WhyUndecided,
)
from formatters.models.filter import GradeQuery, MapQuery, Op, map_queries
from formatters.models.notice import INITIAL, Notice
from formatters.models.superevent import Superevent
from formatters.text.vocabulary import numbered_alert_type

_PENDING = MapMeasurements(is_pending=True)
_UNMEASURED = MapMeasurements()


@dataclass(frozen=True, slots=True)
class NoticeGrades:
    """What a criteria set says about one notice."""

    certain: tuple[str, ...] = ()
    """The grade, or of `rubin-2026` one a category, the one that takes precedence first."""
    undecided: tuple[str, ...] = ()
    """Better grades that may still hold, the best first."""
    why: WhyUndecided | None = None
    """Given exactly if `undecided` isn't empty."""


def grade(set_: CriteriaSet, superevent: Superevent, measured: MeasuredNotices) -> GradeOutcome:
    """Return the grade that a criteria set gives a superevent.

    `measured` holds what the maps of `required_notices` gave; what is missing there isn't known.
    """
    judged, stage = _judged_notice(set_, superevent)
    if judged is None:
        return GradeOutcome(slug=set_.slug, stage=stage)
    found = judge_notice(set_, judged, _measurements(judged, measured))
    # What only a later notice could decide stays undecided for ever once the event is retracted.
    ended = stage is Stage.ENDED and found.why is not WhyUndecided.MAP_PENDING
    return GradeOutcome(
        slug=set_.slug,
        grades=found.certain,
        rank=_best_rank(set_, found.certain),
        undecided=() if ended else found.undecided,
        why_undecided=None if ended else found.why,
        stage=stage,
        newest_grades=_newest_grades(set_, superevent, judged, measured) if stage is Stage.STANDS else None,
    )


def explain(set_: CriteriaSet, superevent: Superevent, measured: MeasuredNotices) -> SetExplanation:
    """Return the grade that a criteria set gives a superevent, with every condition's verdict and numbers."""
    outcome = grade(set_, superevent, measured)
    judged, _ = _judged_notice(set_, superevent)
    if judged is None:
        return SetExplanation(outcome=outcome, grades=())
    return SetExplanation(
        outcome=outcome,
        grades=_explain_grades(set_, judged, _measurements(judged, measured)),
        judged=numbered_alert_type(superevent, judged),
    )


def _explain_grades(
    set_: CriteriaSet, notice: Notice, measurements: MapMeasurements
) -> tuple[GradeExplanation, ...]:
    attributes = _notice_attributes(notice)
    probabilities = _probabilities(set_, measurements)
    return tuple(
        GradeExplanation(
            grade=one.name,
            verdict=judge_filter(one.filter, attributes, probabilities).verdict,
            conditions=explain_filter(one.filter, attributes, probabilities),
        )
        for one in set_.grades
        if one.filter is not None
    )


def judged_notices(set_: CriteriaSet, superevent: Superevent) -> tuple[Notice, ...]:
    """Return the notices whose numbers the set looks at: the one that decides first, then the newest."""
    judged, _ = _judged_notice(set_, superevent)
    newest = superevent.latest_with_event
    return tuple({n.key: n for n in (judged, newest) if n is not None}.values())


def required_notices(set_: CriteriaSet, superevent: Superevent) -> tuple[Notice, ...]:
    """Return the notices whose sky maps may still change the outcome; none where all is decided without.

    They are the newest that carries an event, and for a set with `judges_initial` the newest INITIAL too.
    """
    return tuple(
        notice
        for notice in judged_notices(set_, superevent)
        if has_map(set_, notice) and judge_notice(set_, notice, _PENDING).why is WhyUndecided.MAP_PENDING
    )


def has_map(set_: CriteriaSet, notice: Notice) -> bool:
    """Return whether the set asks the notice's sky map, and there is one."""
    return bool(required_queries(set_)) and notice.best_localization is not None


def required_queries(set_: CriteriaSet) -> frozenset[MapQuery]:
    """Return the queries of a sky map that the set's filters need."""
    queries: frozenset[MapQuery] = frozenset()
    for one in set_.grades:
        queries |= map_queries(one.filter)
    return queries


def judge_notice(set_: CriteriaSet, notice: Notice, measurements: MapMeasurements) -> NoticeGrades:
    """Return what the set says about the numbers of one notice that carries an event."""
    attributes, probabilities = _notice_attributes(notice), _probabilities(set_, measurements)
    undecided: list[str] = []
    reasons: list[WhyUndecided] = []
    for one in set_.grades:
        found = _judge_grade(one, attributes, probabilities)
        if found is Verdict.HELD:
            return _notice_grades((one.name,), undecided, reasons)
        if isinstance(found, WhyUndecided):
            undecided.append(one.name)
            reasons.append(found)
    return _notice_grades((), undecided, reasons)


def _judge_grade(
    one: Grade, attributes: EventAttributes, probabilities: MapProbabilities
) -> Verdict | WhyUndecided:
    """Return HELD or FAILED, or why it isn't decided."""
    if one.filter is None:
        # A grade that a version of gwevent decides by code which this version doesn't have.
        return WhyUndecided.NOT_JUDGED
    verdict, why = judge_filter(one.filter, attributes, probabilities)
    return verdict if why is None else why


def _notice_grades(
    certain: tuple[str, ...], undecided: Sequence[str], reasons: Sequence[WhyUndecided]
) -> NoticeGrades:
    """Combine what is undecided; of several reasons a map is said, because that comes first and by itself."""
    order = (
        WhyUndecided.NOT_JUDGED,
        WhyUndecided.MAP_PENDING,
        WhyUndecided.NO_MAP,
        WhyUndecided.NOT_STATED,
    )
    return NoticeGrades(certain, tuple(undecided), min(reasons, key=order.index, default=None))


def _judged_notice(set_: CriteriaSet, superevent: Superevent) -> tuple[Notice | None, Stage]:
    """Return the notice that decides, None if only a retraction is known, and how its grade is understood."""
    newest = superevent.latest_with_event
    initials = (n for n in reversed(superevent.notices) if n.alert_type == INITIAL and n.event is not None)
    initial = next(initials, None) if set_.judges_initial else None
    judged = initial or newest
    if superevent.is_retracted or judged is None:
        return judged, Stage.ENDED
    if not set_.judges_initial:
        return judged, Stage.CURRENT
    return judged, Stage.WOULD_BE if initial is None else Stage.STANDS


def _newest_grades(
    set_: CriteriaSet, superevent: Superevent, judged: Notice, measured: MeasuredNotices
) -> tuple[str, ...] | None:
    """Return what the newest notice's numbers give, None if it is the judged one or isn't decided."""
    newest = superevent.latest_with_event
    if newest is None or newest.key == judged.key:
        return None
    found = judge_notice(set_, newest, _measurements(newest, measured))
    return None if found.undecided else found.certain


def _measurements(notice: Notice, measured: MeasuredNotices) -> MapMeasurements:
    return measured.get(notice.key, _UNMEASURED)


def _notice_attributes(notice: Notice) -> EventAttributes:
    attributes = extract_attributes(Superevent(notice.superevent_id, (notice,)))
    assert attributes is not None, "only notices with an event are judged"
    return attributes


def _probabilities(set_: CriteriaSet, measurements: MapMeasurements) -> MapProbabilities:
    """Return the map's answers; what wasn't answered is unknown, unless the map is still to be measured."""
    if measurements.is_pending:
        return measurements.probabilities
    return dict.fromkeys(required_queries(set_)) | dict(measurements.probabilities)


def _best_rank(set_: CriteriaSet, grades: Sequence[str]) -> int | None:
    return min((_rank(set_, name) for name in grades), default=None)


def _rank(set_: CriteriaSet, name: str) -> int:
    return next(index for index, one in enumerate(set_.grades) if one.name == name)
