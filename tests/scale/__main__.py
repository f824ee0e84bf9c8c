"""Simulate 1,000 workspaces on one machine: `./tests/run --scale [WORKSPACES …]`.

One notice goes to ten channels of each workspace, through PostgreSQL and two workers, to a local Slack with
rate limits; for comparison a bare loop posts the same messages. The measurement is repeated with years of
alerts in the database, and every statement's query plan is checked. Workers, Slack and database run in
processes of their own.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import sys
from collections.abc import Mapping, Sequence

import structlog

from bot.store.database import Database
from tests.scale import history, routing
from tests.scale.fan_out import (
    FanOut,
    LocalSlackProcess,
    Team,
    fan_out,
    first_teams,
    open_subscribed_store,
    start_workers,
)
from tests.scale.plans import explain_statements
from tests.scale.processes import module_process
from tests.scale.workload import run_all_queries
from tests.support.postgres import Databases, PostgresUnavailable, postgres_server, with_driver

CHANNELS = 10
"""Number of channels of each workspace."""
DEFAULT_SIZES = (100, 300, 1_000)
"""Numbers of workspaces."""
ROUNDS = 3
NOTICES = 100_000
"""Number of stored notices in the measurement with years of alerts."""
ROUTED = 10_000
ROUTED_MS = 50.0
DURABLE = {
    "listen_addresses": "",
    "shared_buffers": "128MB",
    "max_connections": "100",
}
"""Server settings: a commit returns only when the data is on disk, as in production."""


async def measure_fan_out(
    url: str, slack: LocalSlackProcess, teams: Mapping[str, Team], notices: int, rounds: int
) -> list[FanOut]:
    """Measure several notices one after the other, without the first, which opens the connections."""
    async with open_subscribed_store(url, teams) as factory:
        if notices:
            await history.fill_history(factory.database, notices)
        await history.analyze_tables(factory.database)
        async with start_workers(url, factory, slack, teams) as workers:
            found = [await fan_out(factory, slack, teams, workers, number) for number in range(rounds + 1)]
    return found[1:]


def median_of_field(found: Sequence[FanOut], field: str) -> float:
    """Return the median of one figure of the runs."""
    values: list[float] = [getattr(one, field) for one in found]
    return statistics.median(values)


def row(name: str, found: list[FanOut]) -> str:
    """Return the table row with the runs' medians."""
    of = {
        field: median_of_field(found, field)
        for field in ("planned", "first", "done", "rate", "bare_rate", "cpu")
    }
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
    with (
        module_process("tests.scale.slack", max(sizes), CHANNELS) as process,
        postgres_server(DURABLE) as given,
    ):
        slack, databases = LocalSlackProcess(process), Databases(given)
        print(HEAD, flush=True)
        empty: list[FanOut] = []
        each: list[float] = []
        for count in sizes:
            teams = first_teams(slack.teams, count)
            empty = await measure_fan_out(with_driver(databases.create()), slack, teams, 0, rounds)
            print(row(f"{count * CHANNELS:,}", empty), flush=True)
            each.append(median_of_field(empty, "done") / (count * CHANNELS))
        print(f"seconds a channel, most against fewest: {each[-1] / each[0]:.2f} (1: linear)")
        url = with_driver(databases.create())
        found = await measure_fan_out(url, slack, teams, NOTICES, rounds)
        print(row(f"{sizes[-1] * CHANNELS:,}, {NOTICES:,} notices", found), flush=True)
        done, cpu = (
            median_of_field(found, field) / median_of_field(empty, field) for field in ("done", "cpu")
        )
        print(f"against an empty store: {done:.2f} of the time, {cpu:.2f} of the CPU (1: nothing grows)")
        database = Database(url)
        with explain_statements(database) as plans:
            await run_all_queries(database, teams)
        await database.close()
        whole = plans.full_scans()
        print(f"plans of {len(plans.by_statement)} statements, {len(whole)} read a whole table that grows")
        for table, statement in whole:
            good = False
            print(f"  {table}: {' '.join(statement.split())[:1000]}")
        databases.drop_all()
    return good


def main() -> int:
    """Print the tables; return 1 if a cost grows that must stay constant, else 0."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        sizes = sorted(int(word) for word in sys.argv[1:]) or list(DEFAULT_SIZES)
    except ValueError:
        print("How many workspaces? Numbers, please.", file=sys.stderr)
        return 2
    took = routing.measure_routing(ROUTED)
    print(f"routing {ROUTED:,} subscriptions, a filter each: {took * 1000:.0f} ms (≤ {ROUTED_MS:.0f})")
    try:
        good = asyncio.run(simulate(sizes, ROUNDS))
    except PostgresUnavailable as reason:
        print(f"There is no PostgreSQL here: {reason}.", file=sys.stderr)
        return 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
