"""What follows a failed attempt, by kind of failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.delivery import retry_policy
from bot.slack.errors import (
    ChannelUnavailable,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SlackFailure,
    Unlisted,
    WorkspaceUnavailable,
)
from bot.store.outbox.models import MAX_DELAY, DeadLettered, Delivery, DeliveryKind, Outcome, Retry
from tests.support.factories import NOW

ROOT = Delivery(
    id=1,
    team_id="T1",
    channel_id="C1",
    kind=DeliveryKind.ROOT,
    subject_id=1,
    attempts=1,
    maybe_sent=False,
    created_at=NOW,
    attempted_at=None,
    thread_id=1,
    superevent_id="S1",
    target_revision=1,
    superevent_revision=1,
    root_ts=None,
    posted_revision=None,
    root_uneditable=False,
)
EDIT = replace(ROOT, kind=DeliveryKind.EDIT, root_ts="1.0")


def outcome(failure: SlackFailure, delivery: Delivery = ROOT, *, may_give_up: bool = False) -> Outcome:
    return retry_policy.outcome_for_failure(delivery, failure, NOW, may_give_up=may_give_up, jitter=0.0)


@pytest.mark.parametrize(
    ("failure", "wait_s", "maybe_sent"),
    [
        (RateLimited("ratelimited", 7.0), 7.0, False),
        (RateLimited("ratelimited", 1e9), MAX_DELAY.total_seconds(), False),
        (OutcomeUnknown("no answer"), 1.0, True),
        (Unlisted("a_new_code"), 1.0, False),
        (WorkspaceUnavailable("token_revoked"), retry_policy.WORKSPACE_BACKOFF_S, False),
    ],
)
def test_what_may_pass_is_tried_again(failure: SlackFailure, wait_s: float, maybe_sent: bool) -> None:
    assert outcome(failure) == Retry(
        not_before=NOW + timedelta(seconds=wait_s), reason=failure.reason, maybe_sent=maybe_sent
    )


def test_what_is_final_for_posts_is_given_up() -> None:
    assert outcome(ChannelUnavailable("is_archived")) == DeadLettered(
        reason="is_archived", channel_problem="is_archived"
    )
    assert outcome(Rejected("msg_too_long")) == DeadLettered(reason="msg_too_long")


def test_a_refused_edit_says_nothing_about_posts() -> None:
    assert isinstance(outcome(ChannelUnavailable("restricted_action"), EDIT), Retry)
    assert isinstance(outcome(Rejected("msg_too_long"), EDIT), Retry)
    assert isinstance(outcome(ChannelUnavailable("is_archived"), EDIT), DeadLettered)


def test_old_news_is_given_up_but_not_for_a_rate_limit() -> None:
    assert outcome(Unlisted("a_new_code"), may_give_up=True) == DeadLettered(reason="a_new_code")
    assert isinstance(outcome(RateLimited("ratelimited", 1.0), may_give_up=True), Retry)


def test_back_off_doubles_up_to_five_minutes() -> None:
    waits = [retry_policy.backoff_s(attempts, 0.0) for attempts in range(1, 12)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert [retry_policy.backoff_s(3, jitter) for jitter in (-1.0, 1.0)] == [3.0, 5.0]


@pytest.mark.parametrize(
    ("kind", "age", "is_too_old"),
    [
        (DeliveryKind.ROOT, timedelta(hours=24), False),
        (DeliveryKind.ROOT, timedelta(hours=25), True),
        (DeliveryKind.CHANGE, timedelta(days=6), False),
        (DeliveryKind.CHANGE, timedelta(days=8), True),
    ],
)
def test_changes_are_kept_longer_than_news(kind: DeliveryKind, age: timedelta, is_too_old: bool) -> None:
    assert retry_policy.is_too_old(replace(ROOT, kind=kind), NOW + age) is is_too_old


def test_a_file_is_checked_soon_at_first_and_rarely_later() -> None:
    waits = []
    now = NOW
    while (check := retry_policy.next_file_check(NOW, now)) is not None:
        waits.append((check - now).total_seconds())
        now = check
    assert waits == sorted(waits) and waits[0] == 0.3 and len(waits) < 12
    assert now - NOW >= retry_policy.FILE_READY_TIMEOUT
