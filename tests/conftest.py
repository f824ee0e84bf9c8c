"""Fixtures of all tests, and the markers that follow from fixtures."""

import asyncio
import gc
import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.store import engine
from bot.store.database import Database
from tests.support.compiled_statements import SharedStatements
from tests.support.postgres import URL_VARIABLE, Databases, PostgresUnavailable, postgres_server, with_driver
from tests.support.sample import not_in_sample

pytest_plugins = ["tests.support.browser", "tests.support.brokers", "tests.support.delivery_harness"]

# No example has a deadline: on a busy machine it would fail for want of CPU time alone.
# In CI the same commit is tested with the same examples; elsewhere each run draws others. ./tests/run --fast
# chooses its profile by --hypothesis-profile; a test that says how many examples it needs has them there too.
settings.register_profile("full", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("fast", max_examples=20, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "full")

FIXTURE_MARKERS = {"browser": pytest.mark.browser, "deployment": pytest.mark.process}
"""A test that uses one of these fixtures, itself or through another fixture, gets the marker."""

SHARED_NOTICES = Path(__file__).resolve().parents[1].parent / "shared" / "notices"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `./tests/run --fast`."""
    parser.addoption("--sample", action="store_true", help="run some tests: see tests/support/sample.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that use a browser or run the bot as a process; with --sample, leave most others out."""
    for item in items:
        for fixture, marker in FIXTURE_MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)
    if config.getoption("--sample"):
        left_out = not_in_sample(items)
        config.hook.pytest_deselected(items=left_out)
        chosen = set(items) - set(left_out)
        items[:] = [item for item in items if item in chosen]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect the tests, and keep what is loaded by then out of every garbage collection.

    It lives to the end of the run, and looking for garbage meanwhile took a fifth of the time of collecting.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def sqlite_without_waiting_for_the_disk() -> Iterator[str]:
    """Leave the writing of SQLite's files to the system: no test takes the power away.

    Waiting for the disk took most of the time of a commit. Yields gwevent's own setting.
    """
    with pytest.MonkeyPatch.context() as patch:
        own = engine.SQLITE_SYNCHRONOUS
        patch.setattr(engine, "SQLITE_SYNCHRONOUS", "OFF")
        yield own


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Compile each statement once for all engines of a backend, not once for each test's."""
    shared: defaultdict[str, SharedStatements] = defaultdict(SharedStatements)

    def create_sharing(url: URL, **options: Any) -> AsyncEngine:
        cache = shared[url.get_backend_name()]
        return create_async_engine(url, execution_options={"compiled_cache": cache}, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "create_async_engine", create_sharing)
        yield


@pytest.fixture(scope="session")
def shared_notices() -> Path:
    """The folder of real notices beside the checkout; the test is skipped where it is missing."""
    if not SHARED_NOTICES.is_dir():
        pytest.skip(
            "the collection of real notices, ../shared/notices, isn't part of this repository; nothing needs "
            "to be done: the tests with synthetic notices cover the same code"
        )
    return SHARED_NOTICES


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """A PostgreSQL server. Where it can't run, the test is skipped; in CI it fails."""
    try:
        with postgres_server() as url:
            databases = Databases(url)
            yield databases
            if URL_VARIABLE in os.environ:
                databases.drop_all()
    except PostgresUnavailable as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no PostgreSQL here: {reason}. Name one with {URL_VARIABLE}=postgresql://…")


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Databases) -> str:
    """An empty PostgreSQL database at this version, to be copied."""
    url = postgres.create()

    async def migrate() -> None:
        database = Database(with_driver(url))
        await database.migrate()
        await database.close()

    asyncio.run(migrate())
    return url


@pytest.fixture(autouse=True)
def plain_logging() -> Iterator[None]:
    """Log by structlog's own means, whatever the command line of an earlier test configured.

    A test that runs a command leaves loggers behind that write to that test's closed output. Exceptions are
    logged without local variables, because tests cause many.
    """
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    )
    yield
    structlog.configure(**before)
