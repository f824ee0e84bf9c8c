"""The messages of a drill: the mention, who is next, and at the end how long it took. Each says DRILL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import NBSP, bold, escape, mentions, plain_text
from formatters.models.drill import DrillReport
from formatters.models.escalation import EscalationEnd, EscalationStep, Posted
from formatters.models.escalation_report import EscalationReport, ReportedStep, StepState
from formatters.models.subscription import silent_mention_text
from formatters.posts.escalation import unheard
from formatters.posts.event_buttons import HAVE_IT
from formatters.text.criteria_text import OPERATORS_WEBHOOK, step_time

ACKNOWLEDGE_DRILL_ACTION = "drill.acknowledge"
"""Slack action id of a drill's button "I have it". The button's value is the store's id of the drill."""
STOP_COMMAND = "/gwevent subscriptions drill stop"
"""The command that stops a drill."""


def step_message(report: EscalationReport, reported: ReportedStep, call: Posted | None = None) -> Message:
    """Return the message of a step: the first one begins the drill, the others say that nobody had it.

    It says what was true when the step was taken. `call` is the webhook's call, if that isn't accepted.
    """
    if reported.step.webhook:
        return _step_message(report, reported, (), unheard(call))
    if not reported.step.after:
        return begin_message(report, reported)
    return _step_message(report, reported, reported.step.targets, "")


def begin_message(report: EscalationReport, first: ReportedStep) -> Message:
    """Return the message that begins a drill, as the mention for an event would."""
    mentioned = mentions(first.step.targets)
    later = [
        f"after {step_time(reported.step)} {silent_step(reported.step)}"
        for reported in report.steps
        if reported.step.after
    ]
    rest = f"If nobody does: {'; '.join(later)}. " if later else ""
    return blocks.message(
        f"{_plain_title(report)}, there is no event: {mentioned}",
        blocks.section(
            f"{mentioned} {_title(report)}".strip(),
            f"There is no event. Press _{HAVE_IT}_ as you would for one. {rest}`{STOP_COMMAND}` ends it.",
        ),
        _button(report),
        mentions=first.step.targets,
    )


def _step_message(
    report: EscalationReport, reported: ReportedStep, targets: Sequence[str], more: str
) -> Message:
    mentioned = mentions(targets)
    at = clock(reported.taken_at or reported.due_at)
    said = [f"At {at} nobody had it", *([more] if more else []), "there is no event"]
    return blocks.message(
        f"{mentioned} {_plain_title(report)} · {' · '.join(map(escape, said))}".strip(),
        blocks.section(f"{mentioned} {_title(report)}".strip(), " · ".join(map(escape, said))),
        _button(report),
        mentions=tuple(targets),
    )


def end_message(drill: DrillReport) -> Message:
    """Return the last message of a drill: who had it, or why it ended, and each step with its times."""
    report = drill.report
    outcome = _outcome(report)
    return blocks.message(
        f"{_plain_title(report)}, over: {outcome}".replace(f"_{HAVE_IT}_", HAVE_IT),
        blocks.section(f"{_title(report)} at {clock(report.started_at)} · over", outcome),
        *blocks.sections(f"• {line}" for line in step_lines(drill)),
    )


def step_lines(drill: DrillReport) -> Iterator[str]:
    """Yield what became of each step, escaped, with times to the second; mentions notify nobody."""
    report = drill.report
    begin = report.started_at
    for reported in report.steps:
        head = f"after {step_time(reported.step)}" if reported.step.after else "at once"
        line = f"{head} {silent_step(reported.step)}: "
        if reported.state is StepState.TAKEN and reported.step.webhook:
            yield line + _call_fate(drill.called, begin)
        elif reported.state is StepState.TAKEN:
            posted = drill.posted.get(reported.id)
            refused = [target for target in reported.step.targets if target in drill.refused]
            if posted is None or posted.at is None or not refused:
                yield line + _fate(posted, begin, "mentioned", "the message")
                continue
            why = escape(plain_text(drill.refused[refused[0]]))
            fate = _fate(posted, begin, "posted", "the message")
            yield f"{line}{fate}, but Slack refuses to mention {silent_mention_text(refused)} here ({why})"
        else:
            yield f"{line}not reached"


def silent_step(step: EscalationStep) -> str:
    """Return a step's targets as mrkdwn that notifies nobody: "1 group", "the operators' webhook"."""
    return OPERATORS_WEBHOOK if step.webhook else silent_mention_text(step.targets) or "nobody"


def clock(time: datetime) -> str:
    """Return "03:14:05 UTC"; with the seconds, because a drill measures them."""
    return f"{time.astimezone(UTC):%H:%M:%S}{NBSP}UTC"


def exact_length(length: timedelta) -> str:
    """Return a length of time to the second: "12 s", "6 min 12 s", "1 h 0 min 5 s"."""
    seconds = max(0, round(length.total_seconds()))
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    parts = [*([f"{hour}{NBSP}h"] if hour else []), *([f"{minute}{NBSP}min"] if minutes else [])]
    return " ".join([*parts, f"{second}{NBSP}s"])


def _plain_title(report: EscalationReport) -> str:
    return f"DRILL of subscription {report.drill_number}"


def _title(report: EscalationReport) -> str:
    return f"{bold(_plain_title(report))} · begun by {_person(report.started_by)}"


def _person(user_id: str | None) -> str:
    """Return a person's mention, which shows the name that Slack knows."""
    return mentions([f"<@{user_id}>"]) or "somebody"


def _button(report: EscalationReport) -> Block:
    return blocks.actions(
        blocks.button(HAVE_IT, ACKNOWLEDGE_DRILL_ACTION, value=str(report.id), is_primary=True)
    )


def _outcome(report: EscalationReport) -> str:
    """Return in a sentence how a drill ended."""
    taken = exact_length((report.ended_at or report.started_at) - report.started_at)
    who = _person(report.ended_by)
    match report.end:
        case EscalationEnd.ACKNOWLEDGED:
            return f"{who} had it after {taken}."
        case EscalationEnd.STOPPED:
            return f"{who} stopped it after {taken}; nobody had pressed _{HAVE_IT}_."
        case EscalationEnd.PREEMPTED:
            return f"It gave way to an event after {taken}; nobody had pressed _{HAVE_IT}_."
        case EscalationEnd.CONDITION:
            number = report.drill_number
            return f"Subscription {number} was changed or ended after {taken}, and the drill with it."
        case _:
            return f"Nobody pressed _{HAVE_IT}_ within {taken}."


def _fate(posted: Posted | None, begin: datetime, done: str, what: str) -> str:
    if posted is None:
        return f"{what} was not sent"
    if posted.at is not None:
        return f"{done} at {clock(posted.at)}, {exact_length(posted.at - begin)} into the drill"
    why = f" ({escape(posted.reason)})" if posted.reason else ""
    return f"{what} was {'given up' if posted.is_given_up else 'not accepted yet'}{why}"


def _call_fate(called: Posted | None, begin: datetime) -> str:
    if called is None:
        return "not called, since none is configured or this workspace may not have it called"
    return _fate(called, begin, "accepted the call", "the call")
