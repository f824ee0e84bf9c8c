"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

TIMEOUT_S = 60.0
"""The longest wait of a test. It makes a test fail instead of hang; nothing measures it."""
POLL_INTERVAL_S = 0.02


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T]], within: float = TIMEOUT_S, what: str = "it happened"
) -> T: ...


@overload
async def wait_until(
    condition: Callable[[], T], within: float = TIMEOUT_S, what: str = "it happened"
) -> T: ...


async def wait_until(
    condition: Callable[[], Any], within: float = TIMEOUT_S, what: str = "it happened"
) -> Any:
    """Wait until the condition, a function or a coroutine function, returns something true, and return it.

    Raises AssertionError after `within` seconds, with `what` in its sentence.
    """
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {within:.0f} s in vain until {what}.")
        await asyncio.sleep(POLL_INTERVAL_S)
