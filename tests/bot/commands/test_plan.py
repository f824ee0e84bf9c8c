"""The command `plan`."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bot.alerts.decode import decode
from bot.app.factory import Factory, open_factory
from bot.commands import plan
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.plan_words import parse_plan_words
from bot.observing.footprints import covers, parse_footprint
from bot.observing.observatories import find_site
from bot.samples import bbh, ms181101ab, to_avro
from bot.settings import Settings
from bot.skymap_service.image_process import ImageFailed
from bot.skymap_service.pointings import PlanTakesTooLong, PointingService
from bot.skymaps import healpix
from bot.store import schema
from formatters.answers.answer import contains_file
from formatters.blockkit.message import Message
from formatters.models.event_plan import EventPlan
from formatters.models.notice import Notice, NoticeKey
from formatters.models.observing import Site
from formatters.models.pointing import Telescope
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef
from formatters.skymap_image import Marks
from formatters.terminal import message_text
from tests.support.factories import AUTHOR, NOW, TEAM, Clock, planner, subscribe

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
PARANAL = find_site("Paranal")
SPITSBERGEN = Site(name="Dome 2", latitude=78.2, longitude=15.4, height=20)
"""A site with a number in its name, where the sample's map never rises."""


def telescope(site: Site, words: str = "3.5deg circle", minutes: float = 3, overhead: float = 1) -> Telescope:
    return Telescope(
        site=site.name,
        footprint=parse_footprint(words),
        exposure=timedelta(minutes=minutes),
        overhead=timedelta(minutes=overhead),
    )


async def dispatch(factory: Factory, words: str, context: CommandContext | None = ASKER) -> Message:
    return await factory.create_command_router(Clock()).dispatch(words, context)


async def answer_text(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    return message_text.render(await dispatch(factory, words, context))


async def store(factory: Factory, payloads: Sequence[bytes]) -> Notice:
    for body in payloads:
        notice = replace(decode(body), received=NOW)
        await factory.notices.record(notice, body, "hopskotch:1", NOW, planner(NOW))
    return notice


@pytest.fixture
async def event(factory: Factory) -> Notice:
    """Binary black holes with two maps, in a thread of C1; up in the morning at Paranal."""
    await subscribe(factory, "all", "C1")
    notice = await store(factory, [to_avro(record) for record in bbh(NOW)])
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(schema.threads).values(root_ts="100.1"))
    return notice


@pytest.fixture
async def paranal(factory: Factory) -> Telescope:
    """The only telescope of C1."""
    mine = telescope(PARANAL)
    await factory.sites.add(*ASKER.channel, [PARANAL], AUTHOR, [mine])
    return mine


def table(message: Message) -> list[list[str]]:
    """Return the cells of the message's table without its header."""
    found = next(block for block in message.blocks if block["type"] == "table")
    return [[cell["text"] for cell in row] for row in found["rows"][1:]]


def code(message: Message) -> str:
    found = next(block for block in message.blocks if block["type"] == "rich_text")
    return str(found["elements"][0]["elements"][0]["text"])


async def test_fields_in_an_order_that_can_be_observed(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    name = event.superevent_id
    answer = await dispatch(factory, f"plan Paranal 10 {name}")
    text = message_text.render(answer)
    assert f"Plan for Paranal · {name}" in text
    assert "10 fields hold" in text and "of the probability of the map" in text
    assert "the map of INITIAL" in text
    assert "evening of 22 Nov 2026" in text and "UTC" in text
    assert f"/gwevent plan Paranal 10 {name} export csv" in text
    rows = table(answer)
    assert [row[0] for row in rows] == [str(number) for number in range(1, 11)]
    starts = [row[3][-8:] for row in rows]
    assert starts == sorted(starts)
    assert all(float(row[4].rstrip("°")) >= 30 for row in rows)


async def test_the_export_has_what_a_count_on_the_map_gives(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    exported = await dispatch(factory, f"plan Paranal 8 {event.superevent_id} export csv")
    rows = list(csv.DictReader(io.StringIO(code(exported))))
    assert len(rows) == 8
    maps = await factory.skymap_cache.get(event.key)
    assert maps is not None and maps.best is not None
    # The tiles' centres inside the fields, each counted once.
    points = healpix.centre_vectors(maps.best.order, maps.best.ipix)
    inside = sum(
        covers(paranal.footprint, float(row["ra_deg"]), float(row["dec_deg"]), points) for row in rows
    )
    counted = float(maps.best.probability[inside > 0].sum())
    assert float(rows[-1]["sum"]) == pytest.approx(counted, abs=0.03)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(float(rows[-1]["sum"]), abs=1e-5)
    assert {row["exposure_s"] for row in rows} == {"180"}


async def test_json_is_one_object_with_the_same_fields(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    name = event.superevent_id
    record = json.loads(code(await dispatch(factory, f"plan 5 {name} Paranal as json")))
    rows = list(
        csv.DictReader(io.StringIO(code(await dispatch(factory, f"export plan csv 5 paranal {name}"))))
    )
    assert record["superevent_id"] == name and record["site"] == "Paranal" and record["map"] == "INITIAL"
    assert [one["ra_deg"] for one in record["fields"]] == [float(row["ra_deg"]) for row in rows]
    assert record["covered"] == pytest.approx(record["fields"][-1]["sum"], abs=1e-5)
    assert record["fields_in_plan"] == 5


async def test_the_table_is_bounded(factory: Factory, event: Notice) -> None:
    await factory.sites.add(*ASKER.channel, [PARANAL], AUTHOR, [telescope(PARANAL, "2deg circle", 1, 0.2)])
    answer = await dispatch(factory, f"plan 45 until dawn {event.superevent_id}")
    assert len(table(answer)) == 30
    assert "The first 30 of 45" in message_text.render(answer)


async def test_a_shorter_time_gives_fewer_fields(factory: Factory, event: Notice, paranal: Telescope) -> None:
    router = factory.create_command_router(Clock())
    name = event.superevent_id
    # Its first hours of the night are too early for this map.
    later = factory.create_command_router(Clock(NOW + timedelta(hours=17)))
    answer = await later.dispatch(f"plan paranal 20 minutes {name}", ASKER)
    assert len(table(answer)) == 5
    assert "in this time" in message_text.render(answer)
    assert len(table(await later.dispatch(f"plan paranal 20 min 3 {name}", ASKER))) == 3
    short = message_text.render(await router.dispatch(f"plan paranal 2 min {name}", ASKER))
    assert "One field takes 3 min at Paranal" in short


async def test_in_a_thread_it_is_that_event_and_the_only_telescope(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    there = replace(ASKER, thread_ts="100.1")
    text = await answer_text(factory, "plan", there)
    assert f"Plan for Paranal · {event.superevent_id}" in text and "No event was named" not in text
    assert "No event was named" in await answer_text(factory, "plan 3")


@pytest.mark.parametrize(
    "words",
    [
        "plan Paranal 4 {}",
        "{} plan 4 paranal",
        "plan 4 from VLT {}",
        "plan 4 fields for Paranal {}",
        "pointings 4 paranal {}",
        "plan {} Paranal four",
        "plann {} Paranal 4",
        "plan Paranal {} until dawn 4",
        "PLAN PARANAL 4 {}",
        "plan Paranal 4 fieds {}",
    ],
)
async def test_words_in_any_order_and_spelling(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    answer = await dispatch(factory, words.format(event.superevent_id))
    assert len(table(answer)) == 4, message_text.render(answer)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("plan Paranal 0", "1 to 200 fields"),
        ("plan Paranal 1000", "1 to 200 fields"),
        ("plan Paranal -3", "1 to 200 fields"),
        ("plan Paranal 2.5", "1 to 200 fields"),
        ("plan Paranal 1,5 h", "decimal point"),
        ("plan Paranal 90 parsecs", "parsecs"),
        ("plan Paranal 50 %", "%"),
        ("plan Paranal 30 hours", "at most 24 hours"),
        ("plan Paranal until 04:30", "until dawn or for a time"),
        ("plan Paranal 90 minutes until dawn", "One of the two"),
        ("plan Paranal 90 minutes before dawn", "before"),
        ("plan Paranal 2m30", "unit for its second number"),
        ("plan Paranal 10fields30", "unit for its second number"),
        ("plan Paranal 1 h 30", "30 fields or 30 minutes"),
        ("plan Paranal 10 20", "How many fields, 10 or 20"),
        (
            "plan Palomar",
            "Palomar has no field of view in this channel; to give it one: /gwevent sites add Palomar fov",
        ),
        ("plan Paranal tomorrow", "a plan is for the night that it is"),
        ("plan Paranal 3 at 2026-11-25", "a plan is for the night that it is"),
        ("plan Paranal 3 altitude 20", "/gwevent sites altitude 20"),
        ("plan Parnal", "Paranal"),
        ("plan Xyzzyx", "This channel's telescopes: Paranal"),
        ("plan export csv json", "One format at a time"),
    ],
)
async def test_what_is_not_understood_gets_one_clear_sentence(
    factory: Factory, event: Notice, paranal: Telescope, words: str, told: str
) -> None:
    answer = await dispatch(factory, f"{words} {event.superevent_id}")
    assert told in message_text.render(answer)
    assert answer.is_refusal


async def test_a_short_time_in_which_nothing_is_up_says_so(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    # The map is up from 04:07 UTC on; the night begins at 00:36.
    text = await answer_text(factory, f"plan Paranal 20 minutes {event.superevent_id}")
    assert "less than 1 % of the map is above 30° in darkness until 23 Nov 00:56 UTC" in text.replace(
        "\u00a0", " "
    )
    assert "Moon isn't counted" in text and "up again from 23 Nov 04:0" in text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    "words", ["Paranal plan 4", "4 fields plan Paranal", "plan Paranal 4 until end of night"]
)
async def test_other_orders_of_words_need_no_correction(
    factory: Factory, event: Notice, paranal: Telescope, words: str
) -> None:
    answer = await dispatch(factory, f"{words} {event.superevent_id}")
    assert len(table(answer)) == 4 and "is read as" not in message_text.render(answer)


async def test_help_about_plans(factory: Factory) -> None:
    assert "What a telescope points at this night" in await answer_text(factory, "plan help")


async def test_without_a_telescope_it_says_how_to_set_one(factory: Factory, event: Notice) -> None:
    name = event.superevent_id
    assert "/gwevent sites add Palomar fov 1.1deg circle" in await answer_text(factory, f"plan {name}")
    await factory.sites.add(*ASKER.channel, [PARANAL, SPITSBERGEN], AUTHOR)
    assert "/gwevent sites add Paranal fov" in await answer_text(factory, f"plan {name}")
    assert "/gwevent sites add Dome 2 fov" in await answer_text(factory, f"plan Dome 2 {name}")
    assert "belong to a channel" in await answer_text(factory, f"plan Paranal {name}", None)


async def test_with_several_telescopes_it_asks_which(factory: Factory, event: Notice) -> None:
    await factory.sites.add(
        *ASKER.channel, [PARANAL, SPITSBERGEN], AUTHOR, [telescope(PARANAL), telescope(SPITSBERGEN)]
    )
    name = event.superevent_id
    assert "Which telescope, Paranal or Dome 2?" in await answer_text(factory, f"plan {name}")
    assert "One telescope at a time" in await answer_text(factory, f"plan Paranal, Dome 2 {name}")


async def test_nothing_observable_is_one_sentence_with_why_and_when(factory: Factory, event: Notice) -> None:
    name = event.superevent_id
    la_palma = find_site("Palomar")
    await factory.sites.add(
        *ASKER.channel,
        [SPITSBERGEN, la_palma],
        AUTHOR,
        [telescope(SPITSBERGEN), telescope(la_palma)],
    )
    never = await answer_text(factory, f"plan Dome 2 5 {name}")
    assert (
        f"Nothing of {name} to plan at Dome 2: less than 1 % of the map ever gets above 30° there." in never
    )
    # At 12:50 UTC the night at Palomar is nearly over; the next one has it.
    late = factory.create_command_router(Clock(NOW + timedelta(minutes=50)))
    await late.dispatch("sites altitude 60", ASKER)
    later = message_text.render(await late.dispatch(f"plan Palomar {name} export csv", ASKER))
    assert f"Nothing of {name} to plan at Palomar" in later
    assert "ever gets above 60°" in later or "up again from" in later


async def test_a_retracted_event_is_not_planned_and_a_mock_is_marked(
    factory: Factory, paranal: Telescope
) -> None:
    payloads = [to_avro(record) for record in ms181101ab(NOW)]
    mock = await store(factory, payloads[:-1])
    shown = await answer_text(factory, f"plan Paranal 3 {mock.superevent_id}")
    assert "MOCK" in shown
    await store(factory, payloads[-1:])
    refused = await dispatch(factory, f"plan Paranal 3 {mock.superevent_id}")
    assert refused.text.count("nothing to observe") == 1
    assert message_text.render(refused).casefold().count("retracted") == 1, "said once"


async def test_a_newer_map_that_is_gone_is_said(
    factory: Factory, event: Notice, paranal: Telescope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault: the newest payload was purged."""
    real = factory.notices.payload

    async def payload(key: NoticeKey) -> bytes | None:
        return None if key == event.key else await real(key)

    monkeypatch.setattr(factory.notices, "payload", payload)
    text = await answer_text(factory, f"plan Paranal 3 {event.superevent_id}")
    assert "the map of PRELIMINARY" in text
    assert "Newer, but not readable here: the map of INITIAL" in text


async def test_no_map_is_kept_any_more(
    factory: Factory, event: Notice, paranal: Telescope, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def payload(_: NoticeKey) -> bytes | None:
        return None

    monkeypatch.setattr(factory.notices, "payload", payload)
    refused = await answer_text(factory, f"plan Paranal 3 {event.superevent_id}")
    assert "isn't kept any more" in refused


async def test_a_plan_that_takes_too_long_is_said(
    factory: Factory, event: Notice, paranal: Telescope, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> EventPlan:
        raise PlanTakesTooLong("")

    monkeypatch.setattr(PointingService, "plan", hang)
    assert "took too long" in await answer_text(factory, f"plan Paranal {event.superevent_id}")


async def test_the_picture_is_shown_and_its_failure_costs_no_words(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    async def provide(team_id: str, superevent: Superevent, notice: Notice, marks: Marks) -> ImageRef:
        assert team_id == TEAM and notice.key == event.key and not marks.marks
        assert [field.number for field in marks.fields] == [1, 2, 3]
        assert marks.title.startswith("3 fields at Paranal from 23 Nov")
        return ImageRef(alt_text="Map with fields", file_id="F1")

    async def fail(team_id: str, superevent: Superevent, notice: Notice, marks: Marks) -> ImageRef:
        raise ImageFailed("the drawing process is gone.")

    name = event.superevent_id
    shown = await factory.create_command_router(Clock(), marked_image_provider=provide).dispatch(
        f"plan Paranal 3 {name}", ASKER
    )
    assert contains_file(shown) and len(table(shown)) == 3
    failed = await factory.create_command_router(Clock(), marked_image_provider=fail).dispatch(
        f"plan Paranal 3 {name}", ASKER
    )
    assert "Without a picture: the drawing process is gone." in message_text.render(failed)
    assert len(table(failed)) == 3


async def test_a_picture_that_takes_too_long_costs_no_words(
    factory: Factory, event: Notice, paranal: Telescope, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(team_id: str, superevent: Superevent, notice: Notice, marks: Marks) -> ImageRef:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(plan, "IMAGE_TIMEOUT_S", 0.01)
    answer = await factory.create_command_router(Clock(), marked_image_provider=never).dispatch(
        f"plan Paranal 3 {event.superevent_id}", ASKER
    )
    assert "drawing it took too long" in message_text.render(answer) and len(table(answer)) == 3


OWN = (PARANAL, SPITSBERGEN)


@given(
    count=st.none() | st.integers(1, 200),
    minutes=st.none() | st.integers(1, 1_440),
    site=st.sampled_from(["Paranal", "paranal", "VLT", "Dome 2", "dome 2"]),
    export=st.sampled_from(["", "export csv", "json"]),
    shuffled=st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_any_order_of_parts_means_the_same(
    count: int | None, minutes: int | None, site: str, export: str, shuffled: object
) -> None:
    parts = [site]
    if count is not None:
        parts.append(f"{count} fields")
    if minutes is not None:
        parts.append(f"{minutes} minutes")
    if export:
        parts.append(export)
    shuffled.shuffle(parts)  # type: ignore[attr-defined]
    read = parse_plan_words(" ".join(parts), OWN)
    assert read.site is not None and read.site.name == ("Dome 2" if "ome" in site else "Paranal")
    assert read.count == count
    assert read.duration == (None if minutes is None else timedelta(minutes=minutes))
    assert read.export == (None if not export else "json" if export == "json" else "csv")
    assert not read.unknown


@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(["plan", "10", "90", "min", "until", "dawn", "1h", "-1", "2.5", "csv", "Paranal"])
    ).map(" ".join)
)
@settings(deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read = parse_plan_words(text, OWN)
    except CommandError as error:
        assert str(error)
    else:
        assert read.count is None or 1 <= read.count <= 200
        assert read.duration is None or timedelta() < read.duration <= timedelta(hours=24)


@pytest.mark.slow
async def test_a_camera_with_fields_of_its_own_is_pointed_at_these_alone(tmp_path: Path) -> None:
    centres = [(ra, dec) for ra in range(0, 360, 5) for dec in range(-60, 61, 5)]
    (tmp_path / "grid.csv").write_text("ra,dec\n" + "".join(f"{ra},{dec}\n" for ra, dec in centres))
    (tmp_path / "cameras.json").write_text(json.dumps({"mycam": {"fov": "5x5deg", "fields": "grid.csv"}}))
    found = Settings.model_validate(
        {
            "database_url": f"sqlite:///{tmp_path / 'gwevent.sqlite'}",
            "instruments_file": str(tmp_path / "cameras.json"),
        }
    )
    async with open_factory(found) as factory:
        notice = await store(factory, [to_avro(record) for record in bbh(NOW)])
        assert "1,800 fixed fields" in await answer_text(factory, "sites add Paranal fov mycam")
        answer = await dispatch(factory, f"plan Paranal 8 {notice.superevent_id}")
        assert "Only the telescope's own 1,800 fields." in message_text.render(answer)
        rows = table(answer)
        assert len(rows) == 8
        assert {(round(float(row[1])), round(float(row[2].replace("−", "-")))) for row in rows} <= set(
            centres
        )
        assert all(float(row[1]) % 5 == 0 for row in rows)
