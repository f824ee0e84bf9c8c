"""The version of a database's tables, and their migration to those of this gwevent.

Alembic is imported only where there is something to migrate or to compare: importing and running it takes a
tenth of a second, for which every start would wait.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from bot.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"


class OtherTables(Exception):
    """An error that a database is at a revision that this version doesn't have; the message is Alembic's."""


@cache
def own_revision() -> str:
    """Return the newest revision of this version: the number that the last migration's file begins with."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def stored_revisions(connection: Connection) -> set[str]:
    """Return the revisions that the database is at, by Alembic's own table; none if it has no tables yet."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def is_current(connection: Connection) -> bool:
    """Return True if the database is at this version's newest revision."""
    return stored_revisions(connection) == {own_revision()}


def upgrade(connection: Connection) -> None:
    """Migrate the tables to this version. Raises OtherTables if the database is at an unknown revision."""
    if is_current(connection):
        return
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise OtherTables(str(error)) from error


def check(connection: Connection) -> None:
    """Raise Alembic's CommandError if the schema's tables differ from those that the migrations create."""
    from alembic import command

    command.check(alembic_config(connection))


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration, for work on a connection whose transaction is the caller's."""
    from alembic.config import Config

    # Its default is what the standard output was when Alembic was imported, which may be closed by now.
    config = Config(stdout=sys.stdout)
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def is_newer_but_compatible(connection: Connection) -> bool:
    """Return True if a newer version migrated the database and this version can still work on it.

    It can if no table or column that it needs is missing, and every column that it does not know is nullable
    or has a default.
    """
    made = stored_revisions(connection)
    if not made or not all(revision.isdecimal() and revision > own_revision() for revision in made):
        return False
    inspector = inspect(connection)
    tables = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in tables:
            return False
        columns = {column["name"]: column for column in inspector.get_columns(table.name)}
        unknown = [column for name, column in columns.items() if name not in table.c]
        if not set(table.c.keys()) <= columns.keys() or any(
            not column["nullable"] and column["default"] is None for column in unknown
        ):
            return False
    return True
