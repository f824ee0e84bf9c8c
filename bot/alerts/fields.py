"""One field of a notice, of whatever type it came: what can be understood, and nothing guessed.

Each function returns None (or an empty collection) for what it can't use, and raises nothing.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.skymaps.errors import UnreadableMap
from formatters.models.notice import MassBins

MAX_TEXT_LENGTH = 4096
"""Characters of a text that is carried."""
MAX_NAME_LENGTH = 64
MAX_ENTRIES = 50
"""Classes, properties, instruments, addresses: of more the first, for each is said in every message."""
MAX_COINCIDENCES = 20
"""Of one notice; LVK's have one."""

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d:)(?P<second>\d\d)(?:\.(?P<fraction>\d+))?"
    r" ?(?P<zone>[Zz]|UTC|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,5})?", re.ASCII)
_WHITESPACE = b" \t\n\r\v\f"
_ROUNDING_TOLERANCE = 1e-3
_TRUE_WORDS = frozenset({"true", "yes", "1", "1.0", "t", "y", "on", "significant"})
_FALSE_WORDS = frozenset({"false", "no", "0", "0.0", "f", "n", "off", "insignificant", "not significant"})


def sanitize_text(value: str) -> str:
    """A text as both a database and Slack take it: without NUL, and without half a surrogate pair."""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def single_mapping(given: object) -> Mapping[str, Any]:
    """A mapping; the one in a list that holds nothing else; empty for whatever else there is."""
    if isinstance(given, list | tuple) and len(given) == 1:
        given = given[0]
    return given if isinstance(given, Mapping) else {}


def urls(given: object) -> dict[str, str]:
    """Names with their addresses."""
    pairs = list(single_mapping(given).items())[:MAX_ENTRIES]
    return {name: url for name, url in pairs if isinstance(url, str)}


def name(given: object) -> str:
    """A name; empty where it is no text."""
    return given.strip() if isinstance(given, str) else ""


def gcn_notice_id(given: object) -> str | None:
    """A trigger's number: an integer until schema 1.2, then also a text."""
    return given if isinstance(given, str) else _number_as_text(given)


def _number_as_text(given: object) -> str | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if isinstance(given, float):
        return repr(given) if math.isfinite(given) else None
    # Python refuses to write what has thousands of digits.
    return str(given) if abs(given) < 10**MAX_NAME_LENGTH else None


def instruments(given: object) -> tuple[str, ...]:
    """Detectors, as a list or in one text."""
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list | tuple):
        return ()
    return tuple(one.strip() for one in names if isinstance(one, str) and one.strip())[:MAX_ENTRIES]


def number(given: object, low: float = -math.inf) -> float | None:
    """A finite number not below `low`; written out in a text it is one too."""
    if isinstance(given, str) and _NUMBER.fullmatch(given.strip()):
        given = float(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    try:
        value = float(given)
    except OverflowError:
        return None
    return value if math.isfinite(value) and value >= low else None


def probability(given: object) -> float | None:
    """A number from 0 to 1, rounding forgiven."""
    value = number(given, low=-_ROUNDING_TOLERANCE)
    return None if value is None or value > 1 + _ROUNDING_TOLERANCE else min(max(value, 0.0), 1.0)


def probabilities(given: object) -> dict[str, float]:
    """Names with their probabilities; what has none is left out."""
    read = {name: probability(value) for name, value in list(single_mapping(given).items())[:MAX_ENTRIES]}
    return {name: value for name, value in read.items() if value is not None}


def mass_bins(given: object) -> MassBins | None:
    """A histogram, if it is a whole one."""
    bins = single_mapping(given)
    edges, values = bins.get("bin_edges"), bins.get("probabilities")
    if not isinstance(edges, list) or not isinstance(values, list):
        return None
    masses = [mass for edge in edges if (mass := number(edge, low=0)) is not None]
    shares = [share for value in values if (share := probability(value)) is not None]
    whole = len(masses) == len(edges) == len(shares) + 1 == len(values) + 1
    if not whole or not shares or masses != sorted(set(masses)):
        return None
    return MassBins(bin_edges=tuple(masses), probabilities=tuple(shares))


def flag(said: Mapping[str, Any], key: str) -> tuple[bool, str | None]:
    """A flag of yes or no, and what it says where that can't be understood: then it counts as yes.

    The notices of 2022 had no such key, and all of them were significant ones.
    """
    if key not in said:
        return True, None
    given = said[key]
    if isinstance(given, list | tuple) and len(given) == 1:
        given = given[0]
    if isinstance(given, bool):
        return given, None
    word = given.strip().casefold() if isinstance(given, str) else (_number_as_text(given) or "")
    if word in _TRUE_WORDS or word in _FALSE_WORDS:
        return word in _TRUE_WORDS, None
    return True, "null" if given is None else sanitize_text(given[:MAX_NAME_LENGTH]) if isinstance(
        given, str
    ) else (word or f"a {type(given).__name__}")


def time(given: object) -> datetime | None:
    """Read ISO 8601 with T or a blank, to any fraction of a second; without a zone it is UTC.

    The second 60, a leap second's or one rounded up, is the first of the next minute, as in Unix time.
    """
    match = _TIME.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None:
        return None
    zone = match["zone"] or "Z"
    zone = "+00:00" if zone.upper() in ("Z", "UTC") else zone
    fraction = f"{match['fraction'] or '0':0<6.6}"
    leap = match["second"] == "60"
    second = "59" if leap else match["second"]
    try:
        read = datetime.fromisoformat(f"{match['date']}T{match['time']}{second}.{fraction}{zone}")
        return (read + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def file_bytes(given: object) -> bytes:
    """The bytes of a map's file: as such in Avro, base64 in JSON. Raises UnreadableMap."""
    if isinstance(given, bytes):
        return given
    if not isinstance(given, str):
        raise UnreadableMap("The map is neither bytes nor base64 text.")
    try:
        text = given.encode("ascii")
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            # In lines, as mail has it.
            return base64.b64decode(text.translate(None, _WHITESPACE), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableMap("The map isn't valid base64.") from None
