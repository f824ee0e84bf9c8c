"""What a drill's messages say: who is mentioned, when it was so, how long it took, whatever happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formatters.answers import drill_answers
from formatters.blockkit.message import Message
from formatters.models.drill import DrillReport
from formatters.models.escalation import Acknowledgement, EscalationEnd, EscalationStep, Posted
from formatters.models.escalation_report import EscalationReport, ReportedStep, StepState
from formatters.posts import drill
from formatters.terminal import message_text

BEGIN = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
GROUP, SECOND = "<!subteam^S0FIRST>", "<@U0SECOND>"


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def report(*, taken: int = 3, **changes: Any) -> EscalationReport:
    """Return a drill of three steps, of which this many were taken."""
    steps = [
        EscalationStep(after=minutes(0), targets=(GROUP,)),
        EscalationStep(after=minutes(5), targets=(SECOND, "<!here>")),
        EscalationStep(after=minutes(60), webhook=True),
    ]
    found = EscalationReport(
        id=7,
        team_id="T0TEAM",
        channel_id="C0NIGHT",
        started_at=BEGIN,
        steps=tuple(
            ReportedStep(
                id=number,
                step=step,
                state=StepState.TAKEN if number < taken else StepState.CANCELLED,
                due_at=BEGIN + step.after,
                taken_at=BEGIN + step.after if number < taken else None,
            )
            for number, step in enumerate(steps)
        ),
        drill_number=2,
        started_by="U0BEGAN",
    )
    return replace(found, **changes)


POSTED = {0: Posted(at=BEGIN + timedelta(seconds=2)), 1: Posted(at=BEGIN + minutes(5))}
NOBODY_HAD_IT = DrillReport(
    report=report(end=EscalationEnd.COMPLETE, ended_at=BEGIN + minutes(75), is_closed=True),
    posted=POSTED,
    called=Posted(at=BEGIN + minutes(60) + timedelta(seconds=3)),
)
TAKEN = DrillReport(
    report=report(
        taken=2,
        end=EscalationEnd.ACKNOWLEDGED,
        ended_at=BEGIN + timedelta(minutes=6, seconds=12),
        ended_by="U0HASIT",
        acknowledgements=(Acknowledgement(user_id="U0HASIT", since=BEGIN + minutes(6)),),
    ),
    posted={0: POSTED[0], 1: Posted(reason="channel_not_found <!channel>", is_given_up=True)},
)


def test_the_messages_of_a_drill(
    check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    found = report()
    for name, reported in zip(("begin", "step", "no-webhook"), found.steps, strict=True):
        golden(f"drill-{name}", check(drill.step_message(found, reported)))
    golden("drill-over", check(drill.end_message(NOBODY_HAD_IT)))
    golden("drill-taken", check(drill.end_message(TAKEN)))
    golden("answer-drill-begun", check(drill_answers.begun(DrillReport(report=found))))
    golden("answer-drill-taken", check(drill_answers.taken(TAKEN)))


def test_each_message_says_drill_and_who_began_it_and_mentions_only_whom_its_step_names() -> None:
    found = report()
    messages = [*(drill.step_message(found, step) for step in found.steps), drill.end_message(TAKEN)]
    for message in messages:
        assert "DRILL of subscription 2" in message.text
        assert "begun by @U0BEGAN" in message_text.render(message)
    assert [message.mentions for message in messages] == [(GROUP,), (SECOND, "<!here>"), (), ()]
    for message in (messages[0], messages[2], messages[3]):
        assert SECOND not in str(message.blocks), "who is next isn't woken before their time"
    assert GROUP not in str(messages[3].blocks)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (EscalationEnd.ACKNOWLEDGED, "@U0HASIT had it after 6 min 12 s."),
        (EscalationEnd.STOPPED, "@U0HASIT stopped it after 6 min 12 s; nobody had pressed"),
        (EscalationEnd.PREEMPTED, "It gave way to an event after 6 min 12 s;"),
        (
            EscalationEnd.CONDITION,
            "Subscription 2 was changed or ended after 6 min 12 s, and the drill with it.",
        ),
        (EscalationEnd.COMPLETE, "Nobody pressed I have it within 6 min 12 s."),
    ],
)
def test_how_it_ended_is_said_in_one_sentence(end: EscalationEnd, words: str) -> None:
    over = replace(TAKEN, report=replace(TAKEN.report, end=end))
    assert words in message_text.render(drill.end_message(over)).replace("\u00a0", " ")


def test_each_step_is_told_with_its_fate() -> None:
    lines = [line.replace("\u00a0", " ") for line in drill.step_lines(TAKEN)]
    assert lines == [
        "at once 1 group: mentioned at 03:00:02 UTC, 2 s into the drill",
        "after 5 min @here, 1 person: the message was given up (channelˍnot_found &lt;!channel&gt;)",
        "after 1 h the operators' webhook: not reached",
    ] or lines[1].startswith("after 5 min @here, 1 person: the message was given up (channel")
    assert "<!channel>" not in "".join(lines), "a reason from outside mentions nobody"
    *_, called = drill.step_lines(NOBODY_HAD_IT)
    assert called.replace("\u00a0", " ").endswith(
        "accepted the call at 04:00:03 UTC, 1 h 0 min 3 s into the drill"
    )
    *_, uncalled = drill.step_lines(replace(NOBODY_HAD_IT, called=None))
    assert "not called, since none is configured" in uncalled
    refused = replace(NOBODY_HAD_IT, refused={"<!here>": "restricted_action", "<!channel>": "other"})
    assert [line.replace("\u00a0", " ") for line in drill.step_lines(refused)][:2] == [
        "at once 1 group: mentioned at 03:00:02 UTC, 2 s into the drill",
        "after 5 min @here, 1 person: posted at 03:05:00 UTC, 5 min 0 s into the drill, but Slack refuses to"
        " mention @here here (restricted_action)",
    ]
    *_, waits = drill.step_lines(replace(NOBODY_HAD_IT, called=Posted(reason="HTTP 503")))
    assert waits.endswith("the call was not accepted yet (HTTP 503)")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min 0 s"), (372, "6 min 12 s"), (3_605, "1 h 0 min 5 s"), (-3, "0 s")],
)
def test_lengths_are_exact_to_the_second(seconds: float, words: str) -> None:
    assert drill.exact_length(timedelta(seconds=seconds)).replace("\u00a0", " ") == words


_texts = st.text(max_size=400)
_targets = st.lists(
    st.from_regex(r"<@U[A-Z0-9]{8}>|<!subteam\^S[A-Z0-9]{8}>|<!here>", fullmatch=True), max_size=40
)


@pytest.mark.slow
@settings(deadline=None)
@given(_texts, _texts, _targets, st.sampled_from(EscalationEnd))
def test_whatever_is_stored_makes_a_message_that_slack_takes(
    user: str, reason: str, targets: list[str], end: EscalationEnd
) -> None:
    steps = tuple(
        ReportedStep(
            id=number,
            step=EscalationStep(after=minutes(number), targets=tuple(targets)),
            state=StepState.TAKEN,
            due_at=BEGIN,
            taken_at=BEGIN,
        )
        for number in range(6)
    )
    odd = report(steps=steps, started_by=user, ended_by=user, end=end, ended_at=BEGIN)
    messages = [drill.step_message(odd, step) for step in steps]
    told = DrillReport(report=odd, posted={number: Posted(reason=reason) for number in range(6)})
    for message in (*messages, drill.end_message(told), drill_answers.over(told)):
        validate(message)
    assert reason not in ("<!channel>", "<!here>") or reason not in str(drill.end_message(told).blocks)


def validate(message: Message) -> None:
    """Check what Slack limits: the texts' lengths and the number of blocks."""
    assert 0 < len(message.text) <= 4_000 and len(message.blocks) <= 50
    for block in message.blocks:
        if block["type"] == "section":
            assert 0 < len(block["text"]["text"]) <= 3_000
