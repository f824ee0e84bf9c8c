"""Slash commands while 1,000 deliveries go out and pictures are drawn. Run it: ./tests/run --bench commands.

`gwevent run` is a process of its own; the local Slack is in this one and takes the time from the envelope's
sending to its acknowledgement, which is what Slack itself counts. So the Slack's own work for the 1,000 posts
is in the figure; how late its loop is by that is measured beside it.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from bot.app.factory import open_factory
from bot.local_slack.transport.socket_mode import ACK_TIMEOUT_S
from bot.samples import ms181101ab, to_avro
from bot.store import schema
from tests.support.bot_process import LocalDeployment, open_deployment

CHANNELS = 1_000
EVENTS = 10
EVERY_S = 0.1
QUIET = 200
"""Commands while nothing goes out."""
AIM_MS = 100.0
QUESTIONS = ("latest only mock", "MS181101ab", "status", "help", "events 5 only mock")


@dataclass
class LoopLateness:
    """How late this process's own loop is."""

    delays: list[float] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            self.delays.append(time.perf_counter() - before - 0.005)


async def subscribe(deployment: LocalDeployment, channels: Sequence[str]) -> None:
    now = datetime.now(UTC)
    row = {"team_id": deployment.local_slack.team_id, "words": "all mock", "created_by": "U1"}
    async with (
        open_factory(deployment.settings()) as factory,
        factory.database.exclusive_transaction() as connection,
    ):
        await connection.execute(
            insert(schema.subscriptions),
            [row | {"channel_id": c, "created_at": now, "confirmed_at": now} for c in channels],
        )


async def ask(deployment: LocalDeployment, channel: str, number: int, times: list[float]) -> None:
    done = await deployment.local_slack.command(
        "/gwevent", QUESTIONS[number % len(QUESTIONS)], channel=channel
    )
    # One that wasn't acknowledged in time counts as Slack's own limit.
    times.append(1000 * (ACK_TIMEOUT_S if done.acked_after is None else done.acked_after))


async def measure(folder: Path) -> tuple[list[float], list[float], list[float], float]:
    """Milliseconds to the acknowledgement, quiet and busy, this loop's lateness, and how long it was busy."""
    quiet: list[float] = []
    busy: list[float] = []
    async with open_deployment(folder) as deployment:
        channels = [deployment.local_slack.add_channel(f"gw-{n}") for n in range(CHANNELS)]
        asked_in = deployment.local_slack.add_channel("questions")
        await subscribe(deployment, channels)
        bot = deployment.start(GWEVENT_MOCK_PICTURES="true")
        await bot.wait_until_ready()
        # The collector's pauses in this process are none of the bot's.
        gc.collect()
        gc.freeze()
        for number in range(QUIET):
            await ask(deployment, asked_in, number, quiet)
            await asyncio.sleep(EVERY_S)
        record = dict(next(r for r in ms181101ab(datetime.now(UTC)) if r["alert_type"] == "PRELIMINARY"))
        lateness = LoopLateness()
        watching = asyncio.create_task(lateness.run())
        began = time.perf_counter()
        asking: set[asyncio.Task[None]] = set()
        for number in range(EVENTS):
            await deployment.publish(
                to_avro(record | {"superevent_id": f"MS{datetime.now(UTC):%y%m%d}{chr(97 + number)}"})
            )

            def posted(number: int = number) -> bool:
                roots = "select count(*) from deliveries where kind = 'root' and state = 'sent'"
                return int(deployment.query_database(roots)[0][0]) >= (number + 1) * CHANNELS

            while not await asyncio.to_thread(posted):
                # Not one after the other: a slow one mustn't hold back those that would be slow too.
                task = asyncio.create_task(ask(deployment, asked_in, len(busy) + len(asking), busy))
                asking.add(task)
                task.add_done_callback(asking.discard)
                await asyncio.sleep(EVERY_S)
        taken = time.perf_counter() - began
        await asyncio.gather(*asking)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        assert await bot.terminate() == 0
        return quiet, busy, [1000 * late for late in lateness.delays], taken


def quantile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="gwevent-benchmark-") as folder:
        quiet, busy, late, taken = asyncio.run(measure(Path(folder)))
    print(
        f"From a slash command to its acknowledgement; busy: {EVENTS} alerts to {CHANNELS:,} channels each,"
    )
    print(f"with pictures and edits, in {taken:.1f} s")
    print(f"{'':<40}{'commands':>9}{'median':>9}{'99 %':>9}{'longest':>9}   (ms)")
    for name, times in (("quiet", quiet), ("busy", busy), ("of that, this process's own loop late", late)):
        figures = (statistics.median(times), quantile(times, 99), max(times))
        print(f"{name:<40}{len(times):>9}" + "".join(f"{figure:9.1f}" for figure in figures))
    print(f"aim: 99 % of the busy ones within {AIM_MS:.0f} ms")


if __name__ == "__main__":
    main()
