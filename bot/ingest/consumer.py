"""Consumer of one source: feeds its payloads to the pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import structlog

from bot.ingest.pipeline import IngestResult
from bot.runtime.os_limits import is_transient
from bot.sources.base import Origin, Payload, Source
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import StoreUnavailable
from bot.store.operations.ops_channel import OpsChannelRepository

log = structlog.get_logger(__name__)


class PayloadHandler(Protocol):
    """The part of the ingest pipeline that a consumer uses."""

    async def handle(self, body: bytes, origin: Origin) -> IngestResult:
        """Handle one payload. Raises StoreUnavailable: then it must not be acknowledged."""
        ...


class SourceConsumer:
    """One source and the pipeline behind it."""

    def __init__(
        self,
        source: Source,
        pipeline: PayloadHandler,
        ops_channel: OpsChannelRepository,
        subscriptions: SubscriptionRepository,
        name: str,
        on_handled: Callable[[IngestResult], None],
    ) -> None:
        """Create a consumer.

        `name` is unique among all processes; `on_handled` is called with the outcome of each payload.
        """
        self._source = source
        self._pipeline = pipeline
        self._ops_channel = ops_channel
        self._subscriptions = subscriptions
        self._name = name
        self._on_handled = on_handled
        self.handled = 0
        """The number of payloads that were handled and acknowledged."""

    async def consume(self) -> None:
        """Handle payload after payload until cancelled."""
        # Parsing thousands of filters takes a second, once: do it before the first notice comes.
        with suppress(StoreUnavailable):
            await self._subscriptions.count()
            await self._ops_channel.refresh()
        status = self._source.status()
        log.info("source_started", source=status.name, topic=status.topic, group=self._name)
        async for payload in self._source.payloads():
            await self._ingest_until_stored(payload)

    async def stop(self) -> None:
        """Close the source. Payloads that are not acknowledged will come again."""
        await self._source.stop()

    async def _ingest_until_stored(self, payload: Payload) -> None:
        """Handle a payload, however long the store is unavailable; acknowledge it only after that."""
        wait = 0.2
        while True:
            try:
                self._on_handled(await self._pipeline.handle(payload.body, payload.origin))
                break
            except StoreUnavailable as error:
                log.error(
                    "store_unavailable",
                    subsystem="ingest",
                    reason=str(error),
                    origin=payload.origin.location,
                )
            except Exception as error:
                # A fault of the operating system, such as no memory, is waited for. After any other the
                # consumer must not go on with the next payload: this one would be passed over.
                if not is_transient(error):
                    raise
                reason = str(error) or type(error).__name__
                log.error("notice_postponed", reason=reason, origin=payload.origin.location)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 10.0)
        await self._source.acknowledge(payload)
        self.handled += 1
