"""Numbers of subscriptions: a channel's own, given once, and never mistaken for those of before."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.store import schema
from bot.store.database import Database
from bot.store.tables_version import alembic_config
from formatters.terminal import message_text
from tests.support.factories import NOW, TEAM, Clock, subscribe, unsubscribe

BOTH = pytest.mark.backends("sqlite", "postgresql")
ASKER = CommandContext(TEAM, "C1", "U0ASKER")


async def older(factory: Factory, channel: str, words: str, id_: int | None = None) -> None:
    """A row as a gwevent writes it that knows of no numbers."""
    row = {
        "team_id": TEAM,
        "channel_id": channel,
        "words": words,
        "created_by": "U1",
        "created_at": NOW,
        "confirmed_at": NOW,
        **({} if id_ is None else {"id": id_}),
    }
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(insert(schema.subscriptions).values(row))


async def numbers(factory: Factory, channel: str = "C1") -> dict[str, int]:
    return {s.criteria.canonical: s.number for s in await factory.subscriptions.for_channel(TEAM, channel)}


async def said(factory: Factory, words: str) -> str:
    return message_text.render(await factory.create_command_router(Clock()).dispatch(words, ASKER))


@BOTH
async def test_each_channel_counts_for_itself_and_gives_no_number_twice(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1", "C2")
    await subscribe(factory, "Burst", "C1", "C2")
    await subscribe(factory, "all", "C1", team="T2")
    assert await numbers(factory) == {"CBC": 1, "Burst": 2} == await numbers(factory, "C2")
    await unsubscribe(factory, "C1", "Burst")
    await subscribe(factory, "Burst", "C1")
    assert await numbers(factory) == {"CBC": 1, "Burst": 3}
    await unsubscribe(factory, "C1")
    await subscribe(factory, "CBC", "C1")
    assert await numbers(factory) == {"CBC": 4}


@BOTH
async def test_subscriptions_of_an_older_version_are_numbered_by_age(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1", "C2")
    await older(factory, "C1", "Burst", 90)
    await older(factory, "C1", "all mock", 91)
    assert [s.number for s in await factory.subscriptions.for_team(TEAM)] == [1, 2, 3, 1]
    assert await numbers(factory) == {"CBC": 1, "Burst": 2, "all mock": 3}
    told = await said(factory, "pause 90")
    assert "what was number 90 is number 2 (Burst)" in told and "Nothing was changed" in told
    assert "no subscription 92; it has 1 (CBC), 2 (Burst), 3 (all mock)." in await said(factory, "pause 92")
    assert all(s.paused_at is None for s in await factory.subscriptions.for_channel(TEAM, "C1"))


# The ids of before, by age; those of one channel that live still, and those that ended.
IDS = st.lists(st.integers(1, 12), unique=True, min_size=1, max_size=8).map(sorted)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=40,
    derandomize=True,
)
@given(alive=IDS, ended=IDS, more=st.integers(0, 6), asked=st.integers(1, 20))
async def test_former_number_never_names_another_subscription(
    factory: Factory, alive: list[int], ended: list[int], more: int, asked: int
) -> None:
    """Whatever an old message names: that subscription's state alone may change, or nothing does."""
    async with factory.database.exclusive_transaction() as connection:
        for name in ("channel_changes", "channel_numbers", "former_numbers", "subscriptions", "deliveries"):
            await connection.execute(text(f"DELETE FROM {name}"))
        known = [{"team_id": TEAM, "channel_id": "C1", "number": n} for n in {*alive, *ended}]
        await connection.execute(insert(schema.former_numbers), known)
    for id_ in alive:
        await older(factory, "C1", f"CBC distance<{id_}", id_)
    for extra in range(more):
        await subscribe(factory, f"Burst mock far<1e-{extra + 1}", "C1")
    before = {s.id: s for s in await factory.subscriptions.for_channel(TEAM, "C1")}
    given_ = [s.number for s in sorted(before.values(), key=lambda s: s.id) if s.id in alive]
    assert given_ == sorted(given_) and len({s.number for s in before.values()}) == len(before)
    told = await said(factory, f"pause {asked}")
    after = {s.id: s for s in await factory.subscriptions.for_channel(TEAM, "C1")}
    touched = [id_ for id_ in before if before[id_] != after[id_]]
    if asked in alive or asked in ended:
        assert touched in ([], [asked]), told
    if not touched:
        assert "is number" in told or "no subscription" in told


@pytest.mark.slow
async def test_migration_keeps_existing_subscriptions(tmp_path: Path) -> None:
    (tmp_path / "old.sqlite").touch()
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'old.sqlite'}")
    await database._run_migration(lambda c: command.upgrade(alembic_config(c), "0010"))
    factory = Factory(database)
    async with database.exclusive_transaction() as connection:
        for id_, channel, words in (
            (2, "C1", "CBC"),
            (5, "C2", "CBC"),
            (17, "C1", "Burst"),
            (23, "C1", "all"),
        ):
            await connection.execute(
                text(
                    "INSERT INTO subscriptions (id, team_id, channel_id, words, created_by, created_at,"
                    " confirmed_at) VALUES (:id, :team, :channel, :words, 'U1', :now, :now)"
                ),
                {"id": id_, "team": TEAM, "channel": channel, "words": words, "now": str(NOW)[:19]},
            )
        # One that ended, of which a thread is left, and one whose confirmation alone is.
        await connection.execute(
            text(
                "INSERT INTO superevents (superevent_id, category, revision, event_time)"
                " VALUES ('S1a', 'real', 1, :now)"
            ),
            {"now": str(NOW)[:19]},
        )
        await connection.execute(
            text(
                "INSERT INTO threads (team_id, channel_id, superevent_id, subscription_id, wanted_revision,"
                f" root_fixed) VALUES ('{TEAM}', 'C1', 'S1a', 3, 1, 0)"
            )
        )
    await database.migrate()
    await database.check_migrations()
    # 2 and 3 are known as others': by age, past them.
    assert await numbers(factory) == {"CBC": 1, "Burst": 4, "all": 5}
    assert await numbers(factory, "C2") == {"CBC": 1}
    assert "what was number 17 is number 4 (Burst)" in await said(factory, "unsubscribe 17")
    assert "no subscription 3; it has 1 (CBC), 4 (Burst), 5 (all)" in await said(factory, "unsubscribe 3")
    async with database.read_transaction() as connection:
        assert len((await connection.execute(select(schema.subscriptions))).all()) == 4
    await database.close()
