"""Questions about one event: which one is meant, and what is asked about it."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from bot.commands.context import CommandContext
from bot.commands.default_event import DefaultEventChooser
from bot.commands.errors import CommandError
from bot.commands.event_lookup import EventLookup, NoSuchEvent, UnresolvedEvent
from bot.commands.event_people import PeopleOfEvent
from bot.commands.typed_events import TypedEvent, find_misspelled_id
from bot.commands.understanding import Topic, unexplained_words
from bot.store.channels.threads import ThreadRepository
from bot.store.events.notices import NoticeRepository
from formatters.answers import answer, conversation, event_comparison, event_facts
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import folded_id
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView

PERMALINK_TIMEOUT_S = 2.0
"""For Slack's answer; the person waits for theirs, and the link is an extra."""
_ABOUT_EVENT = (
    "history, map, export, check, visible, galaxies, candidates, plan, criteria, distance, FAR, area, class"
    " and url"
)
GetPermalink = Callable[[str, str, str], Awaitable[str | None]]
"""(team, channel, ts) -> the address of that message in Slack; None if Slack doesn't say."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The event that a command is about."""

    name: str | None
    """Its id; None if there is none."""
    superevent: Superevent | None
    """The event, if it was to be loaded."""
    arguments: str
    """The command's arguments, without the id if the event was loaded."""
    introduction: str | None = None
    """A sentence that says which event was chosen; None if one was named."""
    is_chosen: bool = False
    """True if nobody named the event."""
    is_doubtful: bool = False
    """True if nobody named it, and another one may be meant as well."""


class EventQuestions:
    """Finds the event that a question is about, and answers in sentences and cards."""

    def __init__(
        self,
        lookup: EventLookup,
        notices: NoticeRepository,
        default_events: DefaultEventChooser,
        threads: ThreadRepository,
        people: PeopleOfEvent,
        clock: Callable[[], datetime],
        get_permalink: GetPermalink | None = None,
    ) -> None:
        """Without `get_permalink` answers link no threads."""
        self._lookup = lookup
        self._notices = notices
        self._default_events = default_events
        self._threads = threads
        self._people = people
        self._clock = clock
        self._get_permalink = get_permalink

    async def find_subject(
        self,
        typed: Sequence[TypedEvent],
        arguments: str,
        context: CommandContext | None,
        *,
        load: bool = True,
    ) -> Subject:
        """Return the event that is named, or else the one that is meant where nobody names one.

        With `load` False a named event isn't read, and an id that isn't in LVK's form stays among the
        arguments. Raises CommandError for several events, NoSuchEvent, UnresolvedEvent, StoreUnavailable.
        """
        if len(typed) > 1:
            raise CommandError(f"One event at a time, please, not {' and '.join(e.text for e in typed[:3])}.")
        if typed:
            name = await self._lookup.resolve(typed[0])
            superevent = await self._lookup.get(name) if load else None
            return Subject(name if superevent is None else superevent.superevent_id, superevent, arguments)
        nonstandard = await self._lookup.find_nonstandard_ids(arguments)
        if nonstandard and load:
            name = next(iter(nonstandard.values()))
            rest = [word for word in arguments.split() if folded_id(word.strip(",;()")) not in nonstandard]
            return Subject(name, await self._lookup.get(name), " ".join(rest))
        if nonstandard:
            return Subject(None, None, arguments)
        misspelled = find_misspelled_id(arguments)
        if misspelled is not None:
            # Another event than the one that was meant would be answered about.
            raise NoSuchEvent(misspelled)
        chosen = await self._default_events.choose(context)
        if chosen is None:
            return Subject(None, None, arguments)
        name = chosen.superevent.superevent_id
        return Subject(
            name,
            chosen.superevent,
            arguments,
            chosen.introduction,
            is_chosen=True,
            is_doubtful=chosen.is_doubtful,
        )

    async def get(self, typed: TypedEvent) -> Superevent:
        """Return an event that somebody named. Raises NoSuchEvent, UnresolvedEvent, StoreUnavailable."""
        return await self._lookup.get(await self._lookup.resolve(typed))

    async def get_by_id(self, superevent_id: str) -> Superevent:
        """Return the event with this id. Raises NoSuchEvent, StoreUnavailable."""
        return await self._lookup.get(superevent_id)

    async def split_leading_nonstandard_id(self, question: str) -> tuple[str, str] | None:
        """Split a question into the nonstandard id that it begins with, and the rest; None without one."""
        return await self._lookup.split_leading_nonstandard_id(question)

    async def answer_topic(
        self, superevent: Superevent, topic: Topic, words: str, context: CommandContext | None
    ) -> Message:
        """Answer a question about an event: who has it, or a sentence and its card.

        Raises CommandError without a channel, StoreUnavailable.
        """
        if topic is Topic.PEOPLE:
            return await self._people.answer(superevent, context)
        if topic is Topic.TAKING:
            return await self._people.answer_to_taking(superevent, context)
        card = alert_card.alert_card(superevent, ChannelView(asked_at=self._clock()))
        sentence = event_facts.sentence(superevent, topic.value, self._clock())
        if topic is Topic.COMPARE:
            name = superevent.superevent_id
            sentence = f"To compare, name two events: compare {name} and the other's id."
        if topic is Topic.CARD:
            unexplained = unexplained_words(words)
            if unexplained:
                shown = plain_text(" ".join(unexplained))
                sentence = f"I don't understand “{shown}”; about an event I know {_ABOUT_EVENT}."
        return card if sentence is None else answer.with_introduction(sentence, card)

    def answer_without_event(self, topic: Topic) -> Message:
        """Return the answer to a greeting, thanks, or a question about runs."""
        match topic:
            case Topic.GREETING:
                return conversation.greeting()
            case Topic.THANKS:
                return conversation.thanks()
            case _:
                return conversation.runs()

    def answer_unresolved(self, error: UnresolvedEvent) -> Message:
        """Return the events of a day, for a day or a catalogue name that leads to no single one."""
        typed, (*superevents,) = error.typed, error.superevents
        if len(superevents) == error.count == 1 and not typed.is_catalogue_name:
            (superevent,) = superevents
            card = alert_card.alert_card(superevent, ChannelView(asked_at=self._clock()))
            sentence = f"{plain_text(typed.text)} is a day; this is the one event of it that gwevent has."
            return answer.with_introduction(sentence, card)
        return conversation.day(
            typed.text,
            superevents,
            error.count,
            self._clock(),
            is_catalogue_name=typed.is_catalogue_name,
            looked_up=error.gracedb_reason,
        )

    def compare(self, superevents: Sequence[Superevent]) -> Message:
        """Return a table of events side by side; of one event alone, its card."""
        unique = list({superevent.superevent_id: superevent for superevent in superevents}.values())
        if len(unique) == 1:
            return alert_card.alert_card(unique[0], ChannelView(asked_at=self._clock()))
        return event_comparison.message(unique)

    async def suggest_ids(self, unknown_id: str, gracedb_reason: str | None = None) -> Message:
        """Return the answer to an unknown id, with the similar ids that are stored."""
        ids = await self._notices.recent_ids()
        folded = {known.casefold(): known for known in ids}
        near = difflib.get_close_matches(unknown_id.casefold(), folded, n=3, cutoff=0.75)
        return helping.no_such_event(unknown_id, [folded[name] for name in near], gracedb_reason)

    async def thread_url(self, superevent_id: str, context: CommandContext) -> str | None:
        """Return the address of the channel's thread of an event; None in that thread, and without one."""
        if self._get_permalink is None:
            return None
        thread = await self._threads.thread_of_event(*context.channel, superevent_id)
        if thread is None or thread.root_ts == context.thread_ts:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(PERMALINK_TIMEOUT_S):
                return await self._get_permalink(*context.channel, thread.root_ts)
        return None
