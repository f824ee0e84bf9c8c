"""Cases on PostgreSQL in which processes of either role, or the database itself, die at random moments."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import replace

import psycopg
from sqlalchemy import make_url

from tests.chaos.cases.database import WAITS
from tests.chaos.cases.kills import split_randomly
from tests.chaos.harness import TIMEOUT_S, ChaosHarness
from tests.support.bot_process import GROUP, BotProcess
from tests.support.postgres import SETTINGS, Databases, postgres_server
from tests.support.waiting import wait_until

ROLES = ("consume", "consume", "serve", "serve")


async def roles_killed(chaos: ChaosHarness, *, kills: int = 24, notices: int = 96, channels: int = 6) -> None:
    """Kill two consumers and two servers one after the other at random moments, and restart them."""
    chaos.grant_history()
    on_postgres(chaos)
    await chaos.open_channels(channels)
    living = [start_role(chaos, place) for place in range(len(ROLES))]
    for count in split_randomly(notices, kills, chaos.rng):
        place = chaos.rng.randrange(len(ROLES))
        publishing = asyncio.create_task(chaos.publish(count))
        try:
            if ROLES[place] == "serve":
                chaos.kill_at_post(living[place], chaos.rng.randint(1, 3 * channels))
            await asyncio.sleep(chaos.rng.uniform(0.0, 2.0))
            await chaos.kill(living[place])
            living[place] = start_role(chaos, place)
        finally:
            await publishing
    await chaos.wait_until_delivered()


async def postgres_restarted(chaos: ChaosHarness) -> None:
    """Crash PostgreSQL repeatedly and let it recover; then let it reject connections for a while."""
    chaos.grant_history()
    admin, url = on_postgres(chaos)
    await chaos.open_channels(2)
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.publish(3)
    await chaos.wait_until_delivered()
    for _ in range(3):
        publishing = asyncio.create_task(chaos.publish(3))
        await asyncio.sleep(chaos.rng.uniform(0.0, 0.5))
        _crash(admin)
        await wait_until(lambda: _answers(url), TIMEOUT_S, what="PostgreSQL has recovered")
        await publishing
        await chaos.wait_until_delivered()
    told = len(chaos.bot.logged_events(WAITS))
    _allow_connections(admin, url, admitted=False)
    await chaos.publish(4)
    await chaos.wait_until_logged(WAITS, times=told + 1)
    _allow_connections(admin, url, admitted=True)
    await chaos.wait_until_delivered()


async def postgres_read_only(chaos: ChaosHarness) -> None:
    """Make PostgreSQL read-only for a while, as after a failover: nothing is acknowledged."""
    chaos.grant_history()
    admin, url = on_postgres(chaos)
    await chaos.open_channels(2)
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.publish(3)
    await chaos.wait_until_delivered()
    told = len(chaos.bot.logged_events(WAITS))
    _write(admin, url, allowed=False)
    await chaos.publish(4)
    await chaos.wait_until_logged(WAITS, times=told + 2)
    assert any("read-only" in line["reason"] for line in chaos.bot.logged_events(WAITS))
    await chaos.check_acknowledged()
    # Connections opened in that time stay read-only, so the bot must replace them.
    _write(admin, url, allowed=True, ends=False)
    await chaos.publish(3)
    await chaos.wait_until_delivered()


def on_postgres(chaos: ChaosHarness) -> tuple[str, str]:
    """Let the case's processes share a new database; return the server's own URL and the database's."""
    # Committed data survives a crash of the server, as in production.
    admin = chaos.exit_stack.enter_context(postgres_server({**SETTINGS, "synchronous_commit": "on"}))
    databases = Databases(admin)
    chaos.exit_stack.callback(databases.drop_all)
    url = chaos.deployment.postgres = databases.create()
    # PostgreSQL does not know SQLite's pragma.
    chaos.tuning = replace(chaos.tuning, full_marker="")
    return admin, url


def start_role(chaos: ChaosHarness, place: int) -> BotProcess:
    """Start the process with this index in ROLES."""
    group = GROUP if place == 0 else f"{GROUP}-{place}"
    return chaos.start(command=ROLES[place], GWEVENT_KAFKA_GROUP=group)


def _crash(admin: str) -> None:
    """Kill one backend of the server, which then ends all others and recovers."""
    with psycopg.connect(admin) as connection:
        (found,) = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        ).fetchall()
    os.kill(found[0], signal.SIGKILL)


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() is not None
    return False


def _write(admin: str, url: str, *, allowed: bool, ends: bool = True) -> None:
    """Allow or forbid writes to a database; with `ends`, close the open connections."""
    name = make_url(url).database
    with psycopg.connect(admin, autocommit=True) as connection:
        value = "off" if allowed else "on"
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'.encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND %s", (name, ends)
        )


def _allow_connections(admin: str, url: str, *, admitted: bool) -> None:
    name = make_url(url).database
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS {admitted}'.encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND NOT %s",
            (name, admitted),
        )
