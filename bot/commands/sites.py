"""`/gwevent sites`: the observing sites of a channel and their constraints."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.commands.authorization import ChannelAuthorizer
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.observing.observatories import (
    UnknownSite,
    find_observatory,
    find_site,
    normalized_name,
    suggest_names,
)
from bot.runtime.typed_text import normalize_typed_text
from bot.runtime.wakeups import Wakeups
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.sites import SiteRepository, TooManySites
from formatters.answers import observability
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import sanitize_line
from formatters.models.notice import canonical_id
from formatters.models.observing import SITE_NAME_MAX, SITES_MAX, Site

MAX_HEIGHT_M = 8_900.0
MIN_HEIGHT_M = -500.0
"""Metres above sea level: from below the shore of the Dead Sea to above the summit of Everest."""
ALTITUDE_LIMITS = (0.0, 85.0)
"""Degrees above the horizon that a channel may set as the lowest altitude to observe at."""
DARKNESS_LIMITS = (-18.0, 0.0)
"""Degrees of the Sun's altitude below which a channel may count the sky as dark."""

_MAX_SITE_NAME_WORDS = SITE_NAME_MAX // 2
_NUMBER = re.compile(r"[+-]?(\d{1,6}(\.\d{0,12})?|\.\d{1,12})", re.ASCII)
_ADD_EXAMPLE = "sites add MyDome 34.2 -116.9 1700"
_HOW_TO_ADD = (
    f'Latitude, longitude (east positive) and height in metres make a site of your own: "{_ADD_EXAMPLE}",'
    ' with "radio" or a time zone such as America/Los_Angeles after them if you like.'
)


class SiteCommands:
    """Answers `sites`: lists a channel's sites, and changes them."""

    def __init__(
        self,
        sites: SiteRepository,
        authorizer: ChannelAuthorizer,
        wakeups: Wakeups,
        clock: Callable[[], datetime],
    ) -> None:
        self._sites = sites
        self._authorizer = authorizer
        self._wakeups = wakeups
        self._clock = clock

    async def answer(self, arguments: str, context: CommandContext) -> Message:
        """Make the change that is asked for, if any, and return the channel's sites.

        Raises CommandError, PermissionDenied, StoreUnavailable.
        """
        subcommand, _, words = normalize_typed_text(arguments).strip().partition(" ")
        match subcommand.casefold():
            case "":
                return observability.site_list(await self._sites.for_channel(*context.channel))
            case "add" | "remove" | "altitude" | "darkness":
                return await self._change_sites(subcommand.casefold(), words.strip(), context)
        raise CommandError(
            f'"sites {subcommand[:40]}" is nothing I know. There are: sites, sites add Palomar,'
            f" {_ADD_EXAMPLE}, sites remove Palomar, sites altitude 25, sites darkness -12."
        )

    async def _change_sites(self, subcommand: str, words: str, context: CommandContext) -> Message:
        """Change a channel's sites or constraints; the delivery worker posts the change in the channel."""
        author = await self._authorizer.authorize(context)
        channel, by = author.channel, ChangeAuthor(author.user_id, self._clock())
        before = await self._sites.for_channel(*channel)
        match subcommand:
            case "add":
                new = _parse_new_sites(words)
                try:
                    after = await self._sites.add(*channel, new, by)
                except TooManySites:
                    raise CommandError(
                        f"A channel has at most {SITES_MAX} sites, and this one has {len(before.sites)};"
                        " to remove one: /gwevent sites remove Palomar."
                    ) from None
                outcome = f"{', '.join(site.name for site in new)} added, and in the messages from now on."
            case "remove":
                removed = _find_custom_site(words, before.sites)
                after = await self._sites.remove(*channel, removed.name, by)
                outcome = f"{removed.name} removed."
            case "altitude":
                constraints = replace(
                    before.constraints, altitude=_parse_degrees(subcommand, words, ALTITUDE_LIMITS, "25")
                )
                after, outcome = await self._sites.set_conditions(*channel, constraints, by), "Changed."
            case _:
                constraints = replace(
                    before.constraints, darkness=_parse_degrees(subcommand, words, DARKNESS_LIMITS, "-12")
                )
                after, outcome = await self._sites.set_conditions(*channel, constraints, by), "Changed."
        self._wakeups.deliveries.set()
        return observability.site_list(after, outcome)


def parse_site_names(text: str, own: Sequence[Site]) -> tuple[Site, ...]:
    """Parse site names with blanks or commas between them; the longest name that fits is taken.

    `own` are the channel's sites, which come before observatories of the same name. Raises CommandError for
    too many sites, UnknownSite.
    """
    found: list[Site] = []
    for part in normalize_typed_text(text).split(","):
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
    """Parse observatories' names, or the name and position of one other site. Raises CommandError."""
    words = normalize_typed_text(text).replace(",", " ").split()
    if not words:
        raise CommandError(f'Which one? Name an observatory ("sites add Palomar"). {_HOW_TO_ADD}')
    # The last starts numbers in a row: a name may end in a number.
    starts = [i for i in range(len(words) - 2) if all(map(_NUMBER.fullmatch, words[i : i + 3]))]
    if starts:
        facts = words[starts[-1] :]
        return (
            _parse_custom_site(
                " ".join(words[: starts[-1]]) or _default_name(float(facts[0]), float(facts[1])), facts
            ),
        )
    try:
        return parse_site_names(text, ())
    except UnknownSite as error:
        raise CommandError(f"{error} {_HOW_TO_ADD}") from error


def _default_name(latitude: float, longitude: float) -> str:
    """Return a name for a site without one: "34.20N 116.90W"."""
    north, east = "S" if latitude < 0 else "N", "W" if longitude < 0 else "E"
    return f"{abs(latitude):.2f}{north} {abs(longitude):.2f}{east}"


def _parse_custom_site(name: str, facts: Sequence[str]) -> Site:
    """Parse latitude, longitude and height, and "radio" or a time zone. Raises CommandError."""
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
    """Return the name of an IANA time zone as it is written. Raises CommandError."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandError(
            f'"{name[:40]}" is no time zone that I know; one reads like America/Los_Angeles.'
        ) from None


def _find_custom_site(words: str, own: Sequence[Site]) -> Site:
    """Return the channel's site by its name, or by another name of the observatory. Raises CommandError."""
    mine = {normalized_name(site.name): site for site in own}
    known = find_observatory(words)
    found = mine.get(normalized_name(words)) or (
        mine.get(normalized_name(known.name)) if known is not None else None
    )
    if found is None:
        has = ", ".join(site.name for site in own) or "none"
        raise CommandError(f"“{words[:40]}” is none of this channel's sites, which are: {has}.")
    return found


def _parse_degrees(subcommand: str, text: str, limits: tuple[float, float], example: str) -> float:
    """Parse an angle within limits (degrees, both included). Raises CommandError."""
    number = normalize_typed_text(text).rstrip("°")
    low, high = limits
    if not _NUMBER.fullmatch(number) or not low <= float(number) <= high:
        raise CommandError(
            f'"sites {subcommand}" takes degrees from {low:g} to {high:g},'
            f" for example: sites {subcommand} {example}."
        )
    return float(number)
