"""From a reader's thread to the event loop: Kafka's clients block, and the loop must not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable

from bot.sources.base import Payload


class ThreadBridge:
    """Hands payloads over one by one; a few wait between reader and pipeline, and no more.

    `payloads` and `stop` belong to the loop, the rest to the reader's thread.
    """

    def __init__(self, reader: str, queue_size: int) -> None:
        """`reader` is what it is called where it ends by a fault; `ahead` payloads at most wait."""
        self._reader = reader
        self._slots = threading.Semaphore(queue_size)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[Payload | None] = asyncio.Queue()
        self._iterated = False
        self._last_heartbeat = time.monotonic()
        self.stopping = threading.Event()
        """Set once nobody wants anything more."""
        self.ended = threading.Event()
        """Set once the reader is through."""

    @property
    def started(self) -> bool:
        """Whether the payloads are being read."""
        return self._loop is not None

    async def payloads(self, start: Callable[[], None]) -> AsyncIterator[Payload]:
        """Call `start`, then yield what is handed over; ends after `stop`.

        One that broke off may be followed by another, which goes on with the next payload. Raises
        RuntimeError if the reader ended by a fault of its own.
        """
        if self._iterated:
            raise RuntimeError("The payloads of this source are being read already.")
        self._iterated = True
        try:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
                try:
                    start()
                except RuntimeError:
                    # No thread could be started: it wasn't begun, and may be tried again.
                    self._loop = None
                    raise
            async for payload in self._queued_payloads():
                yield payload
        finally:
            self._iterated = False

    async def _queued_payloads(self) -> AsyncIterator[Payload]:
        while True:
            payload = await self._queue.get()
            if self.stopping.is_set():
                return
            if payload is None:
                raise RuntimeError(
                    f"The reader of {self._reader} ended by a fault of its own; the log has it."
                )
            self._slots.release()
            yield payload

    def stop(self) -> None:
        """End `payloads`, and let the reader go on to its end."""
        self.stopping.set()
        self._slots.release()
        self._queue.put_nowait(None)

    def wait_for_room(self, on_waiting: Callable[[], object] = lambda: None) -> bool:
        """Wait until one more may be handed over; False if nobody wants it any more.

        `meanwhile` is called every second.
        """
        while not self._slots.acquire(timeout=1.0):
            self.heartbeat()
            if self.stopping.is_set():
                return False
            on_waiting()
        return True

    def heartbeat(self) -> None:
        """Say that the reader's thread goes on."""
        self._last_heartbeat = time.monotonic()

    @property
    def heartbeat_age_s(self) -> float:
        """For how long the reader's thread hasn't said that it goes on."""
        return time.monotonic() - self._last_heartbeat

    @property
    def queued(self) -> int:
        """How many were handed over and not taken yet."""
        return self._queue.qsize()

    def put(self, payload: Payload) -> None:
        """Hand one over, after `wait_for_room`."""
        self._put_threadsafe(payload)

    def finish(self) -> None:
        """The reader is through."""
        self.ended.set()
        self._put_threadsafe(None)

    def _put_threadsafe(self, payload: Payload | None) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, payload)
        except RuntimeError:
            # The loop closed while the broker held the reader: nobody is left to read for.
            self.stopping.set()
