"""Decides who is next if nobody has an event: when an escalation begins and ends, and what a due step does.

A mention that wakes somebody may bring steps along. They come at their times until somebody says "I have it",
the event is retracted, or the rule no longer holds. One step comes once for each mention that it follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from bot.filters import CriteriaEvaluator
from bot.routing.intents import EndEscalation
from bot.routing.state import Thread
from formatters.models.escalation import WEBHOOK, EscalationEnd, EscalationStep
from formatters.models.notice import Category
from formatters.models.subscription import Criteria
from formatters.models.superevent import Superevent

ESCALATION_CLOSES_AFTER = timedelta(days=1)
"""Time after its beginning at which an escalation is closed, whatever became of it."""


def steps_after_mention(
    targets: Collection[str],
    superevent: Superevent,
    evaluator: CriteriaEvaluator,
    criteria_list: Sequence[Criteria],
    waiting: Collection[str] = (),
) -> tuple[EscalationStep, ...]:
    """Return the steps that follow a mention of `targets`, at increasing times; empty if there are none.

    The steps are those of all rules of the channel that mention one of them for certain. Whoever is `waiting`
    for an earlier mention's step (WEBHOOK for the webhook) keeps that step's time. Whom two rules name at
    different times is told once; one rule may name somebody again, and then they are told as often as that
    rule says. Mocks and tests have no steps: nobody is to get up for them.
    """
    if superevent.category is not Category.REAL:
        return ()
    rules = [
        criteria.notify
        for criteria in criteria_list
        if criteria.notify is not None
        and criteria.notify.escalation
        and set(criteria.notify.targets) & set(targets)
        and evaluator.evaluate_mentions(criteria).matches
    ]
    named_at: set[tuple[timedelta, str]] = set()
    namings: Counter[tuple[int, str]] = Counter()
    notifications: Counter[str] = Counter()
    is_called = WEBHOOK in waiting
    steps: list[EscalationStep] = []
    every = [(step, number) for number, rule in enumerate(rules) for step in rule.escalation]
    for step, number in sorted(every, key=lambda one: (one[0].after, one[0].webhook)):
        if step.webhook:
            if not is_called:
                steps.append(step)
            is_called = True
            continue
        new, notified = [], []
        for target in dict.fromkeys(step.targets):
            namings[number, target] += 1
            if target in waiting or (step.after, target) in named_at:
                continue
            named_at.add((step.after, target))
            new.append(target)
            if namings[number, target] <= notifications[target]:
                # Other rules have them told as often by then as this one.
                notified.append(target)
            else:
                notifications[target] += 1
        if new:
            steps.append(replace(step, targets=tuple(new), unless_told=tuple(notified)))
    return tuple(steps)


def plan_escalation_end(
    thread: Thread,
    superevent: Superevent,
    evaluator: CriteriaEvaluator,
    criteria_list: Sequence[Criteria],
) -> list[EndEscalation]:
    """Plan the end of a thread's escalations, or of those steps whose rule no longer holds."""
    if thread.escalating is None:
        return []
    if superevent.is_retracted:
        return [EndEscalation(thread.id, EscalationEnd.RETRACTED)]
    wanted = wanted_targets(criteria_list, evaluator)
    if wanted and thread.escalating <= wanted:
        return []
    return [EndEscalation(thread.id, EscalationEnd.CONDITION, wanted)]


def wanted_targets(criteria_list: Sequence[Criteria], evaluator: CriteriaEvaluator) -> frozenset[str]:
    """Return the targets in steps of rules that hold, or may hold once the sky map is queried."""
    return step_targets(
        criteria for criteria in criteria_list if evaluator.evaluate_mentions(criteria).may_match
    )


def step_targets(criteria_list: Iterable[Criteria]) -> frozenset[str]:
    """Return the targets of these criteria's steps; WEBHOOK for the operators' webhook."""
    steps = [
        step
        for criteria in criteria_list
        if criteria.notify is not None
        for step in criteria.notify.escalation
    ]
    webhook = {WEBHOOK} if any(step.webhook for step in steps) else set()
    return frozenset(webhook | {target for step in steps for target in step.targets})


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingStep:
    """A step that waits for its time."""

    id: int
    step: EscalationStep
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationFacts:
    """The facts that decide a due step's fate, beside its time."""

    wanted: frozenset[str] | None
    """The targets that rules of the channel still name for this event; None for a drill: all steps come."""
    can_mention: bool
    """True if people can be mentioned now: the root stands, and the first mention isn't under way."""
    can_call: bool
    """True if the operators' webhook is there, and may be called for this workspace."""
    notified: frozenset[str] = frozenset()
    """The targets named by the messages of steps that were taken before, but for those that were given up."""


class StepAction(Enum):
    """The ways in which a waiting step ends or goes on."""

    MENTION = auto()
    """A message mentions its targets."""
    CALL = auto()
    """The operators' webhook is called."""
    REPORT = auto()
    """A message says that the webhook can't be called."""
    SKIP = auto()
    """It is over without a message: earlier steps mention the same people."""
    CANCEL = auto()
    """No rule asks for it any more."""
    POSTPONE = auto()
    """The clock was set back: it waits for its own length from now."""


@dataclass(frozen=True, slots=True)
class StepDecision:
    """The decision about a step; a step without one goes on waiting."""

    step: WaitingStep
    action: StepAction


def decide_steps(steps: Sequence[WaitingStep], facts: EscalationFacts, now: datetime) -> list[StepDecision]:
    """Decide about the waiting steps of one escalation, given in their order.

    After a pause several may be due at once: they come in their order, and nobody is mentioned twice.
    """
    decisions = []
    mentioned: set[str] = set()
    for one in steps:
        step = one.step
        if one.due_at > now + step.after:
            decisions.append(StepDecision(one, StepAction.POSTPONE))
        if one.due_at > now:
            continue
        names = {WEBHOOK} if step.webhook else set(step.targets)
        if facts.wanted is not None and not names & facts.wanted:
            decisions.append(StepDecision(one, StepAction.CANCEL))
        elif step.webhook and facts.can_call:
            decisions.append(StepDecision(one, StepAction.CALL))
        elif step.webhook:
            # Said in the thread, so it waits until that stands.
            if facts.can_mention:
                decisions.append(StepDecision(one, StepAction.REPORT))
        elif facts.can_mention:
            is_new = bool(names - mentioned - (set(step.unless_told) & facts.notified))
            decisions.append(StepDecision(one, StepAction.MENTION if is_new else StepAction.SKIP))
            mentioned |= names
    return decisions
