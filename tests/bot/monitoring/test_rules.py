"""Conditions that are incidents, and conditions that are not yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.monitoring.rules import HealthSnapshot, Thresholds, evaluate
from formatters.models.incident import IncidentKind
from tests.support.factories import NOW

WELL = HealthSnapshot(started=NOW - timedelta(days=3), last_payload_at=NOW - timedelta(minutes=40))


def found(facts: HealthSnapshot, *lasting: IncidentKind) -> set[IncidentKind]:
    return {trouble.kind for trouble in evaluate(facts, NOW, Thresholds(), frozenset(lasting))}


def ago(**by: float) -> timedelta:
    return timedelta(**by)


def test_nothing_is_wrong() -> None:
    assert evaluate(WELL, NOW, Thresholds()) == []


@pytest.mark.parametrize(
    ("what", "limit", "since"),
    [
        (IncidentKind.SOURCE, Thresholds().source_outage, "source_out_since"),
        (IncidentKind.LAG, Thresholds().lag, "lagging_since"),
        (IncidentKind.SLACK, Thresholds().slack_outage, "slack_out_since"),
        (IncidentKind.STORE, Thresholds().store_outage, "store_out_since"),
    ],
)
def test_short_problems_are_no_incident(what: IncidentKind, limit: timedelta, since: str) -> None:
    just: dict[str, Any] = {since: NOW - limit}
    later: dict[str, Any] = {since: NOW - limit - ago(seconds=1)}
    brief, long = replace(WELL, **just), replace(WELL, **later)
    assert found(brief) == set()
    assert found(long) == {what}
    assert found(brief, what) == {what}, "a restart gives a trouble that lasts no new time"
    assert evaluate(long, NOW, Thresholds())[0].since == NOW - limit - ago(seconds=1)


def test_silence() -> None:
    quiet = replace(WELL, last_payload_at=NOW - ago(hours=2.6))
    assert found(quiet) == {IncidentKind.SILENCE}
    assert found(replace(WELL, last_payload_at=NOW - ago(hours=2.4))) == set()
    assert found(replace(quiet, started=NOW - ago(seconds=30))) == set(), "it is just catching up"
    assert found(replace(quiet, started=NOW - ago(seconds=30)), IncidentKind.SILENCE) == {
        IncidentKind.SILENCE
    }
    assert found(replace(WELL, last_payload_at=None)) == {IncidentKind.SILENCE}, "silent since its start"
    assert found(replace(WELL, last_payload_at=None, started=NOW - ago(hours=2))) == set()
    unread = replace(quiet, source_out_since=NOW - ago(hours=3))
    assert found(unread) == {IncidentKind.SOURCE}, "that is why it is silent"


def test_deliveries_that_wait() -> None:
    late = replace(WELL, overdue=1234, overdue_since=NOW - ago(minutes=5), overdue_seen_since=NOW)
    assert found(late) == set(), "the clock may have jumped"
    (trouble,) = evaluate(replace(late, overdue_seen_since=NOW - ago(seconds=10)), NOW, Thresholds())
    assert (trouble.kind, trouble.detail, trouble.since) == (
        IncidentKind.DELIVERIES,
        "1,234",
        NOW - ago(minutes=5),
    )
