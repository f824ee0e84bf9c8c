"""Lenient parsers for single fields of a notice, whatever type they come in; nothing is guessed.

Each function returns None or an empty collection for a value that it can't use, and raises nothing except
where its docstring says so.
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
"""The longest text that is kept, in characters."""
MAX_NAME_LENGTH = 64
MAX_ENTRIES = 50
"""The most classes, properties, instruments or urls that are kept; every message shows each of them."""
MAX_COINCIDENCES = 20
"""The most coincidences that are kept of one notice; LVK's notices have one."""

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
    """Return a text that databases and Slack accept: without NUL and lone surrogates."""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def single_mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping, or the only element of a list if it is one; empty for any other value."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, Mapping) else {}


def urls(value: object) -> dict[str, str]:
    """Return names with their URLs."""
    pairs = list(single_mapping(value).items())[:MAX_ENTRIES]
    return {name: url for name, url in pairs if isinstance(url, str)}


def name(value: object) -> str:
    """Return a name without surrounding spaces; empty if the value is no text."""
    return value.strip() if isinstance(value, str) else ""


def gcn_notice_id(value: object) -> str | None:
    """Return a trigger's id as text; it is an integer until schema 1.2, and may be a string since 1.3."""
    return value if isinstance(value, str) else _number_as_text(value)


def _number_as_text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else None
    # Python refuses to convert an integer of thousands of digits.
    return str(value) if abs(value) < 10**MAX_NAME_LENGTH else None


def instruments(value: object) -> tuple[str, ...]:
    """Return the detectors of a list or a comma-separated text."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        return ()
    return tuple(one.strip() for one in names if isinstance(one, str) and one.strip())[:MAX_ENTRIES]


def number(value: object, low: float = -math.inf) -> float | None:
    """Return a finite number of at least `low`, also from a text such as "1.5e-9"."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) and value >= low else None


def probability(value: object) -> float | None:
    """Return a number from 0 to 1; values outside by a rounding error are clipped."""
    value = number(value, low=-_ROUNDING_TOLERANCE)
    return None if value is None or value > 1 + _ROUNDING_TOLERANCE else min(max(value, 0.0), 1.0)


def probabilities(value: object) -> dict[str, float]:
    """Return names with their probabilities, without those whose value is none."""
    parsed = {name: probability(value) for name, value in list(single_mapping(value).items())[:MAX_ENTRIES]}
    return {name: value for name, value in parsed.items() if value is not None}


def mass_bins(value: object) -> MassBins | None:
    """Return a histogram of chirp mass (solar masses) if its edges and probabilities are complete."""
    bins = single_mapping(value)
    edges, values = bins.get("bin_edges"), bins.get("probabilities")
    if not isinstance(edges, list) or not isinstance(values, list):
        return None
    masses = [mass for edge in edges if (mass := number(edge, low=0)) is not None]
    parts = [part for value in values if (part := probability(value)) is not None]
    complete = len(masses) == len(edges) == len(parts) + 1 == len(values) + 1
    if not complete or not parts or masses != sorted(set(masses)):
        return None
    return MassBins(bin_edges=tuple(masses), probabilities=tuple(parts))


def unread_fields(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of an event's fields that are given and can't be used: "classification.BNS", "far".

    A field of probabilities that isn't a mapping is named as a whole, "classification". A missing or null
    field, and an empty one of probabilities, isn't unread; a null among probabilities is.
    """
    unread = []
    for key in ("classification", "properties"):
        value = event.get(key)
        mapping = single_mapping(value)
        if value and not mapping:
            unread.append(key)
        unread += [
            f"{key}.{sanitize_text(str(name)[:MAX_NAME_LENGTH])}"
            for name, one in list(mapping.items())[:MAX_ENTRIES]
            if probability(one) is None
        ]
    for key in ("far", "duration", "central_frequency"):
        if event.get(key) is not None and number(event[key], low=0) is None:
            unread.append(key)
    if event.get("mchirp_source") and mass_bins(event["mchirp_source"]) is None:
        unread.append("mchirp_source")
    return tuple(unread)


def flag(mapping: Mapping[str, Any], key: str) -> tuple[bool, str | None]:
    """Return a boolean, and the raw text if the value can't be understood: then the boolean is True.

    A missing key counts as True: the notices of 2022 had no `significant`, and all of them were significant.
    """
    if key not in mapping:
        return True, None
    value = mapping[key]
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return value, None
    word = value.strip().casefold() if isinstance(value, str) else (_number_as_text(value) or "")
    if word in _TRUE_WORDS or word in _FALSE_WORDS:
        return word in _TRUE_WORDS, None
    return True, "null" if value is None else sanitize_text(value[:MAX_NAME_LENGTH]) if isinstance(
        value, str
    ) else (word or f"a {type(value).__name__}")


def time(value: object) -> datetime | None:
    """Parse ISO 8601 with T or a blank and any fraction of a second; without a zone it is UTC.

    The second 60, of a leap second or rounded up, counts as the first of the next minute, as in Unix time.
    """
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    zone = match["zone"] or "Z"
    zone = "+00:00" if zone.upper() in ("Z", "UTC") else zone
    fraction = f"{match['fraction'] or '0':0<6.6}"
    leap = match["second"] == "60"
    second = "59" if leap else match["second"]
    try:
        parsed = datetime.fromisoformat(f"{match['date']}T{match['time']}{second}.{fraction}{zone}")
        return (parsed + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def file_bytes(value: object) -> bytes:
    """Return the bytes of a map's FITS file, decoded if they are base64 text. Raises UnreadableMap."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise UnreadableMap("The map is neither bytes nor base64 text.")
    try:
        text = value.encode("ascii")
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            # Broken into lines, as in mail.
            return base64.b64decode(text.translate(None, _WHITESPACE), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableMap("The map isn't valid base64.") from None
