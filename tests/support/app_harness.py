"""The bot's components on a local Slack, without broker and process, to run an event step by step."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import unified_diff
from pathlib import Path

import aiohttp

from bot.app.factory import Factory
from bot.delivery.image_drawer import ImageDrawer
from bot.delivery.image_worker import ImageWorker
from bot.delivery.worker import DeliveryWorker
from bot.filters import parse_criteria
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.local_slack.server import LocalSlack
from bot.local_slack.web_api.dispatcher import RecordedCall
from bot.runtime.wakeups import Wakeups
from bot.skymaps.image_process import ImageProcess
from bot.slack.client import SlackClient
from bot.sources import Origin
from bot.store.database import Database
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.terminal import message_text
from tests.support.bot_process import Json, wait_until
from tests.support.factories import create_pipeline

GOLDEN = Path(__file__).parent / "golden"
RECORD_VARIABLE = "RECORD_GOLDEN"
"""Environment variable that makes tests rewrite golden files instead of comparing; then read the diff."""
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ORIGIN = Origin(source="kafka", location="test", live=True)


@dataclass
class Clock:
    """A clock that advances on request, and optionally also with real time."""

    now: datetime = NOW
    runs: bool = False
    _since: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def __call__(self) -> datetime:
        if not self.runs:
            return self.now
        return self.now + timedelta(seconds=asyncio.get_running_loop().time() - self._since)

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class AppHarness:
    """A store, a local Slack, an ingest pipeline and the workers between them."""

    local_slack: LocalSlack
    factory: Factory
    clock: Clock
    clients: dict[str, SlackClient]
    worker: DeliveryWorker
    pipeline: Pipeline
    image_worker: ImageWorker

    async def subscribe(self, channel: str, words: str = "CBC") -> None:
        workspace, _ = self.local_slack.find(channel)
        await self.factory.subscriptions.add_confirmed(
            workspace.id, channel, parse_criteria(words), self.local_slack.user, self.clock()
        )

    async def create_subscribed_channels(
        self, count: int = 1, words: str = "CBC", *, team: str | None = None
    ) -> list[str]:
        """Create channels, each with an active subscription."""
        channels = [self.local_slack.add_channel(f"gw-{number}", team=team) for number in range(count)]
        for channel in channels:
            await self.subscribe(channel, words)
        return channels

    async def ingest(self, *bodies: bytes) -> None:
        """Ingest notices, and wait until everything that follows from them is done."""
        for body in bodies:
            assert await self.pipeline.handle(body, ORIGIN) is IngestResult.STORED
        await self.wait_until_delivered()

    async def pending_count(self) -> int:
        return (await self.factory.outbox_statistics.counts()).waiting

    async def wait_until_delivered(self) -> None:
        """Wait until no delivery is pending."""
        async with asyncio.timeout(60):
            while await self.pending_count():
                await asyncio.sleep(0.02)

    async def advance(self, **by: float) -> None:
        """Advance the bot's clock and wake the workers."""
        self.clock.advance(**by)
        await self.run_rounds()

    async def run_rounds(self) -> None:
        """Wait until the workers have done some rounds."""
        for _ in range(8):
            self.worker.wake()
            self.image_worker.wake()
            await asyncio.sleep(0.02)

    def roots(self, channel: str) -> list[Json]:
        """Return a channel's messages outside threads, without deleted ones."""
        return [m for m in self.local_slack.messages(channel) if not m["thread_ts"] and not m.get("deleted")]

    def root(self, channel: str) -> Json:
        (root,) = self.roots(channel)
        return root

    def replies(self, channel: str, root: Json | None = None) -> list[Json]:
        ts = (root or self.root(channel))["ts"]
        return [m for m in self.local_slack.messages(channel) if m["thread_ts"] == ts]

    def calls(self, method: str, channel: str | None = None) -> list[RecordedCall]:
        return [
            c
            for c in self.local_slack.calls
            if c.method == method and channel in (None, c.args.get("channel"))
        ]

    async def wait_until(self, condition: Callable[[], object], what: str) -> None:
        await wait_until(condition, what=what)


@asynccontextmanager
async def open_app_harness(
    folder: Path,
    local_slack: LocalSlack,
    *,
    clock: Clock | None = None,
    should_draw: Callable[[Notice], bool] = lambda _: False,
    image_process: ImageProcess | None = None,
    channel_pause_s: float = 0.0,
) -> AsyncIterator[AppHarness]:
    """Open a running harness on a database in the folder and all workspaces of the local Slack."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'gwevent.sqlite'}")
    await database.migrate()
    factory = Factory(database)
    clock = clock or Clock()
    async with aiohttp.ClientSession() as session:
        clients = {
            team: SlackClient(workspace.bot_token, local_slack.api_url, session)
            for team, workspace in local_slack.workspaces.items()
        }
        for client in clients.values():
            await client.identify()
        wakeups = Wakeups()
        worker = factory.create_delivery_worker(
            clients, clock, wakeups=wakeups, channel_pause_s=channel_pause_s
        )
        drawer = ImageDrawer(factory.notices, image_process or ImageProcess())
        drawing = ImageWorker(factory.images, clients, drawer, clock, wakeups)
        pipeline = create_pipeline(
            factory,
            clock,
            max_age=timedelta(days=36_500),
            wakeups=wakeups,
            should_draw=should_draw,
        )
        tasks = [asyncio.create_task(worker.run()), asyncio.create_task(drawing.run())]
        try:
            yield AppHarness(local_slack, factory, clock, clients, worker, pipeline, drawing)
        finally:
            await worker.stop(1.0)
            await drawing.close()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await database.close()
        for result in results:
            if isinstance(result, Exception):
                raise result


def plain_text(message: Json) -> str:
    """Return a message as plain text: notification text, blocks' text, buttons and image."""
    made = Message(text=message["text"], blocks=tuple(message["blocks"]))
    where = "(also in the channel)\n" if message["broadcast"] else ""
    return f"{where}{message_text.notification_text(made)}\n\n{message_text.render(made)}"


def transcript(channel: Sequence[Json]) -> str:
    """Return a channel as plain text: each root message with its thread."""
    parts = []
    for root in (m for m in channel if not m["thread_ts"]):
        parts.append(f"━━ root\n{plain_text(root)}")
        parts += [f"── reply\n{plain_text(m)}" for m in channel if m["thread_ts"] == root["ts"]]
    return "\n\n".join(parts) + "\n"


def check_golden(name: str, text: str) -> None:
    """Compare a channel's content with the golden file of that name, or record it."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get(RECORD_VARIABLE):
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"{path.name} is missing: run the test with {RECORD_VARIABLE}=1"
    wanted = path.read_text(encoding="utf-8")
    changes = unified_diff(wanted.splitlines(), text.splitlines(), path.name, "now", lineterm="", n=1)
    assert text == wanted, "\n".join(changes)
