"""What a channel is subscribed to: asking for it, changing it, pausing and ending it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime

from bot.filters import SiteNames, UnknownWord, parse
from bot.questions.asker import Asker
from bot.store.subscriptions import Subscriptions
from formatters import dialog, subscription
from formatters import help as helping
from formatters.message import Message
from formatters.subscription import Wish

CONFIRMED_WITHIN_S = 8.0
"""How long an answer waits for the confirmation to be posted."""

_NUMBER = re.compile(r"#?(\d{1,18})")


class Subscribing:
    """Answers about a channel's subscriptions."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        sites: SiteNames,
    ) -> None:
        self._subscriptions = subscriptions
        self._clock = clock
        self._wake = wake
        self._sites = sites

    def wish(self, words: str) -> Wish:
        """What words mean. Raises UnknownWord."""
        return parse(words, self._sites)

    async def subscribe(self, words: str, asker: Asker | None) -> Message:
        """Ask for a subscription, and say what became of it."""
        wish = parse(words, self._sites)
        if asker is None:
            return _nowhere()
        asked, already = await self._subscriptions.ask(
            asker.team_id, asker.channel_id, wish, asker.user_id, self._clock()
        )
        if already:
            return subscription.already(asked)
        self._wake()
        deadline = asyncio.get_running_loop().time() + CONFIRMED_WITHIN_S
        while asyncio.get_running_loop().time() < deadline:
            fate = await self._subscriptions.fate(asked.id)
            if isinstance(fate, str):
                return subscription.refused(fate)
            if fate:
                return subscription.subscribed(wish)
            await asyncio.sleep(0.05)
        return subscription.promised(wish)

    async def unsubscribe(self, words: str, asker: Asker | None) -> Message:
        """End a subscription, by number or words, or all of them."""
        if asker is None:
            return _nowhere()
        numbered = _NUMBER.fullmatch(words)
        if numbered:
            ended = await self._subscriptions.remove(asker.team_id, asker.channel_id, None, int(numbered[1]))
            return subscription.removed([s.wish for s in ended]) if ended else await self._no(words, asker)
        # Bare "unsubscribe" ends all; so does "all", where none is called so.
        wish = parse(words) if words else None
        ended = await self._subscriptions.remove(asker.team_id, asker.channel_id, wish)
        if not ended and wish == Wish(group="all"):
            ended = await self._subscriptions.remove(asker.team_id, asker.channel_id, None)
        if ended:
            return subscription.removed([s.wish for s in ended])
        left = await self._subscriptions.of_channel(asker.team_id, asker.channel_id)
        return subscription.not_subscribed(wish, left)

    async def edit(self, words: str, asker: Asker | None) -> Message:
        """Give a subscription new words; it stays in force."""
        number, rest = _numbered("edit", words, "CBC BNS>0.5")
        wish = parse(rest, self._sites)
        if asker is None:
            return _nowhere()
        changed = await self._subscriptions.edit(asker.team_id, asker.channel_id, number, wish, asker.user_id)
        if changed is None:
            return await self._no(str(number), asker)
        before, after = changed
        return subscription.already(after) if after.id != number else subscription.edited(before, after)

    async def pause(self, words: str, asker: Asker | None, *, resume: bool = False) -> Message:
        """Let nothing come for a while, or come again."""
        number, rest = _numbered("resume" if resume else "pause", words)
        if rest:
            raise UnknownWord(f'"{rest[:40]}" is too much: one number, as "/gwevent subscriptions" shows it.')
        if asker is None:
            return _nowhere()
        since = None if resume else self._clock()
        found = await self._subscriptions.pause(asker.team_id, asker.channel_id, number, since)
        if found is None:
            return await self._no(str(number), asker)
        return subscription.resumed(found) if resume else subscription.paused(found)

    async def listed(self, asker: Asker | None) -> Message:
        """All subscriptions of the channel."""
        if asker is None:
            return _nowhere()
        here = await self._subscriptions.of_channel(asker.team_id, asker.channel_id)
        return dialog.offered(subscription.listed(here), here)

    async def invitation(self, asker: Asker | None) -> Message:
        """Buttons that open the dialog, where a command can't."""
        if asker is None:
            return _nowhere()
        return dialog.invitation(await self._subscriptions.of_channel(asker.team_id, asker.channel_id))

    async def _no(self, number: str, asker: Asker) -> Message:
        left = await self._subscriptions.of_channel(asker.team_id, asker.channel_id)
        return subscription.no_such_number(number.lstrip("#"), left)


def _nowhere() -> Message:
    return helping.complaint("Subscriptions belong to a channel: type this in Slack.")


def _numbered(command: str, words: str, like: str = "") -> tuple[int, str]:
    """The subscription's number, and what follows it."""
    first, _, rest = words.partition(" ")
    match = _NUMBER.fullmatch(first)
    if match is None or (like and not rest):
        example = f"{command} 3 {like}".strip()
        raise UnknownWord(
            f'"{command}" needs the number that "/gwevent subscriptions" shows, as in {example}.'
        )
    return int(match[1]), rest
