"""Answers in the form of Slack's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncRespond

from bot.commands.context import CommandContext
from formatters.blockkit.message import Message

SendEphemeral = Callable[[CommandContext, Message, str | None], Awaitable[bool]]
"""(who asks, answer, thread or None) -> whether Slack showed it to them alone; the answer may hold files."""


def message_body(message: Message) -> dict[str, Any]:
    """Return a message's text and blocks as arguments of a Web API call, or of a response."""
    return {"text": message.text, "blocks": [dict(block) for block in message.blocks]}


async def respond_ephemerally(respond: AsyncRespond, message: Message, thread_ts: str | None = None) -> None:
    """Show an answer to a button to the person who pressed it, below the message that holds the button."""
    await respond(
        **message_body(message), response_type="ephemeral", replace_original=False, thread_ts=thread_ts
    )
