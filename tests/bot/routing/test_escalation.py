"""Who is next: steps go along with mentions, end with their reason, and each comes once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.filters import parse_criteria
from bot.routing.escalation import (
    EscalationFacts,
    StepAction,
    WaitingStep,
    decide_steps,
    step_targets,
)
from bot.routing.intents import EndEscalation, Mention, MentionReason, OpenRoot
from bot.routing.planner import plan, plan_after_map_queries, required_map_queries
from bot.routing.state import RootState, RoutingState
from formatters.models.escalation import WEBHOOK, EscalationEnd, EscalationStep
from formatters.models.superevent import Superevent
from tests.bot.routing.test_mentions import BBH, BURST, RETRACTED, mentions, planned, thread
from tests.support.factories import MAX_AGE, NOW, TEAM, decoded_notice, subscription
from tests.support.filter_strategies import SKY

ONE = "CBC notify <@U1> if NS escalate 5min <@U2> 10min <@U3> 15min webhook"
SECOND = decoded_notice(alert_type="INITIAL", minutes=5)


def step(minutes: int, *targets: str) -> EscalationStep:
    after = timedelta(minutes=minutes)
    return EscalationStep(after=after, targets=targets, webhook=not targets)


STEPS = (step(5, "<@U2>"), step(10, "<@U3>"), step(15))


def test_steps_go_along_with_the_mention_in_the_root() -> None:
    assert planned([decoded_notice()], [], ONE) == [OpenRoot(TEAM, "C1", 1, ("<@U1>",), STEPS)]
    assert planned([decoded_notice(**BBH)], [], ONE) == [OpenRoot(TEAM, "C1", 1)], "nobody is mentioned"


def test_a_mock_and_a_test_have_no_steps() -> None:
    words = "all mock test notify <@U1> notify-mocks notify-tests escalate 5min <@U2>"
    for letter in ("M", "T"):
        fake = replace(decoded_notice(), superevent_id=f"{letter}S261122a")
        (opened,) = planned([fake], [], words)
        assert isinstance(opened, OpenRoot) and opened.mention and opened.steps == ()


def test_rules_of_a_channel_are_united_by_time_and_target() -> None:
    other = "CBC notify <@U9> escalate 5min <@U2> <@U4> 12min webhook"
    never = "Burst notify <@U8> escalate 1min <@U7>"
    (opened,) = planned([decoded_notice()], [], ONE, other, never)
    assert isinstance(opened, OpenRoot)
    assert opened.steps == (
        step(5, "<@U2>"),
        step(5, "<@U4>"),
        step(10, "<@U3>"),
        step(12),
    ), "the webhook once, at the earliest"


def test_whom_two_rules_name_is_told_by_the_earlier_step() -> None:
    other = "CBC notify <@U9> escalate 7min <@U2> <@U4> 20min <@U3>"
    (opened,) = planned([decoded_notice()], [], ONE, other)
    assert isinstance(opened, OpenRoot)
    assert [(s.targets, s.unless_told) for s in opened.steps] == [
        (("<@U2>",), ()),
        (("<@U2>", "<@U4>"), ("<@U2>",)),
        (("<@U3>",), ()),
        ((), ()),
        (("<@U3>",), ("<@U3>",)),
    ]
    again = "CBC notify <@U1> escalate 5min <@U2> 10min <@U2>"
    (opened,) = planned([decoded_notice()], [], again)
    assert isinstance(opened, OpenRoot)
    assert opened.steps == (step(5, "<@U2>"), step(10, "<@U2>")), "one rule may name somebody again"


@pytest.mark.parametrize(
    ("other", "unless_told"),
    [
        ("10min <@U2>", {5: (), 10: ("<@U2>",), 15: ()}),
        ("5min <@U2>", {5: (), 15: ()}),
        ("5min <@U2> 15min <@U2>", {5: (), 15: ()}),
        ("10min <@U2> 20min <@U2>", {5: (), 10: ("<@U2>",), 15: (), 20: ("<@U2>",)}),
        ("10min <@U2> 20min <@U2> 25min <@U2>", {5: (), 10: ("<@U2>",), 15: (), 20: ("<@U2>",), 25: ()}),
    ],
)
def test_another_rule_takes_no_reminder_from_whom_one_rule_names_again(
    other: str, unless_told: dict[int, tuple[str, ...]]
) -> None:
    twice = "CBC notify <@U1> escalate 5min <@U2> 15min <@U2>"
    (opened,) = planned([decoded_notice()], [], twice, f"CBC notify <@U9> escalate {other}")
    assert isinstance(opened, OpenRoot)
    found = {round(s.after.total_seconds() / 60): s.unless_told for s in opened.steps}
    assert found == unless_told


def test_steps_of_an_upgrade_are_held_while_somebody_has_it() -> None:
    notices = [decoded_notice(), replace(SECOND, external=BURST)]
    free = thread(mentioned=("<@U1>",))
    assert mentions(planned(notices, [free], ONE)) == [Mention(10, ("<@U1>",), MentionReason.UPGRADE, STEPS)]
    taken = replace(free, is_acknowledged=True, escalating=frozenset())
    held = Mention(10, ("<@U1>",), MentionReason.UPGRADE, STEPS, is_held=True)
    assert mentions(planned(notices, [taken], ONE)) == [held]
    for earlier, left in (
        (frozenset({"<@U3>", WEBHOOK}), STEPS[:1]),
        (frozenset({"<@U2>", "<@U3>", WEBHOOK}), ()),
    ):
        (again,) = mentions(planned(notices, [replace(taken, held=earlier)], ONE))
        assert (again.steps, again.is_held) == (left, bool(left)), "who comes anyway after a hand-back"


def test_who_waits_for_an_earlier_step_keeps_its_time() -> None:
    notices = [decoded_notice(), replace(SECOND, external=BURST)]
    running = replace(thread(mentioned=("<@U1>",)), escalating=frozenset({"<@U3>", WEBHOOK}))
    (again,) = mentions(planned(notices, [running], ONE))
    assert again.steps == (step(5, "<@U2>"),)


def test_a_retraction_ends_it_also_before_the_root_is_posted() -> None:
    for root in (RootState.POSTED, RootState.WAITING, RootState.DEAD):
        running = replace(thread(root), escalating=frozenset())
        intents = planned([decoded_notice(), RETRACTED], [running], ONE)
        assert EndEscalation(10, EscalationEnd.RETRACTED) in intents
    late = planned([decoded_notice(), RETRACTED], [running], ONE, later=timedelta(days=3))
    assert EndEscalation(10, EscalationEnd.RETRACTED) in late, "old news ends it too"


def test_steps_whose_rule_no_longer_holds_end() -> None:
    both = frozenset({"<@U2>", "<@U3>", "<@U4>", WEBHOOK})
    running = replace(thread(mentioned=("<@U1>",)), escalating=both)
    notices = [decoded_notice(), decoded_notice(alert_type="UPDATE", minutes=5, **BBH)]
    other = "CBC notify <@U9> escalate 5min <@U4>"
    intents = planned(notices, [running], ONE, other)
    assert EndEscalation(10, EscalationEnd.CONDITION, frozenset({"<@U4>"})) in intents
    assert EndEscalation(10, EscalationEnd.CONDITION) in planned(notices, [running], ONE)
    same = planned([decoded_notice(), SECOND], [running], ONE, other)
    assert not any(isinstance(intent, EndEscalation) for intent in same)
    nothing = replace(running, escalating=None)
    assert not any(isinstance(i, EndEscalation) for i in planned(notices, [nothing], ONE))


def waiting(*steps: EscalationStep) -> list[WaitingStep]:
    return [WaitingStep(id=n, step=one, due_at=NOW + one.after) for n, one in enumerate(steps)]


def facts(
    wanted: frozenset[str] | None = None, *, can_mention: bool = True, can_call: bool = True
) -> EscalationFacts:
    return EscalationFacts(wanted=wanted, can_mention=can_mention, can_call=can_call)


def actions(steps: list[WaitingStep], known: EscalationFacts, minutes: float) -> list[tuple[int, StepAction]]:
    now = NOW + timedelta(minutes=minutes)
    return [(d.step.id, d.action) for d in decide_steps(steps, known, now)]


def test_each_step_has_its_own_fate() -> None:
    steps = waiting(*STEPS)
    assert actions(steps, facts(), 4.99) == []
    assert actions(steps, facts(), 5) == [(0, StepAction.MENTION)]
    everything = [(0, StepAction.MENTION), (1, StepAction.MENTION), (2, StepAction.CALL)]
    assert actions(steps, facts(), 60) == everything
    assert actions(steps, facts(can_mention=False), 60) == [(2, StepAction.CALL)], "Slack is down"
    assert actions(steps, facts(can_call=False), 60)[-1] == (2, StepAction.REPORT)
    assert actions(steps, facts(can_mention=False, can_call=False), 60) == [], "nowhere to say it yet"
    assert actions(steps, facts(frozenset({"<@U3>"})), 60) == [
        (0, StepAction.CANCEL),
        (1, StepAction.MENTION),
        (2, StepAction.CANCEL),
    ]


def test_whom_another_rules_step_told_is_left_out() -> None:
    steps = waiting(replace(step(10, "<@U2>"), unless_told=("<@U2>",)))
    notified = replace(facts(), notified=frozenset({"<@U2>"}))
    assert actions(steps, notified, 10) == [(0, StepAction.SKIP)], "nobody is left to be told"
    assert actions(steps, facts(), 10) == [(0, StepAction.MENTION)], "the earlier one didn't reach them"
    others = waiting(replace(step(10, "<@U2>", "<@U4>"), unless_told=("<@U2>",)))
    assert actions(others, notified, 10) == [(0, StepAction.MENTION)]
    anew = waiting(step(10, "<@U2>"))
    assert actions(anew, notified, 10) == [(0, StepAction.MENTION)], "the same rule's own step"


def test_a_time_too_far_ahead_is_counted_anew() -> None:
    assert actions(waiting(step(5, "<@U2>")), facts(), -1) == [(0, StepAction.POSTPONE)]
    assert actions(waiting(step(5, "<@U2>")), facts(), 0) == []


TARGETS = st.lists(st.sampled_from(["<@U1>", "<@U2>", "<@U3>"]), min_size=1, max_size=3, unique=True)


@given(
    st.lists(st.tuples(st.integers(1, 60), TARGETS), min_size=1, max_size=5, unique_by=lambda s: s[0]),
    st.lists(st.integers(0, 30), min_size=1, max_size=8),
)
@settings(deadline=None)
def test_whenever_the_worker_runs_each_step_comes_once_in_order_and_nobody_twice_at_once(
    chosen: list[tuple[int, list[str]]], pauses: list[int]
) -> None:
    left = waiting(*(step(minutes, *targets) for minutes, targets in sorted(chosen)))
    order = [one.id for one in left]
    now, taken = NOW, []
    for pause in [*pauses, 60]:
        now += timedelta(minutes=pause)
        decisions = decide_steps(left, facts(), now)
        said = [d.step.step.targets for d in decisions if d.action is StepAction.MENTION]
        seen: set[str] = set()
        for targets in said:
            assert set(targets) - seen, "somebody new is mentioned"
            seen |= set(targets)
        assert all(d.step.due_at <= now for d in decisions)
        due = {one.id for one in left if one.due_at <= now}
        assert {d.step.id for d in decisions} == due
        taken += [d.step.id for d in decisions]
        left = [one for one in left if one.id not in due]
    assert taken == order and not left


def test_whom_steps_name() -> None:
    assert step_targets([parse_criteria(ONE), parse_criteria("CBC")]) == {"<@U2>", "<@U3>", WEBHOOK}


def test_a_mention_that_waited_for_the_sky_map_brings_its_steps() -> None:
    words = "CBC notify <@U1> if near 197.45 -23.38 5deg escalate 5min <@U2>"
    first = replace(decoded_notice(), localization=SKY)
    state = RoutingState(
        superevent=Superevent.from_notices([first]), notice=first, subscriptions=[subscription(words)]
    )
    (opened, *_) = plan(state, live=True, now=NOW, max_age=MAX_AGE)
    assert isinstance(opened, OpenRoot) and (opened.mention, opened.steps) == ((), ())
    standing = replace(state, threads=[thread(RootState.WAITING)])
    queries = required_map_queries(state.superevent, state.subscriptions)
    for answer, steps in ((1.0, [(step(5, "<@U2>"),)]), (0.0, [])):
        later = plan_after_map_queries(
            standing, probabilities=dict.fromkeys(queries, answer), now=NOW, max_age=MAX_AGE
        )
        assert [mention.steps for mention in mentions(later)] == steps
