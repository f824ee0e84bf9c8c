"""`/gwevent visible` and `/gwevent sites`, as typed."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.router import CommandContext, CommandRouter
from bot.commands.visible import DARKNESS_LIMITS, _parse_new_sites, _parse_sites
from bot.filters import FilterSyntaxError
from bot.observing.observatories import UnknownSite, normalized_name
from bot.samples import bns, burst, ms181101ab, retracted, to_avro
from formatters.answers.answer import SHARE_ACTION
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.observing import SITE_NAME_MAX, SITES_MAX
from formatters.terminal import message_text
from tests.support.factories import NOW, TEAM, Clock, notice_record, planner

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
OTHER = CommandContext(TEAM, "C2", "U0ASKER")


def answers(factory: Factory) -> CommandRouter:
    clock = Clock()
    return factory.create_command_router(clock)


async def said(factory: Factory, words: str, asker: CommandContext | None = ASKER) -> str:
    return message_text.render(await answers(factory).dispatch(words, asker))


async def store(factory: Factory, *announced: Any) -> Notice:
    """Record made notices with their maps; return the last."""
    for one in announced:
        body = to_avro(one)
        notice = decode(body)
        await factory.notices.record(notice, body, "test:1", NOW, planner(NOW))
    return notice


def rows(message: Message) -> dict[str, list[str]]:
    """The table's cells by the site's name."""
    [table] = [block for block in message.blocks if block["type"] == "table"]
    return {row[0]["text"]: [cell["text"] for cell in row[1:]] for row in table["rows"][1:]}


async def test_named_sites_of_the_newest_event(factory: Factory) -> None:
    event = await store(factory, bns(NOW)[1])
    await store(factory, ms181101ab(NOW)[1])
    message = await answers(factory).dispatch("visible palomar la silla VLA", None)
    assert list(rows(message)) == ["Palomar", "La Silla", "VLA"]
    assert event.superevent_id in message.text
    assert "There is no real event" not in message_text.render(message)
    assert rows(message)["VLA"][4] == "–"
    shared = await answers(factory).dispatch("visible palomar", ASKER)
    assert SHARE_ACTION in str(shared.blocks)


async def test_without_a_real_event_it_is_the_newest_mock_and_says_so(factory: Factory) -> None:
    await store(factory, ms181101ab(NOW)[1])
    told = await said(factory, "visible Palomar")
    assert told.startswith("There is no real event to observe; this is the newest mock.")
    assert "MOCK · Visibility tonight · MS181101ab" in told


async def test_an_event_by_name_among_sites_by_name(factory: Factory) -> None:
    await store(factory, bns(NOW)[1], ms181101ab(NOW)[1])
    for words in ("visible MS181101ab Palomar, Keck", "visible palomar ms181101AB keck"):
        message = await answers(factory).dispatch(words, None)
        assert "MS181101ab" in message.text and list(rows(message)) == ["Palomar", "Keck"]
    assert "One event at a time" in await said(factory, "visible Palomar S240422ed MS181101ab")
    near = await said(factory, "visible Palomar MS181101ac")
    assert "No notice of MS181101ac was received. Did you mean MS181101ab?" in near


async def test_the_channels_own_sites(factory: Factory) -> None:
    await store(factory, ms181101ab(NOW)[1])
    assert "Which site?" in await said(factory, "visible")
    await said(factory, "sites add Palomar")
    await said(factory, "sites add MyDome 34.2 -116.9 1700")
    message = await answers(factory).dispatch("visible", ASKER)
    assert list(rows(message)) == ["Palomar", "MyDome"]
    assert rows(message)["MyDome"][2] == "–", "whose local time nobody told"
    assert "Which site?" in await said(factory, "visible", OTHER)
    assert list(rows(await answers(factory).dispatch("visible mydome", ASKER))) == ["MyDome"]
    assert "no site called “mydome”" in await said(factory, "visible mydome", OTHER)


async def test_channel_constraints_apply(factory: Factory) -> None:
    await store(factory, ms181101ab(NOW)[1])
    await said(factory, "sites add Palomar")
    assert "above 25°, Sun below −18°" in await said(factory, "sites altitude 25")
    assert "above 25°, Sun below −12°" in await said(factory, "sites darkness −12°")
    assert "above 25° in darkness (Sun below −12°" in await said(factory, "visible")
    assert "above 30° in darkness (Sun below −18°" in await said(factory, "visible Palomar", OTHER)


async def test_events_that_nobody_can_observe(factory: Factory) -> None:
    assert "There is no event to observe yet." in await said(factory, "visible Palomar")
    gone = await store(factory, *retracted(NOW))
    assert "was retracted" in await said(factory, f"visible Palomar {gone.superevent_id}")
    assert "There is no event to observe yet." in await said(factory, "visible Palomar")
    bare = await store(factory, notice_record())
    assert "has no sky map" in await said(factory, f"visible Palomar {bare.superevent_id}")


async def test_a_notice_without_a_map_leaves_the_map_before_it(factory: Factory) -> None:
    binary = bns(NOW)
    await store(factory, binary[1], notice_record(str(binary[1]["superevent_id"]), "UPDATE", minutes=30))
    assert "Palomar" in await said(factory, f"visible Palomar {binary[1]['superevent_id']}")


async def test_a_burst_is_as_visible_as_all_else(factory: Factory) -> None:
    event = await store(factory, burst(NOW)[0])
    assert list(rows(await answers(factory).dispatch(f"visible {event.superevent_id} Keck", None))) == [
        "Keck"
    ]


async def test_a_map_that_is_not_kept(factory: Factory) -> None:
    notice = decode(to_avro(ms181101ab(NOW)[1]))
    await factory.notices.record(notice, b"purged", "test:1", NOW, planner(NOW))
    assert "isn't kept any more" in await said(factory, "visible Palomar")


async def test_sites_are_added_and_removed(factory: Factory) -> None:
    assert "no sites yet" in await said(factory, "sites")
    assert "Palomar, La Silla added" in await said(factory, "sites add ZTF, la silla")
    assert "Dome 2 added" in await said(factory, "sites add Dome 2 −34.2 296.5 1700 radio America/Santiago")
    listed = await said(factory, "sites")
    assert "Dome 2  34.20° S 63.50° W, 1,700 m, radio" in listed
    assert [site.name for site in (await factory.sites.for_channel(TEAM, "C1")).sites] == [
        "Palomar",
        "La Silla",
        "Dome 2",
    ]
    assert "Dome 2 added" in await said(factory, "sites add Dome 2 1 2 3")
    assert "34.20N 116.90W added" in await said(factory, "sites add 34.2 -116.9 1700")
    assert "34.20N 116.90W removed" in await said(factory, "sites remove 34.20N 116.90W")
    moved = (await factory.sites.for_channel(TEAM, "C1")).sites[2]
    assert (moved.latitude, moved.radio, moved.zone) == (1.0, False, None)
    assert "Palomar removed" in await said(factory, "sites remove hale")
    assert "none of this channel's sites, which are: La Silla, Dome 2" in await said(
        factory, "sites remove Keck"
    )
    assert "no sites yet" in await said(factory, "sites", OTHER)
    assert "type this in Slack" in await said(factory, "sites add Keck", None)


async def test_a_channel_has_ten_at_most(factory: Factory) -> None:
    for number in range(SITES_MAX):
        assert "added" in await said(factory, f"sites add Dome{number} 10 20 {number}")
    full = await said(factory, "sites add Palomar, Keck")
    assert "at most 10 sites, and this one has 10; to remove one: /gwevent sites remove" in full
    assert "Dome3 added" in await said(factory, "sites add Dome3 11 20 5"), "moving one is no more"
    assert len((await factory.sites.for_channel(TEAM, "C1")).sites) == SITES_MAX


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sites add", "Which one?"),
        ("sites add Palomr", "Did you mean Palomar?"),
        ("sites add Atlantis", "Latitude, longitude"),
        ("sites add Dome 91 0 0", "A latitude of 91° doesn't exist"),
        ("sites add Dome 10 -181 0", "A longitude of -181° doesn't exist"),
        ("sites add Dome 10 20 99999", "A height of 99999 m isn't on this Earth's ground."),
        ("sites add Dome 10 20", "Latitude, longitude"),
        ("sites add Dome 10 20 nan", "Latitude, longitude"),
        ("sites add Dome 10 20 30 Mars/Base", "no time zone"),
        ("sites add Dome 10 20 30 ../../etc/passwd", "no time zone"),
        ("sites add Dome 10 20 30 radio radio radio", "Latitude, longitude"),
        ("sites add 🔭 10 20 30", "has letters or digits"),
        ("sites add S240422ed 10 20 30", "isn't an event's"),
        (f"sites add {'D' * 31} 10 20 30", "at most 30 characters"),
        ("sites altitude", "takes degrees from 0 to 85"),
        ("sites altitude 90", "takes degrees from 0 to 85"),
        ("sites darkness -19", f"takes degrees from {DARKNESS_LIMITS[0]:g} to 0"),
        ("sites darkness; DROP TABLE channel_sites", "is nothing I know"),
        ("sites remove", "none of this channel's sites"),
        ("sites frobnicate", "is nothing I know"),
        ("visible Palomr", "Did you mean Palomar?"),
        ("visible <!channel> *x*", "I know no site called"),
        ("visible ,,,", "Which site?"),
        ("visible " + "not " * 200, "There is no event to observe yet."),
        ("visible " + "x " * 400, "I know no site called"),
        ("visible 🔭", "I know no site called"),
    ],
)
async def test_nonsense_gets_a_sentence(factory: Factory, words: str, expected: str) -> None:
    message = await answers(factory).dispatch(words, ASKER)
    assert expected in message_text.render(message)
    assert "<!channel>" not in message.text + str(message.blocks)
    assert (await factory.sites.for_channel(TEAM, "C1")).sites == ()


@pytest.mark.slow
@given(
    words=st.lists(
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(["Palomar", "la", "silla", "radio", "UTC", "S240422ed", ",", "-0", "1e9", "7"]),
            st.floats(-400, 400).map(str),
        ),
        max_size=8,
    ).map(" ".join)
)
def test_whatever_is_typed_is_a_site_or_a_sentence(words: str) -> None:
    for read in (partial(_parse_new_sites, words), partial(_parse_sites, words, ())):
        try:
            for site in read():
                assert -90 <= site.latitude <= 90 and -180 <= site.longitude <= 180
                assert 0 < len(site.name) <= SITE_NAME_MAX and normalized_name(site.name)
        except (FilterSyntaxError, UnknownSite) as error:
            assert str(error).endswith((".", "?"))


async def test_names_of_ones_own_are_escaped(factory: Factory) -> None:
    message = await answers(factory).dispatch("sites add *My* <!here> :fire: 10 20 30", ASKER)
    assert "<!here>" not in message.text + str(message.blocks)
    assert ":fire:" not in message.text and "*My*" not in message.text
    assert [s.name for s in (await factory.sites.for_channel(TEAM, "C1")).sites] == ["*My* <!here> :fire:"]
