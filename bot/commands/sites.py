"""`/gwevent sites`: the observing sites of a channel, the telescopes there, and their constraints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.commands.authorization import ChannelAuthorizer
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.telescope_words import (
    DEFAULT_EXPOSURE,
    DEFAULT_OVERHEAD,
    TelescopeWords,
    extract_telescope,
    site_without_telescope,
)
from bot.observing.instruments import Instruments
from bot.observing.observatories import UnknownSite, find_observatory, find_own_site, normalized_name
from bot.observing.places import (
    EXAMPLE_PLACE,
    InvalidPlace,
    Place,
    match_place,
    normalized_characters,
    refuse_decimal_commas,
)
from bot.observing.site_doubts import position_remark
from bot.observing.site_names import read_named_sites, read_sites, site_at
from bot.runtime.typed_text import normalize_typed_text
from bot.runtime.wakeups import Wakeups
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.sites import SiteRepository, TooManySites
from formatters.answers import observability
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import sanitize_line
from formatters.models.notice import canonical_id
from formatters.models.observing import SITE_NAME_MAX, SITES_MAX, ChannelSites, Site
from formatters.models.pointing import Telescope
from formatters.text import telescope_text

ALTITUDE_LIMITS = (0.0, 85.0)
"""Degrees above the horizon that a channel may set as the lowest altitude to observe at."""
DARKNESS_LIMITS = (-18.0, 0.0)
"""Degrees of the Sun's altitude below which a channel may count the sky as dark."""

_NUMBER = re.compile(r"[+-]?(\d{1,6}(\.\d{0,12})?|\.\d{1,12})", re.ASCII)
_IN_QUOTES = re.compile(r"^([\"'])(.*)\1$")
_WORD_STARTS = re.compile(r"(?<!\S)\S")
_ADD_EXAMPLE = "sites add MyDome 34.2 -116.9 1700"
_BY_PLACE = f"A place works by latitude and longitude: {EXAMPLE_PLACE}."
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
        instruments: Instruments,
    ) -> None:
        self._sites = sites
        self._authorizer = authorizer
        self._wakeups = wakeups
        self._clock = clock
        self._instruments = instruments

    async def answer(self, arguments: str, context: CommandContext) -> Message:
        """Make the change that is asked for, if any, and return the channel's sites.

        Raises CommandError, PermissionDenied, StoreUnavailable.
        """
        subcommand, _, words = normalize_typed_text(arguments).strip().partition(" ")
        match subcommand.casefold():
            case "":
                return observability.site_list(await self._sites.for_channel(*context.channel))
            case "add" | "edit" | "remove" | "altitude" | "darkness":
                return await self._change_sites(subcommand.casefold(), words.strip(), context)
        raise CommandError(
            f'"sites {subcommand[:40]}" is nothing I know. There are: sites, sites add Palomar,'
            f" {_ADD_EXAMPLE}, sites remove Palomar, sites altitude 25, sites darkness -12,"
            " sites add Palomar fov 47sqdeg exposure 3min overhead 1min."
        )

    async def _change_sites(self, subcommand: str, words: str, context: CommandContext) -> Message:
        """Change a channel's sites or constraints; the delivery worker posts the change in the channel."""
        author = await self._authorizer.authorize(context)
        channel, by = author.channel, ChangeAuthor(author.user_id, self._clock())
        before = await self._sites.for_channel(*channel)
        subcommand, words = self._removal_of_field(subcommand, words, before)
        match subcommand:
            case "add" | "edit":
                named, telescope = self._parse_addition(words, before, only_known=subcommand == "edit")
                new = tuple(dict.fromkeys(named.values()))
                given = () if telescope is None else (telescope,)
                try:
                    after = await self._sites.add(*channel, new, by, given)
                except TooManySites:
                    raise CommandError(
                        f"A channel has at most {SITES_MAX} sites, and this one has {len(before.sites)};"
                        " to remove one: /gwevent sites remove Palomar."
                    ) from None
                if telescope is None:
                    outcome = " ".join([_added(new, before), *_taken_for(named)])
                else:
                    outcome = self._added_with(telescope, new, before)
            case "remove_field":
                at = _find_custom_site(words, before.sites)
                if before.telescope_at(at.name) is None:
                    raise CommandError(f"{at.name} has no field of view here, so there is none to remove.")
                after = await self._sites.remove_telescope(*channel, at.name, by)
                outcome = f"{at.name} has no field of view any more; the site stays."
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

    def _removal_of_field(self, subcommand: str, words: str, before: ChannelSites) -> tuple[str, str]:
        """Return ("remove_field", site) where only the field of view of a site is to go; else the words."""
        if subcommand == "remove" and find_own_site(words, before.sites) is None:
            site = site_without_telescope(words)
            return (subcommand, words) if site is None else ("remove_field", site)
        if subcommand in ("add", "edit"):
            rest, said = extract_telescope(words, self._instruments)
            return ("remove_field", rest) if said.is_removed else (subcommand, words)
        return subcommand, words

    def _parse_addition(
        self, words: str, before: ChannelSites, *, only_known: bool
    ) -> tuple[Mapping[str, Site], Telescope | None]:
        """Parse new sites by their typed names, or one site with its telescope. Raises CommandError."""
        rest, said = extract_telescope(words, self._instruments)
        if not said and not only_known:
            return _parse_new_sites(words), None
        if only_known:
            site = _find_custom_site(rest, before.sites)
            if not said:
                raise CommandError(f"What of it? For example: {_telescope_example(site.name)}.")
        elif not rest:
            raise CommandError(f"Which site? For example: {_telescope_example('Palomar')}.")
        else:
            own = _own_site(rest, before.sites)
            site, *others = dict.fromkeys([own] if own is not None else _parse_new_sites(rest).values())
            if others:
                raise CommandError(f"A field of view belongs to one site: {_telescope_example(site.name)}.")
        at = find_own_site(site.name, before.sites)
        present = None if at is None else before.telescope_at(at.name)
        return {site.name: site}, _merge_telescope(site.name, said, present)

    def _added_with(self, telescope: Telescope, new: Sequence[Site], before: ChannelSites) -> str:
        """Return the answer to a change of a telescope."""
        is_known = find_own_site(telescope.site, before.sites) is not None
        said = (
            f"{telescope.site}: {telescope_text.telescope(telescope)}."
            if is_known
            else (f"{_added(new, before)} With a {telescope_text.telescope(telescope)}.")
        )
        instrument = self._instruments.find(telescope.footprint.words)
        if instrument is not None and instrument.fixed_fields:
            said += f" It points at {len(instrument.fixed_fields):,} fixed fields, and nowhere else."
        if instrument is not None and instrument.approximation:
            return f"{said} That is {instrument.approximation} ({instrument.source.rstrip('.')})."
        return said


def parse_site_names(text: str, own: Sequence[Site]) -> tuple[Site, ...]:
    """Parse names of sites and places in a row; the longest name that fits is taken.

    `own` are the channel's sites, which come before observatories of the same name. Raises CommandError for
    too many sites, for numbers that mean no one place, and for words that name no one site.
    """
    try:
        sites = read_sites(text, own)
    except UnknownSite as error:
        raise CommandError(f"{error} {_BY_PLACE}" if error.may_be_place else str(error)) from error
    except InvalidPlace as error:
        raise CommandError(str(error)) from error
    if len(sites) > SITES_MAX:
        raise CommandError(f"At most {SITES_MAX} sites at a time.")
    return sites


def _parse_new_sites(text: str) -> dict[str, Site]:
    """Parse observatories' names, or the name and position of one other site. Raises CommandError.

    Return each site under the name that was typed.
    """
    text = normalized_characters(text)
    if not text:
        raise CommandError(f'Which one? Name an observatory ("sites add Palomar"). {_HOW_TO_ADD}')
    try:
        refuse_decimal_commas(text)
        custom = _parse_custom_site(text)
        sites = {custom.name: custom} if custom is not None else dict(read_named_sites(text))
    except UnknownSite as error:
        raise CommandError(f"{error} {_HOW_TO_ADD}" if error.may_be_place else str(error)) from error
    except InvalidPlace as error:
        raise CommandError(str(error)) from error
    if not sites or len(set(sites.values())) > SITES_MAX:
        raise CommandError(f"At most {SITES_MAX} sites at a time." if sites else _HOW_TO_ADD)
    return sites


def _parse_custom_site(text: str) -> Site | None:
    """Parse "[NAME] PLACE [radio] [TIME ZONE]"; return None where there is no place.

    The first words that can begin the place do, if everything behind it is understood: a name may end in a
    number, as in "Dome 2 34.2 -116.9 1700". Raises CommandError, InvalidPlace.
    """
    problem: CommandError | InvalidPlace | None = None
    for start in _WORD_STARTS.finditer(text):
        try:
            matched = match_place(text[start.start() :])
            if matched is None:
                continue
            place, length = matched
            further = text[start.start() + length :].replace(",", " ").split()
            radio, zone = _parse_options(further)
        except (CommandError, InvalidPlace) as error:
            problem = problem or error
            continue
        if place.height is None:
            raise CommandError(
                f"A site's height is missing: metres behind the longitude, as in {EXAMPLE_PLACE}."
            )
        name = _IN_QUOTES.sub(r"\2", text[: start.start()].strip(" ,;"))
        return replace(site_at(place, name=_checked_name(name, place)), radio=radio, zone=zone)
    if problem is not None:
        raise problem
    return None


def _merge_telescope(site: str, said: TelescopeWords, before: Telescope | None) -> Telescope:
    """Return the telescope at a site after a change that names only some of its values.

    Raises CommandError without a field of view.
    """
    footprint = said.footprint or (None if before is None else before.footprint)
    if footprint is None:
        raise CommandError(
            f"{site} has no field of view yet, and exposure and overhead need one:"
            f" {_telescope_example(site)}."
        )
    exposure, overhead = (DEFAULT_EXPOSURE, DEFAULT_OVERHEAD)
    if before is not None:
        exposure, overhead = before.exposure, before.overhead
    return Telescope(
        site=site,
        footprint=footprint,
        exposure=exposure if said.exposure is None else said.exposure,
        overhead=overhead if said.overhead is None else said.overhead,
    )


def _telescope_example(site: str) -> str:
    return f"sites add {site} fov 47sqdeg exposure 3min overhead 1min"


def _checked_name(name: str, place: Place) -> str:
    """Return the name for a site, by default its place: "34.20N 116.90W". Raises CommandError."""
    if not name:
        return place.label
    if len(name) > SITE_NAME_MAX:
        raise CommandError(f"A site's name has at most {SITE_NAME_MAX} characters.")
    if not normalized_name(name) or canonical_id(name) is not None:
        raise CommandError("A site's name has letters or digits in it, and isn't an event's.")
    return sanitize_line(name)


def _parse_options(words: Sequence[str]) -> tuple[bool, str | None]:
    """Return whether "radio" is among the words, and the time zone, None without one. Raises CommandError."""
    zones = [word for word in words if word.casefold() not in ("radio", "optical")]
    if len(zones) > 1 or len(words) > 2:
        raise CommandError(_HOW_TO_ADD)
    radio = any(word.casefold() == "radio" for word in words)
    return radio, _parse_time_zone(zones[0]) if zones else None


def _added(new: Sequence[Site], before: ChannelSites) -> str:
    """Return what was added, what was there before, and of a place that was typed where it is."""
    added = [site.name for site in new if site not in before.sites]
    said = [f"{', '.join(added)} added, and in the messages from now on."] if added else []
    said += [f"{site.name} was here already." for site in new if site in before.sites]
    remarks = (position_remark(site) for site in new if find_observatory(site.name) != site)
    return " ".join([*said, *remarks])


def _taken_for(named: Mapping[str, Site]) -> list[str]:
    """Return lines on typed names that stand for sites of another name, and on how to add what was meant.

    A mountain or an instrument is known as one observatory there: "Mauna Kea" is Keck.
    """
    taken = {
        name: site
        for name, site in named.items()
        if find_observatory(site.name) == site and normalized_name(site.name) not in normalized_name(name)
    }
    said = [f"“{name[:40]}” was taken for {site.name}." for name, site in taken.items()]
    if taken:
        there = next(iter(taken.values()))
        said.append(
            "Another telescope there is added under a name of its own with its place, as in sites add MyScope"
            f" {there.latitude:.4f} {there.longitude:.4f} {there.height:.0f}."
        )
    return said


def _parse_time_zone(name: str) -> str:
    """Return the name of an IANA time zone as it is written. Raises CommandError."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandError(
            f'"{name[:40]}" is no time zone that I know; one reads like America/Los_Angeles.'
        ) from None


def _own_site(words: str, own: Sequence[Site]) -> Site | None:
    """Return the channel's site by its name, or by another name of the observatory; None if it has none."""
    known = find_observatory(words)
    return find_own_site(words, own) or (find_own_site(known.name, own) if known is not None else None)


def _find_custom_site(words: str, own: Sequence[Site]) -> Site:
    """Return the channel's site by its name, or by another name of the observatory. Raises CommandError."""
    found = _own_site(words, own)
    if found is None:
        has = ", ".join(site.name for site in own) or "none"
        if not words:
            raise CommandError(f"Which one? This channel's sites are: {has}.")
        raise CommandError(f"“{words[:40]}” is none of this channel's sites, which are: {has}.")
    return found


def _parse_degrees(subcommand: str, text: str, limits: tuple[float, float], example: str) -> float:
    """Parse an angle within limits (degrees, both included). Raises CommandError."""
    number = normalized_characters(text).rstrip("°").strip()
    low, high = limits
    if not _NUMBER.fullmatch(number) or not low <= float(number) <= high:
        raise CommandError(
            f'"sites {subcommand}" takes degrees from {low:g} to {high:g},'
            f" for example: sites {subcommand} {example}."
        )
    return float(number)
