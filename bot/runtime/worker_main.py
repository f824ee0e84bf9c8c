"""The child side of `bot.runtime.worker_process`: reads jobs from stdin, writes results to stdout.

Each is pickled and preceded by its length: a job is (function, argument), a result is a `WorkerResult`.
Pickle is safe here because both ends are this program. The arguments of the process are the time limit of a
job in seconds, and optionally an initializer (`module:function`), which is called before the first job.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

LENGTH_PREFIX = struct.Struct("!Q")
MAX_MEMORY_BYTES = 2 * 1024**3
"""Limit of the process's own memory: above it allocations fail, so that the parent keeps running."""
ALARM_GRACE_S = 10
"""Seconds after a job's time limit at which the process ends itself, in case the parent can't."""


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """A job's value, or the error that it raised."""

    value: Any
    error: BaseException | None
    peak_memory: int
    """The process's peak memory in bytes."""


def main() -> None:
    """Call the initializer, report readiness, and run jobs until standard input is closed."""
    # The parent may be gone: then nobody reads the result.
    with suppress(BrokenPipeError):
        _serve()


def _serve() -> None:
    limit_s = int(sys.argv[1])
    jobs = os.fdopen(os.dup(0), "rb")
    results = os.fdopen(os.dup(1), "wb")
    # Text that a library prints must not be mixed into the results.
    os.dup2(2, 1)
    # A terminal sends Ctrl-C to both processes; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prefer_oom_kill()
    if len(sys.argv) > 2:
        module, _, function = sys.argv[2].partition(":")
        getattr(import_module(module), function)()
    _send_result(results, WorkerResult(None, None, _peak_memory()))
    while (job := _read_job(jobs)) is not None:
        # If the parent is gone and can't end this process, the kernel does.
        signal.alarm(limit_s + ALARM_GRACE_S)
        result = _run_job(*job)
        signal.alarm(0)
        _send_result(results, result)


def _run_job(work: Callable[[Any], Any], argument: object) -> WorkerResult:
    try:
        value, error = work(argument), None
    except Exception as raised:  # noqa: BLE001 - the parent raises it
        value, error = None, raised
    return WorkerResult(value, error, _peak_memory())


def _send_result(results: BinaryIO, result: WorkerResult) -> None:
    try:
        body = pickle.dumps(result)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        body = pickle.dumps(
            WorkerResult(None, RuntimeError(f"no result to send: {error}"), result.peak_memory)
        )
    results.write(LENGTH_PREFIX.pack(len(body)) + body)
    results.flush()


def _read_job(jobs: BinaryIO) -> tuple[Callable[[Any], Any], object] | None:
    head = jobs.read(LENGTH_PREFIX.size)
    if len(head) < LENGTH_PREFIX.size:
        return None
    (length,) = LENGTH_PREFIX.unpack(head)
    body = jobs.read(length)
    # Written by the parent, which is this program.
    return None if len(body) < length else pickle.loads(body)  # noqa: S301


def _peak_memory() -> int:
    # Not ru_maxrss: Linux hands the parent's peak on to the child.
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return 0


def _prefer_oom_kill() -> None:
    """Make the kernel end this process before its parent if memory runs out, and limit its memory."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        own = MAX_MEMORY_BYTES if most == resource.RLIM_INFINITY else min(most, MAX_MEMORY_BYTES)
        resource.setrlimit(resource.RLIMIT_DATA, (own, most))
