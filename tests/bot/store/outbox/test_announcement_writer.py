"""Check that every kind of operator alert has a kind of delivery."""

from __future__ import annotations

from bot.routing.intents import OperatorAlert
from bot.store.outbox.announcement_writer import _ALERT_KINDS
from bot.store.outbox.models import kinds_where


def test_the_kinds_of_operators_alerts_are_the_deliveries_to_operators() -> None:
    assert set(_ALERT_KINDS) == set(OperatorAlert)
    assert set(_ALERT_KINDS.values()) == set(kinds_where(lambda rule: rule.for_operators))
