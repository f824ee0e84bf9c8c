"""A bounded queue from a reader's thread to the event loop: Kafka's clients block, and the loop must not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable

from bot.runtime.callbacks import no_op
from bot.sources.base import Payload


class ThreadBridge:
    """Passes payloads from a reader thread to an async iterator, and the stop signal back.

    The event loop calls `payloads` and `stop`; the reader's thread calls the other methods.
    """

    def __init__(self, reader: str, queue_size: int) -> None:
        """Prepare a bridge for a reader named `reader` (for error messages).

        At most `queue_size` payloads wait between the reader and the consumer.
        """
        self._reader = reader
        self._slots = threading.Semaphore(queue_size)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[Payload | None] = asyncio.Queue()
        self._iterated = False
        self._last_heartbeat = time.monotonic()
        self.stopping = threading.Event()
        """Set once no more payloads are wanted."""
        self.ended = threading.Event()
        """Set once the reader's thread has finished."""

    @property
    def started(self) -> bool:
        """Return True once the iteration of the payloads has begun."""
        return self._loop is not None

    async def payloads(self, start: Callable[[], None]) -> AsyncIterator[Payload]:
        """Call `start` on the first iteration, then yield the payloads that the reader puts, until `stop`.

        An iteration that was interrupted may be followed by another, which continues with the next payload.
        Raises RuntimeError if the payloads are being iterated already, or if the reader's thread ended
        because of a defect.
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
                    # The system couldn't start a thread: the reader didn't begin, and may be started again.
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
                    f"The reader of {self._reader} ended because of a defect in it; see the log."
                )
            self._slots.release()
            yield payload

    def stop(self) -> None:
        """End `payloads`, and unblock the reader so that it can finish."""
        self.stopping.set()
        self._slots.release()
        self._queue.put_nowait(None)

    def wait_for_room(self, on_waiting: Callable[[], object] = no_op) -> bool:
        """Block until one more payload may be put; return False if the source was stopped.

        `on_waiting` is called every second while this blocks.
        """
        while not self._slots.acquire(timeout=1.0):
            self.heartbeat()
            if self.stopping.is_set():
                return False
            on_waiting()
        return True

    def heartbeat(self) -> None:
        """Record that the reader's thread is alive."""
        self._last_heartbeat = time.monotonic()

    @property
    def heartbeat_age_s(self) -> float:
        """Return the seconds since the reader's thread last called `heartbeat`."""
        return time.monotonic() - self._last_heartbeat

    @property
    def queued(self) -> int:
        """Return the number of payloads that were put and not yet yielded."""
        return self._queue.qsize()

    def put(self, payload: Payload) -> None:
        """Queue a payload; call it only after `wait_for_room` returned True."""
        self._put_threadsafe(payload)

    def finish(self) -> None:
        """Record that the reader's thread has finished, and wake the consumer."""
        self.ended.set()
        self._put_threadsafe(None)

    def _put_threadsafe(self, payload: Payload | None) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, payload)
        except RuntimeError:
            # The loop closed while the broker held the reader: there is no consumer left.
            self.stopping.set()
