"""The command `galaxies`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.galaxy_sentences import expand_galaxies, read_galaxy_sentence
from bot.commands.galaxy_words import GalaxyVerb, read_words
from bot.demo.galaxies import write_demo_catalogue
from bot.filters import FilterSyntaxError
from bot.runtime.threads import ThreadHangs
from bot.samples import bbh, bns, burst, mock, to_avro
from bot.skymap_service import observability
from bot.skymap_service.galaxy_ranking import MAX_RANKED, CatalogueChoice
from formatters.answers.galaxies import MAX_ROWS
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import MESSAGE_TOTAL_MAX
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef
from formatters.skymap_image import Marks
from formatters.terminal import message_text
from tests.support.factories import NOW, TEAM, Clock, planner

ASKER = CommandContext(TEAM, "C1", "U0ASKER")


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogues")
    write_demo_catalogue(folder, NOW)
    return folder


@pytest.fixture
def with_galaxies(factory: Factory, catalogues: Path) -> Factory:
    return Factory(factory.database, catalogues=CatalogueChoice(folder=catalogues))


async def store(factory: Factory, *records: object) -> str:
    for record in records:
        body = to_avro(record)  # type: ignore[arg-type]
        notice = replace(decode(body), received=NOW)
        await factory.notices.record(notice, body, "hopskotch:1", NOW, planner(NOW))
    return notice.superevent_id


async def ask(factory: Factory, words: str, context: CommandContext | None = ASKER) -> str:
    message = await factory.create_command_router(Clock()).dispatch(words, context)
    return message_text.render(message)


async def test_a_table_of_the_first_galaxies_with_what_it_is_ranked_on(with_galaxies: Factory) -> None:
    name = await store(with_galaxies, *bns(NOW))
    said = await ask(with_galaxies, f"galaxies {name} 3")
    assert f"galaxies of Demo catalogue in the 90 % volume of {name}" in said
    assert "Ranked on the map of UPDATE" in said and "(combined map)" in said
    assert "of the stellar mass expected at" in said
    assert "The first 3 have" in said and "galaxies export csv has as many as a message holds" in said
    assert "DEMO J" in said and "3 │" in said and "4 │" not in said
    assert "It isn't the probability that the event was there" in said
    assert "probability of being" not in said and "host" not in said
    assert "Best window" not in said and "sites add Palomar" in said


async def test_from_a_site_and_from_the_channels_own(with_galaxies: Factory) -> None:
    name = await store(with_galaxies, *bns(NOW))
    said = await ask(with_galaxies, f"galaxies 2 from Palomar {name}")
    assert "Now" in said and "Best window" in said and "from Palomar" in said
    await ask(with_galaxies, "sites add Palomar")
    await ask(with_galaxies, "sites add Keck")
    own = await ask(with_galaxies, f"{name} galaxies 2")
    assert "Best window" in own and "Palomar, Keck" in own
    named = await ask(with_galaxies, f"galaxies 2 from Keck altitude 20 {name}")
    assert "above 20°" in named and "Palomar" not in named
    assert "above 20°" in await ask(with_galaxies, f"galaxies altitude 20 {name}")


async def test_windows_that_take_too_long_are_not_called_missing(
    with_galaxies: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        raise ThreadHangs("")

    name = await store(with_galaxies, *bns(NOW))
    monkeypatch.setattr(observability, "run_in_thread", hang)
    said = await ask(with_galaxies, f"galaxies 2 from Palomar {name}")
    assert "DEMO J" in said and "took too long to compute" in said
    assert "none in 2 nights" not in said


async def test_a_radio_telescope_needs_no_darkness(with_galaxies: Factory) -> None:
    name = await store(with_galaxies, *bns(NOW))
    dish = await ask(with_galaxies, f"galaxies 1 from Effelsberg {name}")
    assert "Best window: above 30° this night" in dish
    both = await ask(with_galaxies, f"galaxies 1 from Effelsberg, Keck {name}")
    assert "Best window: dark and above 30° (a radio telescope's by day too) this night" in both


async def test_without_a_catalogue_it_says_how_to_get_one(factory: Factory) -> None:
    name = await store(factory, *bns(NOW))
    said = await ask(factory, f"galaxies {name}")
    assert "no catalogue of galaxies yet" in said and "gwevent catalogue fetch ned-lvs" in said


async def test_an_event_beyond_the_catalogue_is_said_first(with_galaxies: Factory) -> None:
    name = await store(with_galaxies, *bbh(NOW))
    message = await with_galaxies.create_command_router(Clock()).dispatch(f"galaxies {name}", ASKER)
    assert message.text.startswith(f"{name} lies beyond the catalogue: at 1,")
    assert "Demo catalogue ends at 120" in message_text.render(message)


async def test_a_burst_gets_a_sentence(with_galaxies: Factory) -> None:
    name = await store(with_galaxies, *burst(NOW))
    said = await ask(with_galaxies, f"galaxies {name}")
    assert f"{name} is an unmodelled burst" in said and "no distances" in said


async def test_a_retracted_event_is_called_so_first_and_has_no_windows(with_galaxies: Factory) -> None:
    records = list(bns(NOW))
    retraction = {**records[-1], "alert_type": "RETRACTION", "event": None, "external_coinc": None}
    retraction["time_created"] = NOW.isoformat()
    name = await store(with_galaxies, *records, retraction)
    message = await with_galaxies.create_command_router(Clock()).dispatch(
        f"galaxies from Palomar {name}", ASKER
    )
    assert message.text.startswith(f"{name} was retracted: there is nothing to observe.")
    said = message_text.render(message)
    assert f"of RETRACTED {name}" in said and "Best window" not in said


async def test_exports(with_galaxies: Factory) -> None:
    name = await store(with_galaxies, *bns(NOW))
    table = await ask(with_galaxies, f"galaxies export csv {name}", None)
    header, first, *_ = table[table.index("rank,") :].splitlines()
    assert header.startswith("rank,name,ra_deg,dec_deg,distance_mpc,distance_sd_mpc,share,sum")
    assert first.startswith("1,DEMO J") and len(first.split(",")) == len(header.split(","))
    for words in ("export galaxies csv", "export csv galaxies", "galaxies csv", "csv galaxies"):
        assert table.splitlines()[0] in await ask(with_galaxies, f"{words} {name}", None)
    region = await ask(with_galaxies, f"galaxies export ds9 {name}")
    assert "# Region file format: DS9" in region and "# point=circle text={1 DEMO J" in region


@pytest.mark.parametrize("words", ["galaxies export csv", "galaxies export ds9"])
async def test_an_export_names_its_map(with_galaxies: Factory, words: str) -> None:
    name = await store(with_galaxies, *bns(NOW))
    assert "Ranked on the map of UPDATE" in await ask(with_galaxies, f"{words} {name}")


async def test_the_largest_answer_fits_one_message(with_galaxies: Factory) -> None:
    records = list(bns(NOW))
    name = await store(with_galaxies, records[0])
    await ask(with_galaxies, "sites add Palomar")
    await ask(with_galaxies, "sites add Keck")
    message = await with_galaxies.create_command_router(Clock()).dispatch(
        f"galaxies {MAX_ROWS} {name}", ASKER
    )
    assert f"{MAX_ROWS} │" in message_text.render(message)
    cells = [
        cell["text"]
        for block in message.blocks
        if block["type"] == "table"
        for row in block["rows"]
        for cell in row
    ]
    assert len(message.text) + sum(map(len, cells)) < MESSAGE_TOTAL_MAX


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("galaxies 500", "lists 1 to 50 galaxies"),
        ("galaxies 0", "lists 1 to 50 galaxies"),
        ("galaxies -3", "lists 1 to 50 galaxies"),
        ("galaxies 2.5", "lists 1 to 50 galaxies"),
        ("galaxies 10 20", "One number, please"),
        ("galaxies exprt csv", "Did you mean galaxies export?"),
        ("galaxies export json", "exported as csv or ds9"),
        ("galaxies export", "As what?"),
        ("galaxies export csv 6000", "an export has 1 to 5,000 galaxies"),
        ("map galaxies 11", "the picture marks 1 to 10 galaxies"),
        ("galaxies from Nowhereville", "Nowhereville"),
        ("galaxies from Palomar at 2026-12-01", "this night and the next"),
        ("galaxies from Palomar tomorrow", "without a date"),
        ("galaxies 3 at 2026-12-01 03:00", "without a date"),
    ],
)
async def test_bad_input_gets_one_sentence(with_galaxies: Factory, words: str, sentence: str) -> None:
    name = await store(with_galaxies, *bns(NOW))
    message = await with_galaxies.create_command_router(Clock()).dispatch(f"{words} {name}", ASKER)
    assert message.is_refusal and sentence in message_text.render(message)


async def test_the_picture_marks_the_first_ten(factory: Factory, catalogues: Path) -> None:
    galaxies = Factory(factory.database, catalogues=CatalogueChoice(folder=catalogues))
    name = await store(galaxies, next(iter(bns(NOW))))
    drawn: list[tuple[Notice, Marks]] = []

    async def provide(team: str, superevent: Superevent, notice: Notice, marks: Marks) -> ImageRef:
        drawn.append((notice, marks))
        return ImageRef(alt_text="A map.", file_id="F1")

    router = galaxies.create_command_router(Clock(), marked_image_provider=provide)
    for words in (
        f"map galaxies {name}",
        f"galaxies map {name}",
        f"show me the galaxies of {name} on the map",
    ):
        message: Message = await router.dispatch(words, ASKER)
        said = message_text.render(message)
        assert "first 10 of" in said and "of the ranking, which isn't a probability" in said
    assert len(drawn) == 3
    ((_, marks), *_) = drawn
    assert [one.number for one in marks.marks] == list(range(1, 11))
    await router.dispatch(f"map galaxies 4 {name}", ASKER)
    assert [one.number for one in drawn[-1][1].marks] == [1, 2, 3, 4]
    assert marks.marks[0].text.startswith("DEMO J")
    assert "terminal can't show images" in await ask(galaxies, f"map galaxies {name}", None)


@pytest.mark.parametrize("words", ["galaxies export csv 3", "galaxies csv 3", "galaxies 3 export csv"])
async def test_an_export_has_as_many_as_are_asked_for(with_galaxies: Factory, words: str) -> None:
    name = await store(with_galaxies, *bns(NOW))
    said = await ask(with_galaxies, f"{words} {name}")
    assert "\n3,DEMO" in said and "\n4,DEMO" not in said
    assert "The first 3 by rank are here: 92 % of the ranking." in said.replace("\u00a0", " ")


async def test_a_region_file_carries_the_marks(with_galaxies: Factory) -> None:
    name = await store(with_galaxies, *mock(NOW))
    assert f"# MOCK {name}: galaxies in" in await ask(with_galaxies, f"galaxies export ds9 {name}")


@pytest.mark.parametrize(
    ("sentence", "count", "arguments"),
    [
        ("which galaxies are in the volume", 0, ""),
        ("which 10 galaxies can we see from Palomar", 1, "10 from Palomar"),
        ("first 20 nearby galaxies please", 1, "20"),
        ("show the galaxies on the map", 1, "map"),
        ("galaxies as csv", 1, "export csv"),
        ("what could be the host", 1, ""),
        ("what could be the host", 0, None),
        ("how far is it", 1, None),
    ],
)
def test_sentences(sentence: str, count: int, arguments: str | None) -> None:
    assert read_galaxy_sentence(sentence, count) == arguments


def test_words_that_stand_for_galaxies() -> None:
    assert expand_galaxies("map", "galaxies") == ("galaxies", "map")
    assert expand_galaxies("map", "") is None
    assert expand_galaxies("export", "galaxies ds9") == ("galaxies", "export ds9")
    assert expand_galaxies("galaxies", "help") == ("help", "galaxies")
    assert expand_galaxies("galaxies", "export csv") is None
    assert expand_galaxies("check", "galaxies") is None


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60))
def test_any_words_are_read_or_refused_in_one_sentence(words: str) -> None:
    try:
        found = read_words(words, ())
    except FilterSyntaxError as refusal:
        assert 0 < len(str(refusal)) < 600
    else:
        assert found.count is None or 1 <= found.count <= MAX_RANKED
        assert found.verb in GalaxyVerb


@given(st.integers(-(10**12), 10**12))
def test_a_number_is_never_guessed(number: int) -> None:
    if 1 <= number <= MAX_ROWS:
        assert read_words(f"{number}", ()).count == number
    else:
        with pytest.raises(CommandError):
            read_words(f"{number}", ())
