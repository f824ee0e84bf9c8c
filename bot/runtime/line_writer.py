"""Writes lines to a file descriptor in a thread, so that whoever has a line never waits for its reader.

A pipe whose reader is stopped takes nothing more, and a disk that hangs neither: a process that writes its
log itself would stand still with them. Here the lines wait in memory, and those that can't be written are
counted.
"""

from __future__ import annotations

import os
import queue
import select
import threading
from collections.abc import Callable

MAX_WAITING_LINES = 10_000
"""Lines that wait at most; further ones are lost. At 300 bytes a line they take 3 MB."""
RETRY_S = 1.0
"""Longest wait, in seconds, until a descriptor that doesn't block is tried again."""


class LineWriter:
    """A thread that writes lines in their order; it keeps no process from ending."""

    def __init__(
        self,
        descriptor: int,
        on_recovered: Callable[[int], None],
        *,
        max_waiting: int = MAX_WAITING_LINES,
    ) -> None:
        """Start the thread. Raises RuntimeError if the system has none left.

        `on_recovered(lines)` is called in the thread when a line is written again, with the number of lines
        that were lost before it.
        """
        self._descriptor = descriptor
        self._on_recovered = on_recovered
        self._lines: queue.Queue[bytes] = queue.Queue(max_waiting)
        self._changed = threading.Condition()
        self._unwritten = 0
        """Lines that were taken and are neither written nor lost."""
        self._lost = 0
        self._is_torn = False
        """True if the last line was written in part."""
        threading.Thread(target=self._run, name="write_log", daemon=True).start()

    def write(self, line: bytes) -> None:
        """Take a line, with its line feed, to be written soon; never wait and never fail."""
        with self._changed:
            try:
                self._lines.put_nowait(line)
            except queue.Full:
                self._lost += 1
            else:
                self._unwritten += 1

    def flush(self, timeout_s: float) -> bool:
        """Wait until all lines are written or lost; return False if that takes longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unwritten == 0, timeout_s)

    def _run(self) -> None:
        while True:
            is_written = self._write(self._lines.get())
            with self._changed:
                if not is_written:
                    self._lost += 1
                lost = self._lost if is_written else 0
                self._lost -= lost
            if lost:
                self._on_recovered(lost)
            with self._changed:
                self._unwritten -= 1
                self._changed.notify_all()

    def _write(self, line: bytes) -> bool:
        """Write a line; return False if the system doesn't take it."""
        # Not by a Python stream: at the end of the process Python would wait for one that is in use.
        left = memoryview(b"\n" + line if self._is_torn else line)
        size = len(left)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [], RETRY_S)
            except OSError:
                self._is_torn = self._is_torn or len(left) < size
                return False
        self._is_torn = False
        return True
