"""Which calls of the operators' webhook follow from what happens to an escalation."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.routing.escalation_calls import EscalationChange, plan_escalation_calls
from bot.routing.intents import CallKind, CallWebhook, CancelWebhookCall
from bot.routing.state import CallState

ESCALATED, TAKEN, ENDED = (
    CallKind.ESCALATED,
    CallKind.ESCALATION_ACKNOWLEDGED,
    CallKind.ESCALATION_ENDED,
)
UNTRIED, CANCELLED, HEARD = CallState.UNTRIED, CallState.CANCELLED, CallState.MAY_BE_HEARD


def planned(change: EscalationChange, calls: dict[CallKind, CallState]) -> list[tuple[str, CallKind]]:
    return [
        ("drop" if isinstance(intent, CancelWebhookCall) else "call", intent.kind)
        for intent in plan_escalation_calls(7, change, calls)
        if isinstance(intent, CallWebhook | CancelWebhookCall) and intent.escalation_id == 7
    ]


def test_the_step_is_called_once() -> None:
    assert planned(EscalationChange.DUE, {}) == [("call", ESCALATED)]
    for state in CallState:
        assert planned(EscalationChange.DUE, {ESCALATED: state}) == []


def test_a_call_that_nobody_heard_is_dropped_and_one_that_may_be_heard_is_acknowledged() -> None:
    assert planned(EscalationChange.ACKNOWLEDGED, {}) == []
    assert planned(EscalationChange.ACKNOWLEDGED, {ESCALATED: UNTRIED}) == [("drop", ESCALATED)]
    assert planned(EscalationChange.ACKNOWLEDGED, {ESCALATED: CANCELLED}) == []
    assert planned(EscalationChange.ACKNOWLEDGED, {ESCALATED: HEARD}) == [("call", TAKEN)]


def test_handing_back_calls_again_only_those_who_rely_on_somebody() -> None:
    assert planned(EscalationChange.HANDED_BACK, {}) == [], "the step is still to come"
    assert planned(EscalationChange.HANDED_BACK, {ESCALATED: CANCELLED}) == [("call", ESCALATED)]
    assert planned(EscalationChange.HANDED_BACK, {ESCALATED: HEARD, TAKEN: UNTRIED}) == [("drop", TAKEN)]
    assert planned(EscalationChange.HANDED_BACK, {ESCALATED: HEARD, TAKEN: HEARD}) == [("call", ESCALATED)]


def test_the_end_closes_what_was_opened() -> None:
    assert planned(EscalationChange.ENDED, {}) == []
    assert planned(EscalationChange.ENDED, {ESCALATED: UNTRIED}) == [("drop", ESCALATED)]
    assert planned(EscalationChange.ENDED, {ESCALATED: HEARD}) == [("call", ENDED)]
    both = {ESCALATED: HEARD, TAKEN: UNTRIED}
    assert planned(EscalationChange.ENDED, both) == [("drop", TAKEN), ("call", ENDED)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EscalationChange), st.booleans()), max_size=12))
def test_whatever_happens_an_opened_incident_is_closed_and_nothing_else_is(
    changes: list[tuple[EscalationChange, bool]],
) -> None:
    """Each call is heard at once or not before the next change; at the end all that is pending is heard."""
    calls: dict[CallKind, CallState] = {}
    heard: list[CallKind] = []

    def hear() -> None:
        for kind in [kind for kind, state in calls.items() if state is UNTRIED]:
            calls[kind] = HEARD
            heard.append(kind)

    for change, is_heard in [*changes, (EscalationChange.ENDED, True)]:
        for what, kind in planned(change, calls):
            if what == "drop":
                assert calls[kind] is UNTRIED
                calls[kind] = CANCELLED
            elif kind in heard:
                heard.append(kind)
            else:
                calls[kind] = UNTRIED
        if is_heard:
            hear()
    assert (ESCALATED in heard) is (ENDED in heard)
    assert heard.count(ENDED) <= 1
    if ENDED in heard:
        assert heard[0] is ESCALATED and heard[-1] is ENDED
