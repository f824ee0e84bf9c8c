"""Authorization of changes to what a channel receives: subscriptions, observing sites, criteria sets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.commands.context import CommandContext

CheckPermission = Callable[[str, str, str], Awaitable[str | None]]
"""(team id, channel id, user id) -> the sentence that refuses the person, or None if they may."""


class PermissionDenied(Exception):
    """Somebody may not change what the channel receives; the text is one sentence for them."""


@dataclass(frozen=True, slots=True)
class AuthorizedContext(CommandContext):
    """A person who may change what their channel receives. `ChannelAuthorizer.authorize` alone makes one."""


class ChannelAuthorizer:
    """Checks that a person may change what a channel receives."""

    def __init__(self, check_permission: CheckPermission | None = None) -> None:
        """With `check_permission` None everybody may, as on the terminal."""
        self._check_permission = check_permission

    async def authorize(self, context: CommandContext) -> AuthorizedContext:
        """Return the context as an authorized one; an authorized one is returned as it is.

        Raises PermissionDenied.
        """
        if isinstance(context, AuthorizedContext):
            return context
        if self._check_permission is not None:
            refusal = await self._check_permission(context.team_id, context.channel_id, context.user_id)
            if refusal is not None:
                raise PermissionDenied(refusal)
        return AuthorizedContext(context.team_id, context.channel_id, context.user_id, context.thread_ts)
