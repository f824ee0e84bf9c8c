"""Check a lease for the last time: after every wait of the HTTP client, before the first byte of a request.

A process may be paused anywhere. When it goes on, another worker may have sent what it is about to send.
Nothing is awaited between this check and the operating system's `send`; a pause at exactly that point, or a
network that holds bytes back for longer than a lease, can't be detected by any check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from bot.slack.errors import SlackFailure


class LeaseLost(SlackFailure):
    """Nothing was sent, because the lease expired: another worker may send it."""

    def __init__(self) -> None:
        super().__init__("its worker was taken for dead")


class _SendCondition:
    def __init__(self, is_met: Callable[[], bool]) -> None:
        self.is_met = is_met
        self.aborted = False


_current_condition: ContextVar[_SendCondition | None] = ContextVar("lease", default=None)


@contextmanager
def send_only_while(holds: Callable[[], bool]) -> Iterator[None]:
    """Send the requests of this block, whose bodies are guarded, only while `holds()` is true.

    The next one raises LeaseLost.
    """
    condition = _SendCondition(holds)
    token = _current_condition.set(condition)
    try:
        yield
    except Exception as error:
        # aiohttp wraps the error that stopped a body, and slack_sdk wraps that. Slack got no complete
        # request.
        if condition.aborted and not isinstance(error, LeaseLost):
            raise LeaseLost from error
        raise
    finally:
        _current_condition.reset(token)


def guarded_body(body: bytes) -> aiohttp.BytesPayload:
    """Return the body of a request that is sent only under the lease under which it was begun."""
    return _GuardedBody(body)


class _GuardedBody(aiohttp.BytesPayload):
    # aiohttp holds the headers back until it writes the body's first bytes; where an older version sends
    # them, they are no complete request. Signals of aiohttp's tracing would do too, but take 7 % of a post's
    # time.
    async def write(self, writer: AbstractStreamWriter) -> None:
        _check_lease()
        await super().write(writer)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        _check_lease()
        await super().write_with_length(writer, content_length)


def _check_lease() -> None:
    condition = _current_condition.get()
    if condition is not None and not condition.is_met():
        condition.aborted = True
        raise LeaseLost
