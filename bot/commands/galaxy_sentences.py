"""Sentences that are about the galaxies in an event's volume. Pure."""

from __future__ import annotations

import re

_GALAXIES = re.compile(r"\bgalax(?:y|ies)\b", re.IGNORECASE)
_HOSTS = re.compile(r"\bhosts?\b|\b(?:glade|ned|ned-lvs)\b", re.IGNORECASE)
_COUNT = re.compile(r"\b(\d{1,4})\s+(?:[a-z-]+\s+){0,3}galax(?:y|ies)\b", re.IGNORECASE)
_FROM = re.compile(r"\bfrom\s+\S.*$", re.IGNORECASE)
_MAP_WORDS = ("map", "skymap", "picture", "image", "plot")
_WAYS = (
    (re.compile(r"\bcsv\b", re.IGNORECASE), "export csv"),
    (re.compile(r"\bds9\b", re.IGNORECASE), "export ds9"),
    (re.compile(r"\b(?:map|skymap|picture|image|plot)\b", re.IGNORECASE), "map"),
)


def read_galaxy_sentence(sentence: str, event_count: int) -> str | None:
    """Return the arguments of `galaxies` that a sentence asks for; None if it isn't about galaxies.

    "which 10 galaxies can we see from Palomar" is "10 from Palomar". A host alone is about galaxies only
    beside an event.
    """
    if not _GALAXIES.search(sentence) and not (event_count and _HOSTS.search(sentence)):
        return None
    way = next((words for pattern, words in _WAYS if pattern.search(sentence)), None)
    if way is not None:
        return way
    count, where = _COUNT.search(sentence), _FROM.search(sentence)
    return " ".join(filter(None, ("" if count is None else count[1], "" if where is None else where[0])))


def expand_galaxies(word: str, arguments: str) -> tuple[str, str] | None:
    """Return the command and arguments that "map galaxies", "export galaxies csv", "galaxies help" stand for.

    None if the words don't stand for another command.
    """
    folded = arguments.casefold().split()
    if word in ("galaxies", "galaxy"):
        return ("help", "galaxies") if folded[:1] == ["help"] else None
    about = [one for one in folded if one in ("galaxies", "galaxy")]
    if not about:
        return None
    rest = " ".join(one for one in arguments.split() if one.casefold() not in about)
    if word in _MAP_WORDS:
        return "galaxies", f"map {rest}".strip()
    if word in ("export", "download"):
        return "galaxies", f"export {rest}".strip()
    return ("galaxies", f"export {word} {rest}".strip()) if word in ("csv", "ds9") else None
