"""The last look at a lease: after every wait of the HTTP client, before the first byte of a request.

A process may be paused anywhere. What it sends then was decided before, and another worker may have sent it
meanwhile. Between this look and the operating system's `send` nothing waits; a pause that hits exactly there,
and a network that holds bytes back for longer than a lease, no look can see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace

import aiohttp

from bot.slack.errors import SlackFailure


class LeaseLost(SlackFailure):
    """Nothing was sent: what was to be said is another worker's by now."""

    def __init__(self) -> None:
        super().__init__("its worker was taken for dead")


class _SendCondition:
    def __init__(self, is_met: Callable[[], bool]) -> None:
        self.is_met = is_met
        self.aborted = False


_current_condition: ContextVar[_SendCondition | None] = ContextVar("lease", default=None)


@contextmanager
def send_only_while(holds: Callable[[], bool]) -> Iterator[None]:
    """Send the requests of this block only as long as `holds()`; raises LeaseLost at the first after."""
    condition = _SendCondition(holds)
    token = _current_condition.set(condition)
    try:
        yield
    except Exception as error:
        # aiohttp wraps what stopped a body, and its callers wrap that: nobody got the whole of that request.
        if condition.aborted and not isinstance(error, LeaseLost):
            raise LeaseLost from error
        raise
    finally:
        _current_condition.reset(token)


def install_lease_check(session: aiohttp.ClientSession) -> None:
    """Have a session's requests look at the lease that they were begun under; once a session."""
    if any(isinstance(config, _LeaseCheckTrace) for config in session.trace_configs):
        return
    config = _LeaseCheckTrace()
    config.freeze()
    session.trace_configs.append(config)


class _LeaseCheckTrace(aiohttp.TraceConfig):
    def __init__(self) -> None:
        super().__init__()
        # aiohttp says so before it writes: the headers wait for the first piece of the body.
        self.on_request_headers_sent.append(_check_lease)
        self.on_request_chunk_sent.append(_check_lease)


async def _check_lease(_session: aiohttp.ClientSession, _context: SimpleNamespace, _about: object) -> None:
    condition = _current_condition.get()
    if condition is not None and not condition.is_met():
        condition.aborted = True
        raise LeaseLost
