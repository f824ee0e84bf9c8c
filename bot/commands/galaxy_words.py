"""Parse the words after `galaxies`: how many, from which sites, or how to export them. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.commands.errors import CommandError
from bot.commands.night_words import OTHER_NIGHT, parse_night_words
from bot.commands.sites import parse_site_names
from bot.commands.understanding import unexplained_words
from bot.runtime.typed_text import normalize_typed_text
from bot.skymap_service.galaxy_ranking import MAX_RANKED
from formatters.answers.galaxies import MAX_ROWS
from formatters.models.observing import Site


class GalaxyVerb(StrEnum):
    """The actions of `galaxies`."""

    LIST = "list"
    CSV = "csv"
    DS9 = "ds9"
    MAP = "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyWords:
    """The parsed words after `galaxies`."""

    verb: GalaxyVerb = GalaxyVerb.LIST
    count: int | None = None
    """How many; None if no number is said."""
    sites: tuple[Site, ...] = ()
    """The sites that are named; empty if none is."""
    altitude: float | None = None
    """Minimum altitude in degrees, if one is named."""


_EXPORTS = {
    **dict.fromkeys(("csv", "table"), GalaxyVerb.CSV),
    **dict.fromkeys(("ds9", "reg", "region", "regions"), GalaxyVerb.DS9),
}
_VERBS = {
    **_EXPORTS,
    **dict.fromkeys(("map", "skymap", "picture", "image", "plot"), GalaxyVerb.MAP),
    **dict.fromkeys(("show", "list"), GalaxyVerb.LIST),
}
_FILLERS = frozenset(
    ("galaxy", "galaxies", "host", "hosts", "as", "top", "first", "best", "volume", "catalogue", "catalog")
)
MARKED = 10
"""Galaxies that the picture marks, at most."""
_MOST = {GalaxyVerb.CSV: MAX_RANKED, GalaxyVerb.DS9: MAX_RANKED, GalaxyVerb.MAP: MARKED}
_FROM = re.compile(r"(?:^|\s)(?:from|at)\s+(?=\S)", re.IGNORECASE)
_COUNT = re.compile(r"[+-]?\d+(?:\.\d*)?", re.ASCII)
_EXAMPLES = (
    "galaxies, galaxies 30, galaxies from Palomar, galaxies export csv, galaxies export ds9, map galaxies"
)


def read_words(arguments: str, own: Sequence[Site]) -> GalaxyWords:
    """Parse the words after `galaxies`; `own` are the channel's sites. Raises CommandError."""
    text = " ".join(normalize_typed_text(arguments).split())
    named: tuple[Site, ...] = ()
    altitude = None
    if OTHER_NIGHT.search(text):
        raise CommandError(
            "galaxies is about this night and the next: galaxies from Palomar, without a date."
        )
    where = _FROM.search(text)
    if where is None:
        words, text = parse_night_words(text)
        altitude = words.altitude
    else:
        head, place = text[: where.start()], text[where.end() :]
        words, names = parse_night_words(place)
        altitude = words.altitude
        trailing = re.fullmatch(r"(?P<names>.*?),? (?:top |first )?(?P<count>\d+)", names)
        # "from Palomar 30"; "from 34.2 -116.9" is a place.
        if trailing is not None and not any(map(str.isdigit, trailing["names"])):
            names, head = trailing["names"], f"{head} {trailing['count']}"
        named, text = parse_site_names(names, own), head
        if not named:
            raise CommandError('From where? Name a site: "galaxies from Palomar".')
    found = GalaxyWords(sites=named, altitude=altitude)
    return _read_rest(text, found)


def _read_rest(text: str, found: GalaxyWords) -> GalaxyWords:
    verb, count, is_export = found.verb, None, False
    for word in text.casefold().replace(",", " ").split():
        if word in ("export", "download"):
            is_export = True
        elif is_export and not _belongs_to_export(word):
            raise CommandError(f'"{word[:40]}": galaxies are exported as csv or ds9: galaxies export csv.')
        elif word in _VERBS:
            verb = _VERBS[word]
        elif _COUNT.fullmatch(word):
            if count is not None:
                raise CommandError("How many galaxies? One number, please: galaxies 30.")
            count = word
        elif word not in _FILLERS and unexplained_words(word):
            near = difflib.get_close_matches(word, [*_VERBS, "export"], n=1, cutoff=0.7)
            meant = f" Did you mean galaxies {near[0]}?" if near else ""
            raise CommandError(f'"galaxies {word[:40]}" is nothing I know.{meant} There are: {_EXAMPLES}.')
    if is_export and verb not in (GalaxyVerb.CSV, GalaxyVerb.DS9):
        raise CommandError("As what? galaxies export csv, or galaxies export ds9.")
    return replace(found, verb=verb, count=None if count is None else _read_count(count, verb))


def _belongs_to_export(word: str) -> bool:
    return (
        word in _EXPORTS
        or word in _FILLERS
        or _COUNT.fullmatch(word) is not None
        or not unexplained_words(word)
    )


def _read_count(word: str, verb: GalaxyVerb) -> int:
    most = _MOST.get(verb, MAX_ROWS)
    if word.isdecimal() and 1 <= int(word[:10]) <= most:
        return int(word)
    match verb:
        case GalaxyVerb.LIST:
            does = f"one answer lists 1 to {most} galaxies: galaxies {most}; more: galaxies export csv"
        case GalaxyVerb.MAP:
            does = f"the picture marks 1 to {most} galaxies: map galaxies {most}"
        case _:
            does = f"an export has 1 to {most:,} galaxies: galaxies export {verb} 30"
    raise CommandError(f'"{word[:20]}": {does}.')
