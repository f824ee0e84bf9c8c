"""`/gwevent visible` and `/gwevent sites`: what a channel's telescopes can observe tonight."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.commands.event_lookup import EventLookup
from bot.filters import FilterSyntaxError
from bot.observing.observatories import (
    UnknownSite,
    find_observatory,
    find_site,
    normalized_name,
    suggest_names,
)
from bot.skymap_service.observability import ObservabilityService
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.sites import SiteRepository, TooManySites
from bot.store.events.notices import NoticeRepository
from formatters.answers import answer, observability
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import sanitize_line
from formatters.models.notice import Category, canonical_id, folded_id
from formatters.models.observing import SITE_NAME_MAX, SITES_MAX, ChannelSites, ObservingConstraints, Site
from formatters.models.superevent import Superevent

if TYPE_CHECKING:
    from bot.commands.router import CommandContext

MAX_EVENTS_SEARCHED = 20
"""Newest events among which one that wasn't retracted is looked for."""
MAX_HEIGHT_M = 8_900.0
MIN_HEIGHT_M = -500.0
"""m: no telescope stands above Everest, or below the Dead Sea."""
ALTITUDE_LIMITS = (0.0, 85.0)
DARKNESS_LIMITS = (-18.0, 0.0)
"""Degrees, what a channel may choose from."""

_MAX_SITE_NAME_WORDS = SITE_NAME_MAX // 2
"""A site's name has so many at most."""
_NUMBER = re.compile(r"[+-]?(\d{1,6}(\.\d{0,12})?|\.\d{1,12})", re.ASCII)
_ADD_EXAMPLE = "sites add MyDome 34.2 -116.9 1700"
_HOW_TO_ADD = (
    f'Latitude, longitude (east positive) and height in metres make a site of your own: "{_ADD_EXAMPLE}",'
    ' with "radio" or a time zone such as America/Los_Angeles after them if you like.'
)
_NEEDS_CHANNEL = "Sites belong to a channel: type this in Slack."


class CommandError(FilterSyntaxError):
    """Words that can't be meant; one sentence."""


class ObservabilityCommands:
    """Answers what is visible, and keeps the sites of channels."""

    def __init__(
        self,
        notices: NoticeRepository,
        events: EventLookup,
        observability_service: ObservabilityService,
        sites: SiteRepository,
        clock: Callable[[], datetime],
        wake_deliveries: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` says that a delivery is due: what is changed in a channel is posted there."""
        self._wake_deliveries = wake_deliveries
        self._notices = notices
        self._events = events
        self._observability_service = observability_service
        self._sites = sites
        self._clock = clock

    async def visible(self, rest: str, asker: CommandContext | None) -> Message:
        """What sites, those named or the channel's own, can observe of an event tonight.

        Raises CommandError, NoSuchEvent.
        """
        own = ChannelSites()
        if asker is not None:
            own = await self._sites.for_channel(asker.team_id, asker.channel_id)
        superevent_id, words = _extract_event_id(rest, await self._events.find_nonstandard_ids(rest))
        try:
            sites = _parse_sites(words, own.sites) or own.sites
        except UnknownSite as error:
            raise CommandError(str(error)) from error
        if not sites:
            raise CommandError(
                "Which site? Name one (/gwevent visible Palomar), or give this channel its own for good:"
                " /gwevent sites add Palomar."
            )
        if superevent_id is None:
            return await self._newest_event_observability(sites, own.constraints)
        return await self._event_observability(await self._events.get(superevent_id), sites, own.constraints)

    async def sites(self, rest: str, asker: CommandContext | None) -> Message:
        """The channel's sites, after whatever change is asked for. Raises CommandError."""
        if asker is None:
            return helping.error_message(_NEEDS_CHANNEL)
        word, _, words = rest.partition(" ")
        match word.casefold():
            case "":
                return observability.site_list(await self._sites.for_channel(asker.team_id, asker.channel_id))
            case "add" | "remove" | "altitude" | "darkness":
                return await self._change_sites(word.casefold(), words.strip(), asker)
        raise CommandError(
            f'"sites {word[:40]}" is nothing I know. There are: sites, sites add Palomar, {_ADD_EXAMPLE},'
            " sites remove Palomar, sites altitude 25, sites darkness -12."
        )

    async def _change_sites(self, word: str, words: str, asker: CommandContext) -> Message:
        """The one way in for whatever changes a channel's sites. Raises CommandError."""
        place = (asker.team_id, asker.channel_id)
        by = ChangeAuthor(asker.user_id, self._clock())
        before = await self._sites.for_channel(*place)
        match word:
            case "add":
                new = _parse_new_sites(words)
                try:
                    after = await self._sites.add(*place, new, by)
                except TooManySites:
                    raise CommandError(
                        f"A channel has at most {SITES_MAX} sites, and this one has {len(before.sites)};"
                        " to remove one: /gwevent sites remove Palomar."
                    ) from None
                said = f"{', '.join(site.name for site in new)} added, and in the messages from now on."
            case "remove":
                gone = _find_custom_site(words, before.sites)
                after = await self._sites.remove(*place, gone.name, by)
                said = f"{gone.name} removed."
            case "altitude":
                criteria = replace(
                    before.constraints, altitude=_parse_degrees(word, words, ALTITUDE_LIMITS, "25")
                )
                after, said = await self._sites.set_conditions(*place, criteria, by), "Changed."
            case _:
                criteria = replace(
                    before.constraints, darkness=_parse_degrees(word, words, DARKNESS_LIMITS, "-12")
                )
                after, said = await self._sites.set_conditions(*place, criteria, by), "Changed."
        self._wake_deliveries()
        return observability.site_list(after, said)

    async def _newest_event_observability(
        self, sites: Sequence[Site], conditions: ObservingConstraints
    ) -> Message:
        for category in (Category.REAL, Category.MOCK):
            found = await self._notices.newest(category=category, limit=MAX_EVENTS_SEARCHED)
            superevent = next((event for event in found if not event.is_retracted), None)
            if superevent is None:
                continue
            said = await self._event_observability(superevent, sites, conditions)
            if category is Category.REAL:
                return said
            return answer.with_introduction(
                "There is no real event to observe; this is the newest mock.", said
            )
        return helping.error_message("There is no event to observe yet.")

    async def _event_observability(
        self, superevent: Superevent, sites: Sequence[Site], conditions: ObservingConstraints
    ) -> Message:
        name = superevent.superevent_id
        if superevent.is_retracted:
            return helping.error_message(f"{name} was retracted: there is nothing to observe.")
        notice = superevent.latest_with_map
        if notice is None:
            return helping.error_message(f"{name} has no sky map, so nobody can say where to look.")
        tonight = await self._observability_service.get(notice.key, sites, conditions, self._clock())
        if tonight is None:
            return helping.error_message(f"The sky map of {name} isn't kept any more.")
        return observability.message(superevent, tonight)


def _extract_event_id(text: str, unusual: Mapping[str, str]) -> tuple[str | None, str]:
    """The event's id among the words, and the other words; `unusual` ids by their folded words.

    Raises CommandError.
    """
    words = text.split()
    ids = {word: canonical_id(word.strip(",")) or unusual.get(folded_id(word.strip(","))) for word in words}
    named = {name for name in ids.values() if name is not None}
    if len(named) > 1:
        raise CommandError("One event at a time.")
    return next(iter(named), None), " ".join(word for word in words if ids[word] is None)


def _parse_sites(text: str, own: Sequence[Site]) -> tuple[Site, ...]:
    """The sites named, with blanks or commas between; the longest names that fit. Raises both errors."""
    found: list[Site] = []
    for part in text.split(","):
        words = part.split()
        while words:
            for length in range(min(len(words), _MAX_SITE_NAME_WORDS), 0, -1):
                name = " ".join(words[:length])
                if normalized_name(name) and (
                    normalized_name(name) in {normalized_name(site.name) for site in own}
                    or find_observatory(name) is not None
                ):
                    found.append(find_site(name, own))
                    words = words[length:]
                    break
            else:
                whole = UnknownSite(" ".join(words), suggest_names(" ".join(words), own))
                raise (
                    whole
                    if suggest_names(" ".join(words), own)
                    else UnknownSite(words[0], suggest_names(words[0], own))
                )
    sites = tuple(dict.fromkeys(found))
    if len(sites) > SITES_MAX:
        raise CommandError(f"At most {SITES_MAX} sites at a time.")
    return sites


def _parse_new_sites(text: str) -> tuple[Site, ...]:
    """The observatories named, or one site of one's own. Raises CommandError."""
    words = text.replace("−", "-").replace(",", " ").split()
    if not words:
        raise CommandError(f'Which one? Name an observatory ("sites add Palomar"). {_HOW_TO_ADD}')
    # The last that there are: a name may end in a number.
    three = [i for i in range(len(words) - 2) if all(map(_NUMBER.fullmatch, words[i : i + 3]))]
    if three:
        facts = words[three[-1] :]
        return (
            _parse_custom_site(
                " ".join(words[: three[-1]]) or _default_name(float(facts[0]), float(facts[1])), facts
            ),
        )
    try:
        return _parse_sites(text, ())
    except UnknownSite as error:
        raise CommandError(f"{error} {_HOW_TO_ADD}") from error


def _default_name(latitude: float, longitude: float) -> str:
    """A name for a place that was given none: "34.20N 116.90W"."""
    north, east = "S" if latitude < 0 else "N", "W" if longitude < 0 else "E"
    return f"{abs(latitude):.2f}{north} {abs(longitude):.2f}{east}"


def _parse_custom_site(name: str, facts: Sequence[str]) -> Site:
    if len(name) > SITE_NAME_MAX:
        raise CommandError(f"A site's name has at most {SITE_NAME_MAX} characters.")
    if not normalized_name(name) or canonical_id(name) is not None:
        raise CommandError("A site's name has letters or digits in it, and isn't an event's.")
    numbers, further = facts[:3], facts[3:]
    latitude, longitude, height = map(float, numbers)
    if abs(latitude) > 90:
        raise CommandError(f"A latitude of {numbers[0]}° doesn't exist: it goes from -90 to 90.")
    if not -180 <= longitude <= 360:
        raise CommandError(
            f"A longitude of {numbers[1]}° doesn't exist: it goes from -180 to 180, east positive."
        )
    if not MIN_HEIGHT_M <= height <= MAX_HEIGHT_M:
        raise CommandError(f"A height of {numbers[2]} m isn't on this Earth's ground.")
    zones = [word for word in further if word.casefold() != "radio"]
    if len(zones) > 1 or len(further) > 2:
        raise CommandError(_HOW_TO_ADD)
    return Site(
        name=sanitize_line(name),
        latitude=latitude,
        longitude=longitude - 360 if longitude > 180 else longitude,
        height=height,
        radio=len(zones) < len(further),
        zone=_parse_time_zone(zones[0]) if zones else None,
    )


def _parse_time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandError(
            f'"{name[:40]}" is no time zone that I know; one reads like America/Los_Angeles.'
        ) from None


def _find_custom_site(words: str, own: Sequence[Site]) -> Site:
    mine = {normalized_name(site.name): site for site in own}
    known = find_observatory(words)
    found = mine.get(normalized_name(words)) or (
        mine.get(normalized_name(known.name)) if known is not None else None
    )
    if found is None:
        has = ", ".join(site.name for site in own) or "none"
        raise CommandError(f"“{words[:40]}” is none of this channel's sites, which are: {has}.")
    return found


def _parse_degrees(word: str, text: str, limits: tuple[float, float], example: str) -> float:
    number = text.replace("−", "-").rstrip("°")
    low, high = limits
    if not _NUMBER.fullmatch(number) or not low <= float(number) <= high:
        raise CommandError(
            f'"sites {word}" takes degrees from {low:g} to {high:g}, for example: sites {word} {example}.'
        )
    return float(number)
