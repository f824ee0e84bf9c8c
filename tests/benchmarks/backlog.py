"""A real alert beside 50,000 deliveries of mocks that wait. Run it: python tests/benchmarks/backlog.py.

100 mocks wait for 500 channels of one workspace. Measured are claims of 200 beside them, with all channels
free and with nine of ten busy; then a worker sends them to a local Slack in a process of its own, whose
limits are on, and meanwhile a real alert is stored: how long until its first post was answered, and until all
were. On SQLite, and on PostgreSQL where there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import insert, text

from bot import logs
from bot.alerts.decode import decode
from bot.app.factory import Factory, open_factory
from bot.routing.planner import plan
from bot.runtime.outcome_notifier import OutcomeNotifier
from bot.samples import ms181101ab, to_avro
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import Delivered, Delivery, Outcome
from bot.store.outbox.outbox import Outbox
from bot.store.settlement import Settlement
from tests.scale.__main__ import DURABLE
from tests.support.postgres import Databases, PostgresUnavailable, postgres_server, with_driver

CHANNELS = 500
MOCKS = 100
CLAIMS = 21
LIMIT = 200
REAL = "S181101ab"
SENDING_S = 3.0
"""How long the worker sends mocks before the alert comes."""
AIM_CLAIM_MS = 50.0
AIM_FIRST_S = 2.0


class TimedOutbox(Outbox):
    """Says when the first post of the alert was answered, and the last."""

    def __init__(self, database: Database, shares: WorkerLeases) -> None:
        super().__init__(database, shares, Settlement(OutcomeNotifier()))
        self.first = 0.0
        self.mocks = 0
        self.done = asyncio.Event()
        self._left = CHANNELS

    async def record_outcomes(self, outcomes: Sequence[tuple[Delivery, Outcome]], now: datetime) -> None:
        await super().record_outcomes(outcomes, now)
        sent = [d for d, o in outcomes if isinstance(o, Delivered)]
        ours = sum(d.superevent_id == REAL for d in sent)
        if ours and not self.first:
            self.first = time.perf_counter()
        self.mocks += len(sent) - ours
        self._left -= ours
        if self._left <= 0:
            self.done.set()


def now() -> datetime:
    return datetime.now(UTC)


async def record(factory: Factory, superevent_id: str) -> None:
    """Store a notice with its plan."""
    found = dict(next(r for r in ms181101ab(now()) if r["alert_type"] == "PRELIMINARY"))
    body = to_avro(found | {"superevent_id": superevent_id})
    planner = partial(plan, live=True, now=now(), max_age=timedelta(days=1))
    recorded = await factory.notices.record(decode(body), body, "benchmark", now(), planner)
    assert recorded.intents == CHANNELS


async def fill(factory: Factory, about: dict[str, Any]) -> None:
    """Have all mocks wait for all channels."""
    usual = {"words": "all mock", "created_by": "U1", "created_at": now(), "confirmed_at": now()}
    rows = [usual | {"team_id": about["team_id"], "channel_id": c} for c in about["channels"].values()]
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(insert(schema.subscriptions), rows)
    for number in range(MOCKS):
        await record(factory, f"MS181101{chr(97 + number // 26)}{chr(97 + number % 26)}")
    if not factory.database.is_sqlite:
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(text("ANALYZE"))


async def time_claims(factory: Factory, busy: set[tuple[str, str]]) -> float:
    """Milliseconds for one claim, the median."""
    taken = []
    for _ in range(CLAIMS):
        start = time.perf_counter()
        claimed = await factory.outbox.claim(now(), LIMIT, busy_channels=busy)
        taken.append(1000 * (time.perf_counter() - start))
        assert len(claimed) == min(LIMIT, CHANNELS - len(busy))
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(
                text("UPDATE deliveries SET state = 'pending', attempts = 0 WHERE state = 'sending'")
            )
    return statistics.median(taken)


async def time_alert(factory: Factory, about: dict[str, Any]) -> tuple[float, float, float]:
    """Seconds from the stored alert to its first post and to its last; mocks sent a second before."""
    factory.outbox = outbox = TimedOutbox(factory.database, factory.leases)
    async with aiohttp.ClientSession() as session:
        client = SlackClient(about["bot_token"], about["api_url"], session)
        worker = factory.create_delivery_worker({about["team_id"]: client}, now)
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(SENDING_S)
        rate = outbox.mocks / SENDING_S
        await record(factory, REAL)
        start = time.perf_counter()
        worker.wake()
        await outbox.done.wait()
        done = time.perf_counter() - start
        await worker.stop()
        await running
    return outbox.first - start, done, rate


async def measure(url: str, about: dict[str, Any]) -> tuple[float, ...]:
    settings = Settings.model_validate({"database_url": url})
    async with open_factory(settings) as factory:
        team = about["team_id"]
        await factory.leases.heartbeat({team})
        await fill(factory, about)
        busy = {(team, channel) for channel in sorted(about["channels"].values())[: CHANNELS * 9 // 10]}
        free = await time_claims(factory, set())
        return free, await time_claims(factory, busy), *(await time_alert(factory, about))


@contextlib.contextmanager
def slack() -> Iterator[dict[str, Any]]:
    """What a local Slack says of itself."""
    arguments = [part for n in range(CHANNELS) for part in ("--channel", f"gw-{n}")]
    command = [sys.executable, "-m", "bot.local_slack", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def row(name: str, url: str) -> None:
    """Measure on one database, and print it."""
    with slack() as about, Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        logs.configure("INFO", "json")
        free, busy, first, done, rate = asyncio.run(measure(url, about))
    print(f"{name:<12}{free:9.1f} ms{busy:12.1f} ms{first:12.2f} s{done:10.2f} s{rate:11.0f}/s", flush=True)


def main() -> None:
    """Print the table."""
    print(f"{MOCKS * CHANNELS:,} deliveries of mocks wait for {CHANNELS} channels; a real alert comes")
    print(f"claims of {LIMIT} ≤ {AIM_CLAIM_MS:.0f} ms, first post ≤ {AIM_FIRST_S:.0f} s")
    print(f"{'':<12}{'claim':>12}{'450 busy':>15}{'first post':>14}{'all':>12}{'mocks':>13}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gwevent-benchmark-") as folder:
        row("SQLite", f"sqlite:///{folder}/gwevent.sqlite")
    try:
        with postgres_server(DURABLE) as url:
            row("PostgreSQL", with_driver(Databases(url).create()))
    except PostgresUnavailable as reason:
        print(f"no PostgreSQL here: {reason}")


if __name__ == "__main__":
    main()
