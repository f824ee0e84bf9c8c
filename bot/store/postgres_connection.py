"""Connections to PostgreSQL that give a silent server up instead of waiting for it without end.

A server that is frozen, or lost behind a proxy that keeps the connection open, answers nothing and closes
nothing, and the kernel's keepalives find nothing wrong. Whoever waited on such a connection would wait until
the process ends, although a new connection may have reached the server's successor long ago.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

ANSWER_TIMEOUT_S = 60.0
"""Longest wait for the answer to one statement, in seconds; no statement of a running bot takes as long."""

_is_limited: ContextVar[bool] = ContextVar("_is_limited", default=True)


@contextmanager
def unlimited_answers() -> Iterator[None]:
    """Wait for answers without a limit in this block: a migration may rewrite a large table."""
    token = _is_limited.set(False)
    try:
        yield
    finally:
        _is_limited.reset(token)


@cache
def connection_class() -> type[psycopg.AsyncConnection[Any]]:
    """Return the class of connections whose answers are waited for within the limit.

    Raises ImportError where psycopg isn't installed, as without the extra `postgres`.
    """
    import psycopg

    class LimitedConnection(psycopg.AsyncConnection[Any]):
        """A connection that is closed, with OperationalError, if an answer takes longer than the limit."""

        async def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
            """Wait for one answer. Raises OperationalError after the limit; the connection is lost."""
            if not _is_limited.get():
                return await super().wait(gen, *args, **options)
            limit_s, is_silent = ANSWER_TIMEOUT_S, False

            def give_up() -> None:
                nonlocal is_silent
                is_silent = True
                _shut_down(self.pgconn.socket)

            timer = asyncio.get_running_loop().call_later(limit_s, give_up)
            try:
                return await super().wait(gen, *args, **options)
            except psycopg.Error as error:
                if is_silent:
                    raise psycopg.OperationalError(f"it gave no answer within {limit_s:.0f} s") from error
                raise
            finally:
                timer.cancel()

    return LimitedConnection


def _shut_down(descriptor: int) -> None:
    """End a connection for both sides, so that whoever waits for it reads its end.

    Not a cancellation: the driver would first ask the silent server to cancel, and wait for that.
    """
    with suppress(OSError):
        connection = socket.socket(fileno=descriptor)
        try:
            connection.shutdown(socket.SHUT_RDWR)
        finally:
            connection.detach()
