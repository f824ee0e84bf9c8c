"""What observers type is answered to the point: the table of questions, and generated ones."""

from __future__ import annotations

import asyncio
import shutil
import string
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.commands.typed_events import find_typed_events
from bot.commands.understanding import clean_question, read_question
from bot.runtime.typed_text import normalize_typed_text
from bot.store.database import Database
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import ImageRef
from formatters.terminal import message_text
from tests.bot.commands.typed_questions import PENDING, QUESTIONS
from tests.support.factories import TEAM, Clock
from tests.support.question_events import store_question_events

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
GENERATED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


@pytest.fixture(scope="module")
def stored_events(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the events that the questions are about."""
    path = tmp_path_factory.mktemp("questions") / "events.sqlite"
    shutil.copy(migrated, path)

    async def store() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await store_question_events(Factory(database))
        await database.close()

    asyncio.run(store())
    return path


@pytest.fixture
async def router(stored_events: Path) -> AsyncIterator[CommandRouter]:
    database = Database(f"sqlite+aiosqlite:///{stored_events}")

    async def draw(_team: str, superevent: Superevent, _notice: Notice) -> ImageRef:
        return ImageRef(alt_text=f"The sky map of {superevent.superevent_id}", file_id="F0123456789")

    yield Factory(database).create_command_router(Clock(), image_provider=draw)
    await database.close()


async def ask(router: CommandRouter, question: str, context: CommandContext | None = ASKER) -> str:
    return message_text.render(await router.dispatch(question, context)).replace("\u00a0", " ")


def test_the_table_has_every_question_once() -> None:
    questions = [question for question, _ in QUESTIONS]
    assert len(questions) == len(set(questions)) == 132
    assert set(questions) >= PENDING


@pytest.mark.parametrize(("question", "expected"), QUESTIONS, ids=[question for question, _ in QUESTIONS])
async def test_a_typed_question_is_answered_to_the_point(
    router: CommandRouter, question: str, expected: tuple[str, ...]
) -> None:
    answer = await ask(router, question)
    missing = [part for part in expected if part not in answer]
    if question in PENDING and missing:
        pytest.xfail("waits for another part")
    assert not missing, answer
    assert "I don't understand" not in answer
