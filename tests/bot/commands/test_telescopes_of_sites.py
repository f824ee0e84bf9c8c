"""Telescopes at a channel's sites: `sites add NAME fov …`, the store, the answers, the log, the file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from bot.app.factory import Factory
from bot.cli.channel_file import InvalidExportFile, dumps, loads
from bot.commands.context import CommandContext
from bot.observing.footprints import parse_footprint, polygon_footprint
from bot.observing.instruments import Instrument, Instruments
from bot.observing.observatories import find_own_site, find_site, normalized_name
from bot.store import schema
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.sites import SiteRepository
from formatters.models.observing import Site
from formatters.models.pointing import Telescope
from formatters.terminal import message_text
from formatters.text.change_text import site_differences
from tests.support.factories import NOW, TEAM, Clock

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
CHANNEL = (TEAM, "C1")
AUTHOR = ChangeAuthor("U0ASKER", NOW)
MINUTE = timedelta(minutes=1)
BOTH = pytest.mark.backends("sqlite", "postgresql")
CAMERA = polygon_footprint(
    [[(x, -1.0), (x + 1.7, -1.0), (x + 1.7, 1.0), (x, 1.0)] for x in (-1.8, 0.1)], "My Cam"
)


async def answer(factory: Factory, words: str) -> str:
    return message_text.render(await factory.create_command_router(Clock()).dispatch(words, ASKER))


def telescope(site: str, field: str = "47sqdeg", exposure: float = 3, overhead: float = 1) -> Telescope:
    return Telescope(
        site=site,
        footprint=parse_footprint(field),
        exposure=exposure * MINUTE,
        overhead=overhead * MINUTE,
    )


@BOTH
async def test_site_gets_keeps_changes_and_loses_its_telescope(factory: Factory, backend: str) -> None:
    said = await answer(factory, "sites add Palomar fov 47sqdeg exposure 30s overhead 15s")
    assert "Palomar added" in said
    assert "field of view 47sqdeg: 6.86° × 6.86°, 47 deg²; 30 s a field, 15 s between fields" in said
    await answer(factory, "sites add Keck")
    (found,) = await factory.sites.telescopes(CHANNEL)
    assert found == Telescope(
        site="Palomar",
        footprint=parse_footprint("47sqdeg"),
        exposure=MINUTE / 2,
        overhead=MINUTE / 4,
    )
    assert find_own_site(found.site, (await factory.sites.for_channel(*CHANNEL)).sites) == find_site(
        "Palomar"
    )

    # What isn't named stays; a site is found by its other names; re-adding a site keeps its telescope.
    assert "2 min a field, 15 s between" in await answer(factory, "sites add ZTF exposure 2min")
    await answer(factory, "sites add Palomar")
    await answer(factory, "sites edit hale fov DECam")
    (found,) = await factory.sites.telescopes(CHANNEL)
    assert (found.footprint.words, found.exposure, found.overhead) == ("DECam", 2 * MINUTE, MINUTE / 4)

    await answer(factory, "sites add Keck fov 1.1deg circle")
    assert [one.site for one in await factory.sites.telescopes(CHANNEL)] == ["Palomar", "Keck"]
    listed = await answer(factory, "sites")
    assert "field of view DECam: 1.95° across, 3.0 deg²; 2 min a field, 15 s between fields" in listed
    assert (
        "field of view 1.1deg circle: 1.1° across, 0.95 deg²; 3 min a field, 1 min between fields" in listed
    )

    assert "the site stays" in await answer(factory, "sites remove Palomar fov")
    assert "no field of view here" in await answer(factory, "sites remove Palomar fov")
    assert "the site stays" in await answer(factory, "sites add Keck fov none")
    assert await factory.sites.telescopes(CHANNEL) == ()
    assert len((await factory.sites.for_channel(*CHANNEL)).sites) == 2
    assert await factory.sites.telescopes((TEAM, "C2")) == ()


async def test_own_site_is_added_with_its_telescope_and_changed_by_name(factory: Factory) -> None:
    said = await answer(factory, "sites add My Dome 34.2 -116.9 1700 fov 30'x20' exposure 2min")
    assert "My Dome added" in said and "30′ × 20′, 0.17 deg²; 2 min a field, 1 min between fields" in said
    await answer(factory, "sites add my dome fov ZTF")
    await answer(factory, "sites add My Dome 34.3 -116.9 1700")
    (found,) = await factory.sites.telescopes(CHANNEL)
    (site,) = (await factory.sites.for_channel(*CHANNEL)).sites
    assert (found.site, found.footprint.words, found.exposure) == ("My Dome", "ZTF", 2 * MINUTE)
    assert site.latitude == 34.3
    assert "My Dome removed" in await answer(factory, "sites remove My Dome")
    await answer(factory, "sites add My Dome 34.2 -116.9 1700")
    assert await factory.sites.telescopes(CHANNEL) == (), "another site of that name has no telescope"


async def test_instrument_says_what_its_shape_stands_for(factory: Factory) -> None:
    said = await answer(factory, "sites add Palomar fov ZTF")
    assert "That is a square of the published area (Bellm et al. 2019" in said
    assert "taken for" not in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("sites add Palomar fov 0", "0° isn't"),
        ("sites add Palomar fov 400 deg", "400° isn't"),
        ("sites add Palomar fov FOOCAM", "is no instrument that I know"),
        ("sites add Palomar, Keck fov ZTF", "belongs to one site: sites add Palomar fov"),
        ("sites add fov ZTF", "Which site?"),
        ("sites add Atlantis fov ZTF", "Latitude, longitude"),
        ("sites add Palomar exposure 3min", "Palomar has no field of view yet"),
        ("sites edit Palomar fov ZTF", "none of this channel's sites, which are: Keck"),
        ("sites edit Keck", "What of it? For example: sites add Keck fov"),
        ("sites add Palomar fov none", "none of this channel's sites"),
        ("sites remove Palomar fov", "none of this channel's sites"),
        ("sites fov ZTF", "sites add Palomar fov 47sqdeg exposure 3min overhead 1min"),
    ],
)
async def test_nonsense_gets_one_sentence_and_changes_nothing(
    factory: Factory, words: str, sentence: str
) -> None:
    await answer(factory, "sites add Keck fov 1deg circle")
    before = await factory.sites.for_channel(*CHANNEL)
    assert sentence in await answer(factory, words)
    assert await factory.sites.for_channel(*CHANNEL) == before


async def test_each_change_is_in_the_history(factory: Factory) -> None:
    await factory.sites.add(*CHANNEL, [find_site("Palomar")], AUTHOR, [telescope("Palomar")])
    await factory.sites.add(*CHANNEL, [], AUTHOR, [replace(telescope("Palomar"), footprint=CAMERA)])
    await factory.sites.remove_telescope(*CHANNEL, "Palomar", AUTHOR)
    history = await answer(factory, "subscriptions history")
    assert "Palomar added with a field of view 47sqdeg" in history
    assert "field of view 47sqdeg: 6.86° × 6.86°, 47 deg² → My Cam: 2 polygons, 6.8 deg²" in history
    assert "Palomar field of view removed" in history
    _, total = await factory.subscriptions.history(TEAM, "C1", 1)
    assert total == 3


@pytest.mark.parametrize(
    "words",
    [
        "sites add Keck fov ZTF exposure 95s overhead 0",
        "sites add My Dome fov ZTF",
        "sites add My Dome fov 3x2deg exposure 90s overhead 10s",
        "sites add My Dome exposure 95s",
        "sites remove My Dome fov",
        "sites remove My Dome",
        "sites add Palomar fov 2deg circle",
        "sites remove Palomar",
    ],
)
async def test_words_that_the_post_offers_undo_a_change(factory: Factory, words: str) -> None:
    await answer(factory, "sites add Palomar")
    await answer(factory, "sites add My Dome 34.25 -116.9 1700 Europe/Paris fov 30' x 20' overhead 45s")
    before = await factory.sites.for_channel(*CHANNEL)
    await answer(factory, words)
    after = await factory.sites.for_channel(*CHANNEL)
    assert after != before
    differences = site_differences(before, after)
    assert len(differences) == 1
    for _, undo in differences:
        await answer(factory, f"sites {undo}")
    undone = await factory.sites.for_channel(*CHANNEL)
    assert {site.name for site in undone.sites} == {site.name for site in before.sites}
    assert set(undone.telescopes) == set(before.telescopes)


@BOTH
async def test_stored_polygons_come_back_as_they_were(factory: Factory, backend: str) -> None:
    camera = replace(telescope("My Dome"), footprint=CAMERA)
    dome = Site(name="My Dome", latitude=1, longitude=2, height=3)
    await factory.sites.add(*CHANNEL, [dome], AUTHOR, [camera])
    assert await factory.sites.telescopes(CHANNEL) == (camera,)


async def test_row_that_only_a_later_version_reads_hides_no_site(factory: Factory) -> None:
    await factory.sites.add(*CHANNEL, [find_site("Palomar")], AUTHOR, [telescope("Palomar")])
    table = schema.channel_telescopes
    for shape in (
        "{",
        "[]",
        "{}",
        '{"area": 3, "ellipse": [1, 2]}',
        '{"area": 1, "polygons": [[1]]}',
        "null",
    ):
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(update(table).values(shape=shape))
        found = await factory.sites.for_channel(*CHANNEL)
        assert (len(found.sites), found.telescopes) == (1, ())


async def test_site_that_an_older_version_removed_takes_its_telescope_along(factory: Factory) -> None:
    await factory.sites.add(*CHANNEL, [find_site("Palomar")], AUTHOR, [telescope("Palomar")])
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(delete(schema.channel_sites))
    assert (await factory.sites.for_channel(*CHANNEL)).telescopes == ()
    await factory.sites.add(*CHANNEL, [find_site("Palomar")], AUTHOR)
    assert await factory.sites.telescopes(CHANNEL) == ()


async def test_older_version_reads_and_writes_sites_beside_the_telescopes(factory: Factory) -> None:
    """What e8f3c8d reads of a site and of a change is as it was: telescopes stand beside, not inside."""
    await factory.sites.add(*CHANNEL, [find_site("Palomar")], AUTHOR, [telescope("Palomar")])
    assert not {"fov", "telescope"} & set(schema.channel_sites.c.keys())
    async with factory.database.exclusive_transaction() as connection:
        row = {"team_id": TEAM, "channel_id": "C1", "folded": normalized_name("Mine"), "ordinal": 9}
        place = {
            "name": "Mine",
            "latitude": 1.0,
            "longitude": 2.0,
            "height": 3.0,
            "radio": False,
            "zone": None,
        }
        await connection.execute(insert(schema.channel_sites).values({**row, **place}))
        (stored,) = (await connection.execute(select(schema.channel_changes.c.state_after))).scalars()
    values = json.loads(stored)
    assert set(values["sites"][0]) == {"name", "latitude", "longitude", "height", "radio", "zone"}
    assert {"altitude", "darkness", "sites"} < set(values)
    found = await factory.sites.for_channel(*CHANNEL)
    assert [site.name for site in found.sites] == ["Palomar", "Mine"]
    assert [one.site for one in found.telescopes] == ["Palomar"]


@BOTH
async def test_moved_channel_takes_its_telescopes_along(factory: Factory, backend: str) -> None:
    new = (TEAM, "C0NEW")
    await factory.sites.add(
        *CHANNEL,
        [find_site("Palomar"), find_site("Keck")],
        AUTHOR,
        [telescope("Palomar"), telescope("Keck", "1deg circle")],
    )
    await factory.sites.add(*new, [find_site("Keck")], AUTHOR, [telescope("Keck", "2x2deg")])
    await factory.channel_moves.move_channel(CHANNEL, new, NOW, NOW)
    found = await factory.sites.telescopes(new)
    assert {one.site: one.footprint.words for one in found} == {"Palomar": "47sqdeg", "Keck": "2x2deg"}
    assert await factory.sites.telescopes(CHANNEL) == ()


@BOTH
async def test_export_and_import_carry_telescopes(factory: Factory, backend: str) -> None:
    camera = replace(telescope("Keck", exposure=0.5, overhead=0), footprint=CAMERA)
    await factory.sites.add(
        *CHANNEL,
        [find_site("Palomar"), find_site("Keck")],
        AUTHOR,
        [telescope("Palomar", "1deg circle"), camera],
    )
    before = await factory.sites.for_channel(*CHANNEL)
    text = dumps(await factory.channel_transfer.export())
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(delete(schema.channel_sites))
        await connection.execute(delete(schema.channel_telescopes))
    for _ in range(2):
        await factory.channel_transfer.import_channels(loads(text), NOW)
        assert await factory.sites.for_channel(*CHANNEL) == before
    assert dumps(await factory.channel_transfer.export()) == text


async def test_file_without_telescopes_is_as_it_was(factory: Factory) -> None:
    await factory.sites.add(*CHANNEL, [find_site("Palomar")], AUTHOR)
    text = dumps(await factory.channel_transfer.export())
    assert "telescope" not in text
    assert loads(text).channels[0].sites.telescopes == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"radius": 0.5', '"radius": 500', "between 0.01° and 30°"),
        ('"radius": 0.5', '"radius": 0', "between 0.01° and 30°"),
        ('"radius": 0.5', '"radius": null', "no polygon"),
        ('"exposure_s": 180.0', '"exposure_s": -1', "exposure_s"),
        ('"exposure_s": 180.0', '"exposure_s": "soon"', "exposure_s"),
        ('"overhead_s": 60.0', '"overhead_s": 1e9', "overhead_s"),
        ('"site": "Palomar"', '"site": "Keck"', "no site"),
        ('"words": "1deg circle"', '"words": ""', "words"),
    ],
)
async def test_damaged_telescope_in_a_file_is_refused(
    factory: Factory, old: str, new: str, words: str
) -> None:
    await factory.sites.add(*CHANNEL, [find_site("Palomar")], AUTHOR, [telescope("Palomar", "1deg circle")])
    text = dumps(await factory.channel_transfer.export())
    assert text.count(old) == 1
    with pytest.raises(InvalidExportFile, match=words):
        loads(text.replace(old, new))


async def test_own_cameras_are_known_by_name(factory: Factory) -> None:
    own = Instrument(footprint=CAMERA, aliases=(), approximation="", source="cameras.json")
    factory.instruments = Instruments([own])
    said = await answer(factory, "sites add Palomar fov my-cam exposure 90s")
    assert "field of view My Cam: 2 polygons, 6.8 deg²; 1.5 min a field" in said
    assert "That is" not in said


async def test_telescope_comes_with_the_fixed_fields_of_its_instrument(factory: Factory) -> None:
    grid = ((10.0, -20.0), (12.0, -20.0))
    own = Instrument(footprint=CAMERA, aliases=(), approximation="", source="cameras.json", fixed_fields=grid)
    factory.instruments = Instruments([own])
    repository = SiteRepository(factory.database, factory.instruments.fixed_fields)
    assert "It points at 2 fixed fields, and nowhere else." in await answer(
        factory, "sites add Palomar fov my cam"
    )
    await answer(factory, "sites add Keck fov ZTF")
    found = await repository.telescopes(CHANNEL)
    assert [one.fixed_fields for one in found] == [grid, ()]
    assert (await repository.for_channel(*CHANNEL)).telescopes == found
    assert [one.fixed_fields for one in await factory.sites.telescopes(CHANNEL)] == [(), ()]


async def test_ten_sites_with_telescopes_are_all_listed(factory: Factory) -> None:
    for number in range(10):
        name = f"{'Dome ' * 4}number {number}"
        await answer(factory, f"sites add {name} 10 20 {number} fov 1.23456 x 2.3456 degrees exposure 95s")
    listed = await answer(factory, "sites")
    assert listed.count("95 s a field") == listed.count("1.23° × 2.35°") == 10
