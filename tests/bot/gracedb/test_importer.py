"""Imports from GraceDB of events that were never received."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.gracedb.client import GraceDb, GraceDbBusy, SupereventNotPublic
from bot.gracedb.importer import SupereventImporter
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.samples import Record, to_json
from bot.samples.edge_cases import few_rows
from bot.sources.base import Origin
from formatters.models.notice import RETRACTION
from formatters.terminal import message_text
from tests.bot.gracedb.fake import BROKEN, Event, FakeGraceDb, jsonb, log_entry, superevent, with_notices
from tests.support.factories import NOW, REAL, TEAM, Clock, create_pipeline, notice_record, subscribe

O3 = "S190425z"


def answers(factory: Factory, archive: SupereventImporter | None, clock: Clock) -> CommandRouter:
    return factory.create_command_router(clock, importer=archive)


async def said(factory: Factory, archive: SupereventImporter | None, clock: Clock, words: str) -> str:
    return message_text.render(await answers(factory, archive, clock).dispatch(words, None))


def from_o3(*labels: str) -> Event:
    """Return a superevent without notices on the server."""
    return Event(
        superevent(O3, *labels),
        {
            "bayestar.multiorder.fits,0": few_rows(),
            "bayestar.multiorder.fits,1": b"no FITS",
            "p_astro.json,0": jsonb({"BNS": 0.9994, "Terrestrial": 0.0006}),
            "em_bright.json,0": jsonb({"HasNS": 1.0, "HasRemnant": 1.0}),
        },
        labels=[{"name": label, "created": "2019-04-26 10:00:00 UTC"} for label in labels],
        log=[log_entry("bayestar.multiorder.fits", 0, "2019-04-25 09:00:00 UTC")],
    )


async def test_import_from_notice_files(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "all", "C1")
    fake.add(
        with_notices(
            REAL, notice_record(), notice_record(minutes=5), notice_record(alert_type="INITIAL", minutes=60)
        )
    )
    told = await said(factory, archive, clock, REAL.lower())
    assert "INITIAL" in told and "BNS 95 %" in told and "Notice 3 of this event, from GraceDB" in told
    assert "received" not in told
    # Stored, so not asked for again; never routed, though it is new and the channel wants all.
    asked = fake.requests()
    assert await said(factory, archive, clock, REAL) == told
    assert fake.requests() == asked
    assert (await factory.outbox_statistics.counts()).waiting == 0
    assert "Last notice: none yet" in await said(factory, archive, clock, "status")


async def test_import_from_the_list_of_notices(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    event = Event(superevent(REAL), {"one.json": to_json(notice_record()), "two.json": b'{"no": "notice"}'})
    event.notices = ["one.json", "two.json", "gone.json"]
    fake.add(event)
    assert "Notice 1 of this event, from GraceDB" in await said(factory, archive, clock, REAL)
    assert not any(path.endswith("/files/") for path in fake.asked)


async def test_import_assembles_a_payload_without_notices(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    fake.add(from_o3("ADVOK"))
    told = await said(factory, archive, clock, O3)
    for words in (
        "BNS >99 % · FROM GRACEDB · S190425z",
        "2019-04-25 08:18:05 UTC (",
        " yr ago), GraceDB's state of 2019-04-26 10:00:00 UTC",
        "HasRemnant >99 %",
        "90 %:",
        "Put together from GraceDB",
    ):
        assert words in told, words


async def test_an_advno_label_adds_a_retraction(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    fake.add(from_o3("ADVNO"))
    told = await said(factory, archive, clock, O3)
    assert told.startswith("RETRACTED · S190425z") and "Was: BNS >99 %" in told
    assert "Retracted 2019-04-26 10:00:00 UTC" in told
    fake.add(with_notices(REAL, notice_record(), labels=("ADVNO",)))
    told = await said(factory, archive, clock, REAL)
    # GraceDB keeps its notices, but not the retraction, nor the time of the label.
    assert told.startswith(f"RETRACTED · {REAL}") and "Was: BNS 95 %" in told and "Retracted 2" not in told


async def test_a_retraction_in_gracedb_is_not_assembled_again(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    gone = notice_record(alert_type=RETRACTION, minutes=30)
    fake.add(with_notices(REAL, notice_record(), gone, labels=("ADVNO",)))
    await archive.import_superevent(REAL)
    known = await factory.notices.superevent(REAL)
    assert known is not None and known.is_retracted and len(known.notices) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (404, "In GraceDB S190425z is not public or doesn't exist."),
        ((429, "30"), "GraceDB asks us to wait 30 s."),
        (503, "GraceDB is down for maintenance."),
        (BROKEN, "GraceDB's answer isn't JSON."),
    ],
)
async def test_a_failure_is_answered_from_the_cache_for_a_while(
    fake: FakeGraceDb,
    archive: SupereventImporter,
    factory: Factory,
    clock: Clock,
    fault: int | str | tuple[int, str],
    words: str,
) -> None:
    fake.add(from_o3())
    fake.faults[f"{O3}/"] = [fault]
    for _ in range(3):
        assert await said(factory, archive, clock, O3) == f"No notice of S190425z was received. {words}"
    assert fake.requests() == 1


async def test_without_an_importer_only_received_events_are_known(factory: Factory, clock: Clock) -> None:
    assert await said(factory, None, clock, O3) == "No notice of S190425z was received."


async def test_a_missing_file_does_not_stop_the_import(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    fake.add(from_o3())
    fake.faults = {"p_astro.json,0": [404], "/logs/": [404], "/labels/": [BROKEN], "fits,1": [404]}
    told = await said(factory, archive, clock, O3)
    assert "CBC" in told and "90 %:" in told and "HasNS >99 %" in told


async def test_a_failure_during_the_import_stores_nothing(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory
) -> None:
    fake.add(from_o3())
    fake.faults["em_bright.json,0"] = [503]
    with pytest.raises(GraceDbBusy):
        await archive.import_superevent(O3)
    assert await factory.notices.superevent(O3) is None


async def test_an_unreadable_notice_is_quarantined_with_an_answer(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    broken = jsonb({"superevent_id": REAL, "alert_type": "INITIAL"})
    fake.add(Event(superevent(REAL), {f"{REAL}-initial.json,0": broken}))
    assert "What GraceDB has of it can't be read." in await said(factory, archive, clock, REAL)
    assert (await factory.outbox_statistics.counts()).quarantined == 1


async def test_concurrent_lookups_share_one_import(fake: FakeGraceDb, archive: SupereventImporter) -> None:
    fake.add(with_notices(REAL, notice_record()))
    fake.gate.clear()
    waiting = [asyncio.create_task(archive.import_superevent(REAL)) for _ in range(20)]
    while not fake.requests():
        await asyncio.sleep(0.01)
    waiting[0].cancel()
    fake.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [REAL] * 19
    assert max(fake.asked.values()) == 1 and fake.most_at_once == 1


async def test_two_importers_share_one_import(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    fake.add(with_notices(REAL, notice_record()))
    listed = await entry(archive, REAL)
    slow = SupereventImporter(
        GraceDb(fake.url),
        create_pipeline(factory, clock),
        factory.gracedb_lookups,
        clock,
        shared_with=archive,
    )
    fake.gate.clear()
    filling = asyncio.create_task(slow.import_record(listed))
    while not fake.at_once:
        await asyncio.sleep(0.01)
    asked = asyncio.create_task(archive.import_superevent(REAL))
    await asyncio.sleep(0)
    fake.gate.set()
    assert (await filling, await asked) == (1, REAL)
    assert max(fake.asked.values()) == 1 and fake.most_at_once == 1
    await slow.close()


async def test_a_not_public_event_blocks_no_other_lookup(
    fake: FakeGraceDb, archive: SupereventImporter
) -> None:
    fake.add(with_notices(REAL, notice_record()))
    with pytest.raises(SupereventNotPublic):
        await archive.import_superevent(O3)
    assert await archive.import_superevent(REAL) == REAL


async def test_a_gw_name_leads_to_its_superevent(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    event = from_o3()
    fake.events["GW190425A"] = event
    fake.add(event)
    for _ in range(2):
        assert "S190425z" in await said(factory, archive, clock, "GW190425a")
        assert fake.asked["superevents/GW190425A/"] == 1


async def test_a_catalogue_name_is_asked_of_gracedb_and_never_guessed(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    event = from_o3()
    fake.events["GW190425"] = event
    fake.add(event)
    assert "S190425z" in await said(factory, archive, clock, "what is GW190425?")
    unknown = await said(factory, archive, clock, "GW170817")
    assert "GW170817 is a catalogue's name" in unknown and "not public or doesn't exist" in unknown
    other_second = await said(factory, archive, clock, "GW190425_000001")
    assert "nothing here says that it is the same" in other_second


async def test_an_event_known_from_gracedb_alone_is_refreshed_later(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    fake.add(with_notices(REAL, notice_record()))
    assert "PRELIMINARY" in await said(factory, archive, clock, REAL)
    fake.add(with_notices(REAL, notice_record(), notice_record(alert_type="UPDATE", minutes=30)))
    assert "PRELIMINARY" in await said(factory, archive, clock, REAL)
    clock.advance(hours=2)
    fake.faults[f"{REAL}/"] = [503]
    assert "PRELIMINARY" in await said(factory, archive, clock, REAL)
    archive._recent_failures.clear()
    assert "UPDATE" in await said(factory, archive, clock, REAL)


def live(factory: Factory, clock: Clock) -> Pipeline:
    return create_pipeline(factory, clock)


BROKER = Origin("hopskotch", "igwn.gwalert 0:1", live=True)


async def test_imported_event_is_routed_once_the_broker_sends_it(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "all", "C1")
    first, second = notice_record(), notice_record(alert_type="INITIAL", minutes=5)
    clock.advance(minutes=10)
    fake.add(with_notices(REAL, first, second))
    await archive.import_superevent(REAL)
    assert (await factory.outbox_statistics.counts()).waiting == 0
    for body in (to_json(first), to_json(second)):
        assert await live(factory, clock).handle(body, BROKER) is IngestResult.STORED
        assert await live(factory, clock).handle(body, BROKER) is IngestResult.DUPLICATE
    # The root, and the reply of the second.
    assert (await factory.outbox_statistics.counts()).waiting == 2
    known = await factory.notices.superevent(REAL)
    assert known is not None and [n.archive for n in known.notices] == [None, None]
    assert "from GraceDB" not in await said(factory, archive, clock, REAL)
    assert await factory.notices.payload(known.latest.key) == to_json(second)
    # The other way round it stays as the broker brought it.
    await archive.import_record(await entry(archive, REAL))
    assert await factory.notices.superevent(REAL) == known


async def entry(archive: SupereventImporter, superevent_id: str) -> Any:
    from bot.gracedb import conversion

    return conversion.parse_superevent(await archive.gracedb.superevent(superevent_id))


async def test_a_received_notice_replaces_an_assembled_one(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "all", "C1")
    fake.add(Event(superevent(REAL, "ADVOK", created=f"{NOW:%Y-%m-%d %H:%M:%S} UTC")))
    assert "FROM GRACEDB" in await said(factory, archive, clock, REAL)
    # Of the very second at which GraceDB made the event, and yet no repeat of it.
    assert await live(factory, clock).handle(to_json(notice_record()), BROKER) is IngestResult.STORED
    told = await said(factory, archive, clock, REAL)
    assert "PRELIMINARY" in told and "Notice 1 of this event" in told and "GRACEDB" not in told
    assert (await factory.outbox_statistics.counts()).waiting == 1


async def test_a_retraction_still_marks_assembled_facts(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    fake.add(Event(superevent(REAL, created=f"{NOW - timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC")))
    await archive.import_superevent(REAL)
    gone: Record = notice_record(alert_type=RETRACTION, minutes=1)
    assert await live(factory, clock).handle(to_json(gone), BROKER) is IngestResult.STORED
    told = await said(factory, archive, clock, REAL)
    assert told.startswith("RETRACTED") and "Was: CBC" in told and "Notice 2 of this event" in told


async def test_an_answer_about_an_imported_event_is_shareable(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock
) -> None:
    fake.add(from_o3())
    asker = CommandContext(TEAM, "C1", "U0ASKER")
    assert "answer.share" in json.dumps((await answers(factory, archive, clock).dispatch(O3, asker)).blocks)


async def test_recorded_answers_are_imported(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, clock: Clock, shared_notices: Path
) -> None:
    for name in ("S230413b", "S230413g", "MS220722v"):
        fake.add(Event(json.loads((shared_notices / "gracedb" / f"{name}.json").read_text())))
    kept = {
        f"S230518h-{kind.lower()}.json,0": (
            shared_notices / "real" / f"S230518h-{kind}_alert.json"
        ).read_bytes()
        for kind in ("Preliminary", "Initial")
    }
    fake.add(Event(superevent("S230518h", "ADVOK", "SIGNIF_LOCKED"), kept))
    assert "Burst · FROM GRACEDB · S230413b" in await said(factory, archive, clock, "S230413b")
    assert "H1 L1 V1" in await said(factory, archive, clock, "S230413g")
    assert "MOCK · RETRACTED · MS220722v" in await said(factory, archive, clock, "ms220722V")
    told = await said(factory, archive, clock, "S230518h")
    assert "NSBH" in told and "INITIAL" in told and "Notice 2 of this event, from GraceDB" in told
