"""Answers to commands about drills, and to the button "I have it" of one."""

from __future__ import annotations

from formatters.answers.help import error_message
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import mentions
from formatters.models.drill import DrillReport
from formatters.models.escalation import EscalationEnd
from formatters.posts.drill import STOP_COMMAND, clock, exact_length, silent_step


def begun(drill: DrillReport) -> Message:
    """Return the answer that a drill has begun."""
    number = drill.report.drill_number
    first = silent_step(drill.report.steps[0].step)
    return _sentences(
        f"The drill of subscription {number} has begun: {first} will be mentioned here now, marked DRILL.",
        f"It ends when somebody presses _I have it_, by `{STOP_COMMAND}`, or 15 min after its last step.",
    )


def running(drill: DrillReport) -> Message:
    """Return the answer that the channel has a drill already."""
    report = drill.report
    return error_message(
        f"A drill of subscription {report.drill_number} has been running here since"
        f" {clock(report.started_at)}; one at a time. {STOP_COMMAND} ends it."
    )


def event_waits() -> Message:
    """Return the answer that an event in the channel waits for somebody."""
    return error_message(
        "An event in this channel waits for somebody to press “I have it”, so no drill was begun."
    )


def no_rule(number: int) -> Message:
    """Return the answer that a subscription has nothing to drill."""
    return error_message(
        f"Subscription {number} mentions nobody, so there is nothing to drill; nothing was begun."
        f" /gwevent edit {number} opens its form, where it gets somebody to mention."
    )


def paused(number: int) -> Message:
    """Return the answer that a subscription is paused."""
    return error_message(
        f"Subscription {number} is paused, so no drill was begun; /gwevent resume {number} starts it again."
    )


def stopped(drill: DrillReport) -> Message:
    """Return the answer that a drill was stopped."""
    return _sentences(f"The drill of subscription {drill.report.drill_number} is stopped.")


def none_running() -> Message:
    """Return the answer that no drill runs."""
    return error_message("No drill is running in this channel.")


def taken(drill: DrillReport) -> Message:
    """Return the answer that the person had it."""
    report = drill.report
    taken_at = report.ended_at or report.started_at
    return _sentences(
        f"You had it after {exact_length(taken_at - report.started_at)}. That was a drill of subscription"
        f" {report.drill_number}: it is over, and there is no event."
    )


def over(drill: DrillReport) -> Message:
    """Return the answer to who pressed "I have it" in a drill that is over."""
    report = drill.report
    who = mentions([f"<@{report.ended_by}>"])
    had = f" {who} had it." if report.end is EscalationEnd.ACKNOWLEDGED and who else ""
    at = "" if report.ended_at is None else f" since {clock(report.ended_at)}"
    return _sentences(f"This drill of subscription {report.drill_number} has been over{at}.{had}")


def unknown() -> Message:
    """Return the answer to who pressed "I have it" in a drill of which nothing is kept."""
    return error_message("Nothing is known of this drill any more.")


def _sentences(*lines: str) -> Message:
    text = " ".join(lines)
    return blocks.message(text.replace("_", "").replace("`", ""), blocks.section(*lines))
