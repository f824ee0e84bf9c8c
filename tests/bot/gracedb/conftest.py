"""Fixtures: a GraceDB on loopback, its client and its importer."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable

import pytest

from bot.app.factory import Factory
from bot.gracedb.client import GraceDb
from bot.gracedb.importer import SupereventImporter
from tests.bot.gracedb.fake import FakeGraceDb
from tests.support.factories import Clock, create_pipeline


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep requests to loopback away from the proxy of the test machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def fake() -> AsyncIterator[FakeGraceDb]:
    local = FakeGraceDb()
    await local.start()
    yield local
    await local.stop()


@pytest.fixture
async def gracedb(fake: FakeGraceDb) -> AsyncIterator[GraceDb]:
    client = GraceDb(fake.url)
    yield client
    await client.close()


@pytest.fixture
async def archive(fake: FakeGraceDb, factory: Factory, clock: Clock) -> AsyncIterator[SupereventImporter]:
    pipeline = create_pipeline(factory, clock)
    importer = SupereventImporter(GraceDb(fake.url), pipeline, factory.gracedb_lookups, clock)
    yield importer
    await importer.close()


@pytest.fixture
def unused() -> Callable[[], int]:
    """Return a function that finds an unused port."""

    def find() -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port: int = server.getsockname()[1]
        return port

    return find
