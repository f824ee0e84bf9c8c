"""The buttons and the menu below an event's card: take it, give it back, mute it here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from bot.commands.context import CommandContext
from bot.commands.errors import store_unavailable
from bot.commands.mute import Mutes, mute_answer
from bot.runtime.wakeups import Wakeups
from bot.store.channels.acknowledgements import (
    AcknowledgementRepository,
    AcknowledgeOutcome,
    HandBackOutcome,
)
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from formatters.answers import event_people
from formatters.blockkit.message import Message

log = structlog.get_logger(__name__)


class EventButtons:
    """Acts for a person on an event in a channel, and returns the answer that they alone see.

    Anybody who can press a button of the channel's message may: a retry, a second press and a press on a
    card that isn't up to date change nothing, and are told what stands.
    """

    def __init__(
        self,
        acknowledgements: AcknowledgementRepository,
        mutes: Mutes,
        notices: NoticeRepository,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
    ) -> None:
        self._acknowledgements = acknowledgements
        self._mutes = mutes
        self._notices = notices
        self._clock = clock
        self._wakeups = wakeups

    async def acknowledge(self, asker: CommandContext, superevent_id: str) -> Message:
        """Record that the person has the event, unless somebody does."""
        try:
            done = await self._acknowledgements.acknowledge(
                *asker.channel, superevent_id, asker.user_id, self._clock()
            )
            self._wakeups.intents_planned()
            log.info(
                "event_acknowledged",
                superevent_id=superevent_id,
                channel=asker.channel_id,
                outcome=done.outcome.name.casefold(),
            )
            superevent = await self._notices.superevent(superevent_id)
        except StoreUnavailable:
            return store_unavailable()
        if superevent is None or done.outcome is AcknowledgeOutcome.NO_THREAD:
            return event_people.no_thread(superevent, superevent_id)
        if done.outcome is AcknowledgeOutcome.RETRACTED:
            return event_people.nothing_to_take(superevent)
        if done.outcome is AcknowledgeOutcome.OTHERS:
            return event_people.taken_by_others(superevent, done.acknowledgements)
        mine = next(one for one in done.acknowledgements if one.user_id == asker.user_id)
        if done.outcome is AcknowledgeOutcome.MINE:
            return event_people.already_taken(superevent, mine)
        return event_people.taken(superevent, mine)

    async def hand_back(self, asker: CommandContext, superevent_id: str) -> Message:
        """Record that the person no longer has the event; if nobody else has it, the next are called."""
        try:
            done = await self._acknowledgements.hand_back(
                *asker.channel, superevent_id, asker.user_id, self._clock()
            )
            self._wakeups.intents_planned()
            log.info(
                "event_handed_back",
                superevent_id=superevent_id,
                channel=asker.channel_id,
                outcome=done.outcome.name.casefold(),
            )
            superevent = await self._notices.superevent(superevent_id)
        except StoreUnavailable:
            return store_unavailable()
        if superevent is None or done.outcome is HandBackOutcome.NO_THREAD:
            return event_people.no_thread(superevent, superevent_id)
        if done.outcome is HandBackOutcome.NOT_MINE:
            return event_people.not_yours(superevent, done.acknowledgements)
        return event_people.handed_back(
            superevent, done.acknowledgements, done.resumed, is_paged=done.is_paged
        )

    async def mute(self, asker: CommandContext, superevent_id: str) -> Message:
        """End the event's replies and edits in the channel."""
        return await self._set_mute(asker, superevent_id, wanted=True)

    async def unmute(self, asker: CommandContext, superevent_id: str) -> Message:
        """Begin the event's replies and edits in the channel again."""
        return await self._set_mute(asker, superevent_id, wanted=False)

    async def _set_mute(self, asker: CommandContext, superevent_id: str, *, wanted: bool) -> Message:
        try:
            done = await self._mutes.change(asker, superevent_id, wanted=wanted)
            superevent = await self._notices.superevent(superevent_id)
        except StoreUnavailable:
            return store_unavailable()
        if done is None or superevent is None:
            return event_people.no_thread(superevent, superevent_id)
        return mute_answer(superevent, done)
