"""The pipeline and the workers on a local Slack, without a broker and in this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
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
from bot.skymap_service.image_process import ImageProcess
from bot.slack.client import SlackClient
from bot.sources.base import Origin
from bot.store.database import Database
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.terminal import message_text
from tests.support import messages
from tests.support.clock import Clock
from tests.support.factories import create_pipeline
from tests.support.messages import Json
from tests.support.waiting import wait_until

GOLDEN = Path(__file__).resolve().parents[1] / "end_to_end" / "golden"
RECORD_VARIABLE = "RECORD_GOLDEN"
"""The environment variable that makes tests write golden files instead of comparing them."""
ORIGIN = Origin(source="kafka", location="test", live=True)


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
        """Add channels with a subscription, and return their ids."""
        channels = [self.local_slack.add_channel(f"gw-{number}", team=team) for number in range(count)]
        for channel in channels:
            await self.subscribe(channel, words)
        return channels

    async def ingest(self, *bodies: bytes) -> None:
        """Ingest notices, and wait until all their deliveries are done."""
        for body in bodies:
            assert await self.pipeline.handle(body, ORIGIN) is IngestResult.STORED
        await self.wait_until_delivered()

    async def pending_count(self) -> int:
        return (await self.factory.outbox_statistics.counts()).waiting

    async def wait_until_delivered(self) -> None:
        """Wait until no delivery waits."""

        async def is_delivered() -> bool:
            return not await self.pending_count()

        await wait_until(is_delivered, what="no delivery waits")

    async def advance(self, **by: float) -> None:
        """Advance the clock and let the workers run."""
        self.clock.advance(**by)
        await self.run_rounds()

    async def run_rounds(self) -> None:
        """Let the workers poll several times."""
        for _ in range(8):
            self.worker.wake()
            self.image_worker.wake()
            await asyncio.sleep(0.02)

    def roots(self, channel: str) -> list[Json]:
        """The messages of a channel that stand in no thread; those deleted are gone."""
        return messages.roots(self.local_slack.messages(channel))

    def root(self, channel: str) -> Json:
        (root,) = self.roots(channel)
        return root

    def replies(self, channel: str, root: Json | None = None) -> list[Json]:
        return messages.replies(self.local_slack.messages(channel), root or self.root(channel))

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
    """Run a harness on a database in this folder, with every workspace of the local Slack."""
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
    """Return a message as plain text: notification, text, buttons and image."""
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
