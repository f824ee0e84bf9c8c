"""Questions about positions and about the details of an event: `check`, `history`, `map`, `json`, `moc`."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.event_details import EventDetailsCommand, ProvideImage
from bot.commands.position_query import parse_query
from bot.commands.position_rows import parse_row
from bot.commands.router import CommandRouter
from bot.filters import FilterSyntaxError
from bot.filters.limits import MAX_LIST_LENGTH
from bot.samples import bns, edge_cases, ms181101ab, to_avro
from bot.skymap_service.cache import SkyMapCache
from formatters.answers.answer import SHARE_ACTION
from formatters.answers.position_check import MAX_POSITIONS
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef
from formatters.terminal import message_text
from tests.support.factories import NOW, TEAM, Clock, decoded_notice, notice_record, planner, record_notices

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
MOCK = "MS181101ab"
NGC_4993 = "13h09m48s -23d22m53s"


async def stored(factory: Factory, body: bytes) -> Notice:
    notice = replace(decode(body), received=NOW)
    await factory.notices.record(notice, body, "test:1", NOW, planner(NOW))
    return notice


@pytest.fixture
async def mock(factory: Factory) -> Factory:
    """The first three notices of MS181101ab."""
    for body in map(to_avro, ms181101ab(NOW)[:3]):
        await stored(factory, body)
    return factory


def create_router(factory: Factory, illustrate: ProvideImage | None = None) -> CommandRouter:
    return factory.create_command_router(Clock(), image_provider=illustrate)


async def ask(factory: Factory, words: str, context: CommandContext | None = None) -> Message:
    return await create_router(factory).dispatch(words, context)


def kinds(message: Message) -> list[str]:
    return [block["type"] for block in message.blocks]


@pytest.mark.slow
async def test_a_position_in_every_map_of_the_event(mock: Factory) -> None:
    message = await ask(mock, f"check {NGC_4993} 40 Mpc {MOCK.lower()}")
    answer_text = message_text.render(message)
    assert "13h09m48.0s −23°22′53″ in MOCK" in answer_text and "3-D credible level at 40.0 Mpc" in answer_text
    (table,) = [block for block in message.blocks if block["type"] == "table"]
    assert len(table["rows"]) == 4
    assert "credible level" in message.text
    by_redshift = message_text.render(await ask(mock, f"CHECK {NGC_4993} z=0.0098 {MOCK}"))
    assert "z = 0.0098, a luminosity distance of 43.7 Mpc (Planck18)" in by_redshift
    glued = message_text.render(await ask(mock, f"check 197.45,-23.381389 {MOCK}"))
    assert "13h09m48.0s −23°22′53″" in glued and "3-D" not in glued


async def test_check_includes_the_combined_map(factory: Factory) -> None:
    bodies = [to_avro(one) for one in bns(NOW)]
    notices = [await stored(factory, body) for body in bodies]
    message = await ask(factory, f"check 10 10 {notices[0].superevent_id}")
    (table,) = [block for block in message.blocks if block["type"] == "table"]
    external = sum(n.external is not None and n.external.localization is not None for n in notices)
    assert external and sum("combined" in row[0]["text"] for row in table["rows"]) == external


async def test_check_without_an_event_takes_the_newest(mock: Factory) -> None:
    answer_text = message_text.render(await ask(mock, f"check {NGC_4993}"))
    assert answer_text.startswith(f"There is no real event; MOCK {MOCK} is the newest mock.")
    await record_notices(mock, decoded_notice("S261122a"))
    bare = message_text.render(await ask(mock, f"check {NGC_4993}"))
    assert bare.startswith("No event was named; S261122a is the newest significant one.")
    assert "has no sky map that gwevent can use" in bare


async def test_check_without_events_or_of_an_unknown_event(factory: Factory) -> None:
    assert "No event was received yet" in message_text.render(await ask(factory, f"check {NGC_4993}"))
    assert "No notice of S190425z was received" in message_text.render(
        await ask(factory, "check 1 2 S190425z")
    )


async def test_several_positions_are_a_table_in_their_order(mock: Factory) -> None:
    question = f"""check {MOCK}
    NGC 4993  {NGC_4993} 40 Mpc
    M 31, 10.6847, 41.2687
    nonsense
    AT2017gfo\t13:09:48.08\t-23:22:53.3\tz 0.0098
    10 | 95
    """
    message = await ask(mock, question, ASKER)
    (table,) = [block for block in message.blocks if block["type"] == "table"]
    names = [row[0]["text"] for row in table["rows"]]
    assert names == ["name", "NGC 4993", "M 31", "AT2017gfo"]
    assert table["rows"][3][-2]["text"].startswith("43.7")
    answer_text = message_text.render(message)
    assert "Left out “nonsense”: “nonsense” is no position: names aren't resolved" in answer_text
    assert "Dec 95 isn't between" in answer_text
    button = message.blocks[-1]["elements"][0]
    assert button["action_id"] == SHARE_ACTION
    again = await create_router(mock).dispatch(button["value"], ASKER, shared=True)
    assert [b for b in again.blocks if b["type"] == "table"] == [table], "pressed, the lines are still lines"


async def test_a_long_list_of_positions_is_cut_with_a_note(mock: Factory) -> None:
    lines = "\n".join(f"long-target-number-{n:03} {n}.25 -23.5" for n in range(MAX_POSITIONS + 20))
    message = await ask(mock, f"check {MOCK}\n{lines}", ASKER)
    (table,) = [block for block in message.blocks if block["type"] == "table"]
    assert len(table["rows"]) == MAX_POSITIONS + 1
    assert f"These are the first {MAX_POSITIONS} of {MAX_POSITIONS + 20} positions" in message_text.render(
        message
    )
    assert "actions" not in kinds(message), "no button could hold the question"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", "Say a position: check 13h09m48s"),
        (MOCK, "Say a position: check 13h09m48s"),
        ("400 10", "RA 400 isn't between 0° and 360°."),
        ("10 91", "Dec 91 isn't between −90° and +90°."),
        ("NGC 4993 400 10", "RA 400 isn't between"),
        ("12 30 40", "40: write 40 Mpc if it is a distance, mag=40 if a magnitude"),
        ("13h09m48s x 12 30", "“13h09m48s” beside the position is no distance"),
        ("12 30 z=-1", "“z=-1” beside the position is no distance"),
        ("12 30 z=0", "A redshift here is above 0 and at most 10."),
        ("12 30 z=19.5", "A redshift here is above 0 and at most 10; a magnitude is written mag=19.5."),
        ("12 30 99999 Gpc", "A distance here is above 0 and at most 1,000,000 Mpc."),
        ("12 30 S261122a S261122b", "One event at a time, please, not S261122a and S261122b."),
        ("NGC4993", "“NGC4993” is no position: names aren't resolved; give RA and Dec, like 13h09m48s"),
        (f"NGC 4993 {MOCK}", "“NGC 4993” is no position: names aren't resolved; give RA and Dec"),
        ("🔭 🌌", "That is no position; write it like"),
        ("*bold* <!here> `x`", "“bold <!here> x” is no position: names aren't"),
        ("'; DROP TABLE notices; --", "“' DROP TABLE notices --” is no position"),
        ("\n \n\t\n", "Say a position"),
        ("nan inf", "“nan inf” is no position"),
        ("x" * 5_000, "“xxx"),
        ("x" * 10_000, "That is too long: a list has room for 6,000 characters."),
        ("\n".join(["12 30"] * 2_000), "That is too long"),
    ],
)
async def test_invalid_positions_are_rejected_in_one_sentence(mock: Factory, words: str, reason: str) -> None:
    message = await ask(mock, f"check {words}", ASKER)
    assert message_text.render(message).startswith(reason)
    assert kinds(message) == ["section"], "and it stays with who typed it"
    assert len(message_text.render(message)) < 300


def test_position_query_is_parsed() -> None:
    ask = parse_query("check-me 12.5 30 40Mpc, in S190425z")
    assert ask.superevent_id == "S190425z"
    (target,) = ask.targets
    assert (target.name, target.ra, target.dec, target.distance) == ("check-me", 12.5, 30, 40)
    assert parse_row("12 30 0.2 Gpc").target.distance == pytest.approx(200)
    assert parse_row("M 31 10.68 41.27").target.name == "M 31"
    assert parse_row("GRB 170817A 176.8 -39.8").target.name == "GRB 170817A"
    with pytest.raises(FilterSyntaxError):
        parse_query("1 2\n" * MAX_LIST_LENGTH)


async def test_check_says_that_a_map_was_purged_or_is_unreadable(factory: Factory, clock: Clock) -> None:
    broken = await stored(factory, to_avro(notice_record("S261122a", skymap=b"SIMPLE  = no map")))
    assert broken.map_problem is not None
    answer_text = message_text.render(await ask(factory, "check 1 2 S261122a"))
    assert "has no sky map that gwevent can use" in answer_text and "The map can't be read" in answer_text
    for body in map(to_avro, ms181101ab(NOW)[:2]):
        await stored(factory, body)
    clock.advance(days=100)
    assert await factory.notices.purge_mock_payloads(clock()) == 2
    assert "The map isn't kept any more." in message_text.render(await ask(factory, f"check 1 2 {MOCK}"))
    assert "isn't kept any more" in message_text.render(await ask(factory, f"{MOCK} moc"))


async def test_event_details_in_slack_and_terminal(mock: Factory) -> None:
    history = await ask(mock, f"{MOCK.lower()} HISTORY", ASKER)
    assert kinds(history) == ["section", "table", "actions"]
    assert history.blocks[-1]["elements"][0]["value"] == f"{MOCK.lower()} HISTORY"
    in_slack = message_text.render(await ask(mock, f"{MOCK} json", ASKER))
    assert '"superevent_id": "MS181101ab"' in in_slack and "skymap" not in in_slack
    assert "gwevent preview --format png" in message_text.render(await ask(mock, f"{MOCK} map"))
    nearly = message_text.render(await ask(mock, f"{MOCK} mapp", ASKER))
    assert nearly.startswith("“mapp” is read as “map”.")
    wrong = message_text.render(await ask(mock, f"{MOCK} frob", ASKER))
    assert wrong.startswith("I don't understand “frob”; about an event I know history, map")
    assert "Did you mean MS181101ab?" in message_text.render(await ask(mock, "MS181101ac history"))


async def test_the_region_is_whole_in_a_terminal_and_short_in_slack(mock: Factory) -> None:
    def code(message: Message) -> str:
        (block,) = [block for block in message.blocks if block["type"] == "rich_text"]
        return str(block["elements"][0]["elements"][0]["text"])

    terminal = await ask(mock, f"{MOCK} moc")
    slack = await ask(mock, f"{MOCK} moc", ASKER)
    assert len(code(slack)) <= 6_000
    assert len(code(terminal)) >= len(code(slack))
    superevent = await mock.notices.superevent(MOCK)
    assert superevent is not None and superevent.latest.localization is not None
    assert f"{superevent.latest.localization.area_90:.0f} deg²" in message_text.render(terminal).replace(
        "\xa0", " "
    )
    short = await EventDetailsCommand(SkyMapCache(mock.notices), lambda: NOW)._moc_answer(superevent, 200)
    assert len(code(short)) <= 200
    assert "larger ones, so that the text fits into a message" in message_text.render(short)


async def test_the_image_is_shown_in_slack_only(mock: Factory) -> None:
    seen: list[tuple[str, str]] = []

    async def illustrate(team: str, superevent: Superevent, notice: Notice) -> ImageRef:
        await asyncio.sleep(0)
        seen.append((team, notice.alert_type))
        return ImageRef(alt_text="Sky map", file_id="F0123456789")

    message = await create_router(mock, illustrate).dispatch(f"{MOCK} map", ASKER)
    assert kinds(message) == ["section", "image"], "no button: a file can't be posted by it"
    assert seen == [(TEAM, "PRELIMINARY")]


async def test_events_without_maps(factory: Factory) -> None:
    await record_notices(factory, decoded_notice("S261122a"))
    for detail in ("map", "moc"):
        assert "No sky map of S261122a" in message_text.render(
            await ask(factory, f"S261122a {detail}", ASKER)
        )
    assert kinds(await ask(factory, "S261122a history")) == ["section", "table"]
    await stored(factory, to_avro(notice_record("S261122b", skymap=edge_cases.few_rows())))
    assert "no image" not in message_text.render(await ask(factory, "S261122b moc"))


BNS_PEAK = "12h57m13.0s −17°51′25″ in"
QUESTIONS = [
    ("check 13h09m48s -23d22m53s {id}", ["13h09m48.0s −23°22′53″ in", "197.450, -23.381"]),
    ("check 12:57:13 -17:51:25 {id}", [BNS_PEAK]),
    ("check 12 57 13 -17 51 25 {id}", [BNS_PEAK]),
    ("check 194.3042 -17.8569 {id}", [BNS_PEAK, "194.304, -17.857"]),
    ("check ra=194.3042 dec=-17.8569 {id}", [BNS_PEAK]),
    ("check RA: 194.3042 Dec: -17.8569 {id}", [BNS_PEAK]),
    ("check α=12h57m13s δ=−17°51′25″ {id}", [BNS_PEAK]),
    ("check 12h57m13s-17d51m25s {id}", [BNS_PEAK]),
    ("check 12h57.2m -17d51.4m {id}", ["12h57m12.0s −17°51′24″ in"]),
    ("check {id} 194.3042 -17.8569 40 Mpc", [BNS_PEAK, "at 40.0 Mpc"]),
    ("check 194.3042 -17.8569 0.04 Gpc {id}", [BNS_PEAK, "at 40.0 Mpc"]),
    ("check 194.3042 -17.8569 z=0.0098 {id}", ["z = 0.0098, a luminosity distance of 43.7 Mpc"]),
    ("check 194.3042 -17.8569 z 0.0098 {id}", ["z = 0.0098, a luminosity distance of 43.7 Mpc"]),
    ("check 194.3042 -17.8569 40 +/- 5 Mpc {id}", ["at 40.0 Mpc", "Not used: ± 5."]),
    ("check 194.3042 -17.8569 dm=33 {id}", ["distance modulus 33, a luminosity distance of 39.8 Mpc"]),
    ("check 194.3042 -17.8569 d=40Mpc {id}", ["at 40.0 Mpc"]),
    ("check AT2017gfo 13h09m48s -23d22m53s {id}", ["AT2017gfo (13h09m48.0s −23°22′53″) in"]),
    ("check l=308.4 b=39.3 {id}", ["from galactic l, b 308.400, 39.300", "197.467, -23.376"]),
    ("check 308.4 +39.3 galactic {id}", ["from galactic l, b 308.400, 39.300", "197.467, -23.376"]),
    ("check 95.7 -10.96 280 Mpc {id}", ["95.700, -10.960", "at 280 Mpc"]),
    ("check 95.7 -10.96", ["95.700, -10.960"]),
    ("check 0 90 {id}", ["00h00m00.0s +90°00′00″ in"]),
    ("check 360 -90 {id}", ["00h00m00.0s −90°00′00″ in"]),
    ("check 361 0 {id}", ["RA 361 isn't between 0° and 360°."]),
    ("check 25h00m00s 10d {id}", ["RA 25h isn't between 0h and 24h."]),
    ("check {id}", ["Say a position: check 13h09m48s -23d22m53s or 197.45 -23.38"]),
    ("check", ["Say a position: check 13h09m48s -23d22m53s or 197.45 -23.38"]),
    ("check AT2026abc 188.1 +12.3 19.5 {id}", ["19.5: write 19.5 Mpc if it is a distance"]),
    ("check M87 {id}", ["names aren't resolved; give RA and Dec"]),
    ("check *AT2026abc* `188.1` <tel:12.345|12.345> {id}", ["AT2026abc (12h32m24.0s +12°20′42″) in"]),
]


async def test_questions_of_observers_are_answered_about_their_position(mock: Factory) -> None:
    """Each answer says the position that was understood, or how to write it."""
    for question, contained in QUESTIONS:
        said = message_text.render(await ask(mock, question.format(id=MOCK))).replace("\xa0", " ")
        for part in contained:
            assert part in said, (question, said)
