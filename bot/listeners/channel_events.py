"""Bolt listeners of channel events: joined, unarchived, moved to another id."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bot.slack.request_team import context_team

RequeueChannel = Callable[[str, str], Awaitable[None]]
"""(team, channel): the channel can be posted in again, so deliver what failed there. Doesn't raise."""
MoveChannel = Callable[[str, str, str], Awaitable[None]]
"""(team, old id, new id): Slack gave a channel another id. Doesn't raise."""


def register_channel_events(
    app: AsyncApp, requeue_channel: RequeueChannel, move_channel: MoveChannel
) -> None:
    """Register the listeners of channel events, and last the one that acknowledges all other events."""

    @app.event("member_joined_channel")
    async def on_member_joined(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        if event.get("user") == context.bot_user_id:
            await requeue_channel(context_team(context), event["channel"])

    @app.event("channel_unarchive")
    async def on_channel_unarchived(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await requeue_channel(context_team(context), event["channel"])

    @app.event("group_unarchive")
    async def on_private_channel_unarchived(
        ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await requeue_channel(context_team(context), event["channel"])

    @app.event("channel_id_changed")
    async def on_channel_moved(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await move_channel(context_team(context), str(event["old_channel_id"]), str(event["new_channel_id"]))

    @app.event(re.compile(r".*"))
    async def on_other_event(ack: AsyncAck) -> None:
        # Slack repeats events that aren't acknowledged, and disables event delivery after too many of them.
        await ack()
