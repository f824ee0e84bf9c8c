"""Bolt listener of mentions, `@gwevent …`: the way to ask inside threads, where slash commands don't work."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.listeners.responses import SendEphemeral, message_body
from bot.slack.request_team import context_team
from formatters.answers.answer import contains_file
from formatters.blockkit.mrkdwn import unescape


def register_mentions(app: AsyncApp, router: CommandRouter, send_ephemeral: SendEphemeral) -> None:
    """Register the listener that answers mentions, each in its own thread."""

    @app.event("app_mention")
    async def on_mention(
        ack: AsyncAck, client: AsyncWebClient, event: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        if "user" not in event:
            # Another app mentioned us: there is nobody to show an answer to.
            return
        asker = CommandContext(context_team(context), event["channel"], event["user"])
        # Remove mentions of gwevent only: other people may be arguments of "notify".
        text = re.sub(rf"<@{context.bot_user_id}(\|[^>]*)?>", " ", event.get("text") or "")
        message = await router.dispatch(unescape(text), asker)
        thread_ts = event.get("thread_ts")
        if contains_file(message):
            await send_ephemeral(asker, message, thread_ts)
            return
        await client.chat_postEphemeral(
            channel=event["channel"], user=event["user"], thread_ts=thread_ts, **message_body(message)
        )
