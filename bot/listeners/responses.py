"""Answers in the form of Slack's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncRespond
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.commands.context import CommandContext
from bot.slack.errors import SlackFailure
from formatters.blockkit.message import Message

SendAnswer = Callable[[CommandContext, Message, str | None], Awaitable[bool]]
"""(who asks, answer, thread or None) -> whether Slack showed it; the answer may hold files."""


def message_body(message: Message) -> dict[str, Any]:
    """Return a message's text and blocks as arguments of a Web API call, or of a response."""
    return {"text": message.text, "blocks": [dict(block) for block in message.blocks]}


async def respond_ephemerally(respond: AsyncRespond, message: Message, thread_ts: str | None = None) -> None:
    """Show an answer to a button to the person who pressed it, below the message that holds the button."""
    await respond(
        **message_body(message), response_type="ephemeral", replace_original=False, thread_ts=thread_ts
    )


def transport_failure(error: Exception) -> str | None:
    """Return why Slack couldn't be reached or refused an answer; None for any other error, a defect."""
    if isinstance(error, SlackFailure):
        return error.reason
    if isinstance(error, SlackApiError):
        data = getattr(error.response, "data", None)
        reason = data.get("error") if isinstance(data, dict) else None
        return str(reason) if reason else "an answer that says nothing"
    if isinstance(error, SlackClientError | aiohttp.ClientError | TimeoutError | OSError):
        return f"no answer: {type(error).__name__}"
    return None
