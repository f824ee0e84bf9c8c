"""Answers to `criteria`: the sets there are, what one says about an event and why, and changes of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import SECTION_MAX, bold, escape, utf16_length
from formatters.models.criteria_set import (
    ConditionOutcome,
    CriteriaSet,
    GradeExplanation,
    GradeOutcome,
    SetExplanation,
    Stage,
    Verdict,
    WhyUndecided,
)
from formatters.models.filter import VisibleFrom, conditions
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import status_labels
from formatters.text import quantities, vocabulary
from formatters.text.condition_lines import condition_line, condition_lines, verdict_text
from formatters.text.grade_lines import grade_line, short_grade_line

MAX_PAST_EVENTS = 10
"""Past events whose grades an answer about one set lists."""
MAX_JUDGED = 12
"""Criteria sets that one answer judges for an event; further ones are named."""
_MAX_LISTED = 12
"""Sets of the workspace that the list shows with their grades; further ones are named alone."""
_MAX_GRADES_NAMED = 6
_MAX_CONDITIONS = 12
"""Conditions of one grade that are explained; those that decide come first, further ones are counted."""
_MAX_REASONS = 3
"""Conditions of one grade that are named where several sets are judged."""
_MAX_BETTER_GRADES = 3
_MAX_CATEGORIES = 2
"""Categories that are named where none holds."""
_EXPLAINED_MAX = 4_500
"""Characters of all explanations in a message, so that it keeps Slack's limit with everything else in it."""
_DEFINITION_MAX = 2_500
"""Characters of a set's definition in a message."""
_NOTHING_TO_JUDGE = "No notice states numbers to judge."
_OMEGA = "Ω_obs: what Rubin can observe of the 90 % region in the 24 h from the event."
_HOW_TO_ADD = "`criteria add ntt-kilonova Gold: NS distance&lt;150 area90&lt;50; Silver: NS distance&lt;300`"
_HOW_TO_SHOW_HERE = "`subscribe CBC criteria rubin-2026`"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastGrade:
    """An event of the past with the grade that a set gives it."""

    superevent: Superevent
    outcome: GradeOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSets:
    """The criteria sets that can be used in a channel."""

    own: Sequence[CriteriaSet]
    """Those of the workspace."""
    built_in: Sequence[CriteriaSet]
    shown: Collection[str]
    """Names of those whose grades the channel's messages show."""
    is_channel: bool = True
    """False in the terminal, which is no channel of a workspace."""


def set_list(listed: ListedSets, said: str | None = None) -> Message:
    """Return the criteria sets, below an optional sentence (not escaped) on the result of a change.

    It fits a phone's screen: few grades and sets are written out, the rest are counted or named.
    """
    own = [_listed_line(one, listed) for one in listed.own[:_MAX_LISTED]]
    further = [one.slug for one in listed.own[_MAX_LISTED:]]
    if further:
        own.append(f"and {len(further)} more: {escape(', '.join(further), 1_000)}")
    built_in = [_listed_line(one, listed) for one in listed.built_in]
    none = "none yet" if listed.is_channel else "type this in Slack"
    names = ", ".join(one.slug for one in (*listed.own, *listed.built_in))
    first = [] if said is None else [escape(said)]
    foot = f"What one says about an event, and why: `criteria show NAME`. A new one: {_HOW_TO_ADD}."
    if listed.is_channel and not listed.shown:
        foot += f" This channel's messages show none; to change that: {_HOW_TO_SHOW_HERE}."
    return blocks.message(
        " ".join([*first, escape(f"Criteria sets: {names}", 1_000)]),
        *([blocks.section(*first)] if first else []),
        blocks.section(bold("Criteria of this workspace"), *(own or [none])),
        *([blocks.section(bold("Built in"), *built_in)] if built_in else []),
        blocks.context(foot),
    )


def _listed_line(one: CriteriaSet, listed: ListedSets) -> str:
    names = [grade.name for grade in one.grades[:_MAX_GRADES_NAMED]]
    if len(one.grades) > len(names):
        names.append(f"{len(one.grades) - len(names)} more")
    here = " · shown here" if one.slug in listed.shown else ""
    return f"{bold(escape(one.slug))}  {escape(' · '.join(names))}{here}"


def explained(
    set_: CriteriaSet,
    superevent: Superevent,
    explanation: SetExplanation,
    past: Sequence[PastGrade],
    now: datetime,
) -> Message:
    """Return a set's grade for an event and the reasons, its definition, and the grades of past events."""
    line = grade_line(explanation.outcome)
    name = _name(superevent)
    return blocks.message(
        escape(f"{name} · {line}"),
        blocks.section(f"{bold(escape(name))} · {escape(line)}"),
        blocks.context(escape(_judged_line(set_, superevent, explanation, now), 1_000)),
        *_explanation_blocks(set_, explanation),
        *_past_blocks(set_, past),
        *_definition_blocks(set_),
    )


def definition(set_: CriteriaSet, said: str | None = None) -> Message:
    """Return a set's grades, below an optional sentence (not escaped), where there is no event to judge."""
    text = f"{set_.slug}: {', '.join(grade.name for grade in set_.grades)}"
    first = text if said is None else said
    return blocks.message(
        escape(f"{said} {text}" if said else text), blocks.section(escape(first)), *_definition_blocks(set_)
    )


def judged(
    superevent: Superevent,
    judgements: Sequence[tuple[CriteriaSet, SetExplanation]],
    now: datetime,
    *,
    further: Sequence[str] = (),
    note: str = "",
) -> Message:
    """Return several sets' grades for an event, with the conditions that keep it from better ones.

    `further` are the names of sets that weren't judged; `note` is a sentence (not escaped) on the choice.
    """
    name = _name(superevent)
    explanations = [one for _, one in judgements]
    lines = [grade_line(one.outcome) for one in explanations]
    sections, left = [], _EXPLAINED_MAX
    for line, (set_, one) in zip(lines, judgements, strict=True):
        reasons = [f"{_INDENT}{escape(reason, 600)}" for reason in better_grade_lines(set_, one)]
        left -= sum(map(utf16_length, reasons))
        sections.append(blocks.section(bold(escape(line)), *(reasons if left >= 0 else [])))
    small = [f"{_judged_notices(explanations)} {_event_line(superevent, now)}"]
    if note:
        small.append(note)
    if further:
        small.append(f"Not judged here: {', '.join(further)}.")
    small.append("Each condition of one set: “criteria show NAME”.")
    return blocks.message(
        escape(f"{name} · {' · '.join(lines)}", 1_000),
        blocks.section(f"{bold(escape(name))} · criteria"),
        *sections,
        blocks.context(*(escape(text, 1_000) for text in small)),
    )


_INDENT = quantities.NBSP * 3


def better_grade_lines(set_: CriteriaSet, explanation: SetExplanation) -> list[str]:
    """Return lines, one for each grade better than an event's own: what keeps it from that; not escaped.

    For example "Gold: ✗ distance<150: 168 Mpc, 18 Mpc too far". The first few; further grades are counted. Of
    a set with categories: what decides the grade in the one that holds, else the nearest categories.
    """
    if explanation.outcome.stage is Stage.ENDED:
        return []
    if _has_categories(set_, explanation):
        return _category_lines(set_, explanation)
    reached = {name.casefold() for name in explanation.outcome.grades}
    better: list[GradeExplanation] = []
    for one in explanation.grades:
        if one.verdict is Verdict.HELD or one.grade.casefold() in reached:
            break
        better.append(one)
    lines = [_missing_line(one, explanation) for one in better[:_MAX_BETTER_GRADES]]
    if len(better) > len(lines):
        lines.append(f"and {quantities.pluralize(len(better) - len(lines), 'grade')} more")
    return lines


def _category_lines(set_: CriteriaSet, explanation: SetExplanation) -> list[str]:
    why = explanation.outcome.why_undecided
    held = [one for one in explanation.grades if one.verdict is Verdict.HELD]
    better = [grade.name for grade in set_.grades[: explanation.outcome.rank]]
    deciding = [
        f"{one.grade}: {condition_line(condition, why)}"
        for one in held
        for condition in one.conditions
        if condition.value is not None
        and any(re.search(rf"\b{re.escape(name)}\b", condition.text) for name in better)
    ]
    if held:
        return deciding
    # One that the search alone rules out has that condition only, and isn't near for that.
    open_ones = [one for one in explanation.grades if len(one.conditions) > 1] or explanation.grades
    nearest = sorted(open_ones, key=lambda one: sum(c.verdict is not Verdict.HELD for c in one.conditions))
    return [_missing_line(one, explanation) for one in nearest[:_MAX_CATEGORIES]]


def _missing_line(one: GradeExplanation, explanation: SetExplanation) -> str:
    """Return the conditions of a grade that don't hold, the first few; further ones are counted."""
    why = explanation.outcome.why_undecided
    missing = [c for c in one.conditions if c.verdict is not Verdict.HELD]
    of_map = [c for c in missing if c.verdict is Verdict.UNDECIDED]
    if len(of_map) >= _MAX_REASONS:
        # Each of them would say the same.
        missing = [c for c in missing if c not in of_map]
        missing.append(ConditionOutcome(text=f"{len(of_map)} conditions", verdict=Verdict.UNDECIDED))
    said = [condition_line(c, why) for c in missing[:_MAX_REASONS]]
    if len(missing) > len(said):
        said.append(f"{len(missing) - len(said)} more")
    return f"{one.grade}: {' · '.join(said) or verdict_text(one.verdict)}"


def _name(superevent: Superevent) -> str:
    return " ".join([*status_labels(superevent), superevent.superevent_id])


def _event_line(superevent: Superevent, now: datetime) -> str:
    event = superevent.event
    if event is None:
        return "No notice with facts about the event is known."
    time = f"{event.time.astimezone(UTC):%Y-%m-%d %H:%M}{quantities.NBSP}UTC"
    return f"Event of {time} ({quantities.age_text(event.time, now)})."


def _judged_notices(explanations: Sequence[SetExplanation]) -> str:
    """Return the names of the judged notices: "Judged: INITIAL (rubin-2026), UPDATE"."""
    sets: dict[str, list[str]] = {}
    for one in explanations:
        if one.judged:
            sets.setdefault(one.judged, []).append(one.outcome.slug)
    if len(sets) < 2:
        return f"Judged: {''.join(sets)}." if sets else _NOTHING_TO_JUDGE
    named = [f"{notice} ({', '.join(slugs)})" for notice, slugs in sets.items()]
    return f"Judged: {'; '.join(named)}."


def _judged_line(
    set_: CriteriaSet, superevent: Superevent, explanation: SetExplanation, now: datetime
) -> str:
    """Return the judged notice, when the event was, and for which night places in the sky count."""
    if explanation.outcome.why_undecided is WhyUndecided.NOT_JUDGED and not explanation.grades:
        parts = ["gwevent couldn't judge it, by a fault of its own; its log says which."]
    else:
        parts = [_judged_notice(set_, superevent, explanation)]
    if superevent.event is not None:
        parts.append(_event_line(superevent, now))
    filters = [grade.filter for grade in set_.grades if grade.filter is not None]
    if any(isinstance(c, VisibleFrom) for one in filters for c in conditions(one)):
        parts.append("“visible from” is judged for the night of that notice and the next.")
    if set_.is_built_in and set_.judges_initial and not filters:
        parts.append(_OMEGA)
    return " ".join(parts)


def _judged_notice(set_: CriteriaSet, superevent: Superevent, explanation: SetExplanation) -> str:
    """Return the name of the judged notice, and by which of its maps if it has two."""
    if not explanation.judged:
        return _NOTHING_TO_JUDGE
    called = (n for n in reversed(superevent.notices) if n.event is not None)
    notice = next(
        (n for n in called if vocabulary.numbered_alert_type(superevent, n) == explanation.judged), None
    )
    if notice is None:
        return f"Judged: {explanation.judged}."
    name = vocabulary.notice_name(superevent, notice)
    if notice.localization is None or notice.best_localization is notice.localization:
        return f"Judged: {name}."
    is_by_code = all(grade.filter is None for grade in set_.grades)
    return f"Judged: {name}, by {'its GW map, not the combined one' if is_by_code else 'its combined map'}."


def _explanation_blocks(set_: CriteriaSet, explanation: SetExplanation) -> list[Block]:
    """Return a section for each grade, and how much is left out where there is no room for all."""
    left = _EXPLAINED_MAX
    found: list[Block] = []
    left_out = 0
    for one in _ordered(set_, explanation):
        heading = f"{bold(escape(one.grade))}: {verdict_text(one.verdict)}"
        kept: list[str] = []
        explained_here = 0
        for condition in _telling(one):
            why = explanation.outcome.why_undecided
            lines = [_escaped(line) for line in condition_lines(condition, why)]
            size = sum(utf16_length(line) + 1 for line in lines)
            if size > left or sum(map(utf16_length, kept)) + size > SECTION_MAX - 200:
                break
            kept += lines
            left -= size
            explained_here += 1
        left_out += len(one.conditions) - explained_here
        found.append(blocks.section(heading, *kept))
    if left_out:
        number = quantities.pluralize(left_out, "condition")
        found.append(blocks.context(f"{number} more than there is room for; those that decide come first."))
    return found


def _ordered(set_: CriteriaSet, explanation: SetExplanation) -> Sequence[GradeExplanation]:
    """Return the grades from the best down, or categories with those that hold, or may hold, first."""
    if not _has_categories(set_, explanation):
        return explanation.grades
    order = (Verdict.HELD, Verdict.UNDECIDED, Verdict.UNKNOWN, Verdict.FAILED)
    return sorted(explanation.grades, key=lambda one: order.index(one.verdict))


def _has_categories(set_: CriteriaSet, explanation: SetExplanation) -> bool:
    """Return whether categories with grades of their own are explained, as rubin-2026's are."""
    return any(set_.find_grade(one.grade) is None for one in explanation.grades)


def _escaped(line: str) -> str:
    """Return a line escaped, with its indent, which escaping would take away."""
    text = line.lstrip(quantities.NBSP)
    return f"{line[: len(line) - len(text)]}{escape(text)}"


def _telling(grade: GradeExplanation) -> Sequence[ConditionOutcome]:
    """Return the conditions to explain: all in their order, or of many first those that didn't hold."""
    if len(grade.conditions) <= _MAX_CONDITIONS:
        return grade.conditions
    return sorted(grade.conditions, key=lambda c: c.verdict is Verdict.HELD)[:_MAX_CONDITIONS]


def _past_blocks(set_: CriteriaSet, past: Sequence[PastGrade]) -> list[Block]:
    if not past:
        return []
    lines = [_past_line(set_, one) for one in past[:MAX_PAST_EVENTS]]
    one = "The newest other significant event"
    title = one if len(lines) == 1 else f"The newest {len(lines)} other significant events"
    return [blocks.section(bold(title), *lines)]


def _past_line(set_: CriteriaSet, one: PastGrade) -> str:
    event = one.superevent.event
    when = "" if event is None else f" · {event.time.astimezone(UTC):%Y-%m-%d}"
    said = short_grade_line(one.outcome).removeprefix(f"{set_.slug}: ")
    return f"{bold(escape(_name(one.superevent)))}{when} · {escape(said)}"


def _definition_blocks(set_: CriteriaSet) -> list[Block]:
    """Return the grades as they are typed, and whose rules a built-in set follows."""
    lines, left, left_out = [], _DEFINITION_MAX, 0
    for grade in set_.grades:
        if grade.filter is None:
            continue
        line = f"`{escape(f'{grade.name}: {grade.filter.canonical}', SECTION_MAX)}`"
        size = utf16_length(line) + 1
        if size > left:
            left_out += 1
        else:
            lines.append(line)
            left -= size
    if left_out:
        lines.append(f"{quantities.pluralize(left_out, 'grade')} more, too long for this message")
    found = [blocks.section(bold(f"{escape(set_.slug)} says"), *lines)] if lines else []
    small = [set_.source] if set_.source else []
    if not set_.is_built_in:
        small.append("The first grade that holds is the event's.")
    return [*found, blocks.context(*(escape(text, 1_000) for text in small))] if small else found
