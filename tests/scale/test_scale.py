"""A small simulation: two workers share the workspaces, and no growing table is read completely."""

from __future__ import annotations

import pytest

from tests.scale import history
from tests.scale.fan_out import LocalSlackProcess, Team, fan_out, open_subscribed_store, start_workers
from tests.scale.plans import explain_statements
from tests.scale.processes import module_process
from tests.scale.workload import run_all_queries
from tests.support.postgres import Databases, with_driver

pytestmark = pytest.mark.slow


async def test_one_notice_reaches_every_channel_of_every_workspace_once(
    postgres: Databases, migrated_postgres: str
) -> None:
    url = with_driver(postgres.create(migrated_postgres))
    with module_process("tests.scale.slack", 2, 3) as process:
        slack = LocalSlackProcess(process)
        async with (
            open_subscribed_store(url, slack.teams) as factory,
            start_workers(url, factory, slack, slack.teams) as workers,
        ):
            found = await fan_out(factory, slack, slack.teams, workers, 1)
    assert found.channels == 6


async def test_no_query_scans_a_growing_table(postgres: Databases, migrated_postgres: str) -> None:
    url = with_driver(postgres.create(migrated_postgres))
    teams = {f"T{number}": Team("", (f"C{number}A", f"C{number}B")) for number in range(20)}
    async with open_subscribed_store(url, teams) as factory:
        await history.fill_history(factory.database, 4_000)
        await history.analyze_tables(factory.database)
        with explain_statements(factory.database) as plans:
            await run_all_queries(factory.database, teams)
    assert len(plans.by_statement) > 100
    assert not plans.full_scans()
