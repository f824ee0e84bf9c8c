"""`/gwevent mute [EVENT]`, `unmute [EVENT]`: end an event's replies and edits in a channel; resume them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.runtime.wakeups import Wakeups
from bot.store.channels.mutes import MuteOutcome, MuteRepository
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


class Mutes:
    """Mutes an event in a channel for a person, or ends that, whether by the command or by the menu."""

    def __init__(self, mutes: MuteRepository, wakeups: Wakeups, clock: Callable[[], datetime]) -> None:
        self._mutes = mutes
        self._wakeups = wakeups
        self._clock = clock

    async def change(
        self, asker: CommandContext, superevent_id: str, *, wanted: bool | None
    ) -> MuteOutcome | None:
        """Mute the event if `wanted`, end that if not, toggle it for None; None if it has no thread here.

        Raises StoreUnavailable.
        """
        change = {None: self._mutes.toggle, True: self._mutes.mute, False: self._mutes.unmute}[wanted]
        done = await change(*asker.channel, superevent_id, asker.user_id, self._clock())
        if done is None:
            return None
        self._wakeups.intents_planned()
        log.info(
            "event_mute_changed",
            superevent_id=superevent_id,
            channel=asker.channel_id,
            muted=done.is_muted,
            changed=done.has_changed,
        )
        return done


def mute_answer(superevent: Superevent, done: MuteOutcome) -> Message:
    """Return the answer to who muted the event, or ended that."""
    if done.is_muted and done.mute is not None:
        return event_people.muted(superevent, done.mute, has_changed=done.has_changed)
    return event_people.unmuted(superevent, has_changed=done.has_changed)


class MuteCommand:
    """Answers `mute` and `unmute`. Anybody who can ask in a channel may, as with the menu of its messages."""

    def __init__(self, mutes: Mutes) -> None:
        self._mutes = mutes

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
        done = await self._mutes.change(context, superevent.superevent_id, wanted=wanted)
        return event_people.nothing_to_mute(superevent) if done is None else mute_answer(superevent, done)


def _words(arguments: str) -> list[str]:
    words = (word.strip(".,:;!?") for word in arguments.casefold().split())
    return [word for word in words if word and word not in _FILLERS]


def _not_understood(superevent: Superevent, arguments: str) -> CommandError:
    return CommandError(
        f'"{arguments[:40]}" isn\'t understood, and nothing was muted: mute {superevent.superevent_id} alone '
        "ends this event's replies and edits here. For a whole subscription: subscriptions pause."
    )
