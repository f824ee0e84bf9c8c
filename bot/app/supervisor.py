"""Supervision of the tasks of a process: tasks that end by a lack of system resources are restarted.

Errors of the system (no file descriptor, memory or thread left, a broken connection, an unavailable store)
pass: a task that they end is restarted with exponential back-off. Any other error is a bug of gwevent and
ends the process, so that the service manager (systemd, Docker, Kubernetes) restarts it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count

import structlog

from bot.runtime.os_limits import is_transient
from bot.store.database import StoreUnavailable

MIN_BACKOFF_S = 1.0
MAX_BACKOFF_S = 30.0
BACKOFF_RESET_S = 60.0
"""A task that ran for this long before it failed is restarted after the shortest pause again."""

log = structlog.get_logger(__name__)


class TaskSupervisor:
    """The named tasks of a process, restarted after errors of the system."""

    def __init__(self, *, min_backoff_s: float = MIN_BACKOFF_S) -> None:
        self._min_backoff_s = min_backoff_s
        self.tasks: list[asyncio.Task[None]] = []
        self.pending_restarts: dict[str, str] = {}
        """Tasks that wait for their restart, each with the reason for which it ended."""

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Start a task; `work` is called again for each restart. A name that is taken gets a number."""
        taken = {task.get_name() for task in self.tasks}
        if name in taken:
            name = next(other for n in count(2) if (other := f"{name}_{n}") not in taken)
        self.tasks.append(asyncio.create_task(self._run_with_restarts(name, work), name=name))

    async def wait_for_stop_or_failure(self, stop: asyncio.Event) -> None:
        """Wait until `stop` is set or a task ends; raise the error that ended it."""
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*self.tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                log.error("task_ended", task=task.get_name())
                task.result()
        finally:
            stopped.cancel()

    def problems(self) -> dict[str, str]:
        """Return the tasks that wait for their restart, each with the reason."""
        return dict(self.pending_restarts)

    async def cancel(self) -> None:
        """Cancel all tasks and wait for their end."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _run_with_restarts(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = self._min_backoff_s
        while True:
            began = time.monotonic()
            try:
                await work()
                return
            except Exception as error:
                if not _should_restart(error):
                    raise
                if time.monotonic() - began > BACKOFF_RESET_S:
                    pause = self._min_backoff_s
                reason = _failure_reason(error)
                self.pending_restarts[name] = reason
                log.error("task_restarted", task=name, reason=reason, retry_in_s=pause, exc_info=error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_BACKOFF_S)
            del self.pending_restarts[name]


def _should_restart(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_should_restart(one) for one in error.exceptions)
    return is_transient(error) or isinstance(error, StoreUnavailable)


def _failure_reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _failure_reason(error.exceptions[0])
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
