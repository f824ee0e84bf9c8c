"""`/gwevent subscriptions drill N` and `drill stop`: the whole chain of a subscription, without an event."""

from __future__ import annotations

import re

from bot.commands.context import CommandContext
from bot.commands.drill_service import DrillService
from bot.commands.errors import CommandError
from bot.commands.subscription_answers import answer_for
from bot.commands.subscription_service import SubscriptionService
from formatters.answers import drill_answers
from formatters.blockkit.message import Message
from formatters.models.subscription import Subscription

_NUMBER = re.compile(r"(?:of\s+|subscription\s+)*#?(\d{1,18})", re.IGNORECASE)
_STOP = frozenset({"stop", "end", "off", "cancel", "abort", "over"})


class DrillCommand:
    """Parses the text of `drill` and answers it."""

    def __init__(self, drills: DrillService, subscriptions: SubscriptionService) -> None:
        self._drills = drills
        self._subscriptions = subscriptions

    async def answer(self, arguments: str, context: CommandContext) -> Message:
        """Begin the drill of a subscription by its number, or stop the channel's drill.

        Raises CommandError, PermissionDenied, StoreUnavailable.
        """
        words = arguments.strip().casefold()
        if words in _STOP:
            return await self._drills.stop(context)
        match = _NUMBER.fullmatch(words)
        if match is None:
            raise CommandError(
                '"subscriptions drill" needs the number that "/gwevent subscriptions" shows, as in'
                " subscriptions drill 2, or the word stop; nothing was begun."
            )
        number = int(match[1])
        found = await self._subscriptions.find(context, number)
        if not isinstance(found, Subscription):
            return answer_for(found)
        if found.paused_at is not None:
            return drill_answers.paused(number)
        return await self._drills.begin(context, number)
