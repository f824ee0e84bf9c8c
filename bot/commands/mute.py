"""`/gwevent mute [EVENT]`, `unmute [EVENT]`: end an event's replies and edits in a channel; resume them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.runtime.wakeups import Wakeups
from bot.store.channels.mutes import MuteRepository
from formatters.answers import event_people
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent

log = structlog.get_logger(__name__)

MUTE_NEEDS_CHANNEL = "An event is muted in a channel: type this in Slack."
_FILLERS = frozenset(
    ("this", "that", "it", "the", "a", "event", "thread", "here", "now", "please", "for", "us", "me")
)
_ON = frozenset({"on", "start"})
_OFF = frozenset({"off", "end", "stop", "undo", "remove", "no", "cancel"})


class MuteCommand:
    """Answers `mute` and `unmute`. Anybody who can ask in a channel may, as with the menu of its messages."""

    def __init__(self, mutes: MuteRepository, wakeups: Wakeups, clock: Callable[[], datetime]) -> None:
        self._mutes = mutes
        self._wakeups = wakeups
        self._clock = clock

    async def mute(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Mute the event in the channel, or end that if it is muted; "on" and "off" say which.

        Raises CommandError, StoreUnavailable.
        """
        words = _words(arguments)
        if not words:
            return await self._set(superevent, context, wanted=None)
        if len(words) > 1 or words[0] not in _ON | _OFF:
            raise _not_understood(superevent, arguments)
        return await self._set(superevent, context, wanted=words[0] in _ON)

    async def unmute(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Begin the event's replies and edits in the channel again. Raises CommandError, StoreUnavailable."""
        if _words(arguments):
            raise _not_understood(superevent, arguments)
        return await self._set(superevent, context, wanted=False)

    async def _set(
        self, superevent: Superevent, context: CommandContext | None, *, wanted: bool | None
    ) -> Message:
        if context is None:
            raise CommandError(MUTE_NEEDS_CHANNEL)
        name = superevent.superevent_id
        change = {None: self._mutes.toggle, True: self._mutes.mute, False: self._mutes.unmute}[wanted]
        done = await change(*context.channel, name, context.user_id, self._clock())
        if done is None:
            return event_people.nothing_to_mute(superevent)
        self._wakeups.intents_planned()
        log.info(
            "event_mute_changed",
            superevent_id=name,
            channel=context.channel_id,
            muted=done.is_muted,
            changed=done.has_changed,
        )
        if done.is_muted and done.mute is not None:
            return event_people.muted(superevent, done.mute, has_changed=done.has_changed)
        return event_people.unmuted(superevent, has_changed=done.has_changed)


def _words(arguments: str) -> list[str]:
    words = (word.strip(".,:;!?") for word in arguments.casefold().split())
    return [word for word in words if word and word not in _FILLERS]


def _not_understood(superevent: Superevent, arguments: str) -> CommandError:
    return CommandError(
        f'"{arguments[:40]}" isn\'t understood, and nothing was muted: mute {superevent.superevent_id} alone '
        "ends this event's replies and edits here. For a whole subscription: subscriptions pause."
    )
