"""The command `coverage`: what this channel and the Treasure Map have of an event's newest map."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands import coverage
from bot.commands.context import CommandContext
from bot.commands.coverage_words import read_coverage_words
from bot.commands.errors import CommandError
from bot.observing.footprints import circle, rectangle
from bot.samples import bbh, ms181101ab, to_avro
from bot.skymap_service.coverage import CoverageService, CoverageTakesTooLong
from bot.skymap_service.image_process import ImageFailed
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.observation import NewObservation, ObservationStatus, ObservedField
from formatters.models.superevent import Superevent
from formatters.models.treasure_map import ReportedObservation, TreasureMapReading
from formatters.posts.channel_view import ImageRef
from formatters.skymap_image import Marks
from formatters.terminal import message_text
from tests.support.factories import NOW, TEAM, Clock, planner, subscribe

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
PEAK = (132.0, -13.0)
"""About where the samples' map is densest."""


async def dispatch(factory: Factory, words: str, context: CommandContext | None = ASKER) -> Message:
    return await factory.create_command_router(Clock()).dispatch(words, context)


async def answer_text(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    return message_text.render(await dispatch(factory, words, context))


def code(message: Message) -> str:
    found = next(block for block in message.blocks if block["type"] == "rich_text")
    return str(found["elements"][0]["elements"][0]["text"])


async def store(factory: Factory, payloads: Sequence[bytes]) -> Notice:
    for body in payloads:
        notice = replace(decode(body), received=NOW)
        await factory.notices.record(notice, body, "hopskotch:1", NOW, planner(NOW))
    return notice


@pytest.fixture
async def event(factory: Factory) -> Notice:
    """Binary black holes, with the map of the first notice only."""
    await subscribe(factory, "all", "C1")
    return await store(factory, [to_avro(record) for record in bbh(NOW)][:1])


@pytest.fixture
async def superevent(factory: Factory, event: Notice) -> Superevent:
    found = await factory.notices.superevent(event.superevent_id)
    assert found is not None
    return found


def made(event: Notice, instrument: str = "ZTF", **changes: object) -> NewObservation:
    usual = NewObservation(
        team_id=TEAM,
        channel_id="C1",
        superevent_id=event.superevent_id,
        instrument=instrument,
        user_id="U0BOB",
        footprint=rectangle(6.8, 6.8, "ZTF"),
        fields=(ObservedField(ra=PEAK[0], dec=PEAK[1]), ObservedField(ra=PEAK[0] + 7, dec=PEAK[1])),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


class MadeTreasureMap:
    """A Treasure Map whose reading a test gives."""

    def __init__(self, reading: TreasureMapReading) -> None:
        self.is_read = True
        self.reading = reading
        self.asked: list[str] = []

    async def pointings(self, superevent_id: str) -> TreasureMapReading:
        return self.reading

    async def ask(self, superevent_id: str, now: datetime) -> None:
        self.asked.append(superevent_id)


def of_others(**changes: object) -> ReportedObservation:
    usual = ReportedObservation(
        instrument_id=38,
        instrument="DECam",
        status=ObservationStatus.DONE,
        status_word="completed",
        footprint=circle(1.1, "DECam"),
        fields=(ObservedField(ra=PEAK[0], dec=PEAK[1], time=NOW + timedelta(hours=3)),),
        band="i",
        depths=(22.1, 22.4),
        depth_unit="ab_mag",
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


async def test_nothing_observed_is_said_with_what_to_do(factory: Factory, event: Notice) -> None:
    text = await answer_text(factory, "coverage")
    assert f"Nobody in this channel has planned or reported an observation of {event.superevent_id}" in text
    assert "The Treasure Map isn't read here" in text
    assert f"/gwevent observe {event.superevent_id}" in text


async def test_each_observation_and_all_together(factory: Factory, event: Notice) -> None:
    await factory.observations.done(
        made(event, band="r", depth=21.5, observed_at=NOW + timedelta(hours=2)), "", NOW
    )
    goto = made(event, "GOTO", fields=(ObservedField(ra=PEAK[0] - 7, dec=PEAK[1]),))
    await factory.observations.plan(goto, "", NOW)
    await factory.observations.plan(replace(goto, instrument="Dome"), "", NOW)
    await factory.observations.cancel(replace(goto, instrument="Dome", note="clouds <!here>"), "", NOW)
    answer = await dispatch(factory, f"coverage {event.superevent_id}")
    text = message_text.render(answer)
    assert f"Coverage · {event.superevent_id}" in text
    assert "of the probability is in fields that are done" in text and "more planned." in text
    assert "These are shares of the map of PRELIMINARY" in text
    assert "1. ZTF done by" in text and "2 fields, " in text
    assert "r to 21.5 mag" in text and "T+2" in text
    assert "2. GOTO planned by" in text
    assert "3. Dome cancelled by" in text and "clouds" in text
    assert "In nobody’s field (planned or done): " in text and "• RA " in text
    assert "<!here>" not in json.dumps(answer.blocks)
    table = next(block for block in answer.blocks if block["type"] == "table")
    bands = [[cell["text"] for cell in row] for row in table["rows"][1:]]
    assert [row[0] for row in bands] == ["r", "band not said"] and bands[0][3] == "21.5\xa0mag"


async def test_what_has_no_share_is_said_to_be_in_no_number(factory: Factory, event: Notice) -> None:
    await factory.observations.done(made(event), "", NOW)
    await factory.observations.done(made(event, "Dome", footprint=None), "", NOW)
    text = await answer_text(factory, "coverage")
    assert "1 observation whose fields or field of view nobody said is in none of these numbers." in text
    assert "2. Dome done by" in text and "no share: its field of view is not known" in text


async def test_a_new_map_changes_the_shares(factory: Factory, event: Notice) -> None:
    await factory.observations.done(made(event), "", NOW)
    before = await answer_text(factory, f"coverage {event.superevent_id}")
    await store(factory, [to_avro(record) for record in bbh(NOW)])
    after = await answer_text(factory, f"coverage {event.superevent_id}")
    assert "the map of PRELIMINARY" in before and "the map of INITIAL" in after
    assert before.split("is in fields")[0] != after.split("is in fields")[0]


async def test_observations_of_other_channels_and_events_arent_there(factory: Factory, event: Notice) -> None:
    await factory.observations.done(made(event, channel_id="C2"), "", NOW)
    await factory.observations.done(made(event, superevent_id="S190425z"), "", NOW)
    assert "Nobody in this channel" in await answer_text(factory, "coverage")


async def test_the_treasure_map_stands_beside_the_channels_own(
    factory: Factory, event: Notice, superevent: Superevent
) -> None:
    await factory.observations.done(made(event, band="r"), "", NOW)
    twin = of_others(instrument="ZTF", fields=(ObservedField(ra=PEAK[0], dec=PEAK[1]),), band="r")
    reading = TreasureMapReading(
        observations=(of_others(), twin, of_others(instrument="Odd <b>", status=None, status_word="aborted")),
        read_at=NOW - timedelta(minutes=4),
        left_out=3,
    )
    told = MadeTreasureMap(reading)
    service = CoverageService(factory.position_levels, factory.observations, told)
    command = coverage.CoverageCommand(service, told, lambda: NOW)
    text = message_text.render(await command.answer(superevent, "", ASKER))
    assert told.asked == [event.superevent_id]
    assert "Treasure Map as of 2026-11-22 11:56:00 UTC (4 min ago)" in text
    assert "2. DECam done · 1 field, " in text and "22.1 to 22.4 AB mag" in text
    assert "3. ZTF done · 1 that this channel reported too" in text
    assert "Odd <b> aborted" in text and "3 pointings without a usable position" in text
    told.reading = replace(reading, observations=(), problem="It answered with an error (503).")
    text = message_text.render(await command.answer(superevent, "", ASKER))
    assert "it couldn't be read since: It answered with an error (503)." in text
    assert "Nobody has reported a pointing there" in text
    told.reading = TreasureMapReading(problem="The token isn't accepted.")
    text = message_text.render(await command.answer(superevent, "", ASKER))
    assert "hasn't been read for this event yet: The token isn't accepted." in text


async def test_the_treasure_map_isnt_asked_about_mocks(factory: Factory) -> None:
    await subscribe(factory, "all mock", "C1")
    event = await store(factory, [to_avro(record) for record in ms181101ab(NOW)][:1])
    superevent = await factory.notices.superevent(event.superevent_id)
    assert superevent is not None
    told = MadeTreasureMap(TreasureMapReading())
    service = CoverageService(factory.position_levels, factory.observations, told)
    command = coverage.CoverageCommand(service, told, lambda: NOW)
    assert "has real events only" in message_text.render(await command.answer(superevent, "", ASKER))
    await factory.observations.done(made(event), "", NOW)
    assert "has real events only" in message_text.render(await command.answer(superevent, "", ASKER))
    assert told.asked == []


async def test_exports_have_every_field_and_the_numbers(factory: Factory, event: Notice) -> None:
    await factory.observations.done(made(event, "=cmd()", band="r", depth=21.5), "", NOW)
    await factory.observations.plan(made(event, "GOTO", fields=(), footprint=None), "", NOW)
    rows = list(csv.DictReader(io.StringIO(code(await dispatch(factory, "coverage export csv")))))
    assert [row["row"] for row in rows] == ["1", "1", "2"]
    assert rows[0]["instrument"] == "'=cmd()" and rows[0]["status"] == "completed"
    assert float(rows[1]["ra_deg"]) == pytest.approx(139) and rows[2]["ra_deg"] == ""
    numbers = json.loads(code(await dispatch(factory, "coverage export json")))
    assert numbers["superevent_id"] == event.superevent_id
    assert numbers["done"] == pytest.approx(float(rows[0]["row_share"]), abs=1e-5)
    assert numbers["done"] + numbers["in_no_field"] == pytest.approx(1, abs=1e-5)
    assert numbers["rows"][0]["fields"] == 2 and numbers["bands"][0]["band"] == "r"
    for words in ("coverage export csv", "coverage export json"):
        assert "U0BOB" not in code(await dispatch(factory, words))


async def test_an_export_of_many_fields_says_how_many_it_has(factory: Factory, event: Notice) -> None:
    many = tuple(ObservedField(ra=float(ra), dec=-13.0) for ra in range(300))
    await factory.observations.done(made(event, fields=many), "", NOW)
    answer = await dispatch(factory, "coverage export csv")
    shown = len(code(answer).splitlines()) - 1
    assert 20 < shown < 300
    assert f"The first {shown} are here" in message_text.render(answer)


async def test_an_event_without_a_map_has_no_coverage(factory: Factory) -> None:
    await subscribe(factory, "all", "C1")
    record = bbh(NOW)[0]
    record["event"]["skymap"] = None
    event = await store(factory, [to_avro(record)])
    await factory.observations.done(made(event), "", NOW)
    assert "so nobody can say what is covered" in await answer_text(
        factory, f"coverage {event.superevent_id}"
    )


async def test_it_belongs_to_a_channel(factory: Factory, event: Notice) -> None:
    assert "type this in Slack" in await answer_text(factory, f"coverage {event.superevent_id}", None)


async def test_what_takes_too_long_is_said(
    factory: Factory, event: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        raise CoverageTakesTooLong

    monkeypatch.setattr(CoverageService, "coverage", hang)
    assert "takes too long right now" in await answer_text(factory, "coverage")


async def test_the_picture_has_the_fields_with_the_numbers_of_their_lines(
    factory: Factory, event: Notice, superevent: Superevent
) -> None:
    await factory.observations.done(made(event), "", NOW)
    await factory.observations.plan(made(event, "GOTO"), "", NOW)
    seen: list[Marks] = []

    async def draw(team: str, superevent: Superevent, notice: Notice, marks: Marks) -> ImageRef:
        seen.append(marks)
        if len(seen) > 1:
            raise ImageFailed("Slack refused it.")
        return ImageRef(alt_text="The map", file_id="F1")

    command = coverage.CoverageCommand(
        factory.coverage, MadeTreasureMap(TreasureMapReading()), lambda: NOW, draw
    )
    answer = await command.answer(superevent, "", ASKER)
    assert any(block["type"] == "image" for block in answer.blocks)
    assert [(one.number, one.is_planned) for one in seen[0].fields] == [
        (1, False),
        (1, False),
        (2, True),
        (2, True),
    ]
    assert "done" in seen[0].title
    text = message_text.render(await command.answer(superevent, "", ASKER))
    assert "Without a picture: Slack refused it." in text


async def test_who_has_the_same_fields_is_told(factory: Factory, event: Notice) -> None:
    await factory.observations.plan(made(event), "", NOW)
    mine = made(event, "GOTO", fields=(ObservedField(ra=PEAK[0], dec=PEAK[1]), ObservedField(ra=10, dec=10)))
    result = await factory.observations.plan(mine, "", NOW)
    shared = await factory.coverage.shared_with_others(TEAM, "C1", result.observation)
    assert [(one.instrument, one.fields, one.user_id) for one in shared] == [("ZTF", (1,), "U0BOB")]


async def test_shares_are_known_at_once_only_after_they_were_measured(
    factory: Factory, event: Notice, superevent: Superevent
) -> None:
    await factory.observations.done(made(event), "", NOW)
    observations = await factory.observations.for_event(TEAM, "C1", event.superevent_id)
    assert factory.coverage.shares_at_once(superevent, observations) is None
    measured = await factory.coverage.shares(superevent, observations)
    assert factory.coverage.shares_at_once(superevent, observations) == measured
    await store(factory, [to_avro(record) for record in bbh(NOW)])
    newer = await factory.notices.superevent(event.superevent_id)
    assert newer is not None and factory.coverage.shares_at_once(newer, observations) is None
    assert await factory.coverage.shares(newer, observations) != measured


@pytest.mark.parametrize(
    ("words", "export"),
    [
        ("", None),
        ("of the event please", None),
        ("export csv", "csv"),
        ("csv", "csv"),
        ("as JSON", "json"),
        ("export", "csv"),
        ("“json”", "json"),
    ],
)
def test_words_that_are_understood(words: str, export: str | None) -> None:
    assert read_coverage_words(words) == export


@pytest.mark.parametrize("words", ["Palomar", "csv json", "done 12", "export moc", "<!here>"])
def test_words_that_mean_nothing_are_asked_about(words: str) -> None:
    with pytest.raises(CommandError, match="I don't read"):
        read_coverage_words(words)


@given(st.text(max_size=60))
def test_no_words_break_it(words: str) -> None:
    try:
        assert read_coverage_words(words) in (None, "csv", "json")
    except CommandError as error:
        assert len(str(error)) < 300
