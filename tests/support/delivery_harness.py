"""A delivery worker between a database and a local Slack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from bot.app.application import Application
from bot.app.factory import Factory
from bot.delivery.renderer import Renderer
from bot.delivery.worker import DeliveryWorker
from bot.ingest.pipeline import Pipeline
from bot.local_slack.server import LocalSlack
from bot.local_slack.web_api.dispatcher import RecordedCall
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.sources.base import Payload, SourceStatus
from bot.store.outbox.models import Delivery, DeliveryKind, DeliveryState
from formatters.models.notice import Notice
from tests.support.clock import Clock
from tests.support.factories import create_pipeline, record_notices, subscribe
from tests.support.waiting import wait_until


@dataclass
class DeliveryHarness:
    """A store, a local Slack, and a delivery worker between them."""

    local_slack: LocalSlack
    factory: Factory
    clock: Clock
    client: SlackClient
    worker: DeliveryWorker = field(init=False, repr=False)
    wakeups: Wakeups = field(init=False, repr=False)
    worker_tasks: list[asyncio.Task[None]] = field(default_factory=list)
    claims_paused: asyncio.Lock = field(default_factory=asyncio.Lock)
    """While this lock is held, the worker claims nothing."""

    def __post_init__(self) -> None:
        claim = self.factory.outbox.claim

        async def when_open(*args: Any, **options: Any) -> list[Delivery]:
            async with self.claims_paused:
                return await claim(*args, **options)

        self.factory.outbox.claim = when_open  # type: ignore[method-assign]

    def start(self, **options: Any) -> DeliveryWorker:
        """Start a worker as a new process does."""
        self.wakeups = Wakeups()
        self.worker = self.factory.create_delivery_worker(
            options.pop("clients", {self.local_slack.team_id: self.client}),
            self.clock,
            **{"channel_pause_s": 0.0, "wakeups": self.wakeups, **options},
        )
        self.worker_tasks.append(asyncio.create_task(self.worker.run()))
        return self.worker

    async def restart(self) -> None:
        """Stop the worker and start another."""
        await self.worker.stop()
        self.start()

    def create_channels(self, count: int, words: str = "CBC") -> list[str]:
        return [self.local_slack.add_channel(f"gw-{number}") for number in range(count)]

    async def create_subscribed_channels(self, count: int = 1, words: str = "CBC") -> list[str]:
        """Create channels that have a subscription."""
        made = self.create_channels(count)
        await subscribe(self.factory, words, *made)
        return made

    async def record_notices(self, *notices: Notice) -> None:
        """Record notices, and let the worker claim only after the last of them."""
        async with self.claims_paused:
            await record_notices(self.factory, notices, now=self.clock())
        self.worker.wake()

    def advance(self, **by: float) -> None:
        """Advance the clock and wake the worker."""
        self.clock.advance(**by)
        self.worker.wake()

    def wake(self) -> None:
        self.worker.wake()

    def pipeline(self) -> Pipeline:
        return create_pipeline(
            self.factory,
            self.clock,
            max_age=timedelta(hours=24),
            wakeups=self.wakeups,
        )

    def renderer(self) -> Renderer:
        factory = self.factory
        return Renderer(
            factory.render_repositories(),
            factory.observability,
            factory.grading,
            factory.follow_up_services,
            self.permalink,
        )

    async def permalink(self, _team_id: str, channel_id: str, ts: str) -> str | None:
        """Return a message's address."""
        return await self.client.permalink(channel_id, ts)

    async def rows(self, **where: object) -> list[Any]:
        """Return the outbox's rows with these column values, by id."""
        async with self.factory.database.read_transaction() as connection:
            found = (await connection.execute(text("SELECT * FROM deliveries ORDER BY id"))).all()
        return [row for row in found if all(getattr(row, name) == value for name, value in where.items())]

    async def state(self, kind: DeliveryKind, channel: str | None = None) -> list[str]:
        found = await self.rows(kind=kind.value)
        return [row.state for row in found if channel in (None, row.channel_id)]

    async def wait_until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a condition is true."""
        await wait_until(true)

    async def wait_until_delivered(self) -> None:
        """Wait until no delivery is waiting."""

        async def nothing() -> bool:
            return not (await self.factory.outbox_statistics.counts()).waiting

        await self.wait_until(nothing)

    async def wait_for_retry(self, reason: str, count: int = 1) -> None:
        """Wait until `count` deliveries wait for another attempt for this reason."""

        async def so() -> bool:
            return len(await self.rows(state=DeliveryState.PENDING.value, reason=reason)) >= count

        await self.wait_until(so)

    async def run_rounds(self) -> None:
        """Let the worker make some rounds."""
        for _ in range(10):
            self.worker.wake()
            await asyncio.sleep(0.02)

    def calls(self, method: str, channel: str | None = None) -> list[RecordedCall]:
        return [
            c
            for c in self.local_slack.calls
            if c.method == method and channel in (None, c.args.get("channel"))
        ]

    def texts(self, channel: str) -> list[str]:
        return [str(message["text"]) for message in self.local_slack.messages(channel)]


@pytest.fixture
async def stopped_harness(
    local_slack: LocalSlack, factory: Factory, clock: Clock
) -> AsyncIterator[DeliveryHarness]:
    """Yield a harness whose worker is not started."""
    async with aiohttp.ClientSession() as session:
        client = SlackClient(local_slack.bot_token, local_slack.api_url, session, timeout_s=2.0)
        local_slack.workspace.clock = lambda: clock().timestamp()
        harness = DeliveryHarness(local_slack, factory, clock, client)
        yield harness
        if harness.worker_tasks:
            await harness.worker.stop(0.5)
        for task in harness.worker_tasks:
            task.cancel()
        await asyncio.gather(*harness.worker_tasks, return_exceptions=True)


@pytest.fixture
async def harness(stopped_harness: DeliveryHarness) -> DeliveryHarness:
    """Yield a harness with a running worker."""
    stopped_harness.start()
    return stopped_harness


class IdleSource:
    """A source that never yields a payload."""

    async def payloads(self) -> AsyncIterator[Payload]:
        nothing: tuple[Payload, ...] = ()
        await asyncio.Event().wait()
        for payload in nothing:
            yield payload

    async def acknowledge(self, payload: Payload) -> None:
        raise AssertionError("nothing was read")

    async def stop(self) -> None:
        return None

    def status(self) -> SourceStatus:
        return SourceStatus("silent", True, "reads nothing")


@pytest.fixture
async def bot(local_slack: LocalSlack, factory: Factory, clock: Clock) -> AsyncIterator[Application]:
    """Yield a running bot on the local Slack, once it is ready."""
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
            "ops_channel": "C0OPS",
        }
    )
    made_bot = Application(settings, factory, [IdleSource()], clock)
    stop = asyncio.Event()
    running = asyncio.create_task(made_bot.run(stop))
    async with asyncio.timeout(60):
        await made_bot.ready.wait()
    yield made_bot
    stop.set()
    await running
