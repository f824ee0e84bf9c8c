"""Names of counterpart candidates: which spellings are one name, and names made from positions."""

from __future__ import annotations

import re
from math import floor

from bot.runtime.typed_text import normalize_typed_text

NAME_MAX = 60
"""gwevent's own limit, in characters: longer names are cut."""

_TNS = re.compile(
    r"(?P<prefix>at|sn|tde)?[\s_-]*(?P<year>(?:19|20)\d\d)(?(prefix)\s?)(?P<letters>[a-z]{1,7})",
    re.IGNORECASE,
)
"""A designation of the Transient Name Server; its prefix changes when the transient is classified."""
_BETWEEN_NAMES = re.compile(r"[/=;,()\[\]|]|\ba\.?k\.?a\b\.?|\balias\b", re.IGNORECASE)
_ORDINAL = re.compile(
    r"(?:(?:xrt|xray|radio|optical|uv|nir|new|possible|source|src|candidate|cand|transient|counterpart"
    r"|object|obj|target|event|detection|galaxy|host|star|neutrino|number|id|no)+|[a-z])?[.#]?\d{1,3}[a-z]?"
)
"""A normalized name that only counts: common nouns and a small number.

A noun that is missing here makes one candidate of two messages' first sources; that their positions differ is
said. No rule of form tells such names from SSS17a or NGC 253.
"""
_SEPARATORS = re.compile(r"[\s_-]+")
_QUOTES = "\"'`*“”‘’.,:"


def normalize_name(name: str) -> str:
    """Return the one spelling in which names are compared; "" for what is no name.

    Case, blanks, underscores and hyphens don't count, except between two digits, where they separate numbers
    or are a sign of declination. "AT 2017gfo", "SN2017gfo" and "2017gfo" are one name.
    """
    text = normalize_typed_text(name[: 4 * NAME_MAX]).strip().strip(_QUOTES).strip()[:NAME_MAX].casefold()
    designation = _TNS.fullmatch(text)
    if designation is not None:
        return designation["year"] + designation["letters"]
    kept = _SEPARATORS.sub(lambda match: "-" if _is_between_digits(text, match) else "", text)
    return kept if any(character.isalnum() for character in kept) else ""


def is_tns_designation(normalized: str) -> bool:
    """Return whether a normalized name is a designation of the Transient Name Server ("2017gfo")."""
    match = _TNS.fullmatch(normalized)
    return match is not None and match["prefix"] is None


def is_ordinal(name: str) -> bool:
    """Return whether a name only numbers the sources of one list: "Source 1", "candidate #2", "C3", "4"."""
    return _ORDINAL.fullmatch(normalize_name(name)) is not None


def display_name(name: str) -> str:
    """Return a name as it is shown, not escaped: on one line, cut, a bare designation with its prefix."""
    text = " ".join(name.split()).strip(_QUOTES).strip()[:NAME_MAX].strip()
    designation = _TNS.fullmatch(text)
    if designation is None:
        return text
    prefix = designation["prefix"]
    return f"{'AT' if prefix is None else prefix.upper()}{designation['year']}{designation['letters']}"


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in "SSS17a = AT2017gfo" or "AT2017gfo (DLT17ck)", each once, in their order."""
    found: dict[str, str] = {}
    for part in _BETWEEN_NAMES.split(text[: 4 * NAME_MAX]):
        shown, key = display_name(part), normalize_name(part)
        if key:
            found.setdefault(key, shown)
    return tuple(found.values())


def name_from_position(ra: float, dec: float) -> str:
    """Return the name that a position (ICRS degrees) without one is called by: "J130948.0-232253".

    Its digits are cut, as the IAU recommends, not rounded.
    """
    # Tenths of seconds of time and seconds of arc; a billionth keeps 13h09m48s from becoming 13:09:47.9.
    tenths = floor(ra % 360 * 2_400 + 1e-6) % 864_000
    arcsec = min(floor(abs(dec) * 3_600 + 1e-6), 324_000)
    hours, rest = divmod(tenths, 36_000)
    minutes, seconds = divmod(rest, 600)
    degrees, below = divmod(arcsec, 3_600)
    sign = "-" if dec < 0 else "+"
    where = f"{hours:02d}{minutes:02d}{seconds // 10:02d}.{seconds % 10}"
    return f"J{where}{sign}{degrees:02d}{below // 60:02d}{below % 60:02d}"


def _is_between_digits(text: str, match: re.Match[str]) -> bool:
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    return before.isdigit() and after.isdigit()
