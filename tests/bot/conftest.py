"""What the tests of the bot may use."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.store.database import Database
from tests.support.factories import Clock
from tests.support.postgres import Databases, with_driver


@pytest.fixture
async def local_slack() -> AsyncIterator[LocalSlack]:
    """A local Slack that listens, with uploads ready at once and the rate limits off."""
    local = LocalSlack(limits=False, file_delay=0.0)
    await local.start()
    yield local
    await local.stop()


@pytest.fixture
async def slack_client(local_slack: LocalSlack) -> AsyncIterator[AsyncWebClient]:
    """The real client of slack_sdk with the bot's token; it never repeats a request by itself."""
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(
            local_slack.bot_token, base_url=local_slack.api_url, session=session, retry_handlers=[]
        )


Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


@pytest.fixture
async def connect(local_slack: LocalSlack) -> AsyncIterator[Connect]:
    """Connects a Bolt app over Socket Mode; closed at the end of the test."""
    handlers: list[AsyncSocketModeHandler] = []

    async def connected(app: AsyncApp) -> AsyncSocketModeHandler:
        client = AsyncWebClient(local_slack.app_token, base_url=local_slack.api_url)
        handler = AsyncSocketModeHandler(app, local_slack.app_token, web_client=client, ping_interval=0.5)
        handlers.append(handler)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        await local_slack.wait_for(lambda: local_slack.sockets.count == len(handlers))
        return handler

    yield connected
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database at this version, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"

    async def migrate() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await database.migrate()
        await database.close()

    asyncio.run(migrate())
    return path


@pytest.fixture
def database_path(migrated: Path, tmp_path: Path) -> Path:
    """A SQLite file with all tables and no rows."""
    path = tmp_path / "gwevent.sqlite"
    shutil.copy(migrated, path)
    return path


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests marked `backends` on each of those databases; on PostgreSQL they count as slow."""
    marker = metafunc.definition.get_closest_marker("backends")
    if marker is not None and "backend" in metafunc.fixturenames:
        marks = {"postgresql": [pytest.mark.slow]}
        backends = [pytest.param(name, marks=marks.get(name, [])) for name in marker.args]
        metafunc.parametrize("backend", backends)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database a test runs on, where it isn't marked for both nor takes SQLite's file itself."""
    if "database_path" in request.fixturenames:
        return "sqlite"
    return os.environ.get("GWEVENT_TEST_BACKEND", "sqlite")


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> str:
    """A database with all tables and no rows, of the kind the test runs on."""
    if backend == "sqlite":
        return f"sqlite+aiosqlite:///{request.getfixturevalue('database_path')}"
    postgres: Databases = request.getfixturevalue("postgres")
    return with_driver(postgres.empty_copy(request.getfixturevalue("migrated_postgres")))


@pytest.fixture
async def factory(database_url: str) -> AsyncIterator[Factory]:
    """The store's rooms, on that database."""
    database = Database(database_url)
    yield Factory(database)
    await database.close()


@pytest.fixture
def confirmation_without_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody posts the confirmation of a new subscription, so `subscribe` doesn't wait for it."""
    monkeypatch.setattr("bot.commands.subscription_service.CONFIRMATION_TIMEOUT_S", 0.0)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is told to go on."""
    return Clock()
