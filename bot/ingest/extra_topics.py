"""Consumers of the topics beside LVK's alerts, which no alert ever waits for.

Whatever ends one of them, a defect of gwevent's too, is logged, counted and shown in its status; it starts
again after a while, and neither the process nor another topic hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bot.ingest.consumer import PayloadHandler, SourceConsumer
from bot.ingest.pipeline import IngestResult
from bot.sources.base import Origin, SourceStatus
from bot.sources.restartable import RestartableSource

FIRST_BACKOFF_S = 5.0
MAX_BACKOFF_S = 600.0

log = structlog.get_logger(__name__)


class SequentialHandler:
    """Passes on the payloads of many topics one at a time.

    So a notice that comes among a thousand circulars waits for one of them at most.
    """

    def __init__(self, handler: PayloadHandler) -> None:
        self._handler = handler
        self._turn = asyncio.Lock()

    async def handle(self, body: bytes, origin: Origin) -> IngestResult:
        """Handle one payload when it is its turn. Raises StoreUnavailable."""
        async with self._turn:
            return await self._handler.handle(body, origin)


class ExtraTopicConsumer:
    """The consumer of one optional topic; it never fails."""

    def __init__(
        self,
        source: RestartableSource,
        consumer: SourceConsumer,
        on_fault: Callable[[SourceStatus], None],
        *,
        first_backoff_s: float = FIRST_BACKOFF_S,
    ) -> None:
        """`consumer` consumes `source`; `on_fault` is called with the source's status after each defect."""
        self._source = source
        self._consumer = consumer
        self._on_fault = on_fault
        self._first_backoff_s = first_backoff_s

    async def consume(self) -> None:
        """Handle payload after payload until cancelled."""
        pause_s = self._first_backoff_s
        while True:
            reason = "its reader ended"
            handled = self._consumer.handled
            try:
                await self._consumer.consume()
            except Exception as error:
                reason = type(error).__name__
                topic = self._source.status().topic
                log.exception("unexpected_error", subsystem="extra_topic", topic=topic)
            if self._source.is_stopped:
                return
            if self._consumer.handled > handled:
                pause_s = self._first_backoff_s
            await self._end_source(reason)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_BACKOFF_S)

    async def _end_source(self, reason: str) -> None:
        shown = f"gwevent met a fault of its own in reading it ({reason}), and tries again"
        try:
            await self._source.end(shown)
        except Exception:
            log.exception("unexpected_error", subsystem="extra_topic", topic=self._source.status().topic)
        self._on_fault(self._source.status())

    async def stop(self) -> None:
        """Close the source. Payloads that are not acknowledged will come again."""
        await self._consumer.stop()
