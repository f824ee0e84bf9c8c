"""Waiting for a condition that a change in the local Slack may fulfil."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

SETTLE_S = 0.002
"""Seconds between a change and the next evaluation; several changes in this time cost one evaluation."""
POLL_INTERVAL_S = 0.05
"""Seconds between two evaluations without a change, for conditions on state outside of the local Slack."""


class ChangeSignal:
    """A signal that wakes everything that waits for a condition."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake every waiter, because something changed."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 30.0) -> T:  # noqa: ASYNC109
        """Wait until the predicate returns something true, and return it.

        The predicate is evaluated after each change, and every POLL_INTERVAL_S seconds.
        Raises TimeoutError after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while True:
                changed = self._event
                value = predicate()
                if value:
                    return value
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL_S):
                        await changed.wait()
                        await asyncio.sleep(SETTLE_S)
