"""Inputs of the subscription modal, and the conversion of criteria into them.

Conditions that no input can express are put as text into `words`, which accepts anything that may follow
`/gwevent subscribe`. So a form exists for all criteria; `bot.filters.form_parser` parses it back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_

from formatters.models.escalation import EscalationStep
from formatters.models.filter import (
    DEFAULT_MIN_PROBABILITY,
    And,
    Compare,
    External,
    FarCompare,
    FieldIn,
    Filter,
    GradeCondition,
    Not,
    Op,
    Or,
    format_number,
)
from formatters.models.notice import EARLYWARNING, INITIAL, PRELIMINARY, UPDATE
from formatters.models.related_message import THREAD_STREAMS
from formatters.models.subscription import Criteria, MentionRule, in_parentheses
from formatters.views.modal_inputs import MAX_OPTIONS

CLASSES = ("BNS", "NSBH", "BBH")
"""Classes whose conditions are alternatives: one of them suffices."""
CLASS_PERCENT = "50"
"""Minimum probability, in percent, of the classes that are chosen on the first screen."""
PROBABILITIES = (*CLASSES, "NS", "remnant")
TYPES = (EARLYWARNING, PRELIMINARY, INITIAL, UPDATE)
SWITCHES = ("mock", "test", "lowsig", *THREAD_STREAMS)
"""Switches for further alerts, and for whose messages the Follow-up reply lists."""
BROADCASTS = ("<!here>", "<!channel>")
MENTION_OPTIONS = ("only_ns", "mock", "test")
"""Options of a mention, named like the attributes of `MentionRule`."""
QUIET_EVENTS = Compare("BBH", Op.GE, DEFAULT_MIN_PROBABILITY)
"""The events that one checkbox makes quiet."""
INSTRUMENTS = ("2", "3", "4")
UNITS = ("yr", "month", "week", "day", "h")

_DECIMAL = re.compile(r"\d{1,15}(\.\d{1,15})?")
_PERSON = re.compile(r"<@([UW][A-Z0-9]+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionForm:
    """Values of the modal's inputs: numbers as typed, options by name; empty if nothing was entered."""

    group: str = "all"
    percents: Mapping[str, str] = field(default_factory=dict)
    """Minimum probabilities as typed, percent, by name from PROBABILITIES."""
    more_than: bool = False
    """True if each probability must exceed its number; False if it may also equal it."""
    far: str = ""
    """The false-alarm rate must be below one per `far` × `far_unit`."""
    far_unit: str = "yr"
    distance: str = ""
    """Upper limit of the mean luminosity distance, Mpc."""
    area90: str = ""
    """Upper limit of the 90 % credible area, deg²."""
    instruments: str = ""
    """Minimum number of instruments, one of INSTRUMENTS."""
    external: bool = False
    types: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    broadcasts: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    """Slack user ids."""
    when: tuple[str, ...] = ()
    quiet: bool = False
    """True if QUIET_EVENTS are quiet."""
    next_after: str = ""
    """Minutes after the first mention, as typed, at which `next_people` are mentioned if nobody has it."""
    next_people: tuple[str, ...] = ()
    """Slack user ids."""
    webhook_after: str = ""
    """Minutes after the first mention, as typed, at which the operators' webhook is called."""
    criteria_sets: tuple[str, ...] = ()
    """Slugs of the criteria sets whose grades the messages show, in their order; at most MAX_OPTIONS."""
    words: str = ""
    """Any further criteria, in the syntax of `/gwevent subscribe`."""


NEW_FORM = SubscriptionForm(quiet=True)
"""The first inputs of a new subscription: quiet, since an observing run brings hundreds of BBHs."""


def form_from_criteria(criteria: Criteria) -> SubscriptionForm:
    """Return the form that expresses the criteria."""
    switches = tuple(str(s) for s in SWITCHES if s in criteria.streams or getattr(criteria, s, False))
    # No input leaves real alerts out.
    alone = () if criteria.real else tuple(s for s in ("mock", "test") if s in switches)
    form = SubscriptionForm(
        group=criteria.group,
        switches=tuple(s for s in switches if s not in alone),
        criteria_sets=criteria.criteria_sets[:MAX_OPTIONS],
        quiet=criteria.quiet == QUIET_EVENTS,
    )
    more_sets = criteria.criteria_sets[MAX_OPTIONS:]
    rest: list[Filter] = []
    taken: set[str] = set()
    for part in required_conditions(criteria.filter):
        changed = _set_input(form, part, taken)
        if changed is None:
            rest.append(part)
        else:
            form = changed
    words = [" ".join(("only", *alone))] if alone else []
    words += [_beside(reduce(and_, rest), (*alone, *more_sets))] if rest else []
    if criteria.quiet is not None and not form.quiet:
        words.append(f"quiet {in_parentheses(criteria.quiet)}")
    words += [" ".join(("criteria", *more_sets))] if more_sets else []
    if criteria.notify is not None:
        notified = _with_mentions(form, criteria.notify)
        if notified is None:
            words.append(criteria.notify.canonical)
        form = notified or form
    return replace(form, words=" ".join(words))


def _beside(filter_: Filter, others: tuple[str, ...]) -> str:
    """Return the filter as text that may stand beside other words."""
    return f"({filter_.canonical})" if others and isinstance(filter_, Or) else filter_.canonical


def is_simple(form: SubscriptionForm) -> bool:
    """Return True if the first screen's inputs suffice.

    These are group, classes, distance, area, criteria sets, whom to mention, and quiet BBH.
    """
    simple = SubscriptionForm(
        group=form.group,
        percents={name: CLASS_PERCENT for name in CLASSES if name in form.percents},
        distance=form.distance,
        area90=form.area90,
        broadcasts=form.broadcasts,
        people=form.people,
        quiet=form.quiet,
        criteria_sets=form.criteria_sets,
    )
    return form == simple


def required_conditions(filter_: Filter | None) -> tuple[Filter, ...]:
    """Return the conditions that must all hold."""
    return () if filter_ is None else filter_.parts if isinstance(filter_, And) else (filter_,)


def percent_to_probability(percent: str) -> float:
    """Convert percent as typed in an input into a probability, 0 to 1."""
    return float(f"{float(percent) / 100:.12g}")


def is_number(text: str) -> bool:
    """Return True for a number in the inputs' format, without sign or exponent: "300", "0.5"."""
    return _DECIMAL.fullmatch(text) is not None


def same_criteria(one: Criteria, other: Criteria) -> bool:
    """Return True if two criteria are equal apart from the order of their conditions and names."""
    return _normalized_criteria(one) == _normalized_criteria(other)


def _set_input(form: SubscriptionForm, part: Filter, taken: set[str]) -> SubscriptionForm | None:
    """Return the form with one more condition in its inputs; None if no free input can express it.

    `taken` contains the names of the inputs in use; the function adds the one it fills.
    """
    match part:
        case Compare(quantity) if quantity in CLASSES:
            return _with_probabilities(form, (part,), "classes", taken)
        case Or(some) if all(isinstance(one, Compare) and one.quantity in CLASSES for one in some):
            return _with_probabilities(
                form, tuple(n for n in some if isinstance(n, Compare)), "classes", taken
            )
        case Compare(quantity) if quantity in PROBABILITIES:
            return _with_probabilities(form, (part,), quantity, taken)
        case Compare("distance", Op.LT, value) if _claim_input("distance", taken, value):
            return replace(form, distance=format_number(value))
        case Compare("area90", Op.LT, value) if _claim_input("area90", taken, value):
            return replace(form, area90=format_number(value))
        case Compare("instruments", Op.GE, value) if format_number(value) in INSTRUMENTS and _claim_input(
            "instruments", taken
        ):
            return replace(form, instruments=format_number(value))
        case FarCompare(Op.LT, 1.0, per, unit) if unit in UNITS and _claim_input("far", taken, per):
            return replace(form, far=format_number(per), far_unit=unit)
        case External() if _claim_input("external", taken):
            return replace(form, external=True)
        case FieldIn("type", values) if set(values) <= set(TYPES) and _claim_input("types", taken):
            return replace(form, types=tuple(t for t in TYPES if t in values))
    return None


def _claim_input(name: str, taken: set[str], value: float | None = None) -> bool:
    """Mark an input as in use and return True; return False if it is in use or can't hold `value`."""
    if name in taken or (value is not None and not (value > 0 and is_number(format_number(value)))):
        return False
    taken.add(name)
    return True


def _with_probabilities(
    form: SubscriptionForm, numbers: tuple[Compare, ...], name: str, taken: set[str]
) -> SubscriptionForm | None:
    ops = {number.op for number in numbers}
    percents = {n.quantity: format_number(float(f"{n.value * 100:.12g}")) for n in numbers}
    kept = all(
        is_number(percents[n.quantity]) and percent_to_probability(percents[n.quantity]) == n.value
        for n in numbers
    )
    if len(percents) < len(numbers) or not kept or name in taken or ops not in ({Op.GE}, {Op.GT}):
        return None
    more_than = ops == {Op.GT}
    if form.percents and more_than != form.more_than:
        return None
    taken.add(name)
    return replace(form, percents={**form.percents, **percents}, more_than=more_than)


def _with_mentions(form: SubscriptionForm, notify: MentionRule) -> SubscriptionForm | None:
    people = [match[1] for target in notify.targets if (match := _PERSON.fullmatch(target))]
    broadcasts = tuple(target for target in BROADCASTS if target in notify.targets)
    if notify.condition is not None or len(people) + len(broadcasts) < len(notify.targets):
        return None
    when = tuple(name for name in MENTION_OPTIONS if getattr(notify, name))
    escalated = _with_steps(form, notify.escalation)
    return escalated and replace(escalated, broadcasts=broadcasts, people=tuple(people), when=when)


def _with_steps(form: SubscriptionForm, steps: Sequence[EscalationStep]) -> SubscriptionForm | None:
    """Return the form with the steps of an escalation; None if its inputs can't express them."""
    mentioning = [step for step in steps if not step.webhook]
    if len(mentioning) > 1:
        return None
    for step in steps:
        minutes = format_number(step.after.total_seconds() / 60)
        people = tuple(match[1] for target in step.targets if (match := _PERSON.fullmatch(target)))
        if len(people) < len(step.targets):
            return None
        form = (
            replace(form, webhook_after=minutes)
            if step.webhook
            else replace(form, next_after=minutes, next_people=people)
        )
    return form


def _normalized_criteria(criteria: Criteria) -> Criteria:
    notify = criteria.notify
    if notify is not None:
        condition = None if notify.condition is None else _normalized_filter(notify.condition)
        steps = tuple(replace(step, targets=tuple(sorted(step.targets))) for step in notify.escalation)
        notify = replace(notify, targets=tuple(sorted(notify.targets)), condition=condition, escalation=steps)
    return replace(
        criteria,
        filter=None if criteria.filter is None else _normalized_filter(criteria.filter),
        quiet=None if criteria.quiet is None else _normalized_filter(criteria.quiet),
        notify=notify,
    )


def _normalized_filter(filter_: Filter) -> Filter:
    match filter_:
        case And(some):
            return And(tuple(sorted(map(_normalized_filter, some), key=lambda part: part.canonical)))
        case Or(some):
            return Or(tuple(sorted(map(_normalized_filter, some), key=lambda part: part.canonical)))
        case Not(part):
            return Not(_normalized_filter(part))
        case FieldIn(named, values):
            return FieldIn(named, tuple(sorted(values)))
        case GradeCondition():
            # Read from the form, a condition has no definition yet; a stored one has.
            return replace(filter_, definition=None)
    return filter_
