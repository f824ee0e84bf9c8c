"""Changes to counterpart candidates by people of a channel: add, keep, reject, remove."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.commands.authorization import AuthorizedContext
from bot.commands.candidate_words import find_named, list_names, parse_candidates, without_fillers
from bot.commands.errors import CommandError
from bot.counterparts.names import NAME_MAX, display_name
from bot.runtime.typed_text import normalize_typed_text
from bot.runtime.wakeups import Wakeups
from bot.skymap_service.counterparts import CounterpartService
from bot.store.channels.change_log import ChangeAuthor
from bot.store.events.counterparts import (
    MAX_ACTIONS,
    MAX_ADDED,
    CounterpartRepository,
    NotTheirCandidate,
    TooManyActions,
    TooManyCandidates,
)
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.counterpart import Decision
from formatters.models.superevent import Superevent


@dataclass(frozen=True, slots=True)
class CandidateChange:
    """The result of a change to an event's candidates, for the answer."""

    outcome: str
    """Sentences, not escaped."""
    notes: tuple[str, ...] = ()
    """Sentences about what was left out, not escaped."""


class CandidateChanges:
    """Changes a channel's candidates; the Follow-up reply of its thread shows each change."""

    def __init__(
        self,
        service: CounterpartService,
        counterparts: CounterpartRepository,
        wakeups: Wakeups,
        clock: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._counterparts = counterparts
        self._wakeups = wakeups
        self._clock = clock

    async def make(
        self, verb: str, superevent: Superevent, text: str, author: AuthorizedContext
    ) -> CandidateChange:
        """Do "add", "keep", "reject" or "remove". Raises FilterSyntaxError, StoreUnavailable."""
        try:
            match verb:
                case "add":
                    return await self._add(superevent, text, author)
                case "remove":
                    return await self._remove(superevent, text, author)
            return await self._decide(superevent, text, Decision(verb), author)
        except TooManyActions:
            raise CommandError(
                f"This channel changed the candidates of {superevent.superevent_id} {MAX_ACTIONS:,} times,"
                " and gwevent keeps no more."
            ) from None

    async def _add(self, superevent: Superevent, text: str, author: AuthorizedContext) -> CandidateChange:
        # In a thread: a redshift imports a module that takes a second to load.
        new, omitted = await asyncio.to_thread(parse_candidates, text)
        try:
            has_thread = await self._counterparts.add(
                author.channel, superevent.superevent_id, new, self._by(author)
            )
        except TooManyCandidates:
            raise CommandError(_too_many(superevent)) from None
        names = list_names([name for name, _ in new])
        return self._changed(superevent, f"{names} added.", author, has_thread, omitted)

    async def _decide(
        self, superevent: Superevent, text: str, decision: Decision, author: AuthorizedContext
    ) -> CandidateChange:
        if not text:
            raise CommandError(f"Which one? For example: candidates {decision} AT2026abc.")
        known = await self._service.candidates(superevent, *author.channel)
        chosen = {one.name: one for one in find_named(text, known, superevent)}
        has_thread = await self._counterparts.decide(
            author.channel, superevent.superevent_id, list(chosen), decision, self._by(author)
        )
        done = "kept" if decision is Decision.KEEP else "rejected"
        return self._changed(superevent, f"{list_names(list(chosen))} {done}.", author, has_thread)

    async def _remove(self, superevent: Superevent, text: str, author: AuthorizedContext) -> CandidateChange:
        text = without_fillers(normalize_typed_text(text))
        name = display_name(text)
        if not name:
            raise CommandError("Which one? For example: candidates remove AT2026abc.")
        shown = plain_text(name, NAME_MAX)
        try:
            has_thread = await self._counterparts.remove(
                author.channel, superevent.superevent_id, name, self._by(author)
            )
        except NotTheirCandidate:
            raise CommandError(
                f"Somebody else of this channel added {shown}; to mark it: candidates reject {shown}."
            ) from None
        except LookupError:
            known = await self._service.candidates(superevent, *author.channel)
            found = find_named(text, known, superevent)[0]
            label = plain_text(next((one.label for one in found.sources if one.label), ""), NAME_MAX)
            raise CommandError(
                f"{plain_text(found.name, NAME_MAX)} comes from {label or 'another report'}, and only what"
                f" you added yourself can be removed; to mark it: candidates reject {shown}."
            ) from None
        return self._changed(superevent, f"{shown} removed.", author, has_thread)

    def _changed(
        self,
        superevent: Superevent,
        outcome: str,
        author: AuthorizedContext,
        has_thread: bool,
        notes: Sequence[str] = (),
    ) -> CandidateChange:
        self._wakeups.deliveries.set()
        if has_thread:
            outcome += " The Follow-up reply in this channel's thread shows it."
        elif not author.is_direct_message:
            outcome += (
                f" This channel has no thread of {superevent.superevent_id}: who asks here for its candidates"
                " sees it."
            )
        return CandidateChange(outcome, tuple(notes))

    def _by(self, author: AuthorizedContext) -> ChangeAuthor:
        return ChangeAuthor(author.user_id, self._clock())


def _too_many(superevent: Superevent) -> str:
    return (
        f"A channel adds at most {MAX_ADDED} candidates to one event, and this would be more for"
        f" {superevent.superevent_id}; to make room: candidates remove NAME."
    )
