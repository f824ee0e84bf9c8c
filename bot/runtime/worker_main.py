"""What runs in the process that draws: orders in, results out, one after the other, until nobody asks more.

An order is a pickled (function, argument) behind its length; a result is a pickled `WorkerResult`.
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
from pathlib import Path
from typing import Any, BinaryIO

LENGTH_PREFIX = struct.Struct("!Q")
MAX_MEMORY_BYTES = 2 * 1024**3
"""Memory that the process may take for itself; beyond, an allocation fails instead of pushing out the bot."""
ALARM_GRACE_S = 10
"""How long after the time that the bot gives a picture the process ends by itself."""


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """What came of an order: a value, or the error instead."""

    value: Any
    error: BaseException | None
    peak_memory: int
    """Bytes of memory that the process held at most."""


def main() -> None:
    """Prepare, say so, and work off what comes on standard input."""
    # Where the bot is gone, nobody takes what is sent.
    with suppress(BrokenPipeError):
        _serve()


def _serve() -> None:
    limit_s = int(sys.argv[1])
    orders = os.fdopen(os.dup(0), "rb")
    results = os.fdopen(os.dup(1), "wb")
    # What a library prints mustn't come between the results.
    os.dup2(2, 1)
    # A terminal's Ctrl-C is for the bot, which ends this process itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prefer_oom_kill()
    from bot.skymap_service.image_process import warm_up

    warm_up()
    _send_result(results, WorkerResult(None, None, _peak_memory()))
    while (order := _read_job(orders)) is not None:
        # Where the bot is gone and can't end this process, the kernel does.
        signal.alarm(limit_s + ALARM_GRACE_S)
        result = _run_job(*order)
        signal.alarm(0)
        _send_result(results, result)


def _run_job(work: Callable[[Any], Any], argument: object) -> WorkerResult:
    try:
        value, error = work(argument), None
    except Exception as raised:  # noqa: BLE001 - it is raised again by who asked
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


def _read_job(orders: BinaryIO) -> tuple[Callable[[Any], Any], object] | None:
    head = orders.read(LENGTH_PREFIX.size)
    if len(head) < LENGTH_PREFIX.size:
        return None
    (length,) = LENGTH_PREFIX.unpack(head)
    body = orders.read(length)
    # Written by the bot itself.
    return None if len(body) < length else pickle.loads(body)  # noqa: S301


def _peak_memory() -> int:
    # Not ru_maxrss: Linux hands the parent's peak on to the child.
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return 0


def _prefer_oom_kill() -> None:
    """Where memory gets short, the picture goes and the bot stays."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        own = MAX_MEMORY_BYTES if most == resource.RLIM_INFINITY else min(most, MAX_MEMORY_BYTES)
        resource.setrlimit(resource.RLIMIT_DATA, (own, most))
