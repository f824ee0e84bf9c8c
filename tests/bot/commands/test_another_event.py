"""No answer is about another event than the one that was typed, and none changes a channel because of one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.commands.typed_events import find_misspelled_id
from bot.store.database import Database
from formatters.terminal import message_text
from tests.support.factories import TEAM, Clock
from tests.support.question_events import store_question_events

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
NEWEST = "S261120c"
"""The event that is answered about where none is named."""
ABOUT_EVENT = (
    "history {}",
    "map {}",
    "{} map",
    "export moc {}",
    "check 95.7 -10.96 {}",
    "visible Palomar {}",
)


@pytest.fixture(scope="module")
def stored_events(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("another_event") / "events.sqlite"
    shutil.copy(migrated, path)

    async def store() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await store_question_events(Factory(database))
        await database.close()

    asyncio.run(store())
    return path


@pytest.fixture
async def router(stored_events: Path, tmp_path: Path) -> AsyncIterator[CommandRouter]:
    shutil.copy(stored_events, tmp_path / "events.sqlite")
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'events.sqlite'}")
    yield Factory(database).create_command_router(Clock())
    await database.close()


async def ask(router: CommandRouter, question: str) -> str:
    return message_text.render(await router.dispatch(question, ASKER)).replace("\u00a0", " ")


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["S23O518h", "S2305l8h", "5230518h", "S2305I8h", "S2305188h"])
async def test_a_misspelled_id_is_asked_about(router: CommandRouter, typed: str) -> None:
    for words in ABOUT_EVENT:
        answer = await ask(router, words.format(typed))
        assert NEWEST not in answer, words
        assert "Did you mean S230518h?" in answer or "I don't understand" in answer, words


CONFUSED = {"0": "Oo", "1": "lI", "5": "5"}


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(
    digits=st.from_regex(r"2[3-6](?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])", fullmatch=True),
    letters=st.from_regex(r"[a-z]{1,3}", fullmatch=True),
    data=st.data(),
)
def test_an_id_with_letters_for_digits_is_found(digits: str, letters: str, data: st.DataObject) -> None:
    swapped = "".join(data.draw(st.sampled_from(CONFUSED.get(digit, digit) + digit)) for digit in digits)
    if sum(map(str.isdigit, swapped)) < 4:
        return
    typed = data.draw(st.sampled_from(["S", "s", "MS", "5"])) + swapped + letters
    assert find_misspelled_id(f"95.7 -10.96 {typed}") == typed


@pytest.mark.parametrize(
    "text",
    ["95.7 -10.96", "S5 0716+71 110.5 71.3", "J062248-105736", "062248.0-105736", "SN2026abc 1 2", "SDSS1"],
)
def test_positions_and_names_are_no_misspelled_ids(text: str) -> None:
    assert find_misspelled_id(text) is None


@pytest.mark.parametrize("described", ["the last BBH", "latest NSBH", "newest burst", "the previous event"])
@pytest.mark.parametrize("words", ABOUT_EVENT)
async def test_an_event_that_is_told_by_its_class_is_asked_about(
    router: CommandRouter, words: str, described: str
) -> None:
    answer = await ask(router, words.format(described))
    assert "No event was named" not in answer
    assert "I don't understand" in answer or "Which event?" in answer or "map" in answer.split()[0]


@pytest.mark.parametrize("separator", [":", ": ", " - ", ", ", " / ", " — ", "? ", "... "])
async def test_what_separates_the_id_from_the_command_is_nothing(
    router: CommandRouter, separator: str
) -> None:
    answer = await ask(router, f"S230518h{separator}visible from Palomar")
    assert "Visibility" in answer and "S230518h" in answer


@pytest.mark.parametrize(
    "words", ["subscribe CBC", "unsubscribe 1", "subscriptions pause 1", "sites add VLT"]
)
@pytest.mark.usefixtures("confirmation_without_wait")
async def test_an_event_beside_a_change_changes_nothing(router: CommandRouter, words: str) -> None:
    await ask(router, "subscribe BNS")
    before = await ask(router, "unsubscribe")
    assert "I don't understand" in await ask(router, f"S230518h {words}")
    assert await ask(router, "unsubscribe") == before
    assert "no sites yet" in await ask(router, "sites")


@pytest.mark.parametrize("letter", ["S", "s", "N", "south"])
async def test_a_direction_behind_a_position_is_asked_about(router: CommandRouter, letter: str) -> None:
    answer = await ask(router, f"check 95.7 10.96 {letter} S230518h")
    assert "behind the position" in answer and "region" not in answer


@pytest.mark.parametrize("value", ["2 deg", "0.5 arcmin", "3 arcsec", "1°", "913 Mly", "300 km"])
async def test_a_number_with_another_unit_is_no_distance(router: CommandRouter, value: str) -> None:
    answer = await ask(router, f"check 95.7 -10.96 {value} S230518h")
    assert "beside the position" in answer and "if it is a distance" not in answer


@pytest.mark.parametrize("level", ["50", "50%", "50 %", "0.5", "level 0.5", "99%"])
@pytest.mark.parametrize("form", ["moc", "ds9"])
async def test_a_region_of_another_level_is_not_taken_for_the_90_percent_one(
    router: CommandRouter, form: str, level: str
) -> None:
    for words in (f"export {form} {level} S230518h", f"{form} {level} S230518h"):
        assert "only the 90 % region is exported" in await ask(router, words)


@pytest.mark.parametrize("level", ["", "90", "90%", "90 %", "0.9", "level 0.90"])
async def test_the_90_percent_region_may_be_asked_for_by_its_level(router: CommandRouter, level: str) -> None:
    assert "90 % credible region of S230518h" in await ask(router, f"export moc {level} S230518h")


@pytest.mark.parametrize("words", ABOUT_EVENT)
@pytest.mark.parametrize("typed", ["S230518", "GW230518"])
async def test_a_day_beside_a_command_is_told_from_an_id(
    router: CommandRouter, words: str, typed: str
) -> None:
    answer = await ask(router, words.format(typed))
    assert f"needs an event's id, and {typed} is none." in answer.partition("\n")[0]
    assert "S230518h" in answer
