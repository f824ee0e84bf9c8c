"""Answers by the Web API, without the parts that Slack refuses: ephemeral messages, and direct messages.

Unlike a slash command's response they can show files.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot.commands.context import CommandContext
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from formatters.blockkit.message import Message

log = structlog.get_logger(__name__)


class AnswerSender:
    """Posts answers through the client of the user's workspace."""

    def __init__(self, clients: Mapping[str, SlackClient]) -> None:
        self._clients = clients

    async def send_ephemeral(self, context: CommandContext, message: Message, thread_ts: str | None) -> bool:
        """Post a message to one user; return False if Slack refuses or the workspace is unknown."""
        client = self._clients.get(context.team_id)
        if client is None:
            return False
        try:
            await client.post_ephemeral(context.channel_id, context.user_id, message, thread_ts=thread_ts)
        except SlackFailure as failure:
            log.info("ephemeral_failed", channel=context.channel_id, reason=failure.reason)
            return False
        return True

    async def send_direct(self, context: CommandContext, message: Message, thread_ts: str | None) -> bool:
        """Post a message in a direct conversation; return False if Slack refuses or it is unknown."""
        client = self._clients.get(context.team_id)
        if client is None:
            return False
        try:
            await client.post(context.channel_id, message, None, thread_ts=thread_ts)
        except SlackFailure as failure:
            log.warning("answer_not_shown", channel=context.channel_id, reason=failure.reason)
            return False
        return True
