"""Upgrade and rollback: migrations only add, so the version before goes on working on the tables after."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

import bot.store
from bot.app.factory import Factory
from bot.store.database import Database, StoreUnavailable
from bot.store.outbox.models import Delivered
from bot.store.tables_version import alembic_config
from tests.support.factories import NOW, TEAM, decoded_notice, planner, record_notices, subscribe

VERSIONS = sorted((Path(bot.store.__file__).parent / "migrations" / "versions").glob("*.py"))
ADDS = {"create_table", "create_index", "add_column", "f", "batch_alter_table"}
"""What a migration may do to tables that are in use; all else waits until no version needs what it takes."""
_SQL = ("UPDATE ", "INSERT ", "CREATE INDEX ", "WITH ")


def faults(source: str) -> Iterator[str]:
    """What in a migration's upgrade could break the version before it."""
    [upgrade] = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    made = {
        ast.literal_eval(call.args[0])
        for call in calls(upgrade)
        if name_of(call) == "create_table" and call.args
    }
    widened = widened_keys(upgrade)
    for call in calls(upgrade):
        name = name_of(call)
        if (
            name in ("drop_constraint", "create_unique_constraint")
            and ast.literal_eval(call.args[0]) in widened
        ):
            continue
        if name == "execute":
            yield from sql_faults(call)
        elif name not in ADDS:
            yield f"{name} takes something away, or changes it"
        elif name == "add_column":
            yield from column_faults(call)
        elif name == "create_index" and is_true(call, "unique"):
            table = ast.literal_eval(call.args[1])
            if table not in made:
                yield f"the version before may write what a unique index on {table} refuses"


def widened_keys(upgrade: ast.AST) -> set[str]:
    """The names of unique keys that give way to wider ones: those refuse nothing that the old ones took.

    By the naming convention a key's name says its columns.
    """
    dropped = {
        ast.literal_eval(call.args[0])
        for call in calls(upgrade)
        if name_of(call) == "drop_constraint"
        and any(k.arg == "type_" and getattr(k.value, "value", None) == "unique" for k in call.keywords)
    }
    wider = {
        ast.literal_eval(call.args[0])
        for call in calls(upgrade)
        if name_of(call) == "create_unique_constraint"
    }
    pairs = [(old, new) for old in dropped for new in wider if new.startswith(f"{old}_")]
    return {name for pair in pairs for name in pair}


def calls(within: ast.AST) -> list[ast.Call]:
    """The calls of Alembic's operations, by way of `op` or a batch."""
    return [
        node
        for node in ast.walk(within)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("op", "batch", "batch_op")
    ]


def name_of(call: ast.Call) -> str:
    assert isinstance(call.func, ast.Attribute)
    return call.func.attr


def is_true(call: ast.Call, keyword: str) -> bool:
    return any(k.arg == keyword and getattr(k.value, "value", None) is True for k in call.keywords)


def column_faults(call: ast.Call) -> Iterator[str]:
    [column] = [arg for arg in call.args if isinstance(arg, ast.Call)]
    given = {k.arg: k.value for k in column.keywords}
    nullable = "nullable" not in given or getattr(given["nullable"], "value", None) is True
    if not nullable and "server_default" not in given:
        yield f"{ast.unparse(call)}: the version before leaves it out of a row"


def sql_faults(call: ast.Call) -> Iterator[str]:
    for node in ast.walk(call):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and not node.value.lstrip().upper().startswith(_SQL)
        ):
            yield f"{node.value!r} isn't one of {', '.join(_SQL)}"


@pytest.mark.parametrize("path", VERSIONS, ids=[path.stem for path in VERSIONS])
def test_migrations_only_add(path: Path) -> None:
    assert list(faults(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "step",
    [
        'op.drop_table("threads")',
        'op.drop_column("threads", "root_ts")',
        'op.rename_table("threads", "strings")',
        'op.alter_column("threads", "root_ts", new_column_name="ts")',
        'op.alter_column("threads", "root_ts", nullable=False)',
        'op.create_unique_constraint("uq", "threads", ["root_ts"])',
        'op.drop_constraint("uq_threads_root_ts", "threads", type_="unique")',
        'op.create_index("ix", "threads", ["root_ts"], unique=True)',
        'op.add_column("threads", sa.Column("colour", sa.Text(), nullable=False))',
        'op.execute("DROP TABLE threads")',
        'with op.batch_alter_table("threads") as batch:\n        batch.drop_column("root_ts")',
    ],
)
def test_incompatible_migration_is_detected(step: str) -> None:
    assert len(list(faults(f"def upgrade():\n    {step}\n"))) == 1


@pytest.mark.parametrize(
    "step",
    [
        'op.add_column("threads", sa.Column("colour", sa.Text()))',
        'op.add_column("threads", sa.Column("colour", sa.Text(), nullable=False, server_default="red"))',
        'op.execute("UPDATE threads SET root_ts = NULL")',
        'op.drop_constraint("uq_threads_a", "threads", type_="unique")\n'
        '    op.create_unique_constraint("uq_threads_a_b", "threads", ["a", "b"])',
    ],
)
def test_additive_migration_is_accepted(step: str) -> None:
    assert list(faults(f"def upgrade():\n    {step}\n")) == []


async def newer(path: Path, *statements: str) -> Factory:
    """A database that a newer version has changed so, opened by this one."""
    database = Database(f"sqlite+aiosqlite:///{path}")
    async with database.exclusive_transaction() as connection:
        for statement in ("UPDATE alembic_version SET version_num = '9999'", *statements):
            await connection.execute(text(statement))
    return Factory(database)


async def test_a_newer_versions_tables_serve_as_long_as_they_only_grew(database_path: Path) -> None:
    factory = await newer(
        database_path,
        "CREATE TABLE novelties (id INTEGER PRIMARY KEY)",
        "ALTER TABLE notices ADD COLUMN novelty TEXT",
        "ALTER TABLE notices ADD COLUMN rating INTEGER NOT NULL DEFAULT 5",
    )
    await factory.database.migrate()
    assert (await factory.notices.record(decoded_notice(), b"bytes", "test:1", NOW, planner())).new
    await factory.database.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE superevents RENAME COLUMN category TO kind", "DROP TABLE observers"],
)
async def test_newer_database_that_lacks_columns_is_rejected(database_path: Path, statement: str) -> None:
    factory = await newer(database_path, statement)
    with pytest.raises(StoreUnavailable, match="another version"):
        await factory.database.migrate()
    await factory.database.close()


@pytest.mark.backends("postgresql")
async def test_newer_tables_serve_on_postgresql(factory: Factory, backend: str) -> None:
    async with factory.database.exclusive_transaction() as connection:
        current = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        await factory.database.migrate()
        assert (await factory.notices.record(decoded_notice(), b"bytes", "test:1", NOW, planner())).new
    finally:
        # This database is used by other tests too.
        async with factory.database.exclusive_transaction() as connection:
            again = text("UPDATE alembic_version SET version_num = :current")
            await connection.execute(again, {"current": current})


_TABLES = ("superevents", "notices", "payloads", "threads", "deliveries", "mentions", "pictures", "undecided")


async def _rows(factory: Factory, *columns: str) -> dict[str, list[tuple[object, ...]]]:
    async with factory.database.read_transaction() as connection:
        read = {
            table: text(
                f"SELECT {', '.join(columns) if table == 'notices' else '*'} FROM {table} ORDER BY 1, 2"
            )
            for table in _TABLES
        }
        return {
            table: [tuple(row) for row in (await connection.execute(query)).all()]
            for table, query in read.items()
        }


@pytest.mark.backends("sqlite", "postgresql")
async def test_migration_of_the_notice_key_keeps_rows_in_flight(factory: Factory) -> None:
    await subscribe(factory, "all notify @here", "C1", "C2")
    await record_notices(factory, [decoded_notice(), decoded_notice(alert_type="UPDATE", minutes=3)])
    columns = ("id", "superevent_id", "alert_type", "time_created", "received_at", "origin", "facts")
    before = await _rows(factory, *columns)
    assert before["deliveries"] and before["mentions"] and before["payloads"]
    before_it = ScriptDirectory.from_config(alembic_config()).get_revision("0013").down_revision
    assert isinstance(before_it, str)
    await factory.database._run_migration(
        lambda connection: command.downgrade(alembic_config(connection), before_it)
    )
    try:
        assert await _rows(factory, *columns) == before
    finally:
        await factory.database.migrate()
    await factory.database.check_migrations()
    assert await _rows(factory, *columns) == before
    # What came before the migration is known by its payload, or else only by its type and time.
    assert not (await factory.notices.record(decoded_notice(far=0.5), b"bytes", "test:1", NOW, planner())).new
    await record_notices(factory, decoded_notice(alert_type="UPDATE", minutes=5))
    await record_notices(factory, decoded_notice(alert_type="UPDATE", minutes=5, far=2e-9))
    async with factory.database.read_transaction() as connection:
        newest = (await connection.execute(text("SELECT MAX(id) FROM notices"))).scalar_one()
    assert newest == before["notices"][-1][0] + 2  # type: ignore[operator]
    if factory.database.is_sqlite:
        async with factory.database.read_transaction() as connection:
            assert (await connection.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1
            assert (await connection.execute(text("PRAGMA foreign_key_check"))).all() == []
            made_by = text("SELECT sql FROM sqlite_master WHERE name = 'notices'")
            assert "AUTOINCREMENT" in (await connection.execute(made_by)).scalar_one()


@pytest.mark.backends("sqlite", "postgresql")
async def test_migration_orders_waiting_deliveries(factory: Factory) -> None:
    """0012: rows of before it are claimed in the new order, and none is left behind."""
    before = {"mock": "false", "event_order": "0", "held_until": "NULL"}
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all mock test", "C1")
    for name in ("S261122a", "MS261122b", "S261122c", "TS261122d"):
        await record_notices(factory, decoded_notice(name))
    await record_notices(factory, decoded_notice("S261122a", "INITIAL", minutes=1))
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(
            text("UPDATE deliveries SET " + ", ".join(f"{name} = {value}" for name, value in before.items()))
        )
    await _again(factory.database, down_to=_before("0012"))
    found = []
    while claimed := await factory.outbox.claim(NOW, 10):
        found += [(d.superevent_id, d.kind.value) for d in claimed]
        await factory.outbox.record_outcomes(
            [(d, Delivered(ts="1.1", revision=d.target_revision)) for d in claimed], NOW
        )
    assert found == [
        ("S261122c", "root"),
        ("S261122a", "root"),
        ("S261122a", "reply"),
        ("TS261122d", "root"),
        ("MS261122b", "root"),
    ]


async def _queue_indexes(factory: Factory) -> list[str]:
    """Return the definitions of the indexes that claims read."""
    names = "('ix_deliveries_ready_posts', 'ix_deliveries_ready_edits')"
    query = f"SELECT sql FROM sqlite_master WHERE name IN {names} ORDER BY name"
    if not factory.database.is_sqlite:
        query = f"SELECT indexdef FROM pg_indexes WHERE indexname IN {names} ORDER BY indexname"
    async with factory.database.read_transaction() as connection:
        return list((await connection.execute(text(query))).scalars())


@pytest.mark.slow
@pytest.mark.backends("sqlite", "postgresql")
async def test_migration_for_follow_up_replies_keeps_what_waits_and_its_indexes(factory: Factory) -> None:
    """0018: posts and edits of before it are claimed, and the queue's indexes know the new kind."""
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "all circulars", "C1")
    await record_notices(factory, decoded_notice("S261122a"))
    [root] = await factory.outbox.claim(NOW, 10)
    await factory.outbox.record_outcomes([(root, Delivered(ts="1.1", revision=1))], NOW)
    await record_notices(factory, decoded_notice("S261122a", "INITIAL", minutes=1))
    made = await _queue_indexes(factory)
    assert len(made) == 2 and all("follow_up_edit" in one for one in made)
    await factory.database._run_migration(lambda c: command.downgrade(alembic_config(c), _before("0018")))
    assert not any("follow_up_edit" in one for one in await _queue_indexes(factory))
    await factory.database.migrate()
    await factory.database.check_migrations()
    assert await _queue_indexes(factory) == made
    found = []
    while claimed := await factory.outbox.claim(NOW, 10):
        found += [d.kind.value for d in claimed]
        await factory.outbox.record_outcomes(
            [(d, Delivered(ts="1.2", revision=d.target_revision)) for d in claimed], NOW
        )
    assert found == ["reply", "edit"]


def _before(revision: str) -> str:
    [found] = [path for path in VERSIONS if path.stem.startswith(revision)]
    source = ast.parse(found.read_text("utf-8"))
    return next(
        str(ast.literal_eval(node.value))
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "down_revision"
    )


async def _again(database: Database, *, down_to: str) -> None:
    await database._run_migration(lambda c: command.downgrade(alembic_config(c), down_to))
    await database._run_migration(lambda c: command.upgrade(alembic_config(c), "head"))
