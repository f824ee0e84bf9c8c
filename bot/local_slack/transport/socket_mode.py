"""Socket Mode: the WebSockets that an app opens, and the envelopes sent through them.

The protocol: https://docs.slack.dev/apis/events-api/using-socket-mode and python-slack-sdk's mock server.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import WSMsgType, web

from bot.local_slack.errors import Json

ACK_TIMEOUT_S = 3.0
"""How long an app may take to acknowledge an envelope, seconds."""
MAX_CONNECTIONS = 10
TICKET_LIFETIME_S = 60.0
Outcome = Literal["acknowledged", "operation_timeout", "dispatch_failed"]


@dataclass(slots=True)
class Envelope:
    """A recorded delivery to the app."""

    id: str
    type: str
    """"slash_commands", "interactive" or "events_api"."""
    payload: Json
    sent: float
    """Unix time of sending, s."""
    retry: int = 0
    acked_after: float | None = None
    """Seconds from sending to the acknowledgement; None if none was received."""
    answer: Json | None = None
    """The payload of the acknowledgement."""
    socket: int = 0
    """Number of the connection that was used, counted from 1."""
    outcome: Outcome | None = None


@dataclass(slots=True, eq=False)
class _Connection:
    number: int
    ws: web.WebSocketResponse
    request: web.Request
    retiring: bool = False
    waiting: dict[str, asyncio.Future[Json | None]] = field(default_factory=dict)


class SocketModeServer:
    """The server side of the app's Socket Mode connections."""

    def __init__(self, app_id: str, on_change: Callable[[], None]) -> None:
        self.envelopes: list[Envelope] = []
        self.base_url = ""
        self.ack_seconds = ACK_TIMEOUT_S
        self._app_id = app_id
        self._on_change = on_change
        self._tickets: dict[str, float] = {}
        self._sockets: list[_Connection] = []
        self._opened = 0
        self._turn = 0
        self._refuse_until = 0.0

    def notify_change(self) -> None:
        """Notify waiting tasks that an envelope was recorded."""
        self._on_change()

    @property
    def count(self) -> int:
        """Number of open connections, without those about to close."""
        return sum(not socket.retiring for socket in self._sockets)

    @property
    def opened(self) -> int:
        """Number of connections opened since the start."""
        return self._opened

    def create_url(self) -> str:
        """Return a URL for a new connection, which can be used once."""
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = time.monotonic() + TICKET_LIFETIME_S
        host = self.base_url.removeprefix("http://")
        return f"ws://{host}/link/?ticket={ticket}&app_id={self._app_id}"

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the route of the connections."""
        router.add_get("/link/", self._serve_connection)

    async def _serve_connection(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection, from its handshake to its end."""
        if time.monotonic() < self._refuse_until:
            return web.Response(status=503, text="The local Slack refuses connections for now.")
        if self._tickets.pop(request.query.get("ticket", ""), 0.0) < time.monotonic():
            return web.Response(status=403, text="Unknown, used or expired ticket.")
        ws = web.WebSocketResponse(max_msg_size=1_000_000)
        await ws.prepare(request)
        if len(self._sockets) >= MAX_CONNECTIONS:
            await ws.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await ws.close()
            return ws
        self._opened += 1
        socket = _Connection(self._opened, ws, request)
        await ws.send_json(
            {
                "type": "hello",
                "num_connections": len(self._sockets) + 1,
                "debug_info": {
                    "host": "sandbox",
                    "build_number": 1,
                    "approximate_connection_time": 18060,
                },
                "connection_info": {"app_id": self._app_id},
            }
        )
        self._sockets.append(socket)
        self._on_change()
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._on_acknowledgement(socket, message.data)
        finally:
            self._sockets.remove(socket)
            for future in socket.waiting.values():
                if not future.done():
                    future.cancel()
            self._on_change()
        return ws

    def _on_acknowledgement(self, socket: _Connection, data: str) -> None:
        try:
            body = json.loads(data)
        except json.JSONDecodeError:
            return
        if not isinstance(body, dict):
            return
        future = socket.waiting.pop(str(body.get("envelope_id")), None)
        if future is not None and not future.done():
            payload = body.get("payload")
            future.set_result(payload if isinstance(payload, dict) else None)

    async def deliver(
        self,
        kind: str,
        payload: Json,
        *,
        takes_answer: bool = False,
        retry: int = 0,
        reason: str | None = None,
    ) -> Envelope:
        """Send an envelope through one of the connections and wait for its acknowledgement.

        Record the outcome in the envelope: "dispatch_failed" if no connection is open or it broke,
        "operation_timeout" if the app took longer than three seconds.
        """
        envelope = Envelope(secrets.token_hex(16), kind, payload, time.time(), retry=retry)
        self.envelopes.append(envelope)
        ready = [socket for socket in self._sockets if not socket.retiring and not socket.ws.closed]
        if not ready:
            envelope.outcome = "dispatch_failed"
            self._on_change()
            return envelope
        self._turn += 1
        socket = ready[self._turn % len(ready)]
        envelope.socket = socket.number
        body: Json = {
            "envelope_id": envelope.id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": takes_answer,
        }
        if kind == "events_api":
            body |= {"retry_attempt": retry, "retry_reason": reason or ""}
        future: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        socket.waiting[envelope.id] = future
        started = time.perf_counter()
        try:
            await socket.ws.send_json(body)
            await asyncio.wait([future], timeout=self.ack_seconds)
            if future.cancelled():
                envelope.outcome = "dispatch_failed"
            elif future.done():
                envelope.answer = future.result()
                envelope.acked_after = time.perf_counter() - started
                envelope.outcome = "acknowledged"
            else:
                envelope.outcome = "operation_timeout"
        except ConnectionError:
            envelope.outcome = "dispatch_failed"
        finally:
            socket.waiting.pop(envelope.id, None)
        self._on_change()
        return envelope

    async def refresh(self, reason: str = "refresh_requested", grace: float = 10.0) -> None:
        """Ask the app to open new connections; close the old ones when it has, or after `grace` seconds."""
        for socket in list(self._sockets):
            socket.retiring = True
            await socket.ws.send_json(
                {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
            )
            asyncio.get_running_loop().call_later(grace, _abort, socket)

    async def close(self, *, abort: bool = False) -> None:
        """Close every connection, with a close frame or by aborting the TCP connection."""
        for socket in list(self._sockets):
            if abort:
                _abort(socket)
            else:
                await socket.ws.close(code=1001)

    def hang(self) -> None:
        """Stop reading from the open connections without closing them, so that they stay half-open."""
        for socket in self._sockets:
            if socket.request.transport is not None:
                # Data from the app, including pings, remains in the system's buffers.
                socket.request.transport.pause_reading()

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for a while."""
        self._refuse_until = time.monotonic() + seconds


def _abort(socket: _Connection) -> None:
    if socket.request.transport is not None:
        socket.request.transport.abort()
