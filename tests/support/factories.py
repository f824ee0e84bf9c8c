"""Helpers for the tests of routing, store, outbox and commands: synthetic notices, a clock, subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bot.alerts.decode import decode, notice_from_record
from bot.app.factory import Factory
from bot.filters import parse_criteria
from bot.ingest.pipeline import IngestRules, Pipeline
from bot.routing.planner import plan
from bot.routing.state import OperatorRules
from bot.runtime.wakeups import Wakeups
from bot.samples import Record, event
from bot.samples import notice as announced
from bot.store.channels.change_log import ChangeAuthor
from bot.store.events.notices import Planner
from formatters.models.notice import RETRACTION, Notice
from formatters.models.subscription import Subscription
from tests.support.clock import NOW as NOW
from tests.support.clock import Clock as Clock

MAX_AGE = timedelta(hours=24)
TEAM = "T0SANDBOX1"
AUTHOR = ChangeAuthor("U1", NOW)
REAL, MOCK, TEST = "S261122a", "MS261122a", "TS261122a"


def notice_record(
    superevent_id: str = REAL, alert_type: str = "PRELIMINARY", minutes: float = 0, **facts: Any
) -> Record:
    """Return the record of a notice without a map, sent `minutes` after NOW; a retraction has no event."""
    usual: dict[str, Any] = {
        "far": 1e-9,
        "skymap": None,
        "classification": {"BNS": 0.95, "NSBH": 0.01, "BBH": 0.03, "Terrestrial": 0.01},
        "properties": {"HasNS": 0.95, "HasRemnant": 0.91, "HasMassGap": 0.01},
    }
    known = None if alert_type == RETRACTION else event(NOW - timedelta(minutes=1), **(usual | facts))
    return announced(superevent_id, alert_type, NOW + timedelta(minutes=minutes), event=known)


def decoded_notice(
    superevent_id: str = REAL, alert_type: str = "PRELIMINARY", minutes: float = 0, **facts: Any
) -> Notice:
    """Return the notice of `notice_record`, decoded."""
    return notice_from_record(notice_record(superevent_id, alert_type, minutes, **facts))


def subscription(words: str, channel: str = "C1", number: int = 1, team: str = TEAM) -> Subscription:
    """Return an active subscription."""
    return Subscription(
        id=number,
        number=number,
        team_id=team,
        channel_id=channel,
        criteria=parse_criteria(words),
        created_by="U1",
        created_at=NOW,
    )


def planner(now: datetime = NOW, *, live: bool = True) -> Planner:
    """Return the real planning function for a point in time."""
    return partial(plan, live=live, now=now, max_age=MAX_AGE)


def create_pipeline(
    factory: Factory,
    clock: Callable[[], datetime],
    *,
    max_age: timedelta = MAX_AGE,
    wakeups: Wakeups | None = None,
    should_draw: Callable[[Notice], bool] = lambda _: False,
    operator_rules: OperatorRules | None = None,
    decode: Callable[[bytes], Notice] = decode,
) -> Pipeline:
    """Create an ingest pipeline on a factory's repositories."""
    return Pipeline(
        factory.ingest_stores,
        clock,
        wakeups or Wakeups(),
        IngestRules(max_age=max_age, should_draw=should_draw, operator_rules=lambda: operator_rules),
        decode=decode,
    )


async def subscribe(factory: Factory, words: str, *channels: str, team: str = TEAM) -> None:
    """Activate a subscription in each of the channels."""
    for channel in channels:
        await factory.subscriptions.add_confirmed(team, channel, parse_criteria(words), "U1", NOW)


async def unsubscribe(
    factory: Factory, channel: str, words: str | None = None, *, team: str = TEAM
) -> list[Subscription]:
    """End a channel's subscription with this filter, or all its active and pending subscriptions."""
    here = await factory.subscriptions.for_channel(team, channel)
    every = [*here, *await factory.subscriptions.list_unconfirmed(team, channel)]
    chosen = [s.number for s in every if words is None or s.criteria == parse_criteria(words)]
    ended = await factory.subscriptions.end(team, channel, chosen, AUTHOR)
    assert ended is not None
    return ended


async def record_notices(
    factory: Factory, notices: Notice | Sequence[Notice], *, now: datetime = NOW, live: bool = True
) -> None:
    """Record notices, planned as in production."""
    for notice in [notices] if isinstance(notices, Notice) else notices:
        body = f"{notice.key}".encode()
        received = replace(notice, received=now)
        origin = "hopskotch:1" if live else "test:1"
        assert (await factory.notices.record(received, body, origin, now, planner(now, live=live))).new
