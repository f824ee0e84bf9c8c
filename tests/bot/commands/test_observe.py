"""The command `observe`: reports are stored, listed, and answered with what was understood."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.observing.footprints import parse_footprint
from bot.observing.instruments import Instruments
from bot.observing.observatories import find_site
from bot.samples import bbh, to_avro
from bot.store import schema
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.observation import Observation, ObservationStatus
from formatters.models.pointing import Telescope
from formatters.terminal import message_text
from tests.support.factories import AUTHOR, NOW, TEAM, Clock, planner, subscribe

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
OTHER = CommandContext(TEAM, "C1", "U0OTHER")
THERE = replace(ASKER, thread_ts="100.1")
PARANAL = find_site("Paranal")
PLANNED, DONE, CANCELLED = ObservationStatus.PLANNED, ObservationStatus.DONE, ObservationStatus.CANCELLED


@pytest.fixture
async def event(factory: Factory) -> Notice:
    """Binary black holes with two maps, in a thread of C1; up in the morning at Paranal."""
    await subscribe(factory, "all", "C1")
    for body in [to_avro(record) for record in bbh(NOW)]:
        notice = replace(decode(body), received=NOW)
        await factory.notices.record(notice, body, "hopskotch:1", NOW, planner(NOW))
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(schema.threads).values(root_ts="100.1"))
    return notice


@pytest.fixture
async def paranal(factory: Factory) -> Telescope:
    """The only telescope of C1."""
    mine = Telescope(
        site=PARANAL.name,
        footprint=parse_footprint("3.5deg circle"),
        exposure=timedelta(minutes=3),
        overhead=timedelta(minutes=1),
    )
    await factory.sites.add(*ASKER.channel, [PARANAL], AUTHOR, [mine])
    return mine


async def dispatch(
    factory: Factory, words: str, context: CommandContext | None = THERE, hours: float = 0
) -> Message:
    clock = Clock(NOW + timedelta(hours=hours))
    return await factory.create_command_router(clock).dispatch(words, context)


async def answer_text(
    factory: Factory, words: str, context: CommandContext | None = THERE, hours: float = 0
) -> str:
    return message_text.render(await dispatch(factory, words, context, hours))


async def stored(factory: Factory, event: Notice, channel: str = "C1") -> tuple[Observation, ...]:
    return await factory.observations.for_event(TEAM, channel, event.superevent_id)


def states(observations: Sequence[Observation]) -> list[tuple[str, ObservationStatus, int]]:
    return [(one.instrument, one.status, len(one.fields)) for one in observations]


async def test_a_plan_is_the_one_that_plan_makes(factory: Factory, event: Notice, paranal: Telescope) -> None:
    name = event.superevent_id
    router = factory.create_command_router(Clock())
    exported = await router.dispatch(f"plan Paranal 8 {name} export csv", ASKER)
    code = next(block for block in exported.blocks if block["type"] == "rich_text")
    rows = list(csv.DictReader(io.StringIO(code["elements"][0]["elements"][0]["text"])))
    text = message_text.render(await router.dispatch("observe Paranal plan 8", THERE))
    assert f"{name}: Paranal plans 8 fields." in text
    assert "of the probability, on the map of INITIAL" in text and "Exposures begin" in text
    assert f"/gwevent observe Paranal done 8 r 21.5 {name}" in text
    (plan,) = await stored(factory, event)
    assert [f"{one.ra:.5f}" for one in plan.fields] == [row["ra_deg"] for row in rows]
    assert (plan.status, plan.user_id, plan.footprint) == (PLANNED, "U0ASKER", paranal.footprint)
    assert all(one.time is not None and one.time > NOW for one in plan.fields)


async def test_the_own_export_can_be_pasted_back(factory: Factory, event: Notice, paranal: Telescope) -> None:
    exported = await dispatch(factory, f"plan Paranal 4 {event.superevent_id} export csv", ASKER)
    code = next(block for block in exported.blocks if block["type"] == "rich_text")
    table = code["elements"][0]["elements"][0]["text"]
    assert "Paranal plans 4 fields" in await answer_text(factory, f"observe Paranal plan\n{table}")
    (plan,) = await stored(factory, event)
    assert len(plan.fields) == 4 and all(one.time is not None for one in plan.fields)


async def test_a_night_planned_done_in_parts_and_cancelled(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await dispatch(factory, "observe Paranal plan 8")
    text = await answer_text(factory, "observe Paranal done 3 r 21.5", hours=20)
    assert "Paranal has done 3 fields in r to 21.5 mag" in text
    assert "These are fields 1–3 of its plan." in text and "5 fields of its plan left." in text
    assert "Their times are those of the plan" in text
    text = await answer_text(factory, "observe Paranal done 5,6 r 21 at 03:20", OTHER_THERE, hours=20)
    assert (
        "These are fields 5–6 of its plan of 22 Nov 12:00 UTC, which somebody else made." in text
        and "23 Nov 03:20" in text
    )
    assert states(await stored(factory, event)) == [
        ("Paranal", PLANNED, 3),
        ("Paranal", DONE, 3),
        ("Paranal", DONE, 2),
    ]
    text = await answer_text(factory, "observe cancel clouds", hours=20)
    assert "Paranal is cancelled: clouds (3 fields)." in text
    assert states(await stored(factory, event))[0] == ("Paranal", CANCELLED, 3)
    listed = await answer_text(factory, "observe", hours=20)
    assert "Paranal done · 3 fields in r to 21.5 mag" in listed and "“clouds”" in listed
    async with factory.database.read_transaction() as connection:
        a = schema.event_actions
        rows = (await connection.execute(select(a.c.action, a.c.detail, a.c.user_id).order_by(a.c.id))).all()
    assert [tuple(row) for row in rows] == [
        ("planned", "Paranal: 8 fields", "U0ASKER"),
        ("observed", "Paranal: 3 fields in r to 21.5 mag", "U0ASKER"),
        ("observed", "Paranal: 2 fields in r to 21 mag", "U0OTHER"),
        ("cancelled", "Paranal: clouds", "U0ASKER"),
    ]


OTHER_THERE = replace(OTHER, thread_ts="100.1")


async def test_the_plans_numbers_stay_whatever_is_done(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await dispatch(factory, "observe Paranal plan 4")
    whole = await factory.observations.whole_plan(TEAM, "C1", event.superevent_id, "Paranal")
    assert whole is not None
    await dispatch(factory, "observe Paranal done 2 r 21.5", hours=20)
    await dispatch(factory, "observe Paranal done 2 g 21.5", hours=20)
    await dispatch(factory, "observe Paranal done rest r 21.5", hours=20)
    done = [one.fields for one in await stored(factory, event)]
    assert done == [whole.fields[:2], whole.fields[:2], whole.fields[2:]]
    assert "Nothing is left" in await answer_text(factory, "observe Paranal done rest r 21", hours=20)
    assert "has 4 fields, not 5" in await answer_text(factory, "observe Paranal done 5 r 21", hours=20)


async def test_what_is_done_of_a_cancelled_plan_after_all_is_told_by_its_numbers(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await dispatch(factory, "observe Paranal plan 4")
    await dispatch(factory, "observe Paranal done 2 r 21.5", hours=20)
    await dispatch(factory, "observe Paranal cancel clouds", hours=20)
    await dispatch(factory, "observe Paranal done 2 r 21.6", hours=20)
    text = await answer_text(factory, "observe Paranal done 4 r 20", hours=20)
    assert "These are fields 1–4 of its plan." in text and "left" not in text
    assert states(await stored(factory, event)) == [("Paranal", DONE, 2), ("Paranal", DONE, 4)]
    await dispatch(factory, "observe Paranal plan 3", hours=20)
    assert "has 3 fields, not 4" in await answer_text(factory, "observe Paranal done 4 r 20", hours=20)


async def test_times_of_a_plan_that_is_not_over_are_no_times_of_what_is_done(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await dispatch(factory, "observe Paranal plan 4")
    text = await answer_text(factory, "observe Paranal done 2 r 21.5")
    assert "not all of the plan's times are over" in text
    done = (await stored(factory, event))[-1]
    assert {one.time for one in done.fields} == {None} and done.observed_at is None


async def test_a_newer_plan_says_which_one_it_replaces(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await dispatch(factory, "observe Paranal plan 4")
    text = await answer_text(factory, "plan Paranal 2 observe", OTHER_THERE)
    assert "It takes the place of the plan of 22 Nov 12:00 UTC, 4 fields." in text
    assert states(await stored(factory, event)) == [("Paranal", PLANNED, 2)]


async def test_who_plans_the_same_fields_as_somebody_else_is_told(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    await dispatch(factory, "observe ZTF done r 21\n100.0 10.0\n103.0 10.0", hours=1)
    text = await answer_text(factory, "observe DECam plan r\n200.0 10.0\n103.1 10.0", hours=2)
    assert "ZTF has observed field 2 of these too in r" in text and "U0ASKER" in text
    assert "of these too" not in await answer_text(factory, "observe DECam plan r\n200.0 10.0", hours=2)


async def test_pasted_fields_of_several_bands_are_one_report_a_band(factory: Factory, event: Notice) -> None:
    table = "ra,dec,filter,limmag\n100,10,g,21.2\n101,10,g,20.9\n102,10,r,21.4"
    text = await answer_text(factory, f"observe DECam done at 12:30\n{table}", hours=1)
    assert "DECam has done 2 fields in g to 20.9 mag" in text
    assert "DECam has done 1 field in r to 21.4 mag" in text
    first, second = await stored(factory, event)
    assert (first.band, first.depth, first.note) == ("g", 20.9, "depths 20.9 to 21.2")
    assert (second.band, second.depth, second.fields[0].time) == ("r", 21.4, NOW + timedelta(minutes=30))
    assert first.footprint == Instruments().parse("DECam")


async def test_an_instrument_that_nobody_knows_is_kept_without_a_share(
    factory: Factory, event: Notice
) -> None:
    text = await answer_text(factory, "observe MyScope done r 20.5\n100 10", hours=1)
    assert "is no instrument that gwevent knows" in text and "field of view of MyScope isn't known" in text
    (found,) = await stored(factory, event)
    assert (found.instrument, found.footprint, found.band) == ("MyScope", None, "r")


async def test_without_fields_it_is_said_that_nothing_can_be_said(factory: Factory, event: Notice) -> None:
    assert "Without fields nothing can be said" in await answer_text(factory, "observe DECam done r 23")
    refusal = await answer_text(factory, "observe DECam done 12 r 23")
    assert "DECam has no plan with fields in this channel" in refusal
    assert states(await stored(factory, event)) == [("DECam", DONE, 0)]


async def test_observing_comes_without_fields_and_never_in_place_of_a_plan(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    assert "Nobody has said yet which fields." in await answer_text(factory, "observe Paranal")
    assert "is on it already" in await answer_text(factory, "observe with Paranal", OTHER_THERE)
    await dispatch(factory, "observe Paranal plan 3")
    assert "planned, 3 fields" in await answer_text(factory, "observe Paranal")
    assert states(await stored(factory, event)) == [("Paranal", PLANNED, 3)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("observe done 12 r", "Which telescope: "),
        ("observe Keck plan", "Keck is at no site of this channel, so gwevent can't plan S"),
        ("observe DECam cancel clouds", "DECam has nothing planned"),
        ("observe DECam done r 23 at 2026-11-20 03:20", "before the merger"),
        ("observe DECam done r 23 at 2026-11-24 03:20", "is still to come"),
        ("observe DECam done r 23\n100 10 2026-11-24T03:20:00Z", "is still to come"),
        ("observe DECam plan g\n100 91", "isn't between"),
    ],
)
async def test_refusals(factory: Factory, event: Notice, words: str, said: str) -> None:
    assert said in await answer_text(factory, words, hours=1)
    assert await stored(factory, event) == ()


async def test_a_retracted_event_is_not_planned_but_what_was_done_can_be_told(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    retraction = bbh(NOW)[0] | {"alert_type": "RETRACTION", "event": None}
    retraction["time_created"] = (NOW + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = to_avro(retraction)
    await factory.notices.record(replace(decode(body), received=NOW), body, "hopskotch:1", NOW, planner(NOW))
    name = event.superevent_id
    assert "was retracted" in await answer_text(factory, f"observe Paranal plan 3 {name}", hours=2)
    assert "was retracted" in await answer_text(factory, f"observe Paranal {name}", hours=2)
    text = await answer_text(factory, f"observe Paranal done r 21.5 {name}", hours=2)
    assert "RETRACTED" in text and "Paranal has observed it" in text


async def test_oneself_without_a_telescope(factory: Factory, event: Notice) -> None:
    assert "you are named on its card" in await answer_text(factory, "observe without a telescope")
    assert "Nothing changed" in await answer_text(factory, "observe without a telescope")
    assert "U0ASKER" in await answer_text(factory, "observe")
    assert "aren't named" in await answer_text(factory, "observe without a telescope cancel")
    assert "U0ASKER" not in await answer_text(factory, "observe")


async def test_the_event_may_stand_before_or_behind(
    factory: Factory, event: Notice, paranal: Telescope
) -> None:
    name = event.superevent_id
    for words in (f"observe {name} Paranal done r 20", f"{name} observe Paranal done g 20"):
        assert f"{name}: Paranal has observed it" in await answer_text(factory, words, ASKER)
    assert f"{name}: Paranal has done" in await answer_text(
        factory, f"observe Paranal done i 20 {name}\n100 10", ASKER, hours=1
    )
    assert [one.band for one in await stored(factory, event)] == ["r", "g", "i"]


async def test_outside_of_slack_there_is_no_channel_to_report_in(factory: Factory, event: Notice) -> None:
    for words in ("observe", "observe DECam done r 23"):
        assert "type this in Slack" in await answer_text(factory, f"{words} {event.superevent_id}", None)


async def test_a_repeated_report_is_stored_once_and_no_answer_has_a_share_button(
    factory: Factory, event: Notice
) -> None:
    for _ in range(2):
        answer = await dispatch(factory, "observe DECam done r 23\n100 10", hours=1)
        assert [block for block in answer.blocks if block["type"] == "actions"] == []
    assert "about the same fields. Was it another visit?" in message_text.render(answer)
    assert states(await stored(factory, event)) == [("DECam", DONE, 1)]


async def test_where_no_card_shows_it_the_answer_says_so(factory: Factory, event: Notice) -> None:
    elsewhere = CommandContext(TEAM, "C9", "U0ASKER")
    for words in ("DECam", "DECam plan\n100 10", "DECam done r 23"):
        text = await answer_text(factory, f"observe {event.superevent_id} {words}", elsewhere)
        assert f"This channel has no message of {event.superevent_id}" in text
    assert "DECam done" in await answer_text(factory, f"observe {event.superevent_id}", elsewhere)
    assert await stored(factory, event) == ()


@pytest.mark.parametrize(
    "name", ["<!channel> *x*", "<@U0OTHER>", "`code` & <b>", "@here :boom:", "a|b<https://x.y|z>"]
)
async def test_hostile_words_mention_and_link_nobody(factory: Factory, event: Notice, name: str) -> None:
    for words in (f'observe "{name}" done r 20 note {name}', f'observe "{name}" plan r\n100 10', "observe"):
        answer = await dispatch(factory, words, hours=1)
        shown = str(answer.blocks)
        assert "<!" not in shown and "<http" not in shown and "<@U0OTHER>" not in shown
        assert answer.mentions == ()


@pytest.mark.timeout(120)
async def test_five_hundred_fields_are_kept_and_more_are_refused(factory: Factory, event: Notice) -> None:
    lines = [f"{number % 360} {number % 80}" for number in range(500)]
    text = await answer_text(factory, "observe DECam plan\n" + "\n".join(lines), hours=1)
    assert "DECam plans 500 fields" in text
    (plan,) = await stored(factory, event)
    assert len(plan.fields) == 500
    more = await answer_text(factory, "observe DECam plan\n" + "\n".join([*lines, "1 1", "2 2"]), hours=1)
    assert "at most 500 fields" in more
