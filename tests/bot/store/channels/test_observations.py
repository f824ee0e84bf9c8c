"""What channels' people plan, have observed and gave up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.app.factory import Factory
from bot.store import schema
from bot.store.channels import observations
from bot.store.channels.observation_rows import fields_from_json, fields_to_json
from bot.store.channels.observations import ObservationRepository, TooManyObservations
from bot.store.outbox.models import NOTHING_TO_SAY
from formatters.models.observation import NewObservation, ObservationStatus, ObservedField
from formatters.models.pointing import Footprint
from tests.support.factories import NOW, REAL, TEAM, decoded_notice, record_notices, subscribe

CIRCLE = Footprint(polygons=(), radius=1.1, area=3.8, words="1.1deg circle")
SQUARE = Footprint(
    polygons=(((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)),), area=4.0, words="2x2deg square"
)
PLANNED, DONE, CANCELLED = ObservationStatus.PLANNED, ObservationStatus.DONE, ObservationStatus.CANCELLED


def fields(*numbers: int) -> tuple[ObservedField, ...]:
    """Return fields of a plan by their numbers, each three minutes after the one before."""
    return tuple(
        ObservedField(ra=10.0 * number, dec=-number, time=NOW + number * timedelta(minutes=3))
        for number in numbers
    )


def new(instrument: str = "ZTF", user: str = "U1", channel: str = "C1", **values: Any) -> NewObservation:
    """Return what a person reports."""
    return NewObservation(
        team_id=TEAM,
        channel_id=channel,
        superevent_id=REAL,
        instrument=instrument,
        user_id=user,
        **values,
    )


async def actions(factory: Factory) -> list[tuple[str, str, str]]:
    """Return the log of actions: user, action, detail."""
    a = schema.event_actions
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(select(a).order_by(a.c.id))).all()
    return [(row.user_id, row.action, row.detail) for row in rows]


async def test_an_observation_is_read_as_it_was_reported(factory: Factory) -> None:
    repository = factory.observations
    given = new(footprint=SQUARE, fields=fields(1, 2), band="r", depth=21.5, note="thin cirrus")
    result = await repository.done(given, "2 fields in r to 21.5", NOW)
    (read,) = await repository.for_event(TEAM, "C1", REAL)
    assert read == result.observation
    assert (read.footprint, read.fields, read.band, read.depth) == (SQUARE, fields(1, 2), "r", 21.5)
    assert (read.user_id, read.note, read.created_at, read.status) == ("U1", "thin cirrus", NOW, DONE)
    assert await repository.for_event(TEAM, "C2", REAL) == ()
    assert await repository.for_event(TEAM, "C1", "S261122b") == ()
    assert await actions(factory) == [("U1", "observed", "2 fields in r to 21.5")]


async def test_a_newer_plan_takes_the_place_of_the_instruments_older_one(factory: Factory) -> None:
    repository = factory.observations
    first = await repository.plan(new(fields=fields(1, 2, 3)), "3 fields", NOW)
    other = await repository.plan(new("DECam", footprint=CIRCLE, fields=fields(9)), "1 field", NOW)
    second = await repository.plan(new("z t f", user="U2", fields=fields(4)), "1 field", NOW)
    assert second.replaced == (first.observation,)
    assert second.observation.instrument == "ZTF"
    assert await repository.for_event(TEAM, "C1", REAL) == (other.observation, second.observation)
    assert await actions(factory) == [
        ("U1", "planned", "3 fields"),
        ("U1", "planned", "1 field"),
        ("U2", "planned", "1 field"),
    ]


async def test_what_is_done_is_not_planned_any_more_and_the_plan_keeps_its_numbers(factory: Factory) -> None:
    repository = factory.observations
    await repository.plan(new(fields=fields(1, 2, 3)), "", NOW)
    assert (await repository.done(new(fields=fields(1, 2), band="r"), "", NOW)).left == 1
    assert [(one.status, len(one.fields)) for one in await repository.for_event(TEAM, "C1", REAL)] == [
        (PLANNED, 1),
        (DONE, 2),
    ]
    whole = await repository.whole_plan(TEAM, "C1", REAL, "ztf")
    assert whole is not None and whole.fields == fields(1, 2, 3)
    assert (await repository.done(new(fields=fields(1, 2), band="g"), "", NOW)).left == 1
    assert (await repository.done(new(fields=fields(3), band="r"), "", NOW)).left == 0
    assert [one.status for one in await repository.for_event(TEAM, "C1", REAL)] == [DONE] * 3


async def test_a_plan_made_after_the_same_fields_were_done_is_another_visit(factory: Factory) -> None:
    repository = factory.observations
    first = await repository.done(new(fields=fields(1), band="r"), "", NOW)
    await repository.plan(new(fields=fields(1)), "", NOW)
    assert [one.status for one in await repository.for_event(TEAM, "C1", REAL)] == [DONE, PLANNED]
    second = await repository.done(new(fields=fields(1), band="r"), "", NOW)
    assert second.corrected is None and second.observation.id != first.observation.id
    assert [one.status for one in await repository.for_event(TEAM, "C1", REAL)] == [DONE, DONE]


async def test_observing_without_fields_ends_with_the_first_report_of_what_is_done(
    factory: Factory,
) -> None:
    repository = factory.observations
    await repository.plan(new(), "", NOW)
    assert [one.status for one in await repository.for_event(TEAM, "C1", REAL)] == [PLANNED]
    await repository.done(new("DECam", band="r"), "", NOW)
    await repository.done(new(band="r"), "", NOW)
    assert [one.status for one in await repository.for_event(TEAM, "C1", REAL)] == [DONE, DONE]
    assert await repository.cancel(new(), "", NOW) == ()
    await repository.plan(new(), "", NOW)
    assert [one.status for one in await repository.for_event(TEAM, "C1", REAL)] == [DONE, DONE, PLANNED]


async def test_the_same_report_again_corrects_the_first(factory: Factory) -> None:
    repository = factory.observations
    first = await repository.done(new(fields=fields(1), band="r", depth=20.0), "", NOW)
    later = NOW + timedelta(minutes=5)
    second = await repository.done(new(user="U2", fields=fields(1), band="r", depth=21.0), "", later)
    assert second.corrected == first.observation
    (read,) = await repository.for_event(TEAM, "C1", REAL)
    assert (read.id, read.depth, read.user_id) == (first.observation.id, 21.0, "U2")
    assert (read.created_at, read.changed_at) == (NOW, later)
    other_band = await repository.done(new(fields=fields(1), band="g"), "", later)
    other_time = await repository.done(new(fields=fields(1), band="r", observed_at=later), "", later)
    assert (other_band.corrected, other_time.corrected) == (None, None)


async def test_a_cancelled_plan_keeps_what_was_not_done_and_why(factory: Factory) -> None:
    repository = factory.observations
    await repository.plan(new(fields=fields(1, 2, 3)), "", NOW)
    await repository.done(new(fields=fields(2)), "", NOW)
    (cancelled,) = await repository.cancel(new(user="U2", note="clouds"), "clouds", NOW)
    assert cancelled.fields == fields(1, 3)
    read = await repository.for_event(TEAM, "C1", REAL)
    assert [(one.status, one.fields, one.note) for one in read] == [
        (CANCELLED, fields(1, 3), "clouds"),
        (DONE, fields(2), ""),
    ]
    assert await repository.cancel(new(note="clouds"), "again", NOW) == ()
    assert [action for _, action, _ in await actions(factory)] == ["planned", "observed", "cancelled"]


async def test_a_plan_that_is_all_done_has_nothing_to_cancel(factory: Factory) -> None:
    repository = factory.observations
    await repository.plan(new(fields=fields(1)), "", NOW)
    await repository.done(new(fields=fields(1)), "", NOW)
    assert await repository.cancel(new(), "", NOW) == ()


async def test_a_report_has_the_card_and_the_follow_up_reply_edited_once_and_not_at_once(
    factory: Factory,
) -> None:
    await subscribe(factory, "CBC", "C1", "C2")
    await record_notices(factory, decoded_notice())
    d, t = schema.deliveries, schema.threads
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(t).values(root_ts="1.0"))
        await connection.execute(update(d).values(state="sent"))
    seen_by = new(footprint=SQUARE, fields=fields(1))
    await factory.observations.plan(seen_by, "", NOW)
    await factory.observations.done(seen_by, "", NOW + timedelta(seconds=5))
    async with factory.database.read_transaction() as connection:
        query = select(d.c.channel_id, d.c.kind, d.c.not_before).where(d.c.state == "pending")
        rows = (await connection.execute(query.order_by(d.c.kind))).all()
        threads = (await connection.execute(select(t.c.id, t.c.channel_id))).all()
    assert [tuple(row) for row in rows] == [
        ("C1", "edit", NOW + observations.COALESCE_FOR),
        ("C1", "follow_up", NOW),
    ]
    by_channel = {row.channel_id: row.id for row in threads}
    found = await factory.observations.for_threads(by_channel.values())
    assert {thread: [one.status for one in seen] for thread, seen in found.items()} == {
        by_channel["C1"]: [DONE]
    }


async def test_a_report_of_which_nothing_can_be_said_makes_no_follow_up_reply(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    d = schema.deliveries
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(d).values(state="sent"))
    await factory.observations.plan(new(), "", NOW)
    await factory.observations.done(new(fields=fields(1)), "", NOW)
    await factory.observations.cancel(new(), "", NOW)
    async with factory.database.read_transaction() as connection:
        kinds = (await connection.execute(select(d.c.kind).where(d.c.state == "pending"))).scalars().all()
    assert kinds == ["edit"], "the card alone"


async def test_what_had_nothing_to_say_isnt_counted_as_given_up(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1", "C2")
    await record_notices(factory, decoded_notice())
    d = schema.deliveries
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(
            update(d).where(d.c.channel_id == "C1").values(state="dead", reason=NOTHING_TO_SAY)
        )
        gone = {"state": "dead", "reason": "channel_not_found"}
        await connection.execute(update(d).where(d.c.channel_id == "C2").values(gone))
    assert (await factory.outbox_statistics.counts()).dead == 1
    assert await factory.outbox_statistics.count_by_state() == {"dead": 1}


async def test_observations_of_an_event_are_limited(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observations, "MAX_OBSERVATIONS", 2)
    repository: ObservationRepository = factory.observations
    await repository.done(new(band="r"), "", NOW)
    await repository.done(new(band="g"), "", NOW)
    await repository.done(new(band="g"), "", NOW)
    with pytest.raises(TooManyObservations):
        await repository.done(new(band="i"), "", NOW)
    await repository.done(new(channel="C2"), "", NOW)
    assert len(await actions(factory)) == 4


async def test_rows_that_only_a_later_version_can_read_are_left_out_or_lack_what_it_cannot_read(
    factory: Factory,
) -> None:
    o = schema.observations
    await factory.observations.done(new(footprint=CIRCLE, fields=fields(1), band="r"), "", NOW)
    for values in ({"shape": '{"cone": 3}'}, {"shape": "["}, {"fields": '{"moc": "0/1"}'}, {"fields": "x"}):
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(update(o).values(values))
        (read,) = await factory.observations.for_event(TEAM, "C1", REAL)
        assert read.band == "r"
    assert (read.footprint, read.fields) == (None, ())
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(o).values(status="handed over"))
    assert await factory.observations.for_event(TEAM, "C1", REAL) == ()


def test_fields_survive_as_json() -> None:
    given = (*fields(1), ObservedField(ra=359.999999, dec=-89.5, position_angle=12.5))
    assert fields_from_json(fields_to_json(given)) == given


async def test_a_person_without_a_telescope_is_on_the_line_once_and_in_the_log(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    observers = factory.observers
    said = [
        await observers.set_observing(TEAM, "C1", REAL, "U1", NOW, observes=observes)
        for observes in (True, True, False, False)
    ]
    assert said == [True, False, True, False]
    assert await observers.set_observing(TEAM, "C2", REAL, "U1", NOW, observes=True) is None
    assert await actions(factory) == [
        ("U1", "planned", "observes without a telescope"),
        ("U1", "cancelled", "no longer observes"),
    ]


async def test_observations_follow_their_channel_to_its_new_id(factory: Factory) -> None:
    repository = factory.observations
    await repository.plan(new(fields=fields(1, 2)), "", NOW)
    await repository.done(new(fields=fields(1)), "", NOW)
    await repository.plan(new(channel="C2", fields=fields(3)), "", NOW)
    await factory.channel_moves.move_channel((TEAM, "C1"), (TEAM, "C2"), NOW, NOW)
    assert await repository.for_event(TEAM, "C1", REAL) == ()
    moved = await repository.for_event(TEAM, "C2", REAL)
    assert [(one.status, one.fields) for one in moved] == [
        (PLANNED, fields(2)),
        (DONE, fields(1)),
        (PLANNED, fields(3)),
    ]
    whole = await repository.whole_plan(TEAM, "C2", REAL, "ZTF")
    assert whole is not None and whole.fields == fields(3)
    assert len((await repository.plan(new(channel="C2", fields=fields(4)), "", NOW)).replaced) == 2
