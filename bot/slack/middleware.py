"""Bolt middleware: limit each person's rate, and reject response URLs that aren't Slack's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from formatters.answers.help import error_message

RESPONSE_URL_ORIGIN = "https://hooks.slack.com"
"""The origin of Slack's response URLs (docs.slack.dev/interactivity/handling-user-interaction)."""
_MAX_BUCKETS = 10_000

log = structlog.get_logger(__name__)


class UserRateLimiter:
    """A token bucket for each person: `per_minute` requests at once, and as many again in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self.per_minute = per_minute
        self._clock = clock
        self._full_at: dict[tuple[str, str], float] = {}
        """(team, user) -> when the bucket will be full again."""

    def try_acquire(self, team_id: str, user_id: str) -> bool:
        """Count a request and return True, or return False if the person made too many."""
        now, token = self._clock(), 60.0 / self.per_minute
        if len(self._full_at) >= _MAX_BUCKETS:
            self._full_at = {who: full for who, full in self._full_at.items() if full > now}
        full_at = max(self._full_at.get((team_id, user_id), now), now) + token
        # The margin is for rounding: a token may be no whole number of seconds.
        if full_at - now > 60.0 + token / 1000:
            return False
        self._full_at[team_id, user_id] = full_at
        return True


def is_allowed_response_url(url: object, api_url: str) -> bool:
    """Return whether a response URL is Slack's, or that of the local Slack which `api_url` names."""
    if not isinstance(url, str):
        return False
    try:
        given, api = urlsplit(url), urlsplit(api_url)
        local = api.hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False
    # Compared as a whole: with another name, port or backslash it is another origin.
    origin = f"{given.scheme}://{given.netloc}"
    return origin == RESPONSE_URL_ORIGIN or (local and origin == f"{api.scheme}://{api.netloc}")


def register_middleware(app: AsyncApp, api_url: str, rate_limiter: UserRateLimiter) -> None:
    """Register the middleware in front of all listeners."""
    tasks: set[asyncio.Task[None]] = set()

    def run_in_background(work: Coroutine[Any, Any, None]) -> None:
        # The request is acknowledged when this middleware returns, so it must not wait for Slack.
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    @app.middleware
    async def check_response_urls(
        ack: AsyncAck, body: dict[str, Any], next_: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        urls = [body["response_url"]] if body.get("response_url") else []
        urls += [channel.get("response_url") for channel in body.get("response_urls") or ()]
        if all(is_allowed_response_url(url, api_url) for url in urls):
            await next_()
            return None
        log.error("response_url_rejected", type=body.get("type"), command=body.get("command"))
        return await ack()

    @app.middleware
    async def limit(
        ack: AsyncAck,
        respond: AsyncRespond,
        client: AsyncWebClient,
        body: dict[str, Any],
        context: AsyncBoltContext,
        next_: Callable[[], Awaitable[None]],
    ) -> BoltResponse | None:
        event = body.get("event") or {}
        asks = event.get("type") == "app_mention" or (
            # A direct message; not one of a bot, an edit or a join, which nobody answers.
            event.get("type") == "message"
            and event.get("channel_type") == "im"
            and not event.get("bot_id")
            and event.get("subtype") in (None, "file_share")
        )
        is_limited = "command" in body or body.get("type") == "block_actions" or asks
        team, user = context.team_id, context.user_id
        if not is_limited or user is None or rate_limiter.try_acquire(str(team), user):
            await next_()
            return None
        log.warning("user_rate_limited", team=team)
        message = error_message(rate_limit_message(rate_limiter.per_minute))
        if "command" in body:
            return await ack(text=message.text)
        if event:
            target = {"channel": event["channel"], "thread_ts": event.get("thread_ts")}
            run_in_background(_send_ephemeral(client, user=user, text=message.text, **target))
        elif context.response_url:
            run_in_background(respond_ephemeral(respond, message.text))
        return await ack()


def rate_limit_message(per_minute: int) -> str:
    """Return the text shown to a person who made too many requests."""
    return f"That was more than {per_minute} questions in a minute; ask again in a moment."


async def _send_ephemeral(client: AsyncWebClient, **body: Any) -> None:
    try:
        await client.chat_postEphemeral(**body)
    except (SlackClientError, OSError, TimeoutError) as error:
        log.warning("ephemeral_failed", reason=type(error).__name__)


async def respond_ephemeral(respond: AsyncRespond, text: str, timeout_s: float | None = None) -> None:
    """Show a text to the person who made a request, if that works within `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            await respond(text=text, response_type="ephemeral", replace_original=False)
    except (SlackClientError, OSError, TimeoutError) as error:
        log.warning("ephemeral_failed", reason=type(error).__name__)
