"""Bolt listener of direct messages: people write to gwevent as to a person, with or without `/gwevent`.

Slack delivers them only where the app has the scope `im:history` and the event `message.im`; without them the
Messages tab can be read only, and this listener is never called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.listeners.mentions import without_mention
from bot.listeners.responses import SendAnswer
from bot.slack.request_team import context_team
from formatters.answers.answer import contains_file, without_files
from formatters.blockkit.mrkdwn import unescape


def register_direct_messages(
    app: AsyncApp, router: CommandRouter, send_ephemeral: SendAnswer, send_direct: SendAnswer
) -> None:
    """Register the listener that answers direct messages where they were written."""

    @app.event("message")
    async def on_message(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        if not is_question(event, context.bot_user_id):
            return
        thread_ts = event.get("thread_ts")
        asker = CommandContext(context_team(context), event["channel"], event["user"], thread_ts)
        message = await router.dispatch(unescape(without_mention(event["text"], context.bot_user_id)), asker)
        if contains_file(message):
            if await send_ephemeral(asker, message, thread_ts):
                return
            message = without_files(message)
        await send_direct(asker, message, thread_ts)


def is_question(event: Mapping[str, Any], bot_user_id: str | None) -> bool:
    """Return whether an event of Slack's is a text that a person wrote to gwevent alone.

    Never one are messages of gwevent itself and of other bots, which may answer answers without an end, and
    whatever has a subtype: edits, deletions, joins, topics. A file that is shared with a text is one.
    """
    return (
        event.get("channel_type") == "im"
        and event.get("subtype") in (None, "file_share")
        and not event.get("bot_id")
        and not event.get("bot_profile")
        and not event.get("hidden")
        and not event.get("edited")
        and bool(event.get("user"))
        and event.get("user") not in (bot_user_id, "USLACKBOT")
        and bool(str(event.get("text") or "").strip())
    )
