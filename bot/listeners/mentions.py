"""Bolt listener of mentions, `@gwevent …`: the way to ask inside threads, where slash commands don't work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.listeners.responses import SendAnswer
from bot.slack.request_team import context_team
from formatters.blockkit.mrkdwn import unescape


def register_mentions(app: AsyncApp, router: CommandRouter, send_ephemeral: SendAnswer) -> None:
    """Register the listener that answers mentions, each in its own thread."""

    @app.event("app_mention")
    async def on_mention(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        text = question_of_mention(event, context.bot_user_id)
        if text is None:
            return
        thread_ts = event.get("thread_ts")
        asker = CommandContext(context_team(context), event["channel"], event["user"], thread_ts)
        message = await router.dispatch(unescape(text), asker)
        await send_ephemeral(asker, message, thread_ts)


def question_of_mention(event: Mapping[str, Any], bot_user_id: str | None) -> str | None:
    """Return the text of an `app_mention` without the mention; None if there is nobody or nothing to answer.

    Nobody is an app, which could be answered without an end. Nothing is a text that doesn't mention gwevent
    itself, and an edit of a message that was answered when it was written.
    """
    if (
        not event.get("user")
        or event.get("bot_id")
        or event.get("user") == bot_user_id
        or event.get("edited")
    ):
        return None
    text = str(event.get("text") or "")
    question = without_mention(text, bot_user_id)
    return None if question == text else question


def without_mention(text: str, bot_user_id: str | None) -> str:
    """Return a text without mentions of gwevent; those of others may be arguments of "notify"."""
    return re.sub(rf"<@{bot_user_id}(\|[^>]*)?>", " ", text)
