"""Decide who may change what a channel receives (GWEVENT_WHO_MAY_SUBSCRIBE)."""

from __future__ import annotations

from collections.abc import Mapping

from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure, WorkspaceUnavailable
from bot.slack.scopes import ROLE_SCOPES, AllowedRole

_REFUSALS: Mapping[AllowedRole, str] = {
    "members": "Only members of this channel may change what it receives: join it first.",
    "admins": "Only admins of this workspace may change what a channel receives: ask one of them.",
}


class ChannelPolicy:
    """Asks Slack for a person's role at every change, since roles change."""

    def __init__(self, allowed_role: AllowedRole, clients: Mapping[str, SlackClient]) -> None:
        """`clients` are by team id."""
        self._allowed_role = allowed_role
        self._clients = clients

    async def check(self, team_id: str, channel_id: str, user_id: str) -> str | None:
        """Return the sentence that refuses a person; None if the person is allowed.

        If Slack doesn't answer, the person is refused.
        """
        if self._allowed_role == "anyone":
            return None
        client = self._clients.get(team_id)
        if client is None:
            return "Slack can't be asked yet who may do that; try again in a moment."
        try:
            if self._allowed_role == "admins":
                allowed = await client.is_admin(user_id, team_id)
            else:
                # In a direct conversation with the app (D…) nobody else can type.
                allowed = channel_id.startswith("D") or await client.is_member(channel_id, user_id)
        except WorkspaceUnavailable as failure:
            if failure.reason != "missing_scope":
                return f"Slack doesn't tell who may do that ({failure.reason}); try again later."
            return (
                f"I can't see who may do that: gwevent's operator kept it to {self._allowed_role} and gave "
                f"me no {' or '.join(ROLE_SCOPES[self._allowed_role])}."
            )
        except SlackFailure as failure:
            return f"Slack doesn't tell who may do that ({failure.reason}); try again later."
        return None if allowed else _REFUSALS[self._allowed_role]
