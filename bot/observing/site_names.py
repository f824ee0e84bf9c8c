"""Reading of sites from free text: names in a row, as people call them, and places by their coordinates.

At each word the longest name that fits is taken: of the channel's own sites, then of the observatories, then
a place (`bot.observing.places`). What is left is never dropped: `UnknownSite` names it, with what it could be
(`other_names.csv`: names of several sites, of telescopes in space; cities; similar names).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from bot.observing.gazetteer import city_position, nearest_observatory, sites_of_country
from bot.observing.observatories import (
    GENERAL_WORDS,
    UnknownSite,
    find_observatory,
    find_own_site,
    join_with_or,
    name_keys,
    normalized_name,
    suggest_names,
    unknown_name,
)
from bot.observing.places import (
    InvalidPlace,
    Place,
    match_place,
    normalized_characters,
    refuse_decimal_commas,
)
from formatters.models.observing import Site

_MAX_NAME_WORDS = 8
_MAX_PROBLEMS = 3
"""Most names that one answer explains; it says how many more there are."""
_MAX_SUGGESTIONS = 4
_MAX_COUNTRY_SITES = 8
_MAX_TEXT = 600
"""The number of characters that are read; ten names need fewer."""
_SEPARATORS = re.compile(r"[\s,;/+&|·)\]]+")
_WORD = re.compile(r"[^\s,;/+&|·()\-]+")
_HARD_SEPARATOR = re.compile(r"[,;]")
_FILLERS = (GENERAL_WORDS - {"mt", "cerro"}) | {
    *("and", "or", "plus", "with", "from", "at", "in", "on", "for", "also", "then", "und", "et", "y")
}
"""Words between names that name nothing."""
_RADIO = re.compile(r"[\s,]+radio\b", re.IGNORECASE)
_LONE_NUMBER = re.compile(r"[+-]?\d[\d.]*\S{0,3}")


@dataclass(frozen=True, slots=True)
class OtherName:
    """A name that people use and that is no single site on the ground."""

    kind: str
    """ "several" sites have it, or it is a telescope in "space", or a detector that sees "all_sky"."""
    means: str
    sites: tuple[str, ...]
    """Listed observatories of which one may be meant; empty if there is none."""

    def sentence(self, asked: str) -> str:
        """Return the name's meaning, and what to type instead."""
        match self.kind:
            case "space":
                return (
                    f"“{asked}” is a telescope in space: it has no site on the ground, so no horizon and no"
                    " night to compute. Its own planner takes the event's region: /gwevent export moc."
                )
            case "all_sky":
                return f"“{asked}” sees the whole sky at any time: there is no window to compute."
        return f"“{asked}” is {self.means}: name one of {join_with_or(self.sites)}."


@cache
def _other_names() -> Mapping[str, OtherName]:
    table = files("bot.observing").joinpath("other_names.csv").read_text("utf-8")
    found: dict[str, OtherName] = {}
    for row in csv.DictReader(io.StringIO(table)):
        named = OtherName(row["kind"], row["means"], tuple(row["sites"].split(";")) if row["sites"] else ())
        for name in row["names"].split(";"):
            for key in name_keys(name):
                found.setdefault(key, named)
    return found


def find_other_name(name: str) -> OtherName | None:
    """Return the meaning of a name that is no single site on the ground; None for any other name."""
    known = _other_names()
    return next((known[key] for key in name_keys(name) if key in known), None)


def site_at(place: Place, *, name: str | None = None) -> Site:
    """Return the site at a place; without a height at sea level, which moves altitudes by less than 0.1°."""
    return Site(
        name=name or place.label,
        latitude=place.latitude,
        longitude=place.longitude,
        height=place.height or 0.0,
    )


def read_sites(text: str, own: Sequence[Site] = ()) -> tuple[Site, ...]:
    """Read all sites that a text names, each once, in its order; otherwise as `read_named_sites`."""
    return tuple(dict.fromkeys(site for _, site in read_named_sites(text, own)))


def read_named_sites(text: str, own: Sequence[Site] = ()) -> tuple[tuple[str, Site], ...]:
    """Read all sites that a text names, in its order, each with the words that name it.

    `own` are the channel's sites, which come before observatories of the same name. Raises UnknownSite, which
    names every part of the text that is no site; InvalidPlace for numbers that mean no one place.
    """
    text = normalized_characters(text)
    if len(text) > _MAX_TEXT:
        raise UnknownSite(f"That is too long: names of sites have at most {_MAX_TEXT} characters together.")
    refuse_decimal_commas(text)
    found: list[tuple[str, Site]] = []
    problems: list[_Unknown] = []
    position = 0
    while (position := _skip_separators(text, position)) < len(text):
        match = _match_site(text, position, own)
        filler = _WORD.match(text, position)
        if match is not None:
            site, end = match
            is_place = find_own_site(site.name, own) is None and find_observatory(site.name) is None
            if is_place and (radio := _RADIO.match(text, end)) is not None:
                # Of a named site it is known whether the Sun matters there.
                site, end = replace(site, radio=True), radio.end()
            found.append((text[position:end], site))
            position = end
        elif filler is not None and normalized_name(filler[0]) in _FILLERS:
            position = filler.end()
        elif text[position] in "([":
            position += 1
        else:
            problems.append(_explain_unknown(text, position, own))
            position = problems[-1].end
    if problems:
        raise _unknown_site(problems)
    return tuple(found)


def read_first_site(words: Sequence[str], own: Sequence[Site] = ()) -> tuple[Site, int]:
    """Read the one site with which a row of words begins; return it with how many of the words it takes.

    Raises UnknownSite, InvalidPlace.
    """
    text = normalized_characters(" ".join(words))
    refuse_decimal_commas(text)
    match = _match_site(text, 0, own) if text else None
    if match is None:
        raise _unknown_site([_explain_unknown(text, 0, own)]) if text else UnknownSite("Which site?")
    site, end = match
    if text[end : end + 1] not in ("", " "):
        raise UnknownSite(f"“{text[: end + 20]}” names more than one site, and a condition has one.")
    return site, len(text[:end].split(" "))


@dataclass(frozen=True, slots=True)
class _Unknown:
    """Words of a text that name no one site."""

    sentence: str
    end: int
    """End of the words in the text."""
    may_be_place: bool = True


def _unknown_site(problems: Sequence[_Unknown]) -> UnknownSite:
    sentences = [problem.sentence for problem in problems[:_MAX_PROBLEMS]]
    if len(problems) > _MAX_PROBLEMS:
        more = len(problems) - _MAX_PROBLEMS
        sentences.append(f"And {more} more {'is' if more == 1 else 'are'} no site that I know.")
    return UnknownSite(*sentences, may_be_place=any(problem.may_be_place for problem in problems))


def _skip_separators(text: str, position: int) -> int:
    """Return the beginning of the next word."""
    match = _SEPARATORS.match(text, position)
    return position if match is None else match.end()


def _match_site(text: str, start: int, own: Sequence[Site]) -> tuple[Site, int] | None:
    """Match the longest name or the place that begins here. Raises InvalidPlace."""
    named = _match_name(text, start, own)
    try:
        placed = match_place(text[start:])
    except InvalidPlace:
        # "Dome 2 34.2 -116.9" begins with a name; its numbers are judged when they are reached.
        if named is None:
            raise
        return named
    if placed is not None and (named is None or start + placed[1] > named[1]):
        place, length = placed
        return site_at(place), start + length
    return named


def _match_name(text: str, start: int, own: Sequence[Site]) -> tuple[Site, int] | None:
    """Match the longest name that begins here; a name that is no single site ends the search."""
    for end in _ends(text, start):
        name = text[start:end]
        site = find_own_site(name, own)
        if site is None and find_other_name(name) is not None:
            return None
        site = site or find_observatory(name)
        if site is not None:
            return site, end
    return None


def _ends(text: str, start: int) -> list[int]:
    """Return the ends of the runs of words that may be one name from `start` on, the longest first."""
    ends: list[int] = []
    for word in _WORD.finditer(text, start):
        if len(ends) == _MAX_NAME_WORDS or (ends and _HARD_SEPARATOR.search(text, ends[-1], word.start())):
            break
        ends.append(word.end())
    return ends[::-1]


def _explain_unknown(text: str, start: int, own: Sequence[Site]) -> _Unknown:
    """Explain the words from `start` on that name no site."""
    for end in _ends(text, start):
        other = find_other_name(text[start:end])
        if other is not None:
            return _Unknown(other.sentence(text[start:end]), end, may_be_place=False)
        elsewhere = _city_or_country(text[start:end])
        if elsewhere is not None:
            return _Unknown(elsewhere, end)
    end = _end_of_unknown(text, start, own)
    asked = text[start:end]
    if _LONE_NUMBER.fullmatch(asked):
        sentence = f"“{asked[:40]}” alone is no site: a place has latitude and longitude."
        return _Unknown(sentence, end)
    words = asked.split()[:_MAX_NAME_WORDS]
    each = [name for word in words for name in suggest_names(word, own)[:1]] if len(words) > 1 else []
    names = list(dict.fromkeys([*suggest_names(asked, own), *each]))
    return _Unknown(unknown_name(asked, names[:_MAX_SUGGESTIONS]), end)


def _city_or_country(name: str) -> str | None:
    """Return the sentence that this is a city or a country, with the sites near; None if it is neither."""
    city = city_position(name)
    if city is not None:
        nearest, distance = nearest_observatory(*city)
        return (
            f"“{name}” is a city, not an observatory; the nearest site I know is"
            f" {nearest.site.name}, {distance:,.0f} km away."
        )
    sites = sites_of_country(name)
    if sites is None:
        return None
    if not sites:
        return f"“{name}” is a country, and I know no site there."
    names = [site.name for site in sites[:_MAX_COUNTRY_SITES]]
    more = f" ({len(sites)} in all)" if len(sites) > len(names) else ""
    return f"“{name}” is a country: name a site there, such as {join_with_or(names)}{more}."


def _end_of_unknown(text: str, start: int, own: Sequence[Site]) -> int:
    """Return the end of the unknown words: before a separator, or before what is known."""
    end = start
    for word in _WORD.finditer(text, start):
        if end > start:
            between = text[end : word.start()]
            if _SEPARATORS.fullmatch(between) and between.strip():
                break
            if normalized_name(word[0]) in _FILLERS or _begins_known(text, word.start(), own):
                break
        end = word.end()
    # Nothing but signs: they are passed over one by one.
    return end if end > start else start + 1


def _begins_known(text: str, start: int, own: Sequence[Site]) -> bool:
    try:
        return _match_site(text, start, own) is not None or any(
            find_other_name(text[start:end]) is not None or _city_or_country(text[start:end]) is not None
            for end in _ends(text, start)
        )
    except InvalidPlace:
        return True
