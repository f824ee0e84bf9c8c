"""1,000 deliveries through the ledger, against a bare loop. Run it: python tests/benchmarks/deliveries.py.

One alert goes to 1,000 channels of a local Slack in a process of its own. gwevent claims, renders, posts and
writes down each delivery in a SQLite file with `synchronous=FULL`; the bare loop posts the same message with
one AsyncWebClient, as many at a time. Both share nothing but the Slack.
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
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import insert

from bot import logs
from bot.alerts.decode import decode
from bot.app.factory import Factory, open_factory
from bot.delivery.worker import CONCURRENCY
from bot.routing.planner import plan
from bot.runtime.garbage_collection import exclude_existing_objects
from bot.runtime.outcome_notifier import OutcomeNotifier
from bot.samples import ms181101ab, to_avro
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import Delivery, Outcome
from bot.store.outbox.outbox import Outbox
from bot.store.settlement import Settlement
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView

CHANNELS = 1_000
ROUNDS = 7
AIM = 2.0


class CountingOutbox(Outbox):
    """Says when so many outcomes are written down."""

    def __init__(self, database: Database, shares: WorkerLeases, target: int) -> None:
        super().__init__(database, shares, Settlement(OutcomeNotifier()))
        self.done = asyncio.Event()
        self._left = target

    async def record_outcomes(self, outcomes: Sequence[tuple[Delivery, Outcome]], now: datetime) -> None:
        await super().record_outcomes(outcomes, now)
        self._left -= len(outcomes)
        if self._left <= 0:
            self.done.set()


def now() -> datetime:
    return datetime.now(UTC)


async def subscribe(factory: Factory, team: str, channels: Sequence[str]) -> None:
    row = {
        "team_id": team,
        "words": "all mock",
        "created_by": "U1",
        "created_at": now(),
        "confirmed_at": now(),
    }
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(
            insert(schema.subscriptions), [row | {"channel_id": channel} for channel in channels]
        )


async def time_outbox(factory: Factory, client: SlackClient, team: str, body: bytes) -> float:
    """Seconds from the worker's start, the notice stored and planned, to the last outcome written down."""
    planner = partial(plan, live=True, now=now(), max_age=timedelta(days=1))
    recorded = await factory.notices.record(decode(body), body, "benchmark", now(), planner)
    assert recorded.intents == CHANNELS
    factory.outbox = outbox = CountingOutbox(factory.database, factory.leases, CHANNELS)
    worker = factory.create_delivery_worker({team: client}, now)
    start = time.perf_counter()
    running = asyncio.create_task(worker.run())
    await outbox.done.wait()
    taken = time.perf_counter() - start
    await worker.stop()
    await running
    return taken


async def time_plain_posts(client: AsyncWebClient, channels: Sequence[str], message: Message) -> float:
    """Seconds for the same posts and nothing else."""
    room = asyncio.Semaphore(CONCURRENCY)

    async def post(channel: str) -> None:
        async with room:
            await client.chat_postMessage(
                channel=channel, text=message.text, blocks=[dict(block) for block in message.blocks]
            )

    start = time.perf_counter()
    await asyncio.gather(*map(post, channels))
    return time.perf_counter() - start


async def measure(about: dict[str, Any], folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Both in turn, `rounds` times: seconds through the ledger, seconds bare."""
    settings = Settings.model_validate({"database_url": f"sqlite:///{folder / 'gwevent.sqlite'}"})
    channels, team = list(about["channels"].values()), about["team_id"]
    record = dict(next(r for r in ms181101ab(now()) if r["alert_type"] == "PRELIMINARY"))
    ours, theirs = [], []
    async with (
        open_factory(settings) as factory,
        aiohttp.ClientSession() as first,
        aiohttp.ClientSession() as second,
    ):
        await subscribe(factory, team, channels)
        client = SlackClient(about["bot_token"], about["api_url"], first)
        simple = AsyncWebClient(
            about["bot_token"], base_url=about["api_url"], session=second, retry_handlers=[]
        )
        for number in range(rounds + 1):
            record["superevent_id"] = f"MS18110{number}ab"
            body = to_avro(record)
            message = alert_card.alert_card(Superevent.from_notices([decode(body)]), ChannelView())
            taken = (
                await time_outbox(factory, client, team, body),
                await time_plain_posts(simple, channels, message),
            )
            if number:  # the first of each opens the connections
                ours.append(taken[0])
                theirs.append(taken[1])
    return ours, theirs


def main() -> None:
    """Print the table."""
    arguments = [part for n in range(CHANNELS) for part in ("--channel", f"gw-{n}")]
    with (
        tempfile.TemporaryDirectory(prefix="gwevent-benchmark-") as folder,
        subprocess.Popen(
            [sys.executable, "-m", "bot.local_slack", "--no-limits", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        ) as slack,
    ):
        assert slack.stdout is not None
        try:
            about = json.loads(slack.stdout.readline())
            # The log is written as `gwevent run` writes it, to nowhere.
            with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
                logs.configure("INFO", "json")
                # As `gwevent run` does; it serves both sides.
                exclude_existing_objects()
                ours, theirs = asyncio.run(measure(about, Path(folder), ROUNDS))
        finally:
            slack.terminate()
    print(f"{CHANNELS:,} posts of one alert, {CONCURRENCY} at a time, medians of {ROUNDS} rounds in turn")
    outbox, loop = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"{'a bare AsyncWebClient loop':<40}{loop:8.2f} s")
    print(f"{'through the ledger':<40}{outbox:8.2f} s  {ratio:.2f}  ratio ≤ {AIM:.0f}")


if __name__ == "__main__":
    main()
