"""Escalations: who is mentioned next if nobody takes an event, and who took it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MAX_STEPS = 5
"""The most steps of one mention rule."""
MIN_STEP, MAX_STEP = timedelta(minutes=1), timedelta(hours=12)
"""The earliest and the latest step, counted from the first mention."""
WEBHOOK = "webhook"
"""The word for the operators' webhook as a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """A step of an escalation: it comes at a time after the first mention, as long as nobody has pressed "I
    have it".
    """

    after: timedelta
    """Time since the first mention (not since the step before), in whole minutes."""
    targets: tuple[str, ...] = ()
    """The people and groups who are mentioned, in Slack's syntax; empty for the webhook."""
    webhook: bool = False
    """True if the operators' webhook is called; only the last step may."""
    unless_told: tuple[str, ...] = ()
    """Those of `targets` whom an earlier step of another rule of the channel names: they are left out if that
    told them. Empty in a rule."""


class EscalationEnd(StrEnum):
    """The reasons why an escalation has no further steps. The values are stored."""

    ACKNOWLEDGED = "acknowledged"
    """Somebody has it; if they hand it back, the rest of the steps count from then."""
    RETRACTED = "retracted"
    CONDITION = "condition"
    """The rule's condition no longer holds, or the rule, its steps or its subscription are gone."""
    COMPLETE = "complete"
    """Every step was taken."""
    STOPPED = "stopped"
    """Somebody stopped a drill, or the operators went back to a version that knows no escalations."""
    PREEMPTED = "preempted"
    """A drill gave way to an event for which somebody is mentioned in its channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Somebody who pressed "I have it"."""

    user_id: str
    """Slack's user id."""
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """The fate of a step's message, or of the webhook's call."""

    at: datetime | None = None
    """When it was accepted; None if it wasn't (yet)."""
    reason: str | None = None
    """Why the last attempt failed, in Slack's or gwevent's words; not escaped."""
    is_given_up: bool = False
    """True if it isn't tried any more."""
