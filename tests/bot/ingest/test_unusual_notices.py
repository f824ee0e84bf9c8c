"""Ids and coincidences that LVK's rules don't foresee, from the broker's bytes to the channel."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from sqlalchemy import text

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.filters import matches, parse_criteria
from bot.ingest.pipeline import IngestResult
from bot.samples import to_avro, to_json
from bot.samples.edge_cases import few_rows
from bot.sources.base import Origin
from formatters.answers import event_history
from formatters.models import significance
from formatters.models.notice import Category
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text, notice_text
from tests.support.factories import (
    REAL,
    TEAM,
    Clock,
    create_pipeline,
    decoded_notice,
    notice_record,
    record_notices,
    subscribe,
)

LIVE = Origin("hopskotch", "igwn.gwalert:0:7", live=True)
ASKER = CommandContext(TEAM, "C1", "U1")

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def planned(factory: Factory) -> list[tuple[str, str]]:
    async with factory.database.read_transaction() as connection:
        rows = await connection.execute(text("SELECT kind, channel_id FROM deliveries ORDER BY id"))
        return [(row.kind, row.channel_id) for row in rows.all()]


async def said(factory: Factory, clock: Clock, words: str) -> str:
    return message_text.render(await factory.create_command_router(clock).dispatch(words, None))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("superevent_id", "category"),
    [
        ("S1234", "real"),
        ("S200224", "real"),
        ("GW170817", "real"),
        ("MS181101ab2", "mock"),
        ("TS1234", "test"),
        ("Trigger123", "real"),
        ("<!channel> S1/../?x=1", "real"),
        ("'; DROP TABLE notices; --", "real"),
        ("🌩 S1", "real"),
        ("x" * 64, "real"),
        ("é" * 64, "real"),
    ],
)
async def test_an_unusual_id_is_posted(
    factory: Factory, clock: Clock, superevent_id: str, category: str
) -> None:
    for words, channel in (("all", "C1"), ("all mock", "C2"), ("all test", "C3")):
        await subscribe(factory, words, channel)
    way_in = create_pipeline(factory, clock)
    for kind in ("PRELIMINARY", "UPDATE", "RETRACTION"):
        one = notice_record(superevent_id, kind, 5 * (kind != "PRELIMINARY"))
        assert await way_in.handle(to_json(one), LIVE) is IngestResult.STORED
        assert await way_in.handle(to_avro(one), LIVE) is IngestResult.DUPLICATE
        if kind == "PRELIMINARY":
            roots = [channel for kind, channel in await planned(factory) if kind == "root"]
            assert roots == {"real": ["C1", "C2", "C3"], "mock": ["C2"], "test": ["C3"]}[category]
    assert await factory.quarantine.next() is None
    [found] = await factory.notices.newest(category=Category(category))
    assert found.superevent_id == superevent_id and found.is_retracted
    assert "unusual id" in message_text.render(
        alert_card.alert_card(found.up_to(found.notices[0]), ChannelView())
    )


@pytest.mark.parametrize(
    ("superevent_id", "told"),
    [
        ("S261122" + "a" * 80, "S261122" + "a" * 57),
        ("S261122\u202ea", "S261122a"),
        ("MS261122a\n", None),
        (20261122, "20261122"),
        (None, REAL),
        ([REAL], REAL),
        ("", REAL),
    ],
)
async def test_impossible_id_is_quarantined_and_channels_see_its_readable_part(
    factory: Factory, clock: Clock, superevent_id: object, told: str | None
) -> None:
    await subscribe(factory, "all mock", "C1")
    way_in = create_pipeline(factory, clock)
    body = json.dumps({**notice_record(REAL), "superevent_id": superevent_id}).encode()
    handled = await way_in.handle(body, LIVE)
    if told is None:
        assert handled is IngestResult.STORED, "a line's end is no part of an id"
        return
    assert handled is IngestResult.QUARANTINED
    assert await planned(factory) == [("apology", "C1")]
    kept = await factory.quarantine.next()
    assert kept is not None and kept.superevent_id == told


async def test_commands_find_an_unusual_id_in_any_case(factory: Factory, clock: Clock) -> None:
    await record_notices(
        factory,
        [
            decoded_notice("S1234"),
            decoded_notice("MS181101ab2"),
            decoded_notice("S 12 b"),
            decoded_notice("S 12"),
            decoded_notice("<!channel>1"),
        ],
    )
    for words, name in (
        ("S1234", "S1234"),
        ("s1234", "S1234"),
        ("ms181101AB2", "MS181101ab2"),
        ("s  12  B", "S 12 b"),
        ("S 12", "S 12"),
        ("<!channel>1", "<!channel>1"),
    ):
        assert f"PRELIMINARY · {name}" in await said(factory, clock, words)
        assert f"{name}: 1 notice" in await said(factory, clock, f"{words} history")
        assert '"superevent_id": "' in await said(factory, clock, f"{words} json")
    assert "I don't understand “nonsense”; about an event I know" in await said(
        factory, clock, "S1234 nonsense"
    )
    assert "No notice of S1235 was received" in await said(factory, clock, "S1235")
    assert "S1234" in await said(factory, clock, "S1235"), "the nearest is named"
    # Both in one answer each; the position is none of an id.
    assert "S1234" in await said(factory, clock, "check s1234 12h30m45s +12d24m")
    assert "S1234" in await said(factory, clock, "visible s1234 Palomar")
    shared = await factory.create_command_router(clock).dispatch("s1234", ASKER)
    assert "Share" in message_text.render(shared) or any(
        "share" in str(block).casefold() for block in shared.blocks
    )
    for nonsense in ("\ud800", "\0", "x" * 300, "%", "_", "S1_34", "S123%"):
        assert "PRELIMINARY" not in await said(factory, clock, nonsense)


async def test_two_ids_that_differ_in_case_alone(factory: Factory, clock: Clock) -> None:
    await record_notices(factory, [decoded_notice("Trigger1"), decoded_notice("TRIGGER1")])
    assert "PRELIMINARY · Trigger1" in await said(factory, clock, "Trigger1")
    assert "PRELIMINARY · TRIGGER1" in await said(factory, clock, "TRIGGER1")
    assert "PRELIMINARY · TRIGGER1" in await said(factory, clock, "trigger1")


def coincidence(observatory: str, far: float | None, skymap: bytes | None = None) -> dict[str, Any]:
    return {
        "observatory": observatory,
        "search": "GRB",
        "gcn_notice_id": 7,
        "time_difference": 1.5,
        "time_coincidence_far": far,
        "combined_skymap": skymap,
    }


async def test_all_of_several_coincidences_are_shown(factory: Factory) -> None:
    one = {
        **notice_record(alert_type="UPDATE"),
        "external_coinc": [
            coincidence("Swift", None),
            coincidence("Fermi", 1e-9),
            coincidence("Hubble", 1e-7, few_rows()),
            "nothing",
            coincidence("IceCube", 1e-12),
            coincidence("SVOM", 1e-8),
            coincidence("AGILE", 1e-6),
        ],
    }
    notice = decode(to_json(one))
    # A combined map that can be read says more than the lowest joint FAR.
    assert notice.external is not None and notice.external.observatory == "Hubble"
    assert notice.best_localization is notice.external.localization
    names = [found.observatory for found in notice.coincidences_in_order]
    assert names == ["Swift", "Fermi", "Hubble", "IceCube", "SVOM", "AGILE"]
    whole = Superevent.from_notices([decoded_notice(), notice])
    told = message_text.render(alert_card.alert_card(whole, ChannelView()))
    assert "Hubble GRB" in told and "Also: Swift/BAT GRB" in told and "1 more" in told
    reply = message_text.render(alert_update.alert_update(whole, notice))
    history = message_text.render(event_history.message(whole, whole.latest.time_created))
    for name in names:
        assert name in history and name in notice_text.to_text(notice)
    assert "New coincidence: Hubble GRB" in reply and "Also: Swift/BAT GRB" in reply
    shown = notice_text.to_show_json(notice)["external_coinc"]
    assert [c if isinstance(c, str) else c["observatory"] for c in shown] == [
        *names[:3],
        "nothing",
        *names[3:],
    ]
    assert [isinstance(c, dict) and c["localization"] is not None for c in shown].index(True) == 2
    for words, fits in (("all external", True), ("all not external", False)):
        assert matches(parse_criteria(words), whole) is fits
    news = significance.find_upgrade(Superevent.from_notices([decoded_notice()]), whole)
    assert len(news.new_coincidences) == len(names)
    await record_notices(factory, [decoded_notice(), notice])
    known = await factory.notices.superevent(REAL)
    assert known is not None and known.latest == notice
    # The lowest joint FAR counts, whichever the card shows first.
    loud = decode(to_json({**one, "event": {**one["event"], "far": 1e-3}}))
    assert matches(parse_criteria("all far < 1e-11 Hz"), Superevent.from_notices([loud]))


def test_new_coincidence_is_broadcast_and_a_vanished_one_mentioned() -> None:
    two = [coincidence("Fermi", 1e-9), coincidence("Swift", 1e-8)]
    first = decode(to_json({**notice_record(alert_type="UPDATE"), "external_coinc": two[:1]}))
    second = decode(to_json({**notice_record(alert_type="UPDATE", minutes=5), "external_coinc": two}))
    third = decode(to_json({**notice_record(alert_type="UPDATE", minutes=9), "external_coinc": two[1]}))
    whole = Superevent.from_notices([first, second, third])
    told = message_text.render(alert_update.alert_update(whole, second))
    assert "New coincidence: Swift/BAT GRB" in told and "New coincidence: Fermi" not in told
    assert significance.should_broadcast(whole, second)
    told = message_text.render(alert_update.alert_update(whole, third))
    assert "No longer named: Fermi GRB" in told and "New coincidence" not in told
    assert not significance.should_broadcast(whole, third)


@pytest.mark.parametrize("seed", range(3))
async def test_second_update_within_one_second_gets_its_own_reply(
    factory: Factory, clock: Clock, seed: int
) -> None:
    await subscribe(factory, "all notify @here", "C1")
    plain_one = notice_record(alert_type="UPDATE", minutes=5, far=1e-9)
    with_burst = {**plain_one, "external_coinc": coincidence("Fermi", 1e-9)}
    bodies = [to_json(notice_record()), to_json(plain_one), to_json(with_burst)]
    random.Random(seed).shuffle(bodies)
    way_in = create_pipeline(factory, clock)
    for body in bodies * 2:
        clock.advance(seconds=1)
        await way_in.handle(body, LIVE)
    known = await factory.notices.superevent(REAL)
    assert known is not None and len(known.notices) == 3
    first, second, third = known.notices
    assert second.key[:3] == third.key[:3] and second.external is None and third.external is not None
    assert known.latest is third
    told = message_text.render(alert_update.alert_update(known, third))
    assert "New coincidence: Fermi GRB" in told
    other = message_text.render(alert_update.alert_update(known, second))
    late = second.received is not None and third.received is not None and third.received < second.received
    assert ("Sent in the same second as another UPDATE" in other) is late
    assert [kind for kind, _ in await planned(factory)].count("root") == 1
    assert first.alert_type == "PRELIMINARY"
    for notice in known.notices:
        assert await factory.notices.payload(notice.key) in bodies


@pytest.mark.slow
@pytest.mark.parametrize("form", ['{"a":', "["])
async def test_json_nested_as_deep_as_it_goes_is_no_fault_of_gwevents(
    factory: Factory, clock: Clock, form: str
) -> None:
    way_in = create_pipeline(factory, clock)
    close = "}" if form == '{"a":' else "]"
    notice = to_json(notice_record()).decode()
    for depth in (100, 300, 900, 950, 970, 980, 985, 988, 990, 992, 995, 1_000, 3_000, 40_000):
        nested = form * depth + "1" + close * depth
        for body in (
            nested,
            f'{notice[:-1]}, "novelty": {nested}}}',
            f'{notice[:-1]}, "external_coinc": {nested}}}',
            f'{notice[:-1]}, "event": {nested}}}',
            f'{{"circularId": 5, "createdOn": 5, "subject": "x", "novelty": {nested}}}',
            f'{{"circularId": {nested}}}',
        ):
            await way_in.handle(body.encode(), LIVE)
    kept = await factory.quarantine.next()
    while kept is not None:
        assert "fault of its own" not in kept.reason and kept.reason.endswith("."), kept.reason
        kept = await factory.quarantine.next(kept.id)


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "NaN", "9" * 400, "9" * 5_000, "-1", "0.5", "true", '"\\ud800"']
)
async def test_a_circulars_numbers_of_all_kinds(factory: Factory, clock: Clock, number: str) -> None:
    way_in = create_pipeline(factory, clock)
    for body in (
        f'{{"circularId": {number}, "createdOn": 5, "subject": "S261122a"}}',
        f'{{"circularId": 5, "createdOn": {number}, "subject": "S261122a"}}',
        f'{{"circularId": 5, "createdOn": 5, "subject": {number}, "submitter": {number}}}',
        f'{{"circularId": 5, "createdOn": 5, "eventId": {number}}}',
    ):
        handled = await way_in.handle(body.encode(), LIVE)
        assert handled in (IngestResult.CIRCULAR, IngestResult.UNRELATED, IngestResult.UNREADABLE_MESSAGE)
    kept = await factory.quarantine.next()
    while kept is not None:
        assert "fault of its own" not in kept.reason
        kept = await factory.quarantine.next(kept.id)


async def test_circular_of_an_unusual_id_is_linked_by_its_event_id_field(
    factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "all circulars", "C1")
    await record_notices(factory, decoded_notice("S1234"))
    way_in = create_pipeline(factory, clock)
    created = int(clock().timestamp() * 1_000)
    circular = {
        "circularId": 5,
        "createdOn": created,
        "subject": "LIGO S1234: x",
        "eventId": "LIGO/Virgo/KAGRA S1234",
    }
    assert await way_in.handle(json.dumps(circular).encode(), LIVE) is IngestResult.CIRCULAR
    async with factory.database.read_transaction() as connection:
        noted = (await connection.execute(text("SELECT superevent_id FROM related_messages"))).scalars().all()
    assert list(noted) == ["S1234"]
