"""The command `visible`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.samples import bns, burst, ms181101ab, retracted, to_avro
from formatters.answers.answer import SHARE_ACTION
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.terminal import message_text
from tests.support.factories import NOW, TEAM, Clock, notice_record, planner

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
OTHER = CommandContext(TEAM, "C2", "U0ASKER")


def create_router(factory: Factory) -> CommandRouter:
    clock = Clock()
    return factory.create_command_router(clock)


async def answer_text(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    return message_text.render(await create_router(factory).dispatch(words, context))


async def store(factory: Factory, *announced: Any) -> Notice:
    """Store sample notices with their sky maps; return the last."""
    for one in announced:
        body = to_avro(one)
        notice = decode(body)
        await factory.notices.record(notice, body, "test:1", NOW, planner(NOW))
    return notice


def rows(message: Message) -> dict[str, list[str]]:
    """Return the table's cells by site name, those of its first row."""
    [table] = [block for block in message.blocks if block["type"] == "table"]
    rows = [(row[0]["text"], [cell["text"] for cell in row[1:]]) for row in table["rows"][1:]]
    return dict(reversed(rows))


async def test_named_sites_of_the_newest_event(factory: Factory) -> None:
    event = await store(factory, bns(NOW)[1])
    await store(factory, ms181101ab(NOW)[1])
    message = await create_router(factory).dispatch("visible palomar la silla VLA", None)
    assert set(rows(message)) == {"Palomar", "La Silla", "VLA"}
    assert event.superevent_id in message.text
    assert "There is no real event" not in message_text.render(message)
    assert rows(message)["VLA"][5] == "–"
    shared = await create_router(factory).dispatch("visible palomar", ASKER)
    assert SHARE_ACTION in str(shared.blocks)


async def test_visible_falls_back_to_the_newest_mock_and_says_so(factory: Factory) -> None:
    await store(factory, ms181101ab(NOW)[1])
    shown = await answer_text(factory, "visible Palomar")
    assert shown.startswith("There is no real event; MOCK MS181101ab is the newest mock.")
    assert "MOCK · Visibility tonight · MS181101ab" in shown


async def test_visible_finds_an_event_id_among_site_names(factory: Factory) -> None:
    await store(factory, bns(NOW)[1], ms181101ab(NOW)[1])
    for words in ("visible MS181101ab Palomar, Keck", "visible palomar ms181101AB keck"):
        message = await create_router(factory).dispatch(words, None)
        assert "MS181101ab" in message.text and set(rows(message)) == {"Palomar", "Keck"}
    assert "One event at a time" in await answer_text(factory, "visible Palomar S240422ed MS181101ab")
    near = await answer_text(factory, "visible Palomar MS181101ac")
    assert "No notice of MS181101ac was received. Did you mean MS181101ab?" in near


async def test_without_names_the_channels_sites_are_used(factory: Factory) -> None:
    await store(factory, ms181101ab(NOW)[1])
    assert "Which site?" in await answer_text(factory, "visible")
    await answer_text(factory, "sites add Palomar")
    await answer_text(factory, "sites add MyDome 34.2 -116.9 1700")
    message = await create_router(factory).dispatch("visible", ASKER)
    assert set(rows(message)) == {"Palomar", "MyDome"}
    assert rows(message)["MyDome"][3] == "–", "whose local time nobody told"
    assert "Which site?" in await answer_text(factory, "visible", OTHER)
    assert list(rows(await create_router(factory).dispatch("visible mydome", ASKER))) == ["MyDome"]
    assert "no site called “mydome”" in await answer_text(factory, "visible mydome", OTHER)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sites"),
    [
        ("Palomar and Keck", ["Palomar", "Keck"]),
        ("VLT ZTF DECam Gemini North", ["Paranal", "Palomar", "CTIO", "Gemini North"]),
        ("Nordic Optical Telescope", ["La Palma"]),
        ("34.2 -116.9 1700", ["34.20N 116.90W"]),
        ("Keck, 34.2N 116.9W", ["Keck", "34.20N 116.90W"]),
    ],
)
async def test_sites_as_people_call_them_and_places(factory: Factory, words: str, sites: list[str]) -> None:
    await store(factory, ms181101ab(NOW)[1])
    message = await create_router(factory).dispatch(f"visible {words} MS181101ab", ASKER)
    assert sorted(rows(message)) == sorted(sites)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("LCO", "Las Campanas Observatory or Las Cumbres Observatory"),
        ("Swift", "telescope in space"),
        ("Tokyo", "the nearest site I know is Okayama"),
        (
            "Palomar Atlantis",
            "no site called “Atlantis”. A place works by latitude and longitude: 34.2N 116.9W",
        ),
        ("34.2 -116.9", "needs a height in metres behind it, or letters (34.20N 116.90W)"),
        ("45,98 7,78 3135", "can be read in two ways"),
    ],
)
async def test_what_is_no_site_is_said_and_nothing_left_out(
    factory: Factory, words: str, sentence: str
) -> None:
    await store(factory, ms181101ab(NOW)[1])
    said = await answer_text(factory, f"visible {words}")
    assert sentence in said
    assert ("A place works by latitude and longitude" in said) == (words in ("Tokyo", "Palomar Atlantis"))


async def test_channel_constraints_apply(factory: Factory) -> None:
    await store(factory, ms181101ab(NOW)[1])
    await answer_text(factory, "sites add Palomar")
    assert "above 25°, Sun below −18°" in await answer_text(factory, "sites altitude 25")
    assert "above 25°, Sun below −12°" in await answer_text(factory, "sites darkness −12°")
    assert "above 25° in darkness (Sun below −12°" in await answer_text(factory, "visible")
    assert "above 30° in darkness (Sun below −18°" in await answer_text(factory, "visible Palomar", OTHER)


async def test_a_night_and_an_altitude_may_be_named(factory: Factory) -> None:
    event = await store(factory, bns(NOW)[1])
    for words in ("visible Palomar tonight", f"visible {event.superevent_id} from Palomar now"):
        shown = await answer_text(factory, words)
        assert f"Visibility tonight · {event.superevent_id}" in shown and "Judged" not in shown
    shown = await answer_text(factory, f"visible Palomar {event.superevent_id} at 2031-12-01 altitude 20")
    assert f"Visibility 1 Dec 2031 · {event.superevent_id}" in shown
    assert "Judged for the night of 1 Dec 2031" in shown and "above 20°" in shown
    assert "1/2 Dec" in shown and "now:" not in shown
    shown = await answer_text(factory, "visible Palomar at 2031-12-01 09:00")
    assert "Judged for 1 Dec 2031 09:00" in shown
    assert "write the night's date as year-month-day" in await answer_text(
        factory, "visible Palomar at 1 Dec"
    )


async def test_an_old_event_is_judged_for_now(factory: Factory) -> None:
    event = await store(factory, bns(NOW - timedelta(days=1_300))[1])
    shown = await answer_text(factory, f"visible Palomar {event.superevent_id}")
    assert "Judged for now (" in shown and "the event was 3.6 years ago" in shown


async def test_a_site_without_darkness_says_so(factory: Factory) -> None:
    await store(factory, bns(NOW)[1])
    message = await create_router(factory).dispatch("visible Dome A at 2031-12-21", ASKER)
    assert "no darkness at Dome A" in message.text
    assert rows(message)["Dome A"][2] == "no darkness"


async def test_visible_refuses_retracted_and_mapless_events(factory: Factory) -> None:
    assert "There is no event to observe yet." in await answer_text(factory, "visible Palomar")
    gone = await store(factory, *retracted(NOW))
    assert "was retracted" in await answer_text(factory, f"visible Palomar {gone.superevent_id}")
    assert "There is no event to observe yet." in await answer_text(factory, "visible Palomar")
    bare = await store(factory, notice_record())
    assert "has no sky map" in await answer_text(factory, f"visible Palomar {bare.superevent_id}")


async def test_the_last_map_is_used_if_the_newest_notice_has_none(factory: Factory) -> None:
    binary = bns(NOW)
    await store(factory, binary[1], notice_record(str(binary[1]["superevent_id"]), "UPDATE", minutes=30))
    assert "Palomar" in await answer_text(factory, f"visible Palomar {binary[1]['superevent_id']}")


async def test_visible_answers_for_bursts(factory: Factory) -> None:
    event = await store(factory, burst(NOW)[0])
    assert list(rows(await create_router(factory).dispatch(f"visible {event.superevent_id} Keck", None))) == [
        "Keck"
    ]


async def test_a_purged_map_is_answered_with_a_sentence(factory: Factory) -> None:
    notice = decode(to_avro(ms181101ab(NOW)[1]))
    await factory.notices.record(notice, b"purged", "test:1", NOW, planner(NOW))
    assert "isn't kept any more" in await answer_text(factory, "visible Palomar")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("visible Palomr", "Did you mean Palomar?"),
        ("visible <!channel> *x*", "I know no site called"),
        ("visible ,,,", "Which site?"),
        ("visible " + "not " * 100, "There is no event to observe yet."),
        ("visible " + "x " * 250, "I know no site called"),
        ("visible " + "x " * 400, "That is too long"),
        ("visible 🔭", "I know no site called"),
    ],
)
async def test_invalid_arguments_of_visible_get_a_sentence(
    factory: Factory, words: str, expected: str
) -> None:
    message = await create_router(factory).dispatch(words, ASKER)
    assert expected in message_text.render(message)
    assert "<!channel>" not in message.text + str(message.blocks)
