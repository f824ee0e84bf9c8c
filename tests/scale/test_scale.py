"""The simulation in small: two workers share the workspaces, and no table that grows is read in whole."""

from __future__ import annotations

from tests.scale import past
from tests.scale.house import Slack, Team, fan_out, open_house, staff
from tests.scale.lines import running
from tests.scale.plans import explained
from tests.scale.work import everything
from tests.support.postgres import Databases, driven


async def test_one_notice_reaches_every_channel_of_every_workspace_once(
    postgres: Databases, migrated_postgres: str
) -> None:
    url = driven(postgres.fresh(migrated_postgres))
    with running("tests.scale.slack", 2, 3) as process:
        slack = Slack(process)
        async with (
            open_house(url, slack.teams) as factory,
            staff(url, factory, slack, slack.teams) as workers,
        ):
            found = await fan_out(factory, slack, slack.teams, workers, 1)
    assert found.channels == 6


async def test_nothing_reads_a_table_that_grows_from_end_to_end(
    postgres: Databases, migrated_postgres: str
) -> None:
    url = driven(postgres.fresh(migrated_postgres))
    teams = {f"T{number}": Team("", (f"C{number}A", f"C{number}B")) for number in range(20)}
    async with open_house(url, teams) as factory:
        await past.fill(factory.database, 4_000)
        await past.counted(factory.database)
        with explained(factory.database) as plans:
            await everything(factory.database, teams)
    assert len(plans.of) > 100
    assert not plans.whole_tables()
