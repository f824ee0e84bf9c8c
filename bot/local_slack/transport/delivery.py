"""Delivery of events and interactions to the app, over Socket Mode or by signed requests to its URL.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from urllib.parse import urlencode

import aiohttp

from bot.local_slack.errors import Json
from bot.local_slack.transport.socket_mode import Envelope, SocketModeServer


class RequestDelivery:
    """A sender of envelopes to the app: by HTTP if `request_url` is set, else through its sockets."""

    def __init__(self, sockets: SocketModeServer) -> None:
        self.request_url: str | None = None
        self.signing_secret = secrets.token_hex(16)
        self._sockets = sockets

    async def deliver(
        self,
        kind: str,
        payload: Json,
        *,
        takes_answer: bool = False,
        retry: int = 0,
        reason: str | None = None,
    ) -> Envelope:
        """Deliver an envelope once and record the outcome in it, as `SocketModeServer.deliver` does."""
        if self.request_url is None:
            return await self._sockets.deliver(
                kind, payload, takes_answer=takes_answer, retry=retry, reason=reason
            )
        return await self._request(self.request_url, kind, payload, retry, reason)

    async def verify_url(self) -> bool:
        """Return True if the app's URL answers the challenge that Slack sends before it accepts a URL."""
        assert self.request_url is not None
        challenge = secrets.token_hex(8)
        body = {"type": "url_verification", "token": "sandbox", "challenge": challenge}
        envelope = await self._request(self.request_url, "events_api", body, 0, None)
        return envelope.answer is not None and envelope.answer.get("challenge") == challenge

    async def _request(self, url: str, kind: str, payload: Json, retry: int, reason: str | None) -> Envelope:
        envelope = Envelope(secrets.token_hex(16), kind, payload, time.time(), retry=retry)
        self._sockets.envelopes.append(envelope)
        match kind:
            case "slash_commands":
                content, body = "application/x-www-form-urlencoded", urlencode(payload)
            case "interactive":
                content = "application/x-www-form-urlencoded"
                body = urlencode({"payload": json.dumps(payload)})
            case _:
                content, body = "application/json", json.dumps(payload)
        headers = {"Content-Type": content, **self._signature(body)}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": reason or ""}
        started = time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=self._sockets.ack_seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, data=body.encode(), headers=headers) as response,
            ):
                text = await response.text()
                envelope.outcome = "acknowledged" if response.status == 200 else "dispatch_failed"
        except TimeoutError:
            envelope.outcome = "operation_timeout"
        except aiohttp.ClientError:
            envelope.outcome = "dispatch_failed"
        else:
            if envelope.outcome == "acknowledged":
                envelope.acked_after = time.perf_counter() - started
                envelope.answer = _json(text)
        self._sockets.notify_change()
        return envelope

    def _signature(self, body: str) -> dict[str, str]:
        stamp = str(int(time.time()))
        signed = hmac.new(self.signing_secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256)
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signed.hexdigest()}"}


def _json(text: str) -> Json | None:
    try:
        body = json.loads(text)
    except json.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None
