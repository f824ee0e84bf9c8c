"""Workspaces that come, change and go."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.app.factory import Factory
from bot.slack.token_cipher import TokenCipher, generate_key
from bot.store import schema
from bot.store.channels.installations import InstalledWorkspace, workspace_tables
from bot.store.outbox.follow_up_writer import request_follow_ups
from tests.support.factories import NOW, TEAM, decoded_notice, record_notices, subscribe

BOTH = pytest.mark.backends("sqlite", "postgresql")

ONE = InstalledWorkspace(
    team_id=TEAM,
    team_name="Observatory",
    bot_user_id="U0BOT",
    bot_id="B0BOT",
    app_id="A0",
    scopes=frozenset({"chat:write", "commands"}),
    token="closed",
    installed_by="U1",
)

GLOBAL = {
    "circulars",
    "clocks",
    "consumers",
    "database_identity",
    "gracedb_lookups",
    "leases",
    "nearby_alerts",
    "notices",
    "oauth_states",
    "payloads",
    "quarantine",
    "related_messages",
    "superevents",
    "treasure_map_events",
    "treasure_map_instruments",
    "troubles",
    "undecided",
    "webhook_calls",
    "workers",
    "write_checks",
}
"""Tables in which nothing belongs to a workspace."""


@BOTH
async def test_one_row_a_workspace_and_one_welcome(factory: Factory, backend: str) -> None:
    assert await factory.installations.save(ONE, NOW)
    again = replace(ONE, token="closed anew", scopes=ONE.scopes | {"files:write"})
    assert not await factory.installations.save(again, NOW)
    assert await factory.installations.list_all() == [again]
    assert "closed" not in repr(again)
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(select(schema.deliveries))).all()
    assert [(row.kind, row.channel_id) for row in rows] == [("welcome", "U1")]


@pytest.mark.slow
@BOTH
async def test_delete_workspace_removes_every_row(factory: Factory, backend: str) -> None:
    other = "T0OTHER"
    for team in (TEAM, other):
        await factory.installations.save(replace(ONE, team_id=team), NOW)
        await subscribe(factory, "all notify @here", "C1", team=team)
    await record_notices(
        factory, [decoded_notice(), decoded_notice(alert_type="UPDATE", minutes=5, far=1e-12)]
    )
    async with factory.database.exclusive_transaction() as connection:
        rows = (await connection.execute(select(schema.threads))).all()
        every = {row.id: (row.team_id, row.channel_id) for row in rows}
        await request_follow_ups(connection, every, NOW)
    assert await factory.installations.delete_workspace(TEAM, NOW)
    assert not await factory.installations.delete_workspace(TEAM, NOW)
    async with factory.database.read_transaction() as connection:
        for table in workspace_tables():
            if "team_id" in table.c:
                teams = set((await connection.execute(select(table.c.team_id))).scalars())
                assert teams <= {other}, table.name
        threads = (await connection.execute(select(func.count()).select_from(schema.threads))).scalar_one()
        mentions = (await connection.execute(select(func.count()).select_from(schema.mentions))).scalar_one()
        replies = (await connection.execute(select(schema.follow_ups.c.thread_id))).scalars().all()
    assert (threads, mentions) == (1, 1)
    assert [every[thread][0] for thread in replies] == [other]
    assert await factory.notices.superevent(decoded_notice().superevent_id) is not None, "what LVK said stays"


async def test_reinstalled_workspace_is_not_deleted(factory: Factory) -> None:
    await factory.installations.save(ONE, NOW)
    assert not await factory.installations.delete_workspace(TEAM, NOW, at=NOW - timedelta(minutes=5))
    assert await factory.installations.list_all() == [ONE]
    assert await factory.installations.delete_workspace(TEAM, NOW, at=NOW + timedelta(minutes=5))


def test_every_table_is_a_workspaces_or_nobodys() -> None:
    assert {table.name for table in workspace_tables()} | GLOBAL == set(schema.metadata.tables)


@BOTH
async def test_a_state_is_good_once_and_for_ten_minutes(factory: Factory, backend: str) -> None:
    state = await factory.installations.issue_state(NOW)
    assert not await factory.installations.consume_state(state + "x", NOW)
    assert await factory.installations.consume_state(state, NOW)
    assert not await factory.installations.consume_state(state, NOW)
    late = await factory.installations.issue_state(NOW)
    assert not await factory.installations.consume_state(late, NOW + timedelta(minutes=11))


@BOTH
async def test_tokens_are_reencrypted_all_or_none(factory: Factory, backend: str) -> None:
    old, new = generate_key(), generate_key()
    await factory.installations.save(replace(ONE, token=TokenCipher([old]).encrypt("xoxb-1")), NOW)
    assert await factory.installations.reencrypt_tokens(TokenCipher([new, old]).rotate) == 1
    (kept,) = await factory.installations.list_all()
    assert TokenCipher([new]).decrypt(kept.token) == "xoxb-1"
