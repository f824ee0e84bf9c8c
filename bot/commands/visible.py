"""`/gwevent visible [site…] [<id>] [at DATE] [altitude N]`: what sites can observe of an event, by nights."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.event_lookup import EventLookup
from bot.commands.night_words import NightWords, parse_night_words
from bot.commands.sites import parse_site_names
from bot.observing.observatories import UnknownSite
from bot.skymap_service.observability import ObservabilityService
from bot.store.channels.sites import SiteRepository
from formatters.answers import help as helping
from formatters.answers import observability
from formatters.blockkit.message import Message
from formatters.models.notice import canonical_id, folded_id
from formatters.models.observing import ChannelSites, ObservingConstraints, Site
from formatters.models.superevent import Superevent
from formatters.posts import alert_card


class VisibleCommand:
    """Answers `visible`."""

    def __init__(
        self,
        events: EventLookup,
        observability_service: ObservabilityService,
        sites: SiteRepository,
        clock: Callable[[], datetime],
    ) -> None:
        self._events = events
        self._observability_service = observability_service
        self._sites = sites
        self._clock = clock

    async def answer(self, arguments: str, context: CommandContext | None) -> Message:
        """Answer how much of an event the named sites, or else the channel's own, can observe.

        It is about this night and the next, or about the night of a date that is named.

        Raises CommandError, NoSuchEvent, StoreUnavailable.
        """
        own = ChannelSites()
        if context is not None:
            own = await self._sites.for_channel(*context.channel)
        nonstandard_ids = await self._events.find_nonstandard_ids(arguments)
        superevent_id, other_words = extract_event_id(arguments, nonstandard_ids)
        asked, words = parse_night_words(other_words)
        try:
            # In a thread: names are compared with all that are known, which takes tenths of a second.
            sites = await asyncio.to_thread(parse_site_names, words, own.sites) or own.sites
        except UnknownSite as error:
            raise CommandError(str(error)) from error
        if not sites:
            raise CommandError(
                "Which site? Name one (/gwevent visible Palomar), or give this channel its own for good:"
                " /gwevent sites add Palomar."
            )
        if superevent_id is None:
            # The router adds the event that is meant where nobody names one, if there is one.
            return helping.error_message("There is no event to observe yet.")
        return await self._event_observability(
            await self._events.get(superevent_id), sites, own.constraints, asked
        )

    async def _event_observability(
        self,
        superevent: Superevent,
        sites: Sequence[Site],
        constraints: ObservingConstraints,
        asked: NightWords,
    ) -> Message:
        name = alert_card.name_without_retraction(superevent)
        if superevent.is_retracted:
            return helping.error_message(f"{name} was retracted: there is nothing to observe.")
        notice = superevent.latest_with_map
        if notice is None:
            return helping.error_message(f"{name} has no sky map, so nobody can say where to look.")
        found = await self._observability_service.get(
            notice, sites, asked.constraints(constraints), asked.at or self._clock(), asked.night_of
        )
        if found is None:
            return helping.error_message(f"The sky map of {name} isn't kept any more.")
        return observability.message(superevent, replace(found, is_now=asked.is_now))


def extract_event_id(text: str, nonstandard_ids: Mapping[str, str]) -> tuple[str | None, str]:
    """Split a text into the event's id, None if there is none, and the other words.

    `nonstandard_ids` maps words, folded, to ids. Raises CommandError for more than one event.
    """
    words = text.split()
    ids = {
        word: canonical_id(word.strip(",")) or nonstandard_ids.get(folded_id(word.strip(",")))
        for word in words
    }
    named = {name for name in ids.values() if name is not None}
    if len(named) > 1:
        raise CommandError("One event at a time.")
    return next(iter(named), None), " ".join(word for word in words if ids[word] is None)
