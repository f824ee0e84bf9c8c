"""Bolt listener of the button "I have it" of drills."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.commands.context import CommandContext
from bot.listeners.responses import respond_ephemerally
from bot.slack.request_team import context_team
from formatters.blockkit.message import Message
from formatters.posts.drill import ACKNOWLEDGE_DRILL_ACTION

AcknowledgeDrill = Callable[[CommandContext, int], Awaitable[Message]]
"""(who pressed the button and where, the store's id of the drill) -> the answer for them alone."""


def register_drill_button(app: AsyncApp, acknowledge: AcknowledgeDrill) -> None:
    """Register the listener. It comes before the one of any action."""

    @app.action(ACKNOWLEDGE_DRILL_ACTION)
    async def on_acknowledge_drill(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        asker = CommandContext(context_team(context), body["channel"]["id"], body["user"]["id"])
        await respond_ephemerally(respond, await acknowledge(asker, int(action["value"])))
