"""Which tables a database holds is known without Alembic, as Alembic knows it."""

from __future__ import annotations

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from bot.app.factory import Factory
from bot.store import tables_version
from bot.store.database import StoreUnavailable

BOTH = pytest.mark.backends("sqlite", "postgresql")
SQLITE = pytest.mark.backends("sqlite")
"""A file of its own each; the tests on PostgreSQL share their tables."""


def test_the_newest_revision_is_alembics_head() -> None:
    heads = ScriptDirectory.from_config(tables_version.alembic_config()).get_heads()
    assert [tables_version.own_revision()] == list(heads)


@BOTH
async def test_the_stored_revision_is_that_of_the_migrations(factory: Factory) -> None:
    async with factory.database.read_transaction() as connection:
        assert await connection.run_sync(tables_version.stored_revisions) == {tables_version.own_revision()}


@SQLITE
async def test_a_database_without_tables_is_at_no_revision(factory: Factory) -> None:
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
        assert await connection.run_sync(tables_version.stored_revisions) == set()
        assert not await connection.run_sync(tables_version.is_current)


@SQLITE
async def test_a_revision_of_nobodys_is_refused_in_words(factory: Factory) -> None:
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'elsewhere'"))
    with pytest.raises(StoreUnavailable, match="another version's of gwevent"):
        await factory.database.migrate()
