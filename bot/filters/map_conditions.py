"""Parses the conditions that ask the sky map: a position, an observing site, a distance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from bot.filters.token_reader import TokenReader, in_own_unit
from bot.filters.tokens import FilterSyntaxError, Token
from bot.filters.vocabulary import ANGLES, UNITS, VALUE, VOCABULARY
from bot.skymaps.coordinates import InvalidPosition, parse_position
from formatters.models.filter import (
    DEFAULT_MIN_MAP_PROBABILITY,
    DEFAULT_MIN_PROBABILITY,
    ConeQuery,
    DistanceQuery,
    Filter,
    Near,
    Op,
    SiteQuery,
    VisibleFrom,
    Within,
)

SiteNameResolver = Callable[[Sequence[str]], tuple[str, int]]
"""Returns the canonical name of the site that a row of words begins with, and how many of them it takes.

Raises ValueError with a sentence that says what is wrong and what may be meant.
"""

_QUOTES = '"“”„'
_MAX_SITE_WORDS = 12
"""Words that may name a site: a name with latitude and longitude in degrees, minutes and seconds."""
_WITHIN_EXAMPLE = "within 200Mpc>0.5"


def parse_near(reader: TokenReader, word: Token) -> Filter:
    """Parse what follows `near`: a position, a radius, and a probability."""
    words = reader.peek_words(12)
    try:
        ra, dec, used = parse_position(words)
    except InvalidPosition as error:
        raise FilterSyntaxError(f"{word.quoted}: {error}") from error
    reader.position += used
    at = reader.current
    match = reader.accept_pattern(VALUE, 2)
    angle = None if match is None else ANGLES.get(match["unit"] or "")
    if at is None or match is None or angle is None:
        raise FilterSyntaxError(f"{word.quoted} needs a radius after the position, like 5deg or 30arcmin.")
    radius = round(float(match["value"]) * angle, 6)
    if not 0 < radius <= 180:
        raise FilterSyntaxError(f"{at.quoted} is no radius: more than 0, at most 180 degrees.")
    op, probability = reader.read_probability_limit((Op.GT, DEFAULT_MIN_MAP_PROBABILITY))
    return Near(ConeQuery(round(ra, 6) % 360, round(dec, 6), radius), op, probability)


def parse_visible(reader: TokenReader, word: Token, sites: SiteNameResolver | None) -> Filter:
    """Parse what follows `visible`: "from", a site, and a probability."""
    if not reader.accept("from") or not reader.peek_words(1):
        raise FilterSyntaxError(f"{word.quoted} needs a site, like visible from Palomar.")
    words = reader.peek_words(_MAX_SITE_WORDS)
    name, used = words[0], 1
    is_quoted = words[0][0] in _QUOTES and words[0][-1] in _QUOTES
    if is_quoted:
        name = words[0][1:-1].strip()
    elif words[0][0] in _QUOTES:
        assert reader.current is not None, "it has words"
        raise FilterSyntaxError(f"{reader.current.quoted} opens a name and doesn't close it.")
    if sites is not None:
        try:
            name, used = sites(name.split() if is_quoted else words)
        except ValueError as error:
            raise FilterSyntaxError(str(error)) from error
        if is_quoted and used < len(words[0][1:-1].split()):
            raise FilterSyntaxError(f"{words[0][:60]} is more than one site: write a condition for each.")
    used = 1 if is_quoted else used
    if not name:
        raise FilterSyntaxError(f"{word.quoted} needs a site, like visible from Palomar.")
    reader.position += used
    if sites is not None:
        _refuse_another_site(reader, sites)
    op, probability = reader.read_probability_limit((Op.GT, DEFAULT_MIN_MAP_PROBABILITY))
    return VisibleFrom(SiteQuery(name), op, probability)


def _refuse_another_site(reader: TokenReader, sites: SiteNameResolver) -> None:
    """Raise FilterSyntaxError in "visible from Palomar and Keck": one condition has one site."""
    start = reader.position
    joined = reader.accept("and", "or")
    words = reader.peek_words(_MAX_SITE_WORDS)
    reader.position = start
    if not words or words[0].casefold() in VOCABULARY:
        return
    try:
        _, used = sites(words)
    except ValueError:
        return  # a condition, or a word that is judged as one
    another = " ".join(words[:used])
    logic = "or" if joined is None else joined.normalized
    raise FilterSyntaxError(
        f'"{another[:40]}" is another site: write {logic} visible from {another[:40]} for it.'
    )


def parse_within(reader: TokenReader, word: Token) -> Filter:
    """Parse what follows `within`: a distance with its unit, and a probability."""
    at = reader.current
    match = reader.accept_pattern(VALUE, 2)
    if at is None or match is None:
        raise FilterSyntaxError(f"{word.quoted} needs a distance, like {_WITHIN_EXAMPLE}.")
    unit = match["unit"] or ""
    if unit not in UNITS["Mpc"] or not unit:
        shown = match["value"][:40]
        raise FilterSyntaxError(f"{word.quoted} needs a unit at the distance, like within {shown}Mpc>0.5.")
    limit = in_own_unit(match["value"], unit, "Mpc")
    if not 0 < limit < math.inf:
        raise FilterSyntaxError(f"{at.quoted} is no distance above 0, as in {_WITHIN_EXAMPLE}.")
    op, probability = reader.read_probability_limit((Op.GT, DEFAULT_MIN_PROBABILITY))
    return Within(DistanceQuery(limit), op, probability)
