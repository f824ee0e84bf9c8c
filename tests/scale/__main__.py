"""1,000 workspaces on one machine: python -m tests.scale [WORKSPACES …]. `./tests/run --scale […]` runs it.

One notice goes to ten channels of each workspace, through PostgreSQL and two workers, to a local Slack whose
limits are on; a bare loop posts the same, in turn. Then the same with years of alerts in the database, and
what PostgreSQL says of every statement. Workers, Slack and database run in processes of their own.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import sys
from collections.abc import Mapping, Sequence

import structlog

from bot.store.database import Database
from tests.scale import past, routing
from tests.scale.house import FanOut, Slack, Team, fan_out, open_house, some, staff
from tests.scale.lines import running
from tests.scale.plans import explained
from tests.scale.work import everything
from tests.support.postgres import Databases, NoServer, driven, server

CHANNELS = 10
"""Of each workspace."""
USUAL = (100, 300, 1_000)
"""Workspaces."""
ROUNDS = 3
NOTICES = 100_000
"""Stored, where years of alerts are."""
ROUTED = 10_000
ROUTED_MS = 50.0
DURABLE = {
    "listen_addresses": "",
    "shared_buffers": "128MB",
    "max_connections": "100",
}
"""What a commit says is on the disk, as it must be."""


async def measured(
    url: str, slack: Slack, teams: Mapping[str, Team], notices: int, rounds: int
) -> list[FanOut]:
    """One notice after the other; the first opens the connections and doesn't count."""
    async with open_house(url, teams) as factory:
        if notices:
            await past.fill(factory.database, notices)
        await past.counted(factory.database)
        async with staff(url, factory, slack, teams) as workers:
            found = [await fan_out(factory, slack, teams, workers, number) for number in range(rounds + 1)]
    return found[1:]


def middle(found: Sequence[FanOut], field: str) -> float:
    """The median of one figure."""
    values: list[float] = [getattr(one, field) for one in found]
    return statistics.median(values)


def row(name: str, found: list[FanOut]) -> str:
    """Medians."""
    of = {field: middle(found, field) for field in ("planned", "first", "done", "rate", "bare_rate", "cpu")}
    ratio = statistics.median(one.bare_rate / one.rate for one in found)
    each = 1000 * of["done"] / found[0].channels
    return (
        f"{name:<24}{of['planned']:8.2f} s{of['first']:10.2f} s{of['done']:8.2f} s{each:8.2f} ms"
        f"{of['rate']:9,.0f}/s{of['bare_rate']:9,.0f}/s{ratio:7.2f}{of['cpu']:8.1f} s"
    )


HEAD = (
    f"{'channels':<24}{'planned':>10}{'first post':>12}{'all sent':>10}{'a channel':>11}{'gwevent':>11}"
    f"{'bare loop':>11}{'ratio':>7}{'CPU':>10}"
)


async def simulate(sizes: list[int], rounds: int) -> bool:
    good = True
    with running("tests.scale.slack", max(sizes), CHANNELS) as process, server(DURABLE) as given:
        slack, databases = Slack(process), Databases(given)
        print(HEAD, flush=True)
        empty: list[FanOut] = []
        each: list[float] = []
        for count in sizes:
            teams = some(slack.teams, count)
            empty = await measured(driven(databases.fresh()), slack, teams, 0, rounds)
            print(row(f"{count * CHANNELS:,}", empty), flush=True)
            each.append(middle(empty, "done") / (count * CHANNELS))
        print(f"seconds a channel, most against fewest: {each[-1] / each[0]:.2f} (1: linear)")
        url = driven(databases.fresh())
        found = await measured(url, slack, teams, NOTICES, rounds)
        print(row(f"{sizes[-1] * CHANNELS:,}, {NOTICES:,} notices", found), flush=True)
        done, cpu = (middle(found, field) / middle(empty, field) for field in ("done", "cpu"))
        print(f"against an empty store: {done:.2f} of the time, {cpu:.2f} of the CPU (1: nothing grows)")
        database = Database(url)
        with explained(database) as plans:
            await everything(database, teams)
        await database.close()
        whole = plans.whole_tables()
        print(f"plans of {len(plans.of)} statements, {len(whole)} read a whole table that grows")
        for table, statement in whole:
            good = False
            print(f"  {table}: {' '.join(statement.split())[:1000]}")
        databases.drop_all()
    return good


def main() -> int:
    """Print the tables; 1 where something grows that mustn't."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        sizes = sorted(int(word) for word in sys.argv[1:]) or list(USUAL)
    except ValueError:
        print("How many workspaces? Numbers, please.", file=sys.stderr)
        return 2
    took = routing.took(ROUTED)
    print(f"routing {ROUTED:,} subscriptions, a filter each: {took * 1000:.0f} ms (≤ {ROUTED_MS:.0f})")
    try:
        good = asyncio.run(simulate(sizes, ROUNDS))
    except NoServer as reason:
        print(f"There is no PostgreSQL here: {reason}.", file=sys.stderr)
        return 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
