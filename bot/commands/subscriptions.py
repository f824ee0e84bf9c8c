"""What a channel is subscribed to: asking for it, changing it, pausing and ending it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.commands.context import CommandContext
from bot.filters import FilterSyntaxError, SiteNameResolver, parse_criteria
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.subscriptions import SubscriptionRepository
from formatters.answers import help as helping
from formatters.answers import subscription_history, subscription_messages
from formatters.blockkit.message import Message
from formatters.models.subscription import NUMBER_WITH_FINGERPRINT, Criteria, fingerprint
from formatters.views import subscription_modal

CONFIRMATION_TIMEOUT_S = 8.0
"""How long an answer waits for the confirmation to be posted."""

_NUMBER = re.compile(r"#?(\d{1,18})")


class SubscriptionCommands:
    """Answers about a channel's subscriptions."""

    def __init__(
        self,
        subscriptions: SubscriptionRepository,
        clock: Callable[[], datetime],
        wake_deliveries: Callable[[], None],
        sites: SiteNameResolver,
    ) -> None:
        self._subscriptions = subscriptions
        self._clock = clock
        self._wake_deliveries = wake_deliveries
        self._sites = sites

    def parse_criteria(self, words: str) -> Criteria:
        """What words mean. Raises FilterSyntaxError."""
        return parse_criteria(words, self._sites)

    async def subscribe(self, words: str, asker: CommandContext | None) -> Message:
        """Ask for a subscription, and say what became of it."""
        criteria = parse_criteria(words, self._sites)
        if asker is None:
            return _needs_channel()
        asked, already = await self._subscriptions.request(
            asker.team_id, asker.channel_id, criteria, asker.user_id, self._clock()
        )
        if already:
            return subscription_messages.already_subscribed(asked)
        self._wake_deliveries()
        deadline = asyncio.get_running_loop().time() + CONFIRMATION_TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline:
            fate = await self._subscriptions.request_status(asked)
            if isinstance(fate, str):
                return subscription_messages.refused(fate)
            if fate:
                return subscription_messages.subscribed(criteria)
            await asyncio.sleep(0.05)
        return subscription_messages.confirmation_pending(criteria)

    async def unsubscribe(self, words: str, asker: CommandContext | None) -> Message:
        """End one subscription, by number or words, or several, by their numbers.

        Words that name several, and none at all, end nothing yet: the answer says what would end, and how.
        """
        if asker is None:
            return _needs_channel()
        numbered = [NUMBER_WITH_FINGERPRINT.fullmatch(word) for word in words.replace(",", " ").split()]
        if numbered and all(numbered):
            return await self._end([(int(m[1]), m[2]) for m in numbered if m is not None], asker)
        if numbered and numbered[0] is not None:
            raise FilterSyntaxError(
                '"unsubscribe" takes numbers alone, as in unsubscribe 3 4, or words alone, as in unsubscribe'
                " CBC; nothing has ended."
            )
        criteria = parse_criteria(words) if words else None
        here = await self._subscriptions.for_channel(asker.team_id, asker.channel_id)
        every = [*here, *await self._subscriptions.list_unconfirmed(asker.team_id, asker.channel_id)]
        # "all" is every group, and everything: who says it is asked which.
        everything = criteria is None or criteria == Criteria(group="all")
        found = (
            every if criteria is None or everything else [s for s in every if selects(criteria, s.criteria)]
        )
        if not found:
            return subscription_messages.not_subscribed(criteria, here)
        if len(found) > 1 or criteria is None:
            return subscription_modal.confirm_unsubscribe(found)
        return await self._end([(found[0].number, fingerprint(found[0]))], asker)

    async def _end(self, chosen: Sequence[tuple[int, str | None]], asker: CommandContext) -> Message:
        """End these by number, each with what it must be to be ended (None: whatever it is)."""
        place = (asker.team_id, asker.channel_id)
        marks = {number: seen for number, seen in chosen if seen is not None}
        numbers = [number for number, _ in chosen]
        ended = await self._subscriptions.end(*place, numbers, self._change_author(asker), marks)
        if ended is not None:
            self._wake_deliveries()
            return subscription_messages.unsubscribed(ended)
        here = await self._subscriptions.for_channel(*place)
        if marks:
            return subscription_messages.stale_button(here)
        known = {s.number for s in [*here, *await self._subscriptions.list_unconfirmed(*place)]}
        missing = next((n for n in numbers if n not in known), numbers[0])
        return await self._no_such_subscription(missing, asker, several=len(numbers) > 1)

    async def edit(self, words: str, asker: CommandContext | None) -> Message:
        """Give a subscription new words; it stays in force."""
        number, rest = _parse_number_and_rest("edit", words, "CBC BNS>0.5")
        criteria = parse_criteria(rest, self._sites)
        if asker is None:
            return _needs_channel()
        found = await self._subscriptions.edit(
            asker.team_id, asker.channel_id, number, criteria, self._change_author(asker)
        )
        if found is None:
            return await self._no_such_subscription(number, asker)
        before, after = found
        if after.number != number:
            return subscription_messages.already_subscribed(after)
        if after == before:
            return subscription_messages.unchanged(after)
        self._wake_deliveries()
        return subscription_messages.edited(before, after)

    async def pause(self, words: str, asker: CommandContext | None, *, resume: bool = False) -> Message:
        """Let nothing come for a while, or come again."""
        number, rest = _parse_number_and_rest("resume" if resume else "pause", words)
        if rest:
            raise FilterSyntaxError(
                f'"{rest[:40]}" is too much: one number, as "/gwevent subscriptions" shows it.'
            )
        if asker is None:
            return _needs_channel()
        found = await self._subscriptions.pause(
            asker.team_id, asker.channel_id, number, self._change_author(asker), resume=resume
        )
        if found is None:
            return await self._no_such_subscription(number, asker)
        before, after = found
        if before == after:
            return (
                subscription_messages.not_paused(after)
                if resume
                else subscription_messages.already_paused(after)
            )
        self._wake_deliveries()
        return subscription_messages.resumed(after) if resume else subscription_messages.paused(after)

    async def history(self, words: str, asker: CommandContext | None) -> Message:
        """Who changed what the channel receives; for anybody in it."""
        match = re.fullmatch(r"(\d{1,6})?", words)
        if match is None or match[1] == "0":
            raise FilterSyntaxError('After "subscriptions history" comes a page: 1, 2, 3 …, or nothing.')
        if asker is None:
            return _needs_channel()
        page = int(match[1] or 1)
        found, total = await self._subscriptions.history(asker.team_id, asker.channel_id, page)
        return subscription_history.subscription_history(found, page, total)

    async def list(self, asker: CommandContext | None) -> Message:
        """All subscriptions of the channel."""
        if asker is None:
            return _needs_channel()
        here = await self._subscriptions.for_channel(asker.team_id, asker.channel_id)
        return subscription_modal.with_modal_button(subscription_messages.subscription_list(here), here)

    async def modal_button(self, asker: CommandContext | None) -> Message:
        """Buttons that open the dialog, where a command can't."""
        if asker is None:
            return _needs_channel()
        return subscription_modal.modal_button(
            await self._subscriptions.for_channel(asker.team_id, asker.channel_id)
        )

    async def _no_such_subscription(
        self, number: int, asker: CommandContext, *, several: bool = False
    ) -> Message:
        place = (asker.team_id, asker.channel_id)
        renumbered = await self._subscriptions.get_by_former_number(*place, number)
        if renumbered is not None:
            return subscription_messages.renumbered(number, renumbered)
        here = await self._subscriptions.for_channel(*place)
        return subscription_messages.no_such_number(str(number), here, several_named=several)

    def _change_author(self, asker: CommandContext) -> ChangeAuthor:
        return ChangeAuthor(asker.user_id, self._clock())


def selects(criteria: Criteria, other: Criteria) -> bool:
    """Whether words that say `wish` mean `other` too.

    A bare group means all that begin with it ("Burst" means "Burst lowsig" too); one with switches means
    those too that ask for the same and mention somebody.
    """
    if criteria == Criteria(group=criteria.group):
        return other.group == criteria.group
    return criteria in (other, replace(other, notify=None))


def _needs_channel() -> Message:
    return helping.error_message("Subscriptions belong to a channel: type this in Slack.")


def _parse_number_and_rest(command: str, words: str, like: str = "") -> tuple[int, str]:
    """The subscription's number, and what follows it."""
    first, _, rest = words.partition(" ")
    match = _NUMBER.fullmatch(first)
    if match is None or (like and not rest):
        example = f"{command} 3 {like}".strip()
        raise FilterSyntaxError(
            f'"{command}" needs the number that "/gwevent subscriptions" shows, as in {example}.'
        )
    return int(match[1]), rest
