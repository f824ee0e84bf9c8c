"""Judges criteria sets: which grade a superevent has, and why. Pure.

The grade is a function of the set of notices, whatever the order in which they arrived. An ordinary set
judges the newest notice that carries an event. A set with `judges_initial` judges the newest INITIAL, whose
grade stands whatever comes later; while none is known, even if an UPDATE is, it says what the newest notice
would give. A retraction ends both; once the event is a candidate again, only another INITIAL triggers. Mocks,
tests and alerts of low significance are judged like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.criteria.explanation import explain_filter
from bot.criteria.filter_verdicts import NoticeFacts, judge_filter
from bot.criteria.measurements import MapMeasurements, MeasuredNotices
from bot.criteria.presets import RUBIN
from bot.criteria.rubin_2026 import CategoryOutcome, RubinJudgement, grades_meeting, judge_rubin
from bot.filters.event_attributes import extract_attributes
from formatters.models.criteria_set import (
    CriteriaSet,
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

PENDING = MapMeasurements(is_pending=True)
"""A map of which nothing is known yet."""
_UNMEASURED = MapMeasurements()
_REASONS = (
    WhyUndecided.NOT_JUDGED,
    WhyUndecided.MAP_PENDING,
    WhyUndecided.NO_MAP,
    WhyUndecided.NOT_STATED,
)
"""Reasons in the order in which one of several is named: a map comes by itself, a value may never come."""


@dataclass(frozen=True, slots=True)
class _NoticeGrades:
    """A criteria set's judgement of one notice."""

    certain: tuple[str, ...] = ()
    """The grade; of `rubin-2026` one for each category that holds, the one that takes precedence first."""
    undecided: tuple[str, ...] = ()
    """Grades that may still hold, the best first."""
    why: WhyUndecided | None = None
    """Given exactly if `undecided` isn't empty."""


def grade(set_: CriteriaSet, superevent: Superevent, measured: MeasuredNotices) -> GradeOutcome:
    """Return the grade that a criteria set gives a superevent.

    `measured` holds what the maps of `required_notices` gave; what is missing there isn't known.
    """
    judged, stage = _judged_notice(set_, superevent)
    if judged is None:
        return GradeOutcome(slug=set_.slug, stage=stage)
    found = _judge_notice(set_, judged, _measurements(judged, measured))
    # Once the event is retracted, what only a later notice could decide stays undecided for ever.
    ended = stage is Stage.ENDED and found.why is not WhyUndecided.MAP_PENDING
    return GradeOutcome(
        slug=set_.slug,
        grades=found.certain,
        rank=_best_rank(set_, found.certain),
        undecided=() if ended else found.undecided,
        why_undecided=None if ended else found.why,
        stage=stage,
        newest_grades=_newest_grades(set_, superevent, judged, measured) if stage is Stage.STANDS else None,
        never_stood=stage is Stage.ENDED and set_.judges_initial and judged.alert_type != INITIAL,
    )


def outcome_of_failure(set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
    """Return the outcome of a set that couldn't be judged: any grade may hold."""
    return GradeOutcome(
        slug=set_.slug,
        undecided=tuple(one.name for one in set_.grades),
        why_undecided=WhyUndecided.NOT_JUDGED,
        stage=_judged_notice(set_, superevent)[1],
    )


def explain(set_: CriteriaSet, superevent: Superevent, measured: MeasuredNotices) -> SetExplanation:
    """Return the grade that a criteria set gives a superevent, with every condition's verdict and numbers."""
    outcome = grade(set_, superevent, measured)
    judged, _ = _judged_notice(set_, superevent)
    if judged is None:
        return SetExplanation(outcome=outcome, grades=())
    measurements = _measurements(judged, measured)
    return SetExplanation(
        outcome=outcome,
        grades=_explain_rubin(judged, measurements)
        if _is_rubin(set_)
        else _explain_grades(set_, _facts(set_, judged, measurements)),
        judged=numbered_alert_type(superevent, judged),
    )


def _explain_grades(set_: CriteriaSet, facts: NoticeFacts) -> tuple[GradeExplanation, ...]:
    return tuple(
        GradeExplanation(
            grade=one.name,
            verdict=judge_filter(one.filter, facts).verdict,
            conditions=explain_filter(one.filter, facts),
        )
        for one in set_.grades
        if one.filter is not None
    )


def _explain_rubin(notice: Notice, measurements: MapMeasurements) -> tuple[GradeExplanation, ...]:
    return tuple(
        GradeExplanation(
            grade=_category_title(category), verdict=category.verdict, conditions=category.conditions
        )
        for category in _judge_rubin(notice, measurements).categories
    )


def _category_title(category: CategoryOutcome) -> str:
    """Return the category with its grade: "BNS/NSBH: Gold", "BBH", "lensed BNS: lensed A"."""
    if category.label is None or category.label == category.name:
        return category.name
    return f"{category.name}: {category.label}"


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
        if asks_map(set_, notice) and _judge_notice(set_, notice, PENDING).why is WhyUndecided.MAP_PENDING
    )


def asks_map(set_: CriteriaSet, notice: Notice) -> bool:
    """Return whether the notice has a map that the set asks."""
    if _is_rubin(set_):
        return notice.localization is not None
    return notice.best_localization is not None and bool(required_queries(set_))


def needs_map(set_: CriteriaSet) -> bool:
    """Return whether the set asks sky maps for more than the numbers that a notice states."""
    return _is_rubin(set_) or bool(required_queries(set_))


def required_queries(set_: CriteriaSet) -> frozenset[MapQuery]:
    """Return the queries of a sky map that the set's filters need; Rubin's rules measure it otherwise."""
    queries: frozenset[MapQuery] = frozenset()
    for one in set_.grades:
        queries |= map_queries(one.filter)
    return queries


def compare_grade(set_: CriteriaSet, outcome: GradeOutcome, query: GradeQuery) -> bool | None:
    """Return whether the outcome's grade compares as asked, None if that isn't decided or known.

    A grade that only would be counts, and so does one that a retraction ended: who wants the INITIAL's alone
    adds the condition `type=INITIAL`.
    """
    wanted = _grades_meeting(set_, query)
    if wanted is None:
        return None
    meets = [name in wanted for name in outcome.grades]
    may_meet = [name in wanted for name in outcome.undecided]
    if any(meets):
        # Rubin's categories hold beside each other; of an ordinary set a better grade would replace this one.
        return True if _is_rubin(set_) or all(may_meet) else None
    return None if any(may_meet) else False


def _grades_meeting(set_: CriteriaSet, query: GradeQuery) -> frozenset[str] | None:
    """Return the set's grades that compare as asked, None if it has no such grade."""
    names = [one.name for one in set_.grades]
    if query.grade is None:
        return frozenset(names)
    asked = set_.find_grade(query.grade)
    if asked is None:
        return None
    if _is_rubin(set_):
        return grades_meeting(query.op, asked.name)
    place = names.index(asked.name)
    match query.op:
        case Op.EQ:
            return frozenset({asked.name})
        case Op.GE:
            return frozenset(names[: place + 1])
        case Op.GT:
            return frozenset(names[:place])
        case Op.LE:
            return frozenset(names[place:])
        case Op.LT:
            return frozenset(names[place + 1 :])


def _is_rubin(set_: CriteriaSet) -> bool:
    return set_.is_built_in and set_.slug == RUBIN


def _judged_notice(set_: CriteriaSet, superevent: Superevent) -> tuple[Notice | None, Stage]:
    """Return the notice that decides, None if only a retraction is known, and how its grade is understood."""
    since = _since_last_end(superevent.notices)
    initials = (n for n in reversed(since) if n.alert_type == INITIAL and n.event is not None)
    initial = next(initials, None) if set_.judges_initial else None
    judged = initial or superevent.latest_with_event
    if superevent.is_retracted:
        return judged, Stage.ENDED
    if not set_.judges_initial:
        return judged, Stage.CURRENT
    return judged, Stage.WOULD_BE if initial is None else Stage.STANDS


def _since_last_end(notices: Sequence[Notice]) -> Sequence[Notice]:
    """Return the notices since the retraction after which the event became a candidate again; else all.

    That retraction ended what an INITIAL had triggered before it, and only another one triggers again. One
    after which nothing came ends the notices that are returned.
    """
    last = max((at for at, one in enumerate(notices) if not one.is_retraction), default=-1)
    ends = (at for at in range(last, -1, -1) if notices[at].is_retraction)
    return notices[next(ends, -1) + 1 :]


def _newest_grades(
    set_: CriteriaSet, superevent: Superevent, judged: Notice, measured: MeasuredNotices
) -> tuple[str, ...] | None:
    """Return the grades by the newest notice's numbers, None if it is the judged one or isn't decided."""
    newest = superevent.latest_with_event
    if newest is None or newest.key == judged.key:
        return None
    found = _judge_notice(set_, newest, _measurements(newest, measured))
    return None if found.undecided else found.certain


def _judge_notice(set_: CriteriaSet, notice: Notice, measurements: MapMeasurements) -> _NoticeGrades:
    """Judge the numbers of one notice that carries an event."""
    if _is_rubin(set_):
        return _rubin_grades(_judge_rubin(notice, measurements))
    facts = _facts(set_, notice, measurements)
    undecided: list[str] = []
    reasons: list[WhyUndecided] = []
    for one in set_.grades:
        if one.filter is None:
            # Decided by code that this version of gwevent doesn't have.
            undecided.append(one.name)
            reasons.append(WhyUndecided.NOT_JUDGED)
            continue
        verdict, why = judge_filter(one.filter, facts)
        if verdict is Verdict.HELD:
            return _NoticeGrades((one.name,), tuple(undecided), _first_reason(reasons))
        if why is not None:
            undecided.append(one.name)
            reasons.append(why)
    return _NoticeGrades((), tuple(undecided), _first_reason(reasons))


def _judge_rubin(notice: Notice, measurements: MapMeasurements) -> RubinJudgement:
    is_pending = measurements.is_pending and notice.localization is not None
    return judge_rubin(notice, measurements.rubin, sky_pending=is_pending)


def _rubin_grades(judgement: RubinJudgement) -> _NoticeGrades:
    reasons = [c.why_undecided for c in judgement.categories if c.why_undecided is not None]
    return _NoticeGrades(judgement.grades, judgement.possible, _first_reason(reasons))


def _first_reason(reasons: Sequence[WhyUndecided]) -> WhyUndecided | None:
    return min(reasons, key=_REASONS.index, default=None)


def _measurements(notice: Notice, measured: MeasuredNotices) -> MapMeasurements:
    return measured.get(notice.key, _UNMEASURED)


def _facts(set_: CriteriaSet, notice: Notice, measurements: MapMeasurements) -> NoticeFacts:
    attributes = extract_attributes(Superevent(notice.superevent_id, (notice,)))
    assert attributes is not None, "only notices with an event are judged"
    answers = measurements.probabilities
    return NoticeFacts(
        attributes,
        # What wasn't answered is unknown, unless the map is still to be measured.
        answers if measurements.is_pending else dict.fromkeys(required_queries(set_)) | dict(answers),
        is_map_awaited=notice.best_localization is None and notice.map_problem is None,
    )


def _best_rank(set_: CriteriaSet, grades: Sequence[str]) -> int | None:
    names = [one.name for one in set_.grades]
    return min((names.index(name) for name in grades), default=None)
