"""One process that does what the bot is asked for and must not do itself; replaced when it fails.

It is started when something is first wanted. One that hangs (doesn't start, doesn't answer in time), dies or
breaks its pipe is killed and another takes its place at the next order; so is one that did its share of
orders or grew too large. Who asks is told by an error, and decides whether to ask again.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from bot.runtime.worker_main import LENGTH_PREFIX, WorkerResult

REPLACE_ABOVE_BYTES = 1024**3
"""A process that held more than this is replaced after its order."""
MAX_RESULT_BYTES = 256 * 1024**2
"""Bytes of what comes back: a picture takes 100 kB."""
KILL_TIMEOUT_S = 5.0
"""How long the kernel may take to end a process that was killed."""

_PROGRAM = "from bot.runtime.worker_main import main; main()"
"""Not `-m`: what comes back is named after the module it was made in."""

A = TypeVar("A")
T = TypeVar("T")

log = structlog.get_logger(__name__)


class ProcessFailed(Exception):
    """The process hung or died over an order; another one takes the next. The text is a sentence."""


class ProcessNotStarted(Exception):
    """No process can be started now, which may pass, and is no order's fault. The text says why."""


class ProcessClosed(Exception):
    """The bot stops."""


class WorkerProcess:
    """Hands orders to a process of its own, one at a time."""

    def __init__(self, *, timeout_s: float, start_timeout_s: float, max_jobs: int) -> None:
        """`timeout_s` is for one order, `start_s` for the start; after so many `orders` it is renewed."""
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._max_jobs = max_jobs
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._completed_jobs = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Of the process that waits or works; None where there is none."""
        return None if self._process is None else self._process.pid

    async def run(self, work: Callable[[A], T], argument: A) -> T:
        """Have `work(argument)` done there. Both, and what comes of it, must be known by name over there.

        Raises what the work raised, ProcessFailed, NoProcess, ProcessClosed.
        """
        order = pickle.dumps((work, argument))
        async with self._lock:
            try:
                result = await self._request(order)
            except BaseException:
                # Cancelled too: what it is at is nobody's any more.
                await self._kill()
                raise
            self._completed_jobs += 1
            if self._completed_jobs >= self._max_jobs or result.peak_memory > REPLACE_ABOVE_BYTES:
                await self._kill()
        if result.error is not None:
            raise result.error
        value: T = result.value
        return value

    async def close(self) -> None:
        """End the process at once, and start no other."""
        self._closed = True
        await self._kill()

    async def _request(self, order: bytes) -> WorkerResult:
        process = await self._ensure_started()
        assert process.stdin is not None and process.stdout is not None
        try:
            async with asyncio.timeout(self._timeout_s):
                process.stdin.write(LENGTH_PREFIX.pack(len(order)) + order)
                await process.stdin.drain()
                return await _read_result(process.stdout)
        except TimeoutError as error:
            raise ProcessFailed(f"It took longer than {self._timeout_s:g} s.") from error
        except (asyncio.IncompleteReadError, OSError, ValueError) as error:
            raise self._exit_error(await _exit_status(process)) from error

    async def _ensure_started(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise ProcessClosed
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._kill()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _PROGRAM, str(int(self._timeout_s))),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=_child_environment(),
            )
        except (OSError, RuntimeError, MemoryError) as error:
            # RuntimeError: no thread could be started to wait for the process's end.
            raise ProcessNotStarted(f"It can't be started: {error}.") from error
        self._process, self._completed_jobs = process, 0
        if self._closed:
            raise ProcessClosed
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._start_timeout_s):
                await _read_result(process.stdout)
        except TimeoutError as error:
            raise ProcessNotStarted(f"It didn't start within {self._start_timeout_s:g} s.") from error
        except (asyncio.IncompleteReadError, OSError, ValueError) as error:
            ended = self._exit_error(await _exit_status(process))
            raise (ended if self._closed else ProcessNotStarted(f"{ended} It hadn't started yet.")) from error
        log.debug("drawing_process_started", pid=process.pid)
        return process

    def _exit_error(self, status: int | None) -> Exception:
        if self._closed:
            return ProcessClosed()
        return ProcessFailed(f"The process died ({'no status' if status is None else f'status {status}'}).")

    async def _kill(self) -> None:
        """End the process whatever state it is in: stopped, too, it can't refuse this signal."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await _exit_status(process)


async def _read_result(stream: asyncio.StreamReader) -> WorkerResult:
    """Raises ValueError where something else is said than a result."""
    (length,) = LENGTH_PREFIX.unpack(await stream.readexactly(LENGTH_PREFIX.size))
    if length > MAX_RESULT_BYTES:
        raise ValueError(f"It says {length:,} bytes.")
    # Written by our own process.
    result = pickle.loads(await stream.readexactly(length))  # noqa: S301
    assert isinstance(result, WorkerResult)
    return result


async def _exit_status(process: asyncio.subprocess.Process) -> int | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(KILL_TIMEOUT_S):
            return await process.wait()
    return process.returncode


def _child_environment() -> dict[str, str]:
    """The bot's own, without what it has of secrets; the process finds the same modules."""
    kept: dict[str, Any] = {
        name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "GWEVENT_"))
    }
    # Threads of the numerical libraries take memory by the core, and would take the bot's time.
    own = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return kept | own | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
