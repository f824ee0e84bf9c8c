"""Measure how long routing a notice to its channels takes."""

from __future__ import annotations

import time
from datetime import timedelta

from bot.alerts.decode import decode
from bot.app.factory import utc_now
from bot.filters import parse_stored_criteria
from bot.routing.intents import OpenRoot
from bot.routing.planner import plan
from bot.routing.state import RoutingState
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent
from tests.scale.fan_out import alert_notice, filter_text

TIMES = 7


def measure_routing(count: int) -> float:
    """Return the shortest time, s, to route a new event to this many channels, each with its own filter."""
    now = utc_now()
    notice = decode(alert_notice(0))
    superevent = Superevent.from_notices([notice])
    asked = [
        Subscription(
            id=number,
            number=number,
            team_id=f"T{number // 10}",
            channel_id=f"C{number}",
            criteria=parse_stored_criteria(filter_text(number)),
            created_by="U1",
            created_at=now,
        )
        for number in range(count)
    ]
    best = float("inf")
    for _ in range(TIMES):
        began = time.perf_counter()
        intents = plan(
            RoutingState(superevent=superevent, notice=notice, subscriptions=asked),
            live=True,
            now=now,
            max_age=timedelta(days=1),
        )
        best = min(best, time.perf_counter() - began)
        assert sum(isinstance(intent, OpenRoot) for intent in intents) == count
    return best
