"""Bolt listener of the slash command `/gwevent`."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.listeners.responses import SendAnswer, message_body
from bot.slack.request_team import context_team
from formatters.answers.answer import contains_file, without_files
from formatters.blockkit.mrkdwn import unescape


def register_slash_command(app: AsyncApp, router: CommandRouter, send_ephemeral: SendAnswer) -> None:
    """Register the listener that answers `/gwevent …`."""

    @app.command("/gwevent")
    async def on_command(
        ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        # Slack waits 3 s for the acknowledgement, so it comes before anything that can be slow.
        await ack()
        asker = CommandContext(context_team(context), command["channel_id"], command["user_id"])
        message = await router.dispatch(unescape(command.get("text") or ""), asker)
        if contains_file(message):
            # Slack doesn't document that responses to slash commands may hold files.
            if await send_ephemeral(asker, message, None):
                return
            message = without_files(message)
        await respond(**message_body(message), response_type="ephemeral")
