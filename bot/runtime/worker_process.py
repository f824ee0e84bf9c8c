"""A child process that runs functions which may hang, crash or use too much memory.

It is started with the first job. A process that hangs, dies, breaks its pipe, has run its share of jobs or
has grown too large is killed, and the next job starts another. A failed job raises an error; the caller
decides whether to try it again.

The standard library's ProcessPoolExecutor is not used because it can't kill a worker that hangs without
breaking the pool, and doesn't limit a worker's memory.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from bot.runtime.worker_main import LENGTH_PREFIX, WorkerResult

REPLACE_ABOVE_BYTES = 1024**3
"""A process whose peak memory exceeds this is replaced after its job."""
MAX_RESULT_BYTES = 256 * 1024**2
"""Limit of a result in bytes; a sky-map image takes 100 kB."""
KILL_TIMEOUT_S = 5.0
"""Seconds to wait for the exit of a killed process."""

_PROGRAM = "from bot.runtime.worker_main import main; main()"
"""Not `-m bot.runtime.worker_main`: pickle would look up `WorkerResult` in `__main__`."""

A = TypeVar("A")
T = TypeVar("T")

log = structlog.get_logger(__name__)


class ProcessFailed(Exception):
    """The process hung or died during a job. The text is a sentence."""


class ProcessNotStarted(Exception):
    """No process can be started at the moment, whatever the job. The text says why."""


class ProcessClosed(Exception):
    """`close` was called."""


class WorkerProcess:
    """Runs jobs in a child process, one at a time."""

    def __init__(
        self,
        *,
        timeout_s: float,
        start_timeout_s: float,
        max_jobs: int,
        initializer: str | None = None,
        hidden_env_prefixes: tuple[str, ...] = (),
    ) -> None:
        """Limit each job to `timeout_s` seconds and the start to `start_timeout_s`.

        The process is replaced after `max_jobs`. `initializer` ("module:function") is called in the process
        before its first job. Environment variables that begin with one of `hidden_env_prefixes` (secrets) are
        not passed on.
        """
        self._initializer = initializer
        self._hidden_env_prefixes = hidden_env_prefixes
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._max_jobs = max_jobs
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._completed_jobs = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process id; None while no process runs."""
        return None if self._process is None else self._process.pid

    async def run(self, work: Callable[[A], T], argument: A) -> T:
        """Return `work(argument)`, called in the process. Both and the result must be picklable.

        Raises what `work` raises, ProcessFailed, ProcessNotStarted, ProcessClosed.
        """
        job = pickle.dumps((work, argument))
        async with self._lock:
            try:
                result = await self._request(job)
            except BaseException:
                # On cancellation too: nobody waits for the result any more.
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
        """Kill the process at once; later jobs raise ProcessClosed."""
        self._closed = True
        await self._kill()

    async def _request(self, job: bytes) -> WorkerResult:
        process = await self._ensure_started()
        assert process.stdin is not None and process.stdout is not None
        try:
            async with asyncio.timeout(self._timeout_s):
                process.stdin.write(LENGTH_PREFIX.pack(len(job)) + job)
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
                *([] if self._initializer is None else [self._initializer]),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=_child_environment(self._hidden_env_prefixes),
            )
        except (OSError, RuntimeError, MemoryError) as error:
            # RuntimeError: no thread could be started to wait for the process's exit.
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
        log.debug("worker_process_started", pid=process.pid)
        return process

    def _exit_error(self, status: int | None) -> Exception:
        if self._closed:
            return ProcessClosed()
        return ProcessFailed(f"The process died ({'no status' if status is None else f'status {status}'}).")

    async def _kill(self) -> None:
        """Kill the process, whatever state it is in: SIGKILL ends a stopped process too."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await _exit_status(process)


async def _read_result(stream: asyncio.StreamReader) -> WorkerResult:
    """Read a result from the pipe. Raises ValueError if its length is out of bounds."""
    (length,) = LENGTH_PREFIX.unpack(await stream.readexactly(LENGTH_PREFIX.size))
    if length > MAX_RESULT_BYTES:
        raise ValueError(f"It says {length:,} bytes.")
    # Written by our own child process.
    result = pickle.loads(await stream.readexactly(length))  # noqa: S301
    assert isinstance(result, WorkerResult)
    return result


async def _exit_status(process: asyncio.subprocess.Process) -> int | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(KILL_TIMEOUT_S):
            return await process.wait()
    return process.returncode


def _child_environment(hidden_prefixes: tuple[str, ...]) -> dict[str, str]:
    """Return this process's environment without secrets, with the same module path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden_prefixes)}
    # Threads of the numerical libraries take memory for each core, and compete with the event loop.
    own = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return kept | own | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
