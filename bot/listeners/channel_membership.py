"""Membership of channels, checked before somebody changes a channel's subscriptions from outside of it."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands.context import CommandContext
from bot.commands.subscription_service import SubscriptionService
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.store.database import StoreUnavailable
from formatters.answers import help as helping
from formatters.blockkit.message import Message

NOT_IN_CHANNEL = (
    "You aren't in that channel, or gwevent isn't, so its subscriptions can't be changed from here."
)
STORE_UNAVAILABLE = "The store doesn't answer right now, so nothing was changed. Try again."


class ChannelMembership:
    """Asks Slack, each time, for the channels that a person is in.

    It calls `users.conversations`, with the scopes channels:read and groups:read, which the events about
    channels need anyway. Of private channels Slack lists those that the app is in too.
    """

    def __init__(self, service: SubscriptionService, clients: Mapping[str, SlackClient]) -> None:
        """`clients` by team id."""
        self._service = service
        self._clients = clients

    async def check(self, context: CommandContext) -> Message | None:
        """Return the answer that refuses a person outside the channel, or None if they are in it.

        A direct conversation with the app belongs to the person who subscribed there.
        """
        try:
            if context.channel_id.startswith("D"):
                subscriptions = await self._service.for_channel(context)
                is_member = any(s.created_by == context.user_id for s in subscriptions)
            else:
                channels = await get_client(self._clients, context.team_id).user_channels(context.user_id)
                is_member = context.channel_id in channels
        except SlackFailure as failure:
            return helping.error_message(f"Slack doesn't tell which channels you are in ({failure.reason}).")
        except StoreUnavailable:
            return helping.error_message(STORE_UNAVAILABLE)
        return None if is_member else helping.error_message(NOT_IN_CHANNEL)
