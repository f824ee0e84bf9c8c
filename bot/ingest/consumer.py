"""Takes what a source brings through the one way in, and tells other processes how the source is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from bot.ingest.pipeline import IngestResult, Pipeline
from bot.runtime.os_limits import is_transient
from bot.sources.base import Payload, Source
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import StoreUnavailable
from bot.store.operations.ops_channel import OpsChannelRepository
from bot.store.operations.source_heartbeats import SourceHeartbeats

STATUS_INTERVAL_S = 5.0

log = structlog.get_logger(__name__)


class SourceConsumer:
    """One source and the pipeline behind it."""

    def __init__(
        self,
        source: Source,
        pipeline: Pipeline,
        source_heartbeats: SourceHeartbeats,
        ops_channel: OpsChannelRepository,
        subscriptions: SubscriptionRepository,
        name: str,
        on_handled: Callable[[IngestResult], None],
    ) -> None:
        """`name` is one that no other process has; `handled` is told what became of each payload."""
        self._source = source
        self._pipeline = pipeline
        self._source_heartbeats = source_heartbeats
        self._ops_channel = ops_channel
        self._subscriptions = subscriptions
        self._name = name
        self._on_handled = on_handled

    async def consume(self) -> None:
        """Take payload after payload, for ever."""
        # Thousands of filters take a second to parse, once; if the store can't yet, the first notice waits.
        with suppress(StoreUnavailable):
            await self._subscriptions.count()
            await self._ops_channel.get()
        log.info("source_starts", source=self._source.status().name, group=self._name)
        async for payload in self._source.payloads():
            await self._ingest_until_stored(payload)

    async def report_status(self) -> None:
        """Write down how the source is doing, again and again."""
        while True:
            try:
                await self._source_heartbeats.record(self._name, [self._source.status()])
                # Only who knows Slack knows where they are, and may have come later.
                await self._ops_channel.get()
            except StoreUnavailable as error:
                log.warning("consumer_waits_for_store", reason=str(error))
            await asyncio.sleep(STATUS_INTERVAL_S)

    async def stop(self) -> None:
        """Let go of the source; what isn't acknowledged comes again."""
        await self._source.stop()

    async def _ingest_until_stored(self, payload: Payload) -> None:
        """Handle a payload, however long the store takes; only then is it acknowledged (law 3)."""
        wait = 0.2
        while True:
            try:
                self._on_handled(await self._pipeline.handle(payload.body, payload.origin))
                break
            except StoreUnavailable as error:
                log.error("notice_waits_for_store", reason=str(error), origin=payload.origin.location)
            except Exception as error:
                # The system's: no descriptor or memory, say. What isn't taken in isn't passed over either:
                # this part, started again, would go on with the next payload.
                if not is_transient(error):
                    raise
                reason = str(error) or type(error).__name__
                log.error("notice_waits_for_system", reason=reason, origin=payload.origin.location)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 10.0)
        await self._source.acknowledge(payload)
