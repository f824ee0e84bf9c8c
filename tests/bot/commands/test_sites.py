"""The command `sites`."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.sites import DARKNESS_LIMITS, _parse_new_sites, parse_site_names
from bot.filters import FilterSyntaxError
from bot.observing.observatories import UnknownSite, normalized_name, observatories
from formatters.blockkit.message import Message
from formatters.models.observing import SITE_NAME_MAX, SITES_MAX, Site
from formatters.terminal import message_text
from tests.support.factories import TEAM, Clock, subscribe

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
OTHER = CommandContext(TEAM, "C2", "U0ASKER")


async def dispatch(factory: Factory, words: str, context: CommandContext | None = ASKER) -> Message:
    return await factory.create_command_router(Clock()).dispatch(words, context)


async def answer_text(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    return message_text.render(await dispatch(factory, words, context))


async def test_sites_are_added_and_removed(factory: Factory) -> None:
    assert "no sites yet" in await answer_text(factory, "sites")
    assert "Palomar, La Silla added" in await answer_text(factory, "sites add ZTF, la silla")
    assert "Dome 2 added" in await answer_text(
        factory, "sites add Dome 2 −34.2 296.5 1700 radio America/Santiago"
    )
    listed = await answer_text(factory, "sites")
    assert "Dome 2  34.20° S 63.50° W, 1,700 m, radio" in listed
    assert [site.name for site in (await factory.sites.for_channel(TEAM, "C1")).sites] == [
        "Palomar",
        "La Silla",
        "Dome 2",
    ]
    assert "Dome 2 added" in await answer_text(factory, "sites add Dome 2 1 2 3")
    assert "34.20N 116.90W added" in await answer_text(factory, "sites add 34.2 -116.9 1700")
    assert "34.20N 116.90W removed" in await answer_text(factory, "sites remove 34.20N 116.90W")
    moved = (await factory.sites.for_channel(TEAM, "C1")).sites[2]
    assert (moved.latitude, moved.radio, moved.zone) == (1.0, False, None)
    assert "Palomar removed" in await answer_text(factory, "sites remove hale")
    assert "none of this channel's sites, which are: La Silla, Dome 2" in await answer_text(
        factory, "sites remove Keck"
    )
    assert "no sites yet" in await answer_text(factory, "sites", OTHER)
    assert "type this in Slack" in await answer_text(factory, "sites add Keck", None)


@pytest.mark.parametrize(
    ("words", "name", "place"),
    [
        ("MyDome 34.2N 116.9W 1700m", "MyDome", (34.2, -116.9, 1700)),
        ("Dome 2 34°12′00″S 18°24′00″E 5577 ft radio", "Dome 2", (-34.2, 18.4, 1699.8696)),
        ("Dome, 34.2, -116.9, 1700 America/Los_Angeles", "Dome", (34.2, -116.9, 1700)),
        ("Gornergrat 7.78E 45.98N 3135", "Gornergrat", (45.98, 7.78, 3135)),
        ("My Dome lat=34.2 lon=-116.9 height=1.7km", "My Dome", (34.2, -116.9, 1700)),
        ("34 12 00 N 116 54 00 W 1700", "34.20N 116.90W", (34.2, -116.9, 1700)),
    ],
)
async def test_a_site_is_added_in_any_usual_spelling(
    factory: Factory, words: str, name: str, place: tuple[float, float, float]
) -> None:
    assert f"{name} added" in await answer_text(factory, f"sites add {words}")
    (site,) = (await factory.sites.for_channel(TEAM, "C1")).sites
    assert (site.latitude, site.longitude, site.height) == pytest.approx(place)


async def test_a_position_that_looks_mistyped_is_stored_and_doubted(factory: Factory) -> None:
    said = await answer_text(factory, "sites add Mine 33.36 116.86 1700")
    assert "Ours is 31 km from Mount Wilson, the nearest site I know." in await answer_text(
        factory, "sites add Ours 34.2 -118.4 1700"
    )
    assert "the nearest" not in await answer_text(factory, "sites add Keck")
    assert "Mine added" in said and "the other sign of the longitude it would be at Palomar" in said


async def test_a_filter_keeps_the_place_of_the_channels_own_site(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await answer_text(factory, "sites add My Dome 34.2 -116.9 1700 radio")
    assert "visible from" in await answer_text(factory, "edit 1 CBC visible from my dome > 0.3")
    for question in ("events", "latest", "test", "subscriptions test"):
        asked = f"{question} CBC visible from my dome > 0.3"
        assert "no site called" not in await answer_text(factory, asked), question
        assert "no site called “my dome”" in await answer_text(factory, asked, OTHER), question
    await answer_text(factory, "sites remove My Dome")
    (kept,) = await factory.subscriptions.for_channel(TEAM, "C1")
    assert kept.criteria.canonical == 'CBC visible from "My Dome 34.2N 116.9W 1700m radio">0.3'
    elsewhere = await answer_text(factory, "edit 1 CBC visible from my dome > 0.3", OTHER)
    assert "no site called “my dome”" in elsewhere


async def test_a_channel_has_at_most_ten_sites(factory: Factory) -> None:
    for number in range(SITES_MAX):
        assert "added" in await answer_text(factory, f"sites add Dome{number} 10 20 {number}")
    full = await answer_text(factory, "sites add Palomar, Keck")
    assert "at most 10 sites, and this one has 10; to remove one: /gwevent sites remove" in full
    assert "Dome3 added" in await answer_text(factory, "sites add Dome3 11 20 5"), "moving one is no more"
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
        ("sites add Dome 10 20", "needs a height in metres"),
        ("sites add Dome 10 20 nan", "needs a height in metres"),
        ("sites add Dome 10 20 30 Mars/Base", "no time zone"),
        ("sites add Dome 10 20 30 ../../etc/passwd", "no time zone"),
        ("sites add Dome 10 20 30 radio radio radio", "Latitude, longitude"),
        ("sites add Gornergrat 45,98 7,78 3135", "“45,98” can be read in two ways: write 45.98 with a point"),
        ("sites add Dome 34.2S -70.4W 2000", "a sign and a letter"),
        ("sites add Dome 34.2N 116.9W", "A site's height is missing"),
        ("sites add Dome -116.9 34.2 1700", "The latitude comes first: 34.2 -116.9?"),
        ("sites add LCO", "Las Campanas Observatory or Las Cumbres"),
        ("sites add Swift", "telescope in space"),
        ("sites add Palomar, Atlantis", "no site called “Atlantis”"),
        ("sites add 🔭 10 20 30", "has letters or digits"),
        ("sites add S240422ed 10 20 30", "isn't an event's"),
        (f"sites add {'D' * 31} 10 20 30", "at most 30 characters"),
        ("sites altitude", "takes degrees from 0 to 85"),
        ("sites altitude 90", "takes degrees from 0 to 85"),
        ("sites darkness -19", f"takes degrees from {DARKNESS_LIMITS[0]:g} to 0"),
        ("sites darkness; DROP TABLE channel_sites", "is nothing I know"),
        ("sites remove", "Which one?"),
        ("sites frobnicate", "is nothing I know"),
    ],
)
async def test_invalid_arguments_of_sites_get_a_sentence(factory: Factory, words: str, expected: str) -> None:
    message = await dispatch(factory, words)
    assert expected in message_text.render(message)
    assert "<!channel>" not in message.text + str(message.blocks)
    assert (await factory.sites.for_channel(TEAM, "C1")).sites == ()


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
def test_any_text_is_a_site_or_an_expected_error(words: str) -> None:
    def new_sites() -> tuple[Site, ...]:
        return tuple(_parse_new_sites(words).values())

    for read in (new_sites, partial(parse_site_names, words, ())):
        try:
            for site in read():
                assert -90 <= site.latitude <= 90 and -180 <= site.longitude <= 180
                assert 0 < len(site.name) <= SITE_NAME_MAX and normalized_name(site.name)
        except (FilterSyntaxError, UnknownSite) as error:
            assert str(error).endswith((".", "?"))


async def test_names_of_custom_sites_are_escaped(factory: Factory) -> None:
    message = await dispatch(factory, "sites add O*My* <!here> :fire: 10 20 30")
    assert "<!here>" not in message.text + str(message.blocks)
    assert ":fire:" not in message.text and "*My*" not in message.text
    assert [s.name for s in (await factory.sites.for_channel(TEAM, "C1")).sites] == ["O*My* <!here> :fire:"]


def test_sites_are_read_in_any_unicode_and_without_slacks_marks() -> None:
    (plain,) = _parse_new_sites("Dome 34.2 -116.9 1700").values()
    for typed in (
        "`Dome` 34.2 −116.9 1700",
        "*Dome 34.2 –116.9 1700*",
        "Dome\u00a0３４.2\u2009—116.9 17\u200b00",
    ):
        assert _parse_new_sites(typed) == {plain.name: plain}
    assert parse_site_names("`Palomar`, *Las‑Campanas*", ()) == parse_site_names("Palomar, Las Campanas", ())


ALIASES = sorted((alias, one.site.name) for one in observatories() for alias in one.aliases)


@pytest.mark.parametrize(("typed", "name"), [("Mauna Kea", "Keck"), ("ZTF", "Palomar"), *ALIASES[::12]])
async def test_a_site_under_another_name_says_what_the_name_was_taken_for(
    factory: Factory, typed: str, name: str
) -> None:
    said = await answer_text(factory, f"sites add {typed}")
    assert f"{name} added" in said
    is_same = normalized_name(name) in normalized_name(typed)
    assert (f"“{typed}” was taken for {name}." in said) == (not is_same), said
    if not is_same:
        (again,) = re.findall(r"as in (sites add MyScope [-.0-9 ]+)\.", said)
        assert "MyScope added" in await answer_text(factory, again)


async def test_each_name_of_several_says_what_it_was_taken_for(factory: Factory) -> None:
    said = await answer_text(factory, "sites add Mauna Kea, Subaru and ZTF")
    assert "Keck, Subaru, Palomar added" in said
    assert "“Mauna Kea” was taken for Keck. “ZTF” was taken for Palomar." in said
    assert "“Subaru”" not in said


async def test_a_site_that_is_there_is_not_said_to_be_added(factory: Factory) -> None:
    assert "Palomar added" in await answer_text(factory, "sites add Palomar")
    again = await answer_text(factory, "sites add Palomar, Keck")
    assert "Keck added" in again and "Palomar was here already." in again and "Palomar added" not in again
