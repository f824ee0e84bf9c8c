"""Parses the inputs of the subscription modal into criteria."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from operator import and_, or_

from bot.filters.criteria_parser import split_insistence
from bot.filters.escalation_words import parse_minutes
from bot.filters.tokens import FilterSyntaxError
from bot.runtime.typed_text import normalize_typed_text
from formatters.models.escalation import EscalationStep
from formatters.models.filter import Compare, External, FarCompare, FieldIn, Filter, Op
from formatters.models.related_message import THREAD_STREAMS
from formatters.models.subscription import Criteria, MentionRule
from formatters.views.subscription_form import (
    CLASSES,
    PROBABILITIES,
    QUIET_EVENTS,
    SubscriptionForm,
    is_number,
    percent_to_probability,
)

ParseCriteria = Callable[[str], Criteria]
"""Parses words as `bot.filters.parse_criteria` does. Raises FilterSyntaxError."""


class InvalidForm(ValueError):
    """Inputs that give no criteria; holds a sentence for each input that is wrong."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)
        """Sentences by the name of the input: "BNS", "far", "words" …"""


def criteria_from_form(form: SubscriptionForm, parse: ParseCriteria) -> Criteria:
    """Return the criteria of a form. Raises InvalidForm with everything that is wrong."""
    errors: dict[str, str] = {}
    form = _with_normalized_texts(form)
    filters = _filters_from_inputs(form, errors)
    typed = Criteria()
    try:
        typed = parse(_with_switches(form))
    except FilterSyntaxError as error:
        errors["words"] = str(error)
    try:
        parse(Criteria(criteria_sets=form.criteria_sets).canonical)
    except FilterSyntaxError as error:
        errors["criteria_sets"] = str(error)
    criteria = _combine(form, filters, typed, errors)
    if not errors:
        try:
            # All inputs together may exceed the limits, even if none does by itself.
            return parse(criteria.canonical)
        except FilterSyntaxError as error:
            errors["words"] = str(error)
    raise InvalidForm(errors)


def _with_normalized_texts(form: SubscriptionForm) -> SubscriptionForm:
    return replace(
        form,
        percents={name: normalize_typed_text(text).strip() for name, text in form.percents.items()},
        far=normalize_typed_text(form.far).strip(),
        distance=normalize_typed_text(form.distance).strip(),
        area90=normalize_typed_text(form.area90).strip(),
        next_after=normalize_typed_text(form.next_after).strip(),
        webhook_after=normalize_typed_text(form.webhook_after).strip(),
        # The form asks a second time about what can never hold, so "anyway" says nothing more here.
        words=split_insistence(normalize_typed_text(form.words))[0].strip(),
    )


def _with_switches(form: SubscriptionForm) -> str:
    """Return the words with the chosen switches before `notify`: "mock notify @here notify-mocks"."""
    switches = " ".join(s for s in form.switches if s not in THREAD_STREAMS)
    return re.sub(r"(?<!\S)(?=notify(?!\S))", f"{switches} ", form.words, count=1, flags=re.IGNORECASE)


def _filters_from_inputs(form: SubscriptionForm, errors: dict[str, str]) -> list[Filter]:
    op = Op.GT if form.more_than else Op.GE
    probable: dict[str, Filter] = {}
    for name in PROBABILITIES:
        percent = form.percents.get(name, "")
        if not percent:
            continue
        if is_number(percent) and percent_to_probability(percent) <= 1:
            probable[name] = Compare(name, op, percent_to_probability(percent))
        else:
            errors[name] = _with_point(percent) or "A probability in percent: 0 to 100."
    found: list[Filter] = []
    classes = [probable[name] for name in CLASSES if name in probable]
    if classes:
        found.append(reduce(or_, classes))
    found += [probable[name] for name in PROBABILITIES if name in probable and name not in CLASSES]
    if (per := _parse_positive(form.far, "far", errors)) is not None:
        found.append(FarCompare(Op.LT, 1.0, per, form.far_unit))
    for name, text in (("distance", form.distance), ("area90", form.area90)):
        if (value := _parse_positive(text, name, errors)) is not None:
            found.append(Compare(name, Op.LT, value))
    if form.instruments:
        found.append(Compare("instruments", Op.GE, float(form.instruments)))
    if form.external:
        found.append(External())
    if form.types:
        found.append(FieldIn("type", form.types))
    return found


def _parse_positive(text: str, name: str, errors: dict[str, str]) -> float | None:
    if not text:
        return None
    if is_number(text) and float(text) > 0:
        return float(text)
    errors[name] = _with_point(text) or "A number above 0."
    return None


def _with_point(text: str) -> str | None:
    """Return the sentence about a decimal comma; None if the text is no number with one."""
    match = re.fullmatch(r"(\d{0,15}),(\d{1,15})", text)
    if match is None:
        return None
    return f'"{text}" isn\'t clear: write {match[1] or 0}.{match[2]} with a point, or {match[1]}{match[2]}.'


def _combine(
    form: SubscriptionForm, filters: Iterable[Filter], typed: Criteria, errors: dict[str, str]
) -> Criteria:
    """Combine the inputs and the criteria that were typed in words; add what contradicts to `errors`."""
    groups = {form.group, typed.group} - {"all"}
    if len(groups) > 1:
        errors["words"] = f'"{typed.group}" here and {form.group} as the group: choose one.'
    every = [*filters, *([] if typed.filter is None else [typed.filter])]
    return Criteria(
        group=min(groups, default="all"),
        real=typed.real,
        mock="mock" in form.switches or typed.mock,
        test="test" in form.switches or typed.test,
        lowsig="lowsig" in form.switches or typed.lowsig,
        streams=tuple(s for s in THREAD_STREAMS if s in form.switches or s in typed.streams),
        criteria_sets=tuple(dict.fromkeys((*form.criteria_sets, *typed.criteria_sets))),
        filter=reduce(and_, every) if every else None,
        quiet=_quiet(form, typed, errors),
        notify=_mention_rule(form, typed, errors),
    )


def _quiet(form: SubscriptionForm, typed: Criteria, errors: dict[str, str]) -> Filter | None:
    if not form.quiet:
        return typed.quiet
    if typed.quiet not in (None, QUIET_EVENTS):
        errors["words"] = "Quiet BBH is chosen above: take the tick away, or leave out quiet here."
    return QUIET_EVENTS


def _mention_rule(form: SubscriptionForm, typed: Criteria, errors: dict[str, str]) -> MentionRule | None:
    targets = (*form.broadcasts, *(f"<@{person}>" for person in form.people))
    if not targets:
        if form.when:
            errors["when"] = "Whom? Choose somebody to mention above."
        for name in ("next_after", "next_people", "webhook_after"):
            if getattr(form, name):
                errors[name] = (
                    "Who is mentioned first? Choose somebody above."
                    if typed.notify is None
                    else "Whom to mention is written in words: write there who is next, too."
                )
        return typed.notify
    if typed.notify is not None:
        errors["words"] = "Whom to mention is chosen above already: leave out notify here."
    for name in ("mock", "test"):
        if name in form.when and not (name in form.switches or getattr(typed, name)):
            errors["when"] = f"A mention for {name}s needs {name}s to come: choose them above."
    return MentionRule(
        targets=targets,
        mock="mock" in form.when,
        test="test" in form.when,
        only_ns="only_ns" in form.when,
        escalation=_steps(form, errors),
    )


def _steps(form: SubscriptionForm, errors: dict[str, str]) -> tuple[EscalationStep, ...]:
    """Return the steps of the escalation; add what is wrong to `errors`."""
    people = tuple(f"<@{person}>" for person in form.next_people)
    if people and not form.next_after:
        errors["next_after"] = "After how many minutes? A number, like 5."
    if form.next_after and not people:
        errors["next_people"] = "Whom? Choose who is mentioned next."
    steps: list[EscalationStep] = []
    for name, text, targets in (
        ("next_after", form.next_after, people),
        ("webhook_after", form.webhook_after, ()),
    ):
        if not text:
            continue
        try:
            after = parse_minutes(text)
        except FilterSyntaxError as error:
            errors[name] = str(error)
            continue
        if steps and after <= steps[-1].after:
            errors[name] = f"Later than {form.next_after}: all times count from the first mention."
        steps.append(EscalationStep(after=after, targets=targets, webhook=name == "webhook_after"))
    return tuple(steps)
