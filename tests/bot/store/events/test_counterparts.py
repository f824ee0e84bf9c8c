"""People's counterpart candidates and decisions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from bot.app.factory import Factory
from bot.store import schema
from bot.store.channels.change_log import ChangeAuthor
from bot.store.events.counterparts import (
    MAX_ACTIONS,
    MAX_ADDED,
    NotTheirCandidate,
    TooManyActions,
    TooManyCandidates,
    position_from_json,
    position_to_json,
)
from bot.store.outbox.models import DeliveryKind
from formatters.models.counterpart import Decision
from formatters.models.related_message import ReportedPosition
from tests.support.factories import AUTHOR, NOW, REAL, TEAM, decoded_notice, record_notices, subscribe

HERE, ELSEWHERE = (TEAM, "C1"), (TEAM, "C2")
OTHER = ChangeAuthor("U2", NOW + timedelta(minutes=1))
PLACE = ReportedPosition(ra=197.45, dec=-23.38, redshift=0.0098)


async def follow_up_rows(factory: Factory) -> list[str]:
    d = schema.deliveries
    kinds = (DeliveryKind.FOLLOW_UP.value, DeliveryKind.FOLLOW_UP_EDIT.value)
    async with factory.database.read_transaction() as connection:
        return list((await connection.execute(select(d.c.channel_id).where(d.c.kind.in_(kinds)))).scalars())


async def history(factory: Factory) -> list[tuple[str, str, str]]:
    d = schema.counterpart_decisions
    async with factory.database.read_transaction() as connection:
        rows = await connection.execute(select(d).order_by(d.c.id))
        return [(row.name, row.decision, row.decided_by) for row in rows.all()]


@pytest.mark.backends("sqlite", "postgresql")
async def test_what_people_do_is_the_channels_and_is_kept(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1", "C2")
    await record_notices(factory, decoded_notice())
    assert await factory.counterparts.add(HERE, REAL, [("AT2026abc", PLACE)], AUTHOR)
    assert await factory.counterparts.decide(HERE, REAL, ["AT2026abc"], Decision.KEEP, OTHER)
    own = await factory.counterparts.for_event(HERE, REAL)
    assert [(one.name, one.position, one.user_id, one.at) for one in own.added] == [
        ("AT2026abc", PLACE, AUTHOR.user_id, NOW)
    ]
    assert [(one.decision, one.user_id) for one in own.decisions] == [(Decision.KEEP, "U2")]
    assert await factory.counterparts.for_event(ELSEWHERE, REAL) == await factory.counterparts.for_event(
        HERE, "S260101a"
    )
    # The reply of this channel's thread alone.
    assert await follow_up_rows(factory) == ["C1"]
    with pytest.raises(NotTheirCandidate):
        await factory.counterparts.remove(HERE, REAL, "at 2026abc", OTHER)
    with pytest.raises(LookupError):
        await factory.counterparts.remove(HERE, REAL, "AT2026abd", OTHER)
    assert await factory.counterparts.remove(HERE, REAL, "at 2026abc", AUTHOR)
    assert (await factory.counterparts.for_event(HERE, REAL)).added == ()
    assert await history(factory) == [
        ("AT2026abc", "add", "U1"),
        ("AT2026abc", "keep", "U2"),
        ("at 2026abc", "remove", "U1"),
    ]


async def test_the_same_person_replaces_their_own(factory: Factory) -> None:
    await factory.counterparts.add(HERE, REAL, [("SSS17a/AT2026abc", PLACE)], AUTHOR)
    moved = ReportedPosition(ra=10.0, dec=20.0)
    await factory.counterparts.add(HERE, REAL, [("2026abc", moved)], AUTHOR)
    await factory.counterparts.add(HERE, REAL, [("AT2026abc", PLACE)], OTHER)
    own = await factory.counterparts.for_event(HERE, REAL)
    assert [(one.user_id, one.position) for one in own.added] == [("U1", moved), ("U2", PLACE)]


async def test_without_a_thread_nothing_is_posted(factory: Factory) -> None:
    assert not await factory.counterparts.add(HERE, REAL, [("A", PLACE)], AUTHOR)
    assert await follow_up_rows(factory) == []


async def test_there_is_a_limit(factory: Factory) -> None:
    many = [(f"AT2026{chr(97 + n // 26)}{chr(97 + n % 26)}", PLACE) for n in range(MAX_ADDED)]
    await factory.counterparts.add(HERE, REAL, many, AUTHOR)
    with pytest.raises(TooManyCandidates):
        await factory.counterparts.add(HERE, REAL, [("A", PLACE)], AUTHOR)
    # One's own are replaced, and another channel has room.
    await factory.counterparts.add(HERE, REAL, many[:5], AUTHOR)
    await factory.counterparts.add(ELSEWHERE, REAL, [("A", PLACE)], AUTHOR)
    for _ in range(MAX_ACTIONS // MAX_ADDED - 2):
        await factory.counterparts.add(HERE, REAL, many, AUTHOR)
    with pytest.raises(TooManyActions):
        await factory.counterparts.decide(HERE, REAL, ["A"] * MAX_ADDED, Decision.KEEP, AUTHOR)
    assert len((await factory.counterparts.for_event(HERE, REAL)).added) == MAX_ADDED


@pytest.mark.backends("sqlite", "postgresql")
async def test_candidates_move_with_their_channel(factory: Factory) -> None:
    await factory.counterparts.add(HERE, REAL, [("A", PLACE)], AUTHOR)
    await factory.counterparts.add(ELSEWHERE, REAL, [("B", PLACE)], OTHER)
    await factory.counterparts.decide(HERE, REAL, ["A"], Decision.REJECT, AUTHOR)
    await factory.channel_moves.move_channel(HERE, ELSEWHERE, NOW, NOW)
    moved = await factory.counterparts.for_event(ELSEWHERE, REAL)
    assert {one.name for one in moved.added} == {"A", "B"} and len(moved.decisions) == 1
    assert (await factory.counterparts.for_event(HERE, REAL)).added == ()


async def test_what_a_newer_version_stored_is_survived(factory: Factory) -> None:
    await factory.counterparts.add(HERE, REAL, [("A", PLACE)], AUTHOR)
    c, d = schema.counterparts, schema.counterpart_decisions
    newer = '{"ra": 1, "dec": 2.5, "proper_motion": [1, 2], "redshift": "0.1"}'
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(c).values(position=newer))
        row = {"team_id": TEAM, "channel_id": "C1", "superevent_id": REAL, "name": "A"}
        row |= {"decision": "postpone", "decided_by": "U1"}
        await connection.execute(insert(d).values(row | {"decided_at": NOW}))
    own = await factory.counterparts.for_event(HERE, REAL)
    assert own.decisions == () and own.added[0].position == ReportedPosition(ra=1.0, dec=2.5)


_numbers = st.none() | st.floats(1e-6, 1e6)
_positions = st.builds(
    ReportedPosition,
    ra=st.floats(0, 359.9),
    dec=st.floats(-90, 90),
    redshift=_numbers,
    redshift_error=_numbers,
    distance=_numbers,
    distance_error=_numbers,
)


@given(_positions)
@settings(deadline=None)
def test_a_position_is_read_as_it_was_stored(position: ReportedPosition) -> None:
    assert position_from_json(position_to_json(position)) == position
