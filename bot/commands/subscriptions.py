"""`/gwevent subscribe`, `unsubscribe`, `edit`, `pause`, `resume`, `subscriptions` and `dialog`."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.subscription_answers import answer_for
from bot.commands.subscription_service import SubscriptionService
from bot.filters import parse_criteria
from bot.filters.criteria_parser import split_insistence
from bot.store.channels.channel_history import ChannelHistory
from formatters.answers import subscription_choices, subscription_history, subscription_messages
from formatters.blockkit.message import Message
from formatters.models.subscription import NUMBER_WITH_FINGERPRINT, Criteria, fingerprint
from formatters.views import subscription_modal

_NUMBER = re.compile(r"#?(\d{1,18})")


_PREPOSITION = re.compile(r"^(?:to|from|for)\s+(?=\S)", re.IGNORECASE)
"""What sentences have before the criteria: "subscribe to BNS", "unsubscribe from CBC"."""


class SubscriptionCommands:
    """Parses the text of commands about subscriptions, calls the service, and answers.

    All methods raise FilterSyntaxError with a sentence for the person, PermissionDenied, StoreUnavailable.
    """

    def __init__(self, service: SubscriptionService, history: ChannelHistory) -> None:
        self._service = service
        self._channel_history = history

    async def subscribe(self, arguments: str, context: CommandContext) -> Message:
        """Answer `subscribe [CBC|Burst|all] [filter] … [anyway]`; without arguments, with the choices."""
        words, anyway = split_insistence(_PREPOSITION.sub("", arguments))
        if not words:
            return subscription_modal.with_modal_button(subscription_choices.message())
        criteria = await self._service.parse_criteria(context, words)
        return answer_for(await self._service.subscribe(context, criteria, anyway=anyway))

    async def unsubscribe(self, arguments: str, context: CommandContext) -> Message:
        """End one subscription by its number or its criteria, or several by their numbers.

        Criteria that fit several subscriptions, and no arguments at all, end nothing yet: the answer lists
        what would end, with buttons.
        """
        arguments = _PREPOSITION.sub("", arguments)
        numbered = parse_numbers(arguments)
        if numbered is not None:
            return answer_for(await self._service.remove(context, *numbered))
        words = arguments.replace(",", " ").split()
        if words and NUMBER_WITH_FINGERPRINT.fullmatch(words[0]):
            raise CommandError(
                '"unsubscribe" takes numbers alone, as in unsubscribe 3 4, or words alone, as in unsubscribe'
                " CBC; nothing has ended."
            )
        criteria = parse_criteria(arguments) if arguments else None
        found = await self._service.for_channel_with_unconfirmed(context)
        # "all" is a group, and everything: the person is asked which of the two they mean.
        if criteria is not None and criteria != Criteria(group="all"):
            found = [s for s in found if selects(criteria, s.criteria)]
        if not found:
            return subscription_messages.not_subscribed(criteria, await self._service.for_channel(context))
        if len(found) > 1 or criteria is None:
            return subscription_modal.confirm_unsubscribe(found)
        number = found[0].number
        return answer_for(await self._service.remove(context, [number], {number: fingerprint(found[0])}))

    async def edit(self, arguments: str, context: CommandContext) -> Message:
        """Answer `edit 3 … [anyway]`, which replaces the criteria of a subscription."""
        arguments, anyway = split_insistence(arguments)
        number, words = _parse_number_and_rest("edit", arguments, example="CBC BNS>0.5")
        criteria = await self._service.parse_criteria(context, words)
        return answer_for(await self._service.edit(context, number, criteria, anyway=anyway))

    async def pause(self, arguments: str, context: CommandContext) -> Message:
        """Answer `pause 3`."""
        number = _parse_single_number("pause", arguments)
        return answer_for(await self._service.pause(context, number))

    async def resume(self, arguments: str, context: CommandContext) -> Message:
        """Answer `resume 3`."""
        number = _parse_single_number("resume", arguments)
        return answer_for(await self._service.resume(context, number))

    async def subscriptions(self, arguments: str, context: CommandContext) -> Message:
        """Answer `subscriptions`, the list, or `subscriptions history [page]`."""
        word, _, page = arguments.partition(" ")
        if word.casefold() == "history":
            return await self._history(page, context)
        here = await self._service.for_channel(context)
        return subscription_modal.with_modal_button(subscription_messages.subscription_list(here), here)

    async def criteria_of(self, arguments: str, context: CommandContext) -> Criteria | None:
        """Return the criteria of the subscription with this number here; None for anything but a number."""
        match = _NUMBER.fullmatch(arguments)
        if match is None:
            return None
        here = await self._service.for_channel(context)
        found = next((s.criteria for s in here if s.number == int(match[1])), None)
        if found is None:
            raise CommandError(f'This channel has no subscription {match[1]}; "subscriptions" lists them.')
        return found

    async def modal_button(self, arguments: str, context: CommandContext) -> Message:
        """Answer `dialog` with buttons that open the modal, which a mention cannot open by itself."""
        return subscription_modal.modal_button(await self._service.for_channel(context))

    async def _history(self, page: str, context: CommandContext) -> Message:
        match = re.fullmatch(r"(\d{1,6})?", page)
        if match is None or match[1] == "0":
            raise CommandError('After "subscriptions history" comes a page: 1, 2, 3 …, or nothing.')
        number = int(match[1] or 1)
        changes, total = await self._channel_history.page(*context.channel, number)
        return subscription_history.subscription_history(changes, number, total)


def parse_numbers(text: str) -> tuple[list[int], dict[int, str]] | None:
    """Parse "3 4", or "3@0a1b2c3d 4@…" from a button: (the numbers, the fingerprints by number).

    Return None for anything else, an empty text too.
    """
    words = text.replace(",", " ").split()
    matches = [match for match in map(NUMBER_WITH_FINGERPRINT.fullmatch, words) if match is not None]
    if not words or len(matches) < len(words):
        return None
    return [int(m[1]) for m in matches], {int(m[1]): m[2] for m in matches if m[2] is not None}


def selects(criteria: Criteria, other: Criteria) -> bool:
    """Return whether `unsubscribe` with these criteria means a subscription with the other ones.

    A bare group means every subscription of that group ("Burst" means "Burst lowsig" too). Criteria with more
    in them mean the same ones with any mentions, and with any quiet events.
    """
    if criteria == Criteria(group=criteria.group):
        return other.group == criteria.group
    # By their words, since stored conditions on grades have a definition, and typed ones none.
    others = (other, replace(other, notify=None), replace(other, notify=None, quiet=None))
    return criteria.canonical in [one.canonical for one in others]


def _parse_single_number(command: str, arguments: str) -> int:
    number, rest = _parse_number_and_rest(command, arguments)
    if rest:
        raise CommandError(f'"{rest[:40]}" is too much: one number, as "/gwevent subscriptions" shows it.')
    return number


def _parse_number_and_rest(command: str, arguments: str, example: str = "") -> tuple[int, str]:
    """Return the subscription's number and the words after it, which `example` shows if they are required."""
    first, _, rest = arguments.partition(" ")
    match = _NUMBER.fullmatch(first)
    if match is None or (example and not rest):
        raise CommandError(
            f'"{command}" needs the number that "/gwevent subscriptions" shows, as in'
            f" {f'{command} 3 {example}'.strip()}."
        )
    return int(match[1]), rest
