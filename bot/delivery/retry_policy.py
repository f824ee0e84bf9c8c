"""Decide what follows a failed attempt: another one, when, or none. Pure.

Slack's Retry-After is obeyed. Everything else backs off exponentially, separately for each delivery. A
delivery is given up only if Slack's answer is known to be final, or if it has become too old to be of use.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.slack.errors import (
    ChannelUnavailable,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SlackFailure,
    WorkspaceUnavailable,
)
from bot.store.outbox.models import (
    MAX_DELAY,
    DeadLettered,
    Delivery,
    DeliveryKind,
    Outcome,
    Retry,
    kinds_where,
)

MAX_BACKOFF_S = 300.0
JITTER = 0.25
"""Every back-off is longer or shorter by up to this fraction, so that channels don't retry in step."""
WORKSPACE_BACKOFF_S = 10.0
"""Minimum back-off after a token was refused: only a person can mend that."""
STORE_BACKOFF = timedelta(seconds=2)
"""Back-off of a delivery that could not be rendered because the database was unavailable."""
GIVE_UP_AFTER = timedelta(hours=24)
"""Age at which an undelivered message is old news."""
CHANGES_GIVE_UP_AFTER = timedelta(days=7)
"""The same age for messages about changed subscriptions: who silenced a channel still matters after a day."""
FILE_READY_TIMEOUT = timedelta(seconds=60)
"""Time in which Slack must be able to show an uploaded image."""
MIN_FILE_RETRY = timedelta(seconds=0.3)

EXPIRING_KINDS = frozenset(kinds_where(lambda rule: rule.expires))
"""Kinds that are news: expired, they are given up before the first attempt, not only after a failed one."""


def backoff_s(attempts: int, jitter: float) -> float:
    """Return the seconds to wait after this many attempts: 1, 2, 4 … 300 s, changed by `jitter` (−1 to 1)."""
    return min(MAX_BACKOFF_S, 2.0 ** min(attempts - 1, 10)) * (1.0 + JITTER * jitter)


def is_too_old(delivery: Delivery, now: datetime) -> bool:
    """Return whether a delivery is too old to be tried again; of use only if the clock can be trusted."""
    limit = CHANGES_GIVE_UP_AFTER if delivery.kind is DeliveryKind.CHANGE else GIVE_UP_AFTER
    return now - delivery.created_at > limit


def outcome_for_failure(
    delivery: Delivery, failure: SlackFailure, now: datetime, *, may_give_up: bool, jitter: float
) -> Outcome:
    """Return the outcome of an attempt that Slack refused or didn't answer.

    `may_give_up` states that the delivery is too old and that the clock which says so can be trusted.
    """
    if isinstance(failure, RateLimited):
        wait = min(timedelta(seconds=failure.retry_after), MAX_DELAY)
        return Retry(not_before=now + wait, reason=failure.reason)
    is_edit = delivery.is_edit
    if isinstance(failure, ChannelUnavailable) and not (
        # A workspace may forbid edits in a channel and allow posts.
        is_edit and failure.reason.startswith("restricted_action")
    ):
        return DeadLettered(reason=failure.reason, channel_problem=failure.reason)
    if isinstance(failure, Rejected) and not is_edit:
        return DeadLettered(reason=failure.reason)
    if may_give_up:
        return DeadLettered(reason=failure.reason)
    wait_s = backoff_s(delivery.attempts, jitter)
    if isinstance(failure, WorkspaceUnavailable):
        wait_s = max(wait_s, WORKSPACE_BACKOFF_S)
    return Retry(
        not_before=now + timedelta(seconds=wait_s),
        reason=failure.reason,
        maybe_sent=isinstance(failure, OutcomeUnknown),
    )


def outcome_for_defect(delivery: Delivery, now: datetime, *, may_give_up: bool, jitter: float) -> Outcome:
    """Return the outcome of an attempt that ended in an unexpected exception, a defect of gwevent's."""
    reason = "a fault in gwevent, see its log"
    if may_give_up:
        return DeadLettered(reason=reason)
    wait = timedelta(seconds=backoff_s(delivery.attempts, jitter))
    # The exception may have been raised after Slack took the message.
    return Retry(not_before=now + wait, reason=reason, maybe_sent=True)


def next_file_check(uploaded_at: datetime, now: datetime) -> datetime | None:
    """Return when to try again to show a file that Slack isn't ready to show; None to give it up.

    The wait doubles with the file's age, so that the checks are frequent at first and rare later.
    """
    age = now - uploaded_at
    return now + max(age, MIN_FILE_RETRY) if age < FILE_READY_TIMEOUT else None
