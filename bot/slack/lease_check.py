"""Check a lease for the last time: after every wait of the HTTP client, before the first byte of a request.

A process may be paused anywhere. When it goes on, another worker may have sent what it is about to send.
Nothing is awaited between this check and the operating system's `send`; a pause at exactly that point, or a
network that holds bytes back for longer than a lease, can't be detected by any check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace

import aiohttp

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
    """Send the requests of this block only while `holds()` is true; the next one raises LeaseLost."""
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


def install_lease_check(session: aiohttp.ClientSession) -> None:
    """Have all requests of a session check the lease under which they were begun."""
    if any(isinstance(config, _LeaseCheckTrace) for config in session.trace_configs):
        return
    config = _LeaseCheckTrace()
    config.freeze()
    session.trace_configs.append(config)


class _LeaseCheckTrace(aiohttp.TraceConfig):
    def __init__(self) -> None:
        super().__init__()
        # Both are sent before aiohttp writes: the headers wait for the first chunk of the body.
        self.on_request_headers_sent.append(_check_lease)
        self.on_request_chunk_sent.append(_check_lease)


async def _check_lease(_session: aiohttp.ClientSession, _context: SimpleNamespace, _about: object) -> None:
    condition = _current_condition.get()
    if condition is not None and not condition.is_met():
        condition.aborted = True
        raise LeaseLost
