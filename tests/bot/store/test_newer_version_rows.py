"""Rows that a newer version wrote beside this one: they are left to it, and nothing else suffers."""

import json

import pytest
from sqlalchemy import text

from bot.app.factory import Factory
from bot.filters import parse_criteria
from bot.routing.state import RootState
from bot.store.outbox.models import Delivered
from bot.store.outbox.plan_writer import _root_state
from formatters.models.incident import Incident, IncidentKind
from formatters.models.notice import Category
from tests.support.factories import NOW, REAL, TEAM, Clock, decoded_notice, record_notices

BOTH = pytest.mark.backends("sqlite", "postgresql")
OTHER = "S261122b"


async def execute(factory: Factory, statement: str, **values: object) -> None:
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text(statement), values)


@BOTH
async def test_an_incident_of_an_unknown_kind_is_closed_and_hides_no_other(factory: Factory) -> None:
    known = Incident(kind=IncidentKind.LAG, since=NOW, detail="1 behind")
    await factory.incidents.record_check([known], NOW)
    await execute(
        factory,
        "INSERT INTO troubles (what, open_as, detail, since, seen_at, told)"
        " VALUES ('eclipse', 'eclipse', 'dark', :now, :now, false)",
        now=NOW if not factory.database.is_sqlite else NOW.strftime("%Y-%m-%d %H:%M:%S.%f"),
    )
    assert [incident.kind for incident in await factory.incidents.open_incidents()] == [IncidentKind.LAG]
    clock = Clock()
    clock.advance(hours=3)
    changes = await factory.incidents.record_check([], clock())
    assert [incident.kind for incident in changes.resolved] == [IncidentKind.LAG]
    assert await factory.incidents.open_incidents() == []


@BOTH
async def test_a_heartbeat_that_says_more_is_read(factory: Factory) -> None:
    sources = json.dumps([{"name": "hopskotch", "connected": True, "detail": "reads", "mood": "fine"}])
    now = factory.clock()
    await execute(
        factory,
        "INSERT INTO consumers (id, sources, seen_at) VALUES ('a', :sources, :now)",
        sources=sources,
        now=now if not factory.database.is_sqlite else now.strftime("%Y-%m-%d %H:%M:%S.%f"),
    )
    [status] = await factory.source_heartbeats.statuses()
    assert (status.name, status.connected, status.detail) == ("hopskotch", True, "reads")


@BOTH
async def test_an_unreadable_subscription_is_confirmed_with_the_others(
    factory: Factory, clock: Clock
) -> None:
    await factory.leases.heartbeat({TEAM})
    for channel in ("C1", "C2"):
        await factory.subscriptions.request(TEAM, channel, parse_criteria("CBC"), "U1", clock())
    await execute(factory, "UPDATE subscriptions SET words = 'tomorrow''s words' WHERE channel_id = 'C1'")
    claimed = await factory.outbox.claim(clock(), 10)
    assert len(claimed) == 2
    outcomes = [(delivery, Delivered(ts=f"1.{number}")) for number, delivery in enumerate(claimed)]
    await factory.outbox.record_outcomes(outcomes, clock())
    assert await factory.outbox_statistics.count_by_state() == {}
    async with factory.database.read_transaction() as connection:
        waiting = text("SELECT COUNT(*) FROM subscriptions WHERE confirmed_at IS NULL")
        assert (await connection.execute(waiting)).scalar_one() == 0


@pytest.mark.slow
@BOTH
async def test_an_unreadable_notice_hides_no_other_event(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice(REAL), decoded_notice(OTHER, minutes=1)])
    await execute(factory, "UPDATE notices SET facts = '{\"a\": 1}' WHERE superevent_id = :id", id=OTHER)
    found = await factory.notices.newest(category=Category.REAL, limit=5)
    assert [superevent.superevent_id for superevent in found] == [REAL]
    last = await factory.notices.last_notice()
    assert last is not None and last.superevent_id == REAL


@BOTH
async def test_unreadable_attributes_hide_no_other_event(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice(REAL), decoded_notice(OTHER, minutes=1)])
    await execute(factory, "UPDATE superevents SET traits = '[]' WHERE superevent_id = :id", id=OTHER)
    found = await factory.event_search.attributes([Category.REAL])
    assert [attributes.superevent_id for attributes in found] == [REAL]


@BOTH
async def test_attributes_of_an_unreadable_event_are_kept_for_a_newer_version(
    factory: Factory,
) -> None:
    await record_notices(factory, [decoded_notice(REAL), decoded_notice(OTHER, minutes=1)])
    await execute(factory, "UPDATE notices SET facts = '{}' WHERE superevent_id = :id", id=OTHER)
    await execute(factory, "UPDATE superevents SET traits_revision = NULL")
    await factory.event_search.refresh_stale_attributes()
    found = await factory.event_search.attributes([Category.REAL])
    assert {attributes.superevent_id for attributes in found} == {REAL, OTHER}


@pytest.mark.parametrize("state", ["held", "queued elsewhere", "x"])
def test_a_root_in_an_unknown_state_may_stand(state: str) -> None:
    assert _root_state(state, False) is RootState.ATTEMPTED
