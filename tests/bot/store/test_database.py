"""The file, its tables, and the one error for "it can't now"."""

from __future__ import annotations

import asyncio
import io
import secrets
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from bot.app.factory import Factory
from bot.store import engine, tables_version
from bot.store.database import Database, InvalidDatabaseUrl, StoreUnavailable
from bot.store.notify import listen_for_notifications
from bot.store.tables_version import alembic_config
from tests.support.factories import NOW, decoded_notice, planner, record_notices, subscribe
from tests.support.postgres import Databases, with_driver

PATIENCE_S = 60.0


def opened(path: Path) -> Database:
    return Database(f"sqlite+aiosqlite:///{path}")


BOTH = pytest.mark.backends("sqlite", "postgresql")


@BOTH
async def test_migrations_make_the_tables_that_the_schema_declares(factory: Factory) -> None:
    await factory.database.check_migrations()
    assert await factory.database.is_current()


@BOTH
async def test_migrating_twice_changes_nothing(factory: Factory) -> None:
    await record_notices(factory, decoded_notice())
    await factory.database.migrate()
    assert await factory.notices.recent_ids() == [decoded_notice().superevent_id]


async def test_a_new_file_in_a_new_folder_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "gwevent" / "new.sqlite"
    database = opened(path)
    assert not path.exists()
    await database.migrate()
    await record_notices(Factory(database), decoded_notice())
    assert database.acquire_instance_lock()
    modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    assert modes and set(modes.values()) == {0o600}, modes
    await database.close()


async def test_a_file_has_one_bot(database_path: Path) -> None:
    first, second = opened(database_path), opened(database_path)
    assert first.acquire_instance_lock()
    assert first.acquire_instance_lock(), "asking again is no second bot"
    assert not second.acquire_instance_lock()
    await first.close()
    assert second.acquire_instance_lock()
    await second.close()


@pytest.mark.backends("sqlite")
async def test_the_pragmas_are_in_force(
    factory: Factory, sqlite_without_waiting_for_the_disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SQLITE_SYNCHRONOUS", sqlite_without_waiting_for_the_disk)
    async with factory.database.exclusive_transaction() as connection:
        found = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("foreign_keys", "journal_mode", "synchronous", "busy_timeout")
        }
    assert found == {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": engine.BUSY_TIMEOUT_MS,
    }


@BOTH
async def test_foreign_keys_hold(factory: Factory) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(text("INSERT INTO payloads (notice_id, body) VALUES (7, '')"))


async def test_a_locked_file_is_unavailable_and_then_it_is_not(
    database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 20)
    factory = Factory(opened(database_path))
    other = sqlite3.connect(database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await factory.notices.record(decoded_notice(), b"bytes", "test:1", NOW, planner())
    assert await factory.notices.superevent(decoded_notice().superevent_id) is None, "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    await record_notices(factory, decoded_notice())
    await factory.database.close()


async def test_a_full_disk_is_unavailable_and_then_it_is_not(database_path: Path) -> None:
    database = opened(database_path)
    factory = Factory(database)
    limit = 0

    @event.listens_for(database._engine.sync_engine, "checkout")
    def fill(connection: sqlite3.Connection, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA max_page_count={limit or 1_000_000}")
        cursor.close()

    async with database.read_transaction() as connection:
        limit = (await connection.execute(text("PRAGMA page_count"))).scalar_one() + 2
    with pytest.raises(StoreUnavailable, match="full"):
        await factory.notices.record(decoded_notice(), bytes(100_000), "test:1", NOW, planner())
    assert await factory.notices.recent_ids() == [], "nothing half done"
    limit = 0
    recorded = await factory.notices.record(decoded_notice(), bytes(100_000), "test:1", NOW, planner())
    assert recorded.new
    await database.close()


async def test_a_read_only_database_is_unavailable(database_path: Path) -> None:
    database = opened(database_path)

    @event.listens_for(database._engine.sync_engine, "checkout")
    def freeze(connection: sqlite3.Connection, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    with pytest.raises(StoreUnavailable, match="readonly"):
        await Factory(database).notices.record(decoded_notice(), b"bytes", "test:1", NOW, planner())
    await database.close()


async def test_file_that_is_no_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear colleagues, the meeting is at noon. " * 50)
    database = opened(path)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await database.migrate()
    await database.close()


async def test_a_folder_and_a_place_that_cant_be_made_are_sentences(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await folder.migrate()
    await folder.close()
    (tmp_path / "file").touch()
    below = opened(tmp_path / "file" / "below.sqlite")
    with pytest.raises(StoreUnavailable, match=r"can't be written: "):
        await below.migrate()
    await below.close()


@BOTH
async def test_a_newer_versions_database_is_a_sentence(factory: Factory) -> None:
    (current,) = await versions(factory, "SELECT version_num FROM alembic_version")
    await versions(factory, "UPDATE alembic_version SET version_num = 'ffff' RETURNING version_num")
    assert not await factory.database.is_current()
    with pytest.raises(StoreUnavailable, match="another version"):
        await factory.database.migrate()
    await versions(factory, f"UPDATE alembic_version SET version_num = '{current}' RETURNING version_num")


async def versions(factory: Factory, statement: str) -> list[str]:
    async with factory.database.exclusive_transaction() as connection:
        return list((await connection.execute(text(statement))).scalars())


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "nosuch://x/y",
        "postgresql+psycopg://bot:swordfish@host:abc/x",
        "sqlite:///there.sqlite",
        "mysql://bot:swordfish@host/x",
    ],
)
def test_a_url_that_cant_be_used_is_a_sentence_without_its_password(url: str) -> None:
    with pytest.raises(InvalidDatabaseUrl, match=r"^GWEVENT_DATABASE_URL can't be used") as refused:
        Database(url)
    assert "swordfish" not in str(refused.value)


@BOTH
async def test_an_exception_undoes_the_transaction(factory: Factory) -> None:
    with pytest.raises(ZeroDivisionError):
        async with factory.database.exclusive_transaction() as connection:
            columns = "team_id, channel_id, problem, since"
            await connection.execute(
                text(f"INSERT INTO channels ({columns}) VALUES ('T', 'C', 'p', '2026-01-01')")
            )
            raise ZeroDivisionError
    async with factory.database.read_transaction() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM channels"))).scalar() == 0


# PostgreSQL


@pytest.mark.slow
async def test_many_processes_migrate_at_once(postgres: Databases) -> None:
    url = with_driver(postgres.create())
    databases = [Database(url) for _ in range(3)]
    await asyncio.gather(*(database.migrate() for database in databases))
    assert await databases[0].is_current()
    for database in databases:
        await database.close()


@pytest.mark.slow
async def test_migrations_go_back_and_forth_on_postgresql(postgres: Databases) -> None:
    database = Database(with_driver(postgres.create()))
    await database.migrate()
    await database._run_migration(lambda c: command.downgrade(alembic_config(c), "base"))
    await database.migrate()
    await database.check_migrations()
    await database.close()


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidDatabaseUrl, match=r"psycopg isn't installed; install gwevent-bot\[postgres\]"):
        Database("postgresql+psycopg://bot:swordfish@host/x")


@pytest.mark.backends("postgresql")
async def test_close_ends_connections_that_left_the_pool(factory: Factory) -> None:
    async with factory.database.shared_transaction() as connection:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        raw.detach()
    assert driver is not None and not driver.closed
    await factory.database.close()
    assert driver.closed


@pytest.mark.backends("postgresql")
async def test_a_server_that_ends_the_connection_is_unavailable_and_then_it_is_not(factory: Factory) -> None:
    with pytest.raises(StoreUnavailable):
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    await record_notices(factory, decoded_notice())


async def test_no_server_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"postgresql+psycopg://bot:swordfish@/x?host={tmp_path}")
    with pytest.raises(StoreUnavailable) as refused:
        await database.migrate()
    assert "swordfish" not in str(refused.value)
    await database.close()


@pytest.mark.backends("postgresql")
async def test_a_reader_sees_one_state_and_writers_come_one_by_one(
    factory: Factory, database_url: str
) -> None:
    other = Factory(Database(database_url))
    async with factory.database.read_transaction() as connection:
        count = text("SELECT count(*) FROM notices")
        assert (await connection.execute(count)).scalar() == 0
        await record_notices(other, decoded_notice())
        assert (await connection.execute(count)).scalar() == 0
    async with factory.database.exclusive_transaction():
        second = asyncio.create_task(record_notices(other, decoded_notice(minutes=5)))
        done, _ = await asyncio.wait([second], timeout=0.2)
        assert not done, "it waits"
    await second
    await other.database.close()


@pytest.mark.slow
async def test_frozen_process_does_not_block_others(
    postgres: Databases, migrated_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "-c idle_in_transaction_session_timeout=100"
    monkeypatch.setitem(engine._POSTGRESQL_CONNECT_ARGS, "options", options)
    url = with_driver(postgres.empty_copy(migrated_postgres))
    frozen, other = Database(url), Factory(Database(url))
    with pytest.raises(StoreUnavailable):
        async with frozen.exclusive_transaction():
            await record_notices(other, decoded_notice())
    assert await other.notices.recent_ids() == [decoded_notice().superevent_id]
    for database in (frozen, other.database):
        await database.close()


@pytest.mark.backends("postgresql")
async def test_writing_wakes_other_processes_and_a_lost_connection_is_made_again(
    factory: Factory, database_url: str
) -> None:
    other = Database(database_url)
    woken: asyncio.Queue[None] = asyncio.Queue()
    listening = asyncio.create_task(listen_for_notifications(other, lambda: woken.put_nowait(None)))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await woken.get()
            await record_notices(factory, decoded_notice())
            await woken.get()
            async with factory.database.independent_transaction() as connection:
                ended = await connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                    )
                )
                assert ended.rowcount == 1
            await woken.get()
            await record_notices(factory, decoded_notice(minutes=5))
            await woken.get()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await other.close()


def test_alembic_prints_to_the_output_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is imported late, maybe while the output is a stream that is closed afterwards."""
    now = io.StringIO()
    monkeypatch.setattr("sys.stdout", now)
    alembic_config().print_stdout("said")
    assert now.getvalue() == "said\n"


SESSIONS = (
    "timezone='Asia/Tokyo'",
    "datestyle='German, DMY'",
    "datestyle='SQL, MDY'",
    "bytea_output='escape'",
    "standard_conforming_strings=off",
    "default_transaction_isolation='serializable'",
    "default_transaction_deferrable=on",
    "client_encoding='latin1'",
    "intervalstyle='sql_standard'",
    "extra_float_digits=-3",
    "transform_null_equals=on",
)


@pytest.mark.parametrize("setting", SESSIONS)
async def test_what_a_server_sets_for_its_sessions_changes_nothing(
    setting: str, postgres: Databases, migrated_postgres: str
) -> None:
    import psycopg

    url = postgres.create(migrated_postgres)
    name = make_url(url).database or ""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET {setting}'.encode())
    database = Database(with_driver(url))
    async with database.read_transaction() as reader:
        shown = (await reader.execute(text("SHOW " + setting.partition("=")[0]))).scalar_one()
    assert shown.lower() != setting.partition("=")[2].strip("'").lower(), "the session has gwevent's own"
    notice = decoded_notice()
    factory = Factory(database)
    await subscribe(factory, "BNS > 10 %", "C0ÜNÏ−²")
    await record_notices(factory, notice)
    superevent = await factory.notices.superevent(notice.superevent_id)
    assert superevent is not None
    [found] = superevent.notices
    assert (found.key, found.received) == (notice.key, NOW)
    [subscription] = await factory.subscriptions.confirmed()
    assert subscription.channel_id == "C0ÜNÏ−²"
    await database.close()


@pytest.mark.parametrize(
    ("encoding", "is_refused"), [("LATIN1", True), ("EUC_JP", True), ("SQL_ASCII", False)]
)
async def test_a_new_database_that_lacks_characters_is_a_sentence(
    encoding: str, is_refused: bool, postgres: Databases
) -> None:
    database = Database(with_driver(postgres.create(encoding=encoding)))
    if is_refused:
        with pytest.raises(StoreUnavailable, match=rf"Its encoding {encoding} lacks .* ENCODING 'UTF8'"):
            await database.migrate()
    else:
        await database.migrate()
        await subscribe(Factory(database), "CBC", "C0ÜNÏ−²")
        [subscription] = await Factory(database).subscriptions.confirmed()
        assert subscription.channel_id == "C0ÜNÏ−²"
    await database.close()


async def test_a_database_that_lacks_characters_and_is_in_use_is_used_with_a_warning(
    postgres: Databases,
) -> None:
    database = Database(with_driver(postgres.create(encoding="LATIN1")))
    await database._run_migration(tables_version.upgrade)
    with capture_logs() as logged:
        await database.migrate()
    assert [line["event"] for line in logged] == ["database_encoding_unsuitable"]
    await record_notices(Factory(database), decoded_notice())
    await database.close()


@pytest.mark.parametrize(
    ("taken", "given"),
    [
        ("REVOKE ALL ON {} FROM {}", "GRANT ALL ON {} TO {}"),
        ("ALTER TABLE {} RENAME TO away", "ALTER TABLE away RENAME TO {}"),
    ],
    ids=["rights", "table"],
)
@pytest.mark.parametrize("table", ["notices", "deliveries", "superevents", "leases"])
async def test_rights_and_tables_that_are_taken_are_waited_for(
    table: str, taken: str, given: str, postgres: Databases, migrated_postgres: str
) -> None:
    import psycopg

    url, role = postgres.create(migrated_postgres), f"plain_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            f"CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}".encode()
        )
        try:
            plain = make_url(url).set(username=role).render_as_string(hide_password=False)
            database = Database(with_driver(plain))
            factory = Factory(database)
            await record_notices(factory, decoded_notice())
            admin.execute(taken.format(table, role).encode())
            with pytest.raises(StoreUnavailable, match=table):
                async with database.exclusive_transaction() as connection:
                    await connection.execute(text(f"SELECT 1 FROM {table}"))
            admin.execute(given.format(table, role).encode())
            await record_notices(factory, decoded_notice(minutes=1))
            await database.close()
        finally:
            admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
