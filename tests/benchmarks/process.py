"""Start to ready, CPU while idle, memory over 2,000 notices. Run it: ./tests/run --bench process.

`gwevent run` as anybody starts it, on the embedded broker and the local Slack, which are in this process.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bot.demo.kafka_broker import Publisher
from bot.samples import ms181101ab, to_avro
from tests.support.bot_process import GROUP, TOPIC, BotProcess, LocalDeployment, open_deployment
from tests.support.waiting import wait_until

STARTS = 5
IDLE_S = 30.0
NOTICES = 2_000
FIRST = 200
GROUPS = 20
"""The notices take turns at so many groups of channels, for a channel takes one message a second."""
CHANNELS = 5
"""In a group; but one in that of the real events, for a workspace takes 50 edits a minute."""
DRAWN_GROUP = 0
"""Its notices are of real events, whose maps are drawn."""
AIMS = {"start": 1.5, "idle": 1.0, "growth": 1.10, "bot": 250.0, "draws": 400.0}
WITHIN_S = 1_800.0


def memory_mb(pid: int) -> float:
    """Resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The processes that draw, and what multiprocessing starts beside them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def _has_kept_up(deployment: LocalDeployment, notices: int) -> bool:
    return deployment.stored_count() == notices and deployment.pending_count() < 2 * CHANNELS


async def starts(deployment: LocalDeployment) -> list[float]:
    """Seconds from the command to Slack's connection."""
    times = []
    for _ in range(STARTS):
        before = time.perf_counter()
        bot = deployment.start()
        await bot.wait_until_ready()
        times.append(time.perf_counter() - before)
        await bot.wait_until_logged("source_connected")
        assert await bot.terminate() == 0
    return times


async def idle(bot: BotProcess) -> float:
    """Percent of one core, while nothing comes."""
    await asyncio.sleep(5)
    before = cpu_s(bot.pid)
    await asyncio.sleep(IDLE_S)
    return 100 * (cpu_s(bot.pid) - before) / IDLE_S


class Memory:
    """What the bot and the process that draws held."""

    def __init__(self, bot: BotProcess) -> None:
        self.bot = bot
        self.highest = self.drawing = 0.0

    async def run(self) -> None:
        while True:
            self.highest = max(self.highest, memory_mb(self.bot.pid))
            for child in children(self.bot.pid):
                try:
                    self.drawing = max(self.drawing, memory_mb(child))
                except (FileNotFoundError, ProcessLookupError, IndexError):
                    continue
            await asyncio.sleep(0.5)


async def subscribe(deployment: LocalDeployment) -> None:
    """Each group takes the notices of its own false-alarm rate."""
    for group in range(GROUPS):
        words = f"all mock far>={group + 0.5}e-9 far<{group + 1.5}e-9"
        for number in range(1 if group == DRAWN_GROUP else CHANNELS):
            await deployment.subscribe(deployment.local_slack.add_channel(f"gw-{group}-{number}"), words)


async def notices(deployment: LocalDeployment, memory: Memory, publisher: Publisher) -> tuple[float, float]:
    """MB after the first notices, and after all of them."""
    now = datetime.now(UTC)
    record = dict(next(r for r in ms181101ab(now) if r["alert_type"] == "PRELIMINARY"))
    after_first = 0.0
    for number in range(NOTICES):
        letters = "".join(chr(97 + number // 26**n % 26) for n in (2, 1, 0))
        group = number % GROUPS
        name = f"{'' if group == DRAWN_GROUP else 'M'}S{now:%y%m%d}{letters}"
        event = record["event"] | {"far": (group + 1) * 1e-9}
        body = to_avro(record | {"superevent_id": name, "event": event})
        # The embedded broker forgets what it has no room for, so the reader is waited for.
        await asyncio.to_thread(publisher.publish, body, reader_group=GROUP, timeout=WITHIN_S)
        if group == GROUPS - 1:
            await wait_until(partial(_has_kept_up, deployment, number + 1), WITHIN_S)
        if number + 1 == FIRST:
            await wait_until(lambda: not deployment.pending_count(), WITHIN_S)
            after_first = memory_mb(memory.bot.pid)
        if (number + 1) % FIRST == 0:
            print(f"  {number + 1:>5} notices: {memory_mb(memory.bot.pid):4.0f} MB", flush=True)
    await wait_until(lambda: not deployment.pending_count(), WITHIN_S)
    return after_first, memory_mb(memory.bot.pid)


async def measure(folder: Path) -> None:
    async with open_deployment(folder) as deployment:
        await subscribe(deployment)
        taken = await starts(deployment)
        print(
            f"{'start to ready, s':<40}{statistics.median(taken):9.2f}   aim ≤ {AIMS['start']:.1f}",
            flush=True,
        )
        bot = deployment.start()
        await bot.wait_until_ready()
        print(
            f"{'CPU while idle, % of a core':<40}{await idle(bot):9.2f}   aim ≤ {AIMS['idle']:.0f}",
            flush=True,
        )
        memory = Memory(bot)
        watching = asyncio.create_task(memory.run())
        with Publisher(deployment.broker.url(TOPIC)) as publisher:
            first, last = await notices(deployment, memory, publisher)
        watching.cancel()
        sent = deployment.query_database("select count(*) from deliveries where state = 'sent'")[0][0]
        print(f"{'deliveries':<40}{sent:9,}")
        print(f"{f'memory after {FIRST} notices, MB':<40}{first:9.0f}")
        print(
            f"{f'after {NOTICES:,}':<40}{last:9.0f}   {last / first:.2f} of that, aim ≤ {AIMS['growth']:.2f}"
        )
        print(f"{'the most the bot ever held':<40}{memory.highest:9.0f}   aim ≤ {AIMS['bot']:.0f}")
        print(f"{'the most the drawing process held':<40}{memory.drawing:9.0f}   aim ≤ {AIMS['draws']:.0f}")
        assert await bot.terminate() == 0


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="gwevent-benchmark-") as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
