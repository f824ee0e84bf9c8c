"""Which calls of the operators' webhook follow from how an escalation stands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.routing.escalation_calls import plan_escalation_calls
from bot.routing.intents import CallKind, CancelWebhookCall
from bot.routing.state import CallState

ESCALATED, TAKEN, ENDED = (
    CallKind.ESCALATED,
    CallKind.ESCALATION_ACKNOWLEDGED,
    CallKind.ESCALATION_ENDED,
)
UNTRIED, CANCELLED, HEARD = CallState.UNTRIED, CallState.CANCELLED, CallState.MAY_BE_HEARD
Calls = dict[CallKind, CallState]
FREE, ACKNOWLEDGED, CLOSED = "free", "acknowledged", "closed"


def planned(stands: str, calls: Calls) -> list[tuple[str, CallKind]]:
    plan = plan_escalation_calls(7, calls, is_acknowledged=stands == ACKNOWLEDGED, is_closed=stands == CLOSED)
    assert all(intent.escalation_id == 7 for intent in plan)
    return [("drop" if isinstance(intent, CancelWebhookCall) else "call", intent.kind) for intent in plan]


@pytest.mark.parametrize("stands", [FREE, ACKNOWLEDGED, CLOSED])
def test_nothing_follows_a_step_that_called_nobody(stands: str) -> None:
    assert planned(stands, {}) == []


def test_a_call_that_nobody_heard_is_dropped_and_one_that_may_be_heard_is_acknowledged() -> None:
    assert planned(ACKNOWLEDGED, {ESCALATED: UNTRIED}) == [("drop", ESCALATED)]
    assert planned(ACKNOWLEDGED, {ESCALATED: CANCELLED}) == []
    assert planned(ACKNOWLEDGED, {ESCALATED: HEARD}) == [("call", TAKEN)]
    for state in (UNTRIED, HEARD):
        assert planned(ACKNOWLEDGED, {ESCALATED: HEARD, TAKEN: state}) == [], "it is said, or will be"


def test_handing_back_calls_again_those_who_rely_on_somebody() -> None:
    assert planned(FREE, {ESCALATED: UNTRIED}) == planned(FREE, {ESCALATED: HEARD}) == []
    assert planned(FREE, {ESCALATED: CANCELLED}) == [("call", ESCALATED)]
    assert planned(FREE, {ESCALATED: HEARD, TAKEN: UNTRIED}) == [("drop", TAKEN)]
    assert planned(FREE, {ESCALATED: HEARD, TAKEN: CANCELLED}) == []
    assert planned(FREE, {ESCALATED: HEARD, TAKEN: HEARD}) == [("call", ESCALATED)]
    assert planned(FREE, {TAKEN: HEARD, ESCALATED: HEARD}) == [], "they were called again already"
    assert planned(ACKNOWLEDGED, {TAKEN: HEARD, ESCALATED: HEARD}) == [("call", TAKEN)]


def test_the_end_closes_what_was_opened() -> None:
    assert planned(CLOSED, {ESCALATED: UNTRIED}) == [("drop", ESCALATED)]
    assert planned(CLOSED, {ESCALATED: CANCELLED}) == []
    assert planned(CLOSED, {ESCALATED: HEARD}) == [("call", ENDED)]
    assert planned(CLOSED, {ESCALATED: HEARD, TAKEN: UNTRIED}) == [("drop", TAKEN), ("call", ENDED)]
    for stands in (FREE, ACKNOWLEDGED, CLOSED):
        assert planned(stands, {ESCALATED: HEARD, ENDED: UNTRIED}) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([FREE, ACKNOWLEDGED]), st.booleans()), max_size=12))
def test_whatever_happens_an_opened_incident_is_closed_and_the_last_word_is_true(
    changes: list[tuple[str, bool]],
) -> None:
    """Calls are made at once, or not before the next change; after the end all that is pending is made."""
    calls: Calls = {ESCALATED: UNTRIED}
    made: list[CallKind] = []
    again: list[CallKind] = []

    def make() -> None:
        for kind in [kind for kind, state in calls.items() if state is UNTRIED or kind in again]:
            calls[kind] = HEARD
            made.append(kind)
        again.clear()

    def apply(stands: str) -> None:
        for what, kind in planned(stands, calls):
            if what == "drop":
                assert calls[kind] is UNTRIED
                calls[kind] = CANCELLED
                continue
            state = calls.pop(kind, None)
            calls[kind] = HEARD if state is HEARD else UNTRIED
            again.extend([kind] if state is HEARD else [])
        assert planned(stands, calls) == [], "looking again changes nothing"

    for stands, is_made in changes:
        apply(stands)
        if is_made:
            make()
            said = made[-1] if made else None
            assert said in ([None, TAKEN] if stands == ACKNOWLEDGED else [ESCALATED])
    apply(CLOSED)
    make()
    assert (ESCALATED in made) is (ENDED in made)
    assert made.count(ENDED) <= 1
    if ENDED in made:
        assert made[0] is ESCALATED and made[-1] is ENDED
