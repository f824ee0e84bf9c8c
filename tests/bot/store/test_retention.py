"""What is old goes, and nothing that a repeat or a thread is known by."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, text, update

from bot.app.factory import Factory
from bot.app.maintenance import retention_policy
from bot.routing.planner import plan_unreadable_payload
from bot.routing.related_messages import plan_message
from bot.settings import Settings
from bot.store import schema
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import DeadLettered, Delivered, DeliveryKind, Outcome, delivery_row
from bot.store.retention import NOTHING_PURGED, PurgeResult
from formatters.models.incident import Incident, IncidentKind
from formatters.models.related_message import Stream
from tests.support.factories import MOCK, NOW, REAL, TEAM, decoded_notice, planner, record_notices, subscribe
from tests.support.related_messages import related_message

pytestmark = pytest.mark.backends("sqlite", "postgresql")

LATER = NOW + timedelta(days=100)
LONG_AGO = LATER - timedelta(days=90)


async def deliver(factory: Factory, now: datetime = NOW, *, edits: Outcome | None = None) -> None:
    """Send all that is due; `edits` is what becomes of edits instead."""
    await factory.leases.heartbeat({TEAM})
    number = 0
    while claimed := await factory.outbox.claim(now + timedelta(minutes=1), 100):
        outcomes: list[tuple[object, Outcome]] = []
        for delivery in claimed:
            number += 1
            sent = Delivered(ts=f"{now.timestamp():.0f}.{number:06}", revision=delivery.target_revision)
            if delivery.follow_up_target is not None:
                sent = replace(sent, revision=delivery.follow_up_target)
            given_up = delivery.kind is DeliveryKind.EDIT and edits is not None
            outcomes.append((delivery, edits if given_up and edits is not None else sent))
        await factory.outbox.record_outcomes(outcomes, now)  # type: ignore[arg-type]


async def run(factory: Factory, statement: str) -> None:
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text(statement))


async def outbox(factory: Factory) -> list[str]:
    """The kinds of the rows that are left, sorted."""
    async with factory.database.read_transaction() as connection:
        return sorted((await connection.execute(text("SELECT kind FROM deliveries"))).scalars())


async def an_old_event(factory: Factory, *, edits: Outcome | None = None) -> None:
    await subscribe(factory, "CBC notify @here", "C1")
    await record_notices(factory, decoded_notice())
    await deliver(factory)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=1))
    await deliver(factory, edits=edits)


async def test_old_deliveries_are_purged_except_roots(factory: Factory) -> None:
    await an_old_event(factory)
    assert await outbox(factory) == ["edit", "reply", "root"]
    assert await factory.retention.purge_deliveries(LONG_AGO) == 2
    assert await outbox(factory) == ["root"]
    assert await factory.retention.purge_deliveries(LONG_AGO) == 0


async def test_news_after_a_purge_opens_no_second_root_and_mentions_nobody(
    factory: Factory,
) -> None:
    await an_old_event(factory)
    await factory.retention.purge_deliveries(LONG_AGO)
    await record_notices(factory, decoded_notice(alert_type="UPDATE", minutes=100 * 24 * 60), now=LATER)
    assert await outbox(factory) == ["edit", "reply", "root"]
    await deliver(factory, LATER)
    counts = await factory.outbox_statistics.counts()
    assert (counts.waiting, counts.dead) == (0, 0)


async def test_repeat_of_a_purged_notice_stays_a_repeat(factory: Factory) -> None:
    await an_old_event(factory)
    await factory.retention.purge_payloads(LONG_AGO)
    await factory.retention.purge_deliveries(LONG_AGO)
    again = await factory.notices.record(decoded_notice(), b"bytes", "test:2", LATER, planner(LATER))
    assert (again.new, again.intents) == (False, 0)
    assert await outbox(factory) == ["root"]


async def test_deliveries_of_recently_updated_events_are_kept(factory: Factory) -> None:
    await an_old_event(factory)
    await record_notices(factory, decoded_notice(alert_type="RETRACTION", minutes=60), now=LATER)
    assert await factory.retention.purge_deliveries(LONG_AGO) == 0


async def test_an_edit_that_was_given_up_waits_for_its_channel_at_any_age(factory: Factory) -> None:
    await an_old_event(factory, edits=DeadLettered(reason="is_archived", channel_problem="is_archived"))
    assert await factory.retention.purge_deliveries(LONG_AGO) == 1
    assert await outbox(factory) == ["edit", "root"]
    assert await factory.outbox.requeue_channel(TEAM, "C1", LONG_AGO, LATER) == 1


async def test_all_other_kinds_are_purged_and_incidents_once_resolved(factory: Factory) -> None:
    seen = Incident(kind=IncidentKind.SLACK, detail="Why.", since=NOW)
    await factory.incidents.record_check([seen], NOW, ops_channel=(TEAM, "C9"))
    others = [
        kind
        for kind in DeliveryKind
        if kind
        not in (
            *(DeliveryKind.ROOT, DeliveryKind.EDIT, DeliveryKind.MENTION),
            *(DeliveryKind.ESCALATION, DeliveryKind.INCIDENT_OPENED),
        )
    ]
    async with factory.database.exclusive_transaction() as connection:
        rows = [delivery_row(TEAM, "C8", kind, 0, NOW) for kind in others]
        await connection.execute(insert(schema.deliveries), rows)
        await connection.execute(update(schema.deliveries).values(state="sent"))
    assert await factory.retention.purge_deliveries(LONG_AGO) == len(others)
    assert await outbox(factory) == ["trouble"], "who heard of it is told when it is over"
    await factory.incidents.record_check([], LATER, ops_channel=(TEAM, "C9"))
    assert await factory.retention.purge_deliveries(LONG_AGO) == 1
    assert await outbox(factory) == ["over"]


async def test_a_follow_up_reply_stays_known_when_its_deliveries_are_purged(factory: Factory) -> None:
    await an_old_event(factory)
    thread = {1: (TEAM, "C1")}
    for _ in range(2):
        async with factory.database.exclusive_transaction() as connection:
            await request_follow_ups(connection, thread, NOW)
        await deliver(factory)
    assert await outbox(factory) == ["edit", "follow_up", "follow_up_edit", "reply", "root"]
    await factory.retention.purge_deliveries(LONG_AGO)
    assert await outbox(factory) == ["root"]
    async with factory.database.exclusive_transaction() as connection:
        await request_follow_ups(connection, thread, LATER)
    assert await outbox(factory) == ["follow_up_edit", "root"], "it is edited, not posted again"


async def test_old_alerts_go_that_are_near_no_event_with_a_follow_up_reply(factory: Factory) -> None:
    await an_old_event(factory)
    async with factory.database.exclusive_transaction() as connection:
        await request_follow_ups(connection, {1: (TEAM, "C1")}, NOW)
        times = {"near": NOW - timedelta(days=1), "far": NOW - timedelta(days=20), "new": LATER}
        await connection.execute(
            insert(schema.nearby_alerts),
            [
                {
                    "stream": "fermi-gbm",
                    "key": key,
                    "trigger_time": time,
                    "created_at": time,
                    "received_at": time,
                    "facts": "{}",
                }
                for key, time in times.items()
            ],
        )
    assert await factory.retention.purge_nearby_alerts(LONG_AGO) == 1
    async with factory.database.read_transaction() as connection:
        left = (await connection.execute(text("SELECT key FROM nearby_alerts ORDER BY key"))).scalars().all()
    assert left == ["near", "new"]


async def test_candidates_of_events_that_never_came_go_and_all_other_messages_stay(factory: Factory) -> None:
    await record_notices(factory, decoded_notice())
    for received in (NOW, LATER):
        for stream in (Stream.CIRCULARS, Stream.BOOM, Stream.HERMES):
            for about in (REAL, "S200101zz"):
                message = related_message(f"{about} {received}", about, stream=stream, number=None)
                await factory.related_messages.record(message, received, is_news=True, plan=plan_message)
    assert await factory.retention.purge_candidates(LONG_AGO) == 2
    assert len(await factory.related_messages.for_event(REAL)) == 6
    left = await factory.related_messages.for_event("S200101zz")
    assert {one.message.stream for one in left if one.received == NOW} == {Stream.CIRCULARS}
    assert len(left) == 4


async def test_incident_is_purged_with_its_last_delivery(factory: Factory) -> None:
    ops = (TEAM, "C9")
    slack, store = (
        Incident(kind=what, detail="Why.", since=NOW) for what in (IncidentKind.SLACK, IncidentKind.STORE)
    )
    await factory.incidents.record_check([slack, store], NOW, ops_channel=ops, has_webhook=True)
    await run(factory, "UPDATE deliveries SET state = 'sent'")
    over = NOW + timedelta(minutes=5)
    await factory.incidents.record_check([store], over, ops_channel=ops, has_webhook=True)
    assert await factory.retention.purge_incidents(LONG_AGO) == 0, "what is over is still to be told"
    await run(factory, "UPDATE deliveries SET state = 'sent'")
    await factory.retention.purge_deliveries(LONG_AGO)
    assert await factory.retention.purge_incidents(NOW) == 0, "it was over later than that"
    assert await factory.retention.purge_incidents(LONG_AGO) == 1
    assert [trouble.kind for trouble in await factory.incidents.open_incidents()] == [IncidentKind.STORE]
    async with factory.database.read_transaction() as connection:
        slots = (await connection.execute(text("SELECT slot FROM webhook_calls"))).scalars().all()
    assert len(slots) == 1 and slots[0].startswith("trouble:")


async def test_pending_deliveries_are_not_purged(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, [decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=1)])
    assert await factory.retention.purge_deliveries(LONG_AGO) == 0


async def test_real_payloads_are_purged_and_measurements_kept(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice(REAL), decoded_notice(MOCK)])
    assert await factory.retention.purge_payloads(LONG_AGO) == 1
    assert await factory.notices.payload(decoded_notice(REAL).key) is None
    assert await factory.notices.payload(decoded_notice(MOCK).key) is not None, (
        "mocks have a term of their own"
    )
    assert await factory.notices.superevent(REAL) is not None
    assert await factory.retention.purge_payloads(LONG_AGO) == 0


async def test_purged_quarantine_takes_its_unposted_reports_along(factory: Factory) -> None:
    for when, body in ((NOW, b"old"), (LATER, b"new")):
        assert await factory.quarantine.add(
            body, "test:1", "Why.", None, when, plan_unreadable_payload, ops_channel=(TEAM, "C9")
        )
    assert await factory.retention.purge_quarantine(LONG_AGO) == 1
    assert await outbox(factory) == ["ops"]
    left = await factory.quarantine.next()
    assert left is not None and left.body == b"new"


async def test_by_default_payloads_are_kept_and_the_rest_for_a_quarter(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GWEVENT_PAYLOAD_DAYS", "GWEVENT_LEDGER_DAYS", "GWEVENT_QUARANTINE_DAYS"):
        monkeypatch.delenv(name, raising=False)
    await an_old_event(factory)
    keep = retention_policy(Settings.load(None))
    assert await factory.retention.purge(keep, NOW + timedelta(days=89)) == NOTHING_PURGED
    removed = await factory.retention.purge(keep, NOW + timedelta(days=91))
    assert removed == PurgeResult(payloads=0, deliveries=2, quarantined=0, incidents=0)
    assert await factory.notices.payload(decoded_notice().key) is not None


async def test_what_people_did_goes_after_a_year_and_what_it_brought_about_stays(factory: Factory) -> None:
    await an_old_event(factory)
    await factory.mutes.mute(TEAM, "C1", REAL, "U1", NOW)
    await factory.mutes.unmute(TEAM, "C1", REAL, "U1", NOW + timedelta(days=1))
    await factory.mutes.mute(TEAM, "C1", REAL, "U1", NOW + timedelta(days=1))
    assert await factory.retention.purge_actions(NOW) == 0
    assert await factory.retention.purge_actions(NOW + timedelta(seconds=1)) == 1
    assert await factory.retention.purge_actions(NOW + timedelta(days=2)) == 2
    outcome = await factory.mutes.mute(TEAM, "C1", REAL, "U2", LATER)
    assert outcome is not None and not outcome.has_changed, "it is muted still"


async def test_pointings_go_once_their_event_is_no_longer_read(factory: Factory) -> None:
    table = schema.treasure_map_events
    events = {"S1": (None, NOW), "S2": (LATER, NOW), "S3": (None, LATER), "S4": (None, None)}
    async with factory.database.exclusive_transaction() as connection:
        for name, (next_at, tried_at) in events.items():
            row = {"superevent_id": name, "next_at": next_at, "tried_at": tried_at, "failures": 0}
            await connection.execute(insert(table).values(row))
    assert await factory.retention.purge_treasure_map(LATER) == 1
    async with factory.database.read_transaction() as connection:
        left = (await connection.execute(text("SELECT superevent_id FROM treasure_map_events"))).scalars()
        assert sorted(left) == ["S2", "S3", "S4"]
