"""What every test may use."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from bot.store.database import Database
from tests.support.postgres import URL_VARIABLE, Databases, PostgresUnavailable, postgres_server, with_driver

pytest_plugins = ["tests.support.browser", "tests.support.brokers", "tests.support.delivery_harness"]

# CI says the same of the same commit; elsewhere each run looks at other examples.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")

SHARED_NOTICES = Path(__file__).resolve().parents[1].parent / "shared" / "notices"


@pytest.fixture(scope="session")
def shared_notices() -> Path:
    """Real notices beside the checkout; a test that needs them is skipped where they are missing."""
    if not SHARED_NOTICES.is_dir():
        pytest.skip("the folder of real notices (../shared/notices) isn't here")
    return SHARED_NOTICES


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """A PostgreSQL server; a test that needs it is skipped where it can't run, save in CI."""
    try:
        with postgres_server() as url:
            databases = Databases(url)
            yield databases
            if URL_VARIABLE in os.environ:
                databases.drop_all()
    except PostgresUnavailable as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no PostgreSQL here: {reason}")


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
