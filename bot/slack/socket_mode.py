"""Keep the Socket Mode connection alive.

slack_sdk reopens a closed connection itself and usually detects a dead one by its pings. But it may report to
be connected when it isn't, and the task that should notice may have ended. So the time of the last pong is
watched here, and the whole handler is replaced if pongs stop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.errors import SlackClientError

CHECK_INTERVAL_S = 5.0
STALE_AFTER_S = 45.0
"""Seconds without a pong. Pings are sent every 10 s; slack_sdk itself waits 40 s."""
REBUILD_AFTER_S = 60.0
"""Seconds in which slack_sdk may reconnect by itself before the handler is replaced, repeatedly."""
CLOSE_TIMEOUT_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketState:
    """The state of the Socket Mode connection: whether requests from Slack can come, and if not, why."""

    connected: bool
    detail: str
    """The reason if it isn't connected; else empty."""


class OtherConnectionsWarning:
    """Logs that other connections use this app token, by the number in Slack's greeting of a connection.

    Slack gives each request to any one of an app's connections. A second bot with a database of its own, such
    as one that somebody tries out, would take half of the commands, and nobody would notice.
    """

    def __init__(self) -> None:
        self._is_first = True

    async def __call__(self, _client: object, message: Mapping[str, Any], _raw: str | None = None) -> None:
        """Read one message of Slack's."""
        count = message.get("num_connections")
        if message.get("type") != "hello" or not isinstance(count, int):
            return
        # Afterwards Slack may still count the connection that this one replaces.
        own = 1 if self._is_first else 2
        self._is_first = False
        if count > own:
            log.warning(
                "app_token_shared",
                connections=count,
                todo="end the other process, which gets a part of the commands, or give it an app of its own;"
                " right after a kill it may be the process before, and nothing needs to be done",
            )


class SocketModeSupervisor:
    """Holds one Socket Mode connection while the bot runs."""

    def __init__(
        self,
        create_handler: Callable[[], AsyncSocketModeHandler],
        *,
        check_interval_s: float = CHECK_INTERVAL_S,
        stale_after_s: float = STALE_AFTER_S,
        rebuild_after_s: float = REBUILD_AFTER_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`create_handler` returns a handler that isn't connected yet."""
        self._create_handler = create_handler
        self._check_interval_s = check_interval_s
        self._stale_after_s = stale_after_s
        self._rebuild_after_s = rebuild_after_s
        self._monotonic = monotonic
        self._handler: AsyncSocketModeHandler | None = None
        self._opening: asyncio.Task[None] | None = None
        self._last_pong: tuple[float | None, float] = (None, 0.0)
        """slack_sdk's time of the last pong, and the monotonic time at which it changed."""
        self.state = SocketState(False, "not connected yet")
        self.rebuild_count = 0
        """How often the handler was replaced."""

    async def run(self, on_connected: Callable[[], None]) -> None:
        """Connect, call `on_connected` once, and keep the connection until cancelled."""
        down_since: float | None = None
        was_connected = False
        self._start_handler()
        while True:
            await self._wait_for_next_check()
            now = self._monotonic()
            self.state = await self._check_health(now)
            if self.state.connected:
                if down_since is not None:
                    log.info("socket_mode_reconnected", down_s=round(now - down_since, 1))
                down_since = None
                if not was_connected:
                    was_connected = True
                    on_connected()
                continue
            if down_since is None:
                down_since = built_at = now
                log.warning("socket_mode_disconnected", reason=self.state.detail)
            if now - built_at > self._rebuild_after_s:
                log.warning(
                    "socket_mode_rebuilt", reason=self.state.detail, down_s=round(now - down_since, 1)
                )
                built_at = now
                self.rebuild_count += 1
                await self._close_handler()
                self._start_handler()

    async def close(self) -> None:
        """Close the connection."""
        await self._close_handler()

    def _start_handler(self) -> None:
        self._handler = self._create_handler()
        self._last_pong = (None, self._monotonic())
        self._opening = asyncio.create_task(_connect(self._handler))

    async def _wait_for_next_check(self) -> None:
        """Wait until the next check, or until the connection that is being opened is there."""
        if self._opening is None:
            await asyncio.sleep(self._check_interval_s)
            return
        await asyncio.wait([self._opening], timeout=self._check_interval_s)
        if self._opening.done():
            opened, self._opening = self._opening, None
            opened.result()

    async def _check_health(self, now: float) -> SocketState:
        assert self._handler is not None
        client = self._handler.client
        if client.last_ping_pong_time != self._last_pong[0]:
            self._last_pong = (client.last_ping_pong_time, now)
        if self._opening is not None:
            return SocketState(False, "Slack doesn't take the connection")
        if not await client.is_connected():
            return SocketState(False, "the connection is closed")
        if now - self._last_pong[1] > self._stale_after_s:
            return SocketState(False, "pings aren't answered")
        return SocketState(True, "")

    async def _close_handler(self) -> None:
        handler, self._handler = self._handler, None
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
            self._opening = None
        if handler is None:
            return
        client = handler.client
        tasks = [client.message_processor, client.current_session_monitor, client.message_receiver]
        with suppress(TimeoutError, aiohttp.ClientError, SlackClientError, OSError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await handler.close_async()  # type: ignore[no-untyped-call]
        # If Slack didn't answer in time, these are still open.
        for task in tasks:
            if task is not None:
                task.cancel()
        await client.aiohttp_client_session.close()


async def _connect(handler: AsyncSocketModeHandler) -> None:
    """Connect; slack_sdk itself retries every 10 s until that works."""
    await handler.connect_async()  # type: ignore[no-untyped-call]
