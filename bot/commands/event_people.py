"""Who has an event in a channel, observes it or muted it there, for answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.observing.coverage import unmeasured_shares
from bot.store.channels.event_people import EventPeopleRepository
from bot.store.channels.observations import ObservationRepository
from bot.store.channels.observers import ObserverRepository
from bot.store.channels.threads import ThreadRepository
from formatters.models.event_people import NOBODY, EventPeople


@dataclass(frozen=True, slots=True)
class PeopleOfEvent:
    """The people of an event's thread in a channel."""

    people: EventPeople
    """Without what instruments cover, which `coverage` answers."""
    observers: tuple[str, ...]
    """Slack's ids of who observes without a telescope's name."""


class EventPeopleReader:
    """Reads what a card says of people."""

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

    async def of_event(self, team_id: str, channel_id: str, superevent_id: str) -> PeopleOfEvent | None:
        """Return the people; None if the channel has no message of the event. Raises StoreUnavailable."""
        thread = await self._threads.thread_of_event(team_id, channel_id, superevent_id)
        if thread is None:
            return None
        here = [thread.thread_id]
        people = (await self._people.for_threads(here)).get(thread.thread_id, NOBODY)
        observers = (await self._observers.for_threads(here)).get(thread.thread_id, ())
        observations = (await self._observations.for_threads(here)).get(thread.thread_id, ())
        return PeopleOfEvent(replace(people, instruments=unmeasured_shares(observations)), observers)
