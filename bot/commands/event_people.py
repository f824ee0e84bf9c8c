"""The answer to "who has it": who has an event in a channel, observes it or muted it there."""

from __future__ import annotations

from dataclasses import replace

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.observing.coverage import unmeasured_shares
from bot.store.channels.event_people import EventPeopleRepository
from bot.store.channels.observations import ObservationRepository
from bot.store.channels.observers import ObserverRepository
from bot.store.channels.threads import ThreadRepository
from formatters.answers import answer, event_people
from formatters.blockkit.message import Message
from formatters.models.event_people import NOBODY
from formatters.models.superevent import Superevent


class PeopleOfEvent:
    """Answers with what the event's card says of people, but for what instruments cover."""

    def __init__(
        self,
        threads: ThreadRepository,
        people: EventPeopleRepository,
        observers: ObserverRepository,
        observations: ObservationRepository,
    ) -> None:
        self._threads = threads
        self._people = people
        self._observers = observers
        self._observations = observations

    async def answer(self, superevent: Superevent, context: CommandContext | None) -> Message:
        """Return the answer in the channel where it is asked. Raises CommandError, StoreUnavailable."""
        if context is None:
            raise CommandError("Who has an event, and who observes it, is said in a channel: ask in Slack.")
        thread = await self._threads.thread_of_event(*context.channel, superevent.superevent_id)
        if thread is None:
            return event_people.nobody_here(superevent)
        here = [thread.thread_id]
        people = (await self._people.for_threads(here)).get(thread.thread_id, NOBODY)
        observers = (await self._observers.for_threads(here)).get(thread.thread_id, ())
        observations = (await self._observations.for_threads(here)).get(thread.thread_id, ())
        with_instruments = replace(people, instruments=unmeasured_shares(observations))
        return event_people.who(superevent, with_instruments, observers)

    async def answer_to_taking(self, superevent: Superevent, context: CommandContext | None) -> Message:
        """Return the answer to who types "I have it": it is a button, and so it stands.

        Words choose an event by themselves, and those who are next must not be stopped for another one.
        Raises CommandError, StoreUnavailable.
        """
        standing = await self.answer(superevent, context)
        return answer.with_introduction(event_people.TAKEN_BY_BUTTON, standing)
