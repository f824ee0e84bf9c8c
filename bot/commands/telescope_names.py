"""Which typed words are the name of a telescope, and which surely are none. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import cache

from bot.commands.observe_values import is_band_with_depth
from bot.commands.time_words import tells_time
from bot.counterparts.names import is_tns_designation, normalize_name
from bot.observing.gazetteer import city_position, sites_of_country
from bot.observing.instruments import built_in
from bot.observing.observatories import find_observatory, normalized_name

_DESIGNATION = re.compile(
    r"(?:grb|xrf|gw|frb|ngc|ugc|icecube|ep)[\s-]?\d{2,}\w*|(?:m|ic)[\s-]?\d{1,4}|[mt]?s\d{6}\w*|ztf\d\d[a-z]{5,}"
    r"|(?:[hlvk]1){1,4}|(?:o|er)\d{1,2}[a-d]?"
)
_NOUNS = """
    telescope telescopes scope instrument instruments camera cameras ccd cmos imager spectrograph filter
    filters detector detectors observatory dome site exposure exposures image images field fields pointing
    pointings ligo virgo kagra lvk lho llo hanford livingston gwevent slack gracedb gcn tns treasuremap aladin
    everybody everyone nobody somebody someone anybody us me him her them it hand chance accident purpose
    earth space ground sky home work europe africa asia america zenith horizon meridian target position
    cloud clouds luck success delay rain wind fog moonlight seeing airmass band depth magnitude mag
"""
_NO_TELESCOPES = frozenset(_NOUNS.split())
"""What else stands behind "with", "at", "on", "by" and "from" in a report."""

_ACRONYMS = frozenset(["not", "fast", "arc", "salt", "soar", "chime", "git", "int", "ing", "tug"])
"""Acronyms of telescopes that are words too, and are taken for the words unless all is in capitals."""
_WORDS = frozenset(
    ["magic", "muse", "wise", "winter", "clay", "lick", "vista", "hale", "stella", "shane", "alma"]
)
"""Names of telescopes that are words or people's too, and are taken for those in small letters."""
_PEOPLE = frozenset(["john", "wilson"])
"""Names of mountains that are people's too where "Mount" doesn't stand before them."""
_JOINT = re.compile(r",? and |, ?| ?[&+/] ?", re.IGNORECASE)
_NO_START = re.compile(
    r"(?:of|at|in|on|for|from|with|by|and|or|to|an?|observatory|telescope)\b", re.IGNORECASE
)
"""Words that count for nothing in a name, and begin none."""
_BEHIND_NAME = re.compile(r"(?:'s)?[\s,;:\u2013\u2014-]*$")
_MAX_NAME_WORDS = 4
_OWN_NAME_MIN = 3
"""Letters and digits of a site's name from which a sentence may begin with it."""

OwnNames = frozenset[str]
"""Names of a channel's own sites, normalized, by which its sentences name telescopes."""
NO_OWN_NAMES: OwnNames = frozenset()


def own_names(names: Iterable[str]) -> OwnNames:
    """Return the names of a channel's sites that a sentence can't mean anything else by.

    Left out are names such as "Dome" or "r", and those of which a sentence says whether they are meant as
    names ("FAST").
    """
    return frozenset(
        key
        for name in names
        if len(key := normalized_name(name)) >= _OWN_NAME_MIN
        and any(map(str.isalpha, key))
        and not is_telescope(name)
        and not (is_no_telescope(name) and city_position(name.casefold()) is None)
    )


def is_telescope(name: str, own: OwnNames = NO_OWN_NAMES) -> bool:
    """Return whether a name is that of an instrument or observatory that gwevent or the channel knows."""
    key = normalized_name(name)
    return bool(key) and (key in own or key in _instruments() or find_observatory(name) is not None)


def is_named_telescope(name: str, own: OwnNames = NO_OWN_NAMES) -> bool:
    """Return whether a name is a telescope's as it is written in a sentence: "FAST", but not "fast".

    A name that is a word too is taken for the word unless it has the capitals of a name.
    """
    return not _is_word(name) and is_telescope(name, own)


def is_doubtful_name(name: str) -> bool:
    """Return whether a telescope's name, at a sentence's start, may be the word or person of that name."""
    return name.casefold() in _ACRONYMS | _WORDS and not name.isupper()


def _is_word(name: str) -> bool:
    folded = name.casefold()
    return (
        (folded in _ACRONYMS and not name.isupper())
        or (folded in _WORDS and name == folded)
        or folded in _PEOPLE
    )


def is_no_telescope(word: str) -> bool:
    """Return whether a word that gwevent knows no telescope by surely names something else.

    Such are times, bands, cities and countries, objects on the sky, detectors of gravitational waves and
    their observing runs, and common nouns. A person's name can't be told from a telescope's.
    """
    folded = word.casefold().strip(" .,;:!?()'\"")
    return (
        tells_time(folded)
        or folded in _NO_TELESCOPES
        or is_band_with_depth(word)
        or _DESIGNATION.fullmatch(folded) is not None
        or is_tns_designation(normalize_name(word))
        or sites_of_country(folded) is not None
        or city_position(folded) is not None
    )


def telescopes_at_start(text: str, own: OwnNames = NO_OWN_NAMES) -> tuple[tuple[str, ...], str]:
    """Return the telescopes that a text begins with, as they are typed, and the text behind them.

    "ZTF and Palomar are down" begins with two. A word that isn't written like a name is none: "not", "Fast".
    """
    name, behind = _first_telescope(text, own)
    found: list[str] = []
    while name is not None:
        found.append(name)
        text = behind
        joint = _JOINT.match(text)
        name, behind = (None, "") if joint is None else _first_telescope(text[joint.end() :], own)
    return tuple(found), text


def _first_telescope(text: str, own: OwnNames) -> tuple[str | None, str]:
    """Return the longest name that a text begins with, and the text behind it; None where it has none."""
    start = re.match(r"(?:the |our )?", text, re.IGNORECASE)
    assert start is not None
    found: tuple[str | None, str] = None, text
    if _NO_START.match(text, start.end()):
        return found
    for word in itertools.islice(re.finditer(r"\S+", text[start.end() :]), _MAX_NAME_WORDS):
        typed = text[start.end() : start.end() + word.end()]
        name = _BEHIND_NAME.sub("", typed)
        # "Paranal mount is stuck": that is a part of it, as it is before Wilson only.
        if word[0].casefold() not in ("mount", "mt") and is_named_telescope(name, own):
            found = name, text[start.end() + len(name) :]
        if name != typed:
            break
    return found


@cache
def _instruments() -> frozenset[str]:
    return frozenset(normalized_name(name) for one in built_in() for name in (one.name, *one.aliases))
