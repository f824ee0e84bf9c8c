"""The fields that the decoders of all streams share: lines of text, ids of superevents, positions, times.

Every function takes values of any JSON type and returns None, or an empty text or tuple, for what it can't
use. Field names are those of GCN's unified schema (nasa-gcn/gcn-schema, gcn/notices/core).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.alerts import fields
from bot.alerts.payload import Record, UndecodablePayload
from formatters.models.notice import SUPEREVENT_ID, canonical_id, parse_event_id
from formatters.models.related_message import ReportedPosition

MAX_LINE = 1_000
"""The longest subject, author or title that is kept, in characters."""
MAX_NAME = 100
"""The longest name of a source that is kept, in characters."""
MAX_EVENTS = 20
"""The most superevents that one message names."""
MAX_POSITIONS = 200
"""The most positions that are kept of one message."""
MAX_REDSHIFT = 20.0

DEFAULT_CONTAINMENT = 0.9
"""Containment of an error circle that states none (gcn/notices/core/Localization.schema.json)."""

REAL_TENSES = frozenset({"", "current", "archival"})
"""Values of `alert_tense` that speak of the sky; test, injection, mock, planned, commanded and any other
doesn't."""

_ID_IN_TEXT = re.compile(
    rf"(?<![A-Za-z0-9])(?i:{SUPEREVENT_ID.pattern.replace('+)', '{1,12})')})(?![A-Za-z0-9])", re.ASCII
)
_UNUSUAL_ID = re.compile(r"(?P<category>[MT]?)(?:S|GW|G|E)\d[\w.]{0,60}", re.ASCII)
_COLLABORATION_BEFORE = re.compile(r"(?:LIGO|Virgo|KAGRA|LVK|LVC|GW)[A-Za-z/]{0,20}[ #:]{1,3}", re.IGNORECASE)
_ADDRESS = re.compile(r"\S@\S")
_FITS_HEADS = (b"SIMPLE  =", b"\x1f\x8b")

_YEARS = (1990, 2100)
_JULIAN_DATES = (2_400_000.5, 2_600_000.0)
_MODIFIED_JULIAN_DATES = (47_892.0, 88_069.0)
_JULIAN_OFFSET = 2_400_000.5
_MODIFIED_JULIAN_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


def line(value: object, limit: int = MAX_LINE) -> str:
    """Return a text as one printable line without mail addresses; empty for any other value.

    Blanks, line ends and tabs become one blank; control and direction characters are left out.
    """
    if not isinstance(value, str):
        return ""
    text = unicodedata.normalize("NFC", fields.sanitize_text(value[: 4 * limit]))
    printable = "".join(one if one.isprintable() else " " if one.isspace() else "" for one in text)
    words = (word for word in printable.split() if not _ADDRESS.search(word))
    return " ".join(words)[:limit].rstrip()


def mapping(value: object) -> Record:
    """Return a mapping as it is; empty for any other value."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object, limit: int) -> list[Record]:
    """Return the mappings of a list, or the value itself if it is one; at most `limit` of them."""
    listed = value if isinstance(value, list | tuple) else [value]
    return [one for one in listed[:limit] if isinstance(one, Mapping)]


def texts(value: object, limit: int = MAX_NAME) -> tuple[str, ...]:
    """Return the lines in a text, a number or a list of them, at most 20; without the empty ones."""
    listed = value if isinstance(value, list | tuple) else [value]
    found = (line(fields.gcn_notice_id(one), limit) for one in listed[:MAX_EVENTS])
    return tuple(one for one in found if one)


def ids_in_text(text: str) -> tuple[str, ...]:
    """Return the canonical ids in a text that have LVK's usual form ("LVK S230914ak", "ms181101ab"), each
    once."""
    found = dict.fromkeys(canonical_id(match[0]) for match in _ID_IN_TEXT.finditer(text))
    return tuple(one for one in found if one is not None)[:MAX_EVENTS]


def superevent_ids(value: object, *, is_lvk: bool) -> tuple[str, ...]:
    """Return the ids of LVK's events in a field that names an event.

    Ids in LVK's usual form are found wherever they stand: "S230914ak", "LVK s230914AK", "GW S230914ak",
    "S230914ak-2-Preliminary". One in another form ("S1234") counts only alone or behind the name of the
    collaboration, and with `is_lvk`: that the field, or a field beside it, says that the event is LVK's.
    """
    text = line(value)
    found = ids_in_text(text)
    if found or not is_lvk:
        return found
    prefix = _COLLABORATION_BEFORE.match(text)
    name = text[prefix.end() if prefix else 0 :]
    unusual = parse_event_id(name) if _UNUSUAL_ID.fullmatch(name) else None
    return () if unusual is None else (unusual,)


def is_about_the_sky(record: Record) -> bool:
    """Return False for a test, an injection or anything else that is no observation, by `alert_tense`."""
    tense = record.get("alert_tense")
    return tense is None or line(tense).casefold() in REAL_TENSES


def message_key(record: Record, key: str) -> str:
    """Return the key of a message whose versions share `key`: a test never takes a real message's place."""
    if is_about_the_sky(record):
        return key
    return f"{line(record.get('alert_tense'), MAX_NAME) or 'no observation'}: {key}"


def without_real_events(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of mocks and tests: a message that is itself a test says nothing of a real event."""
    return tuple(one for one in ids if one[:1] in ("M", "T"))


def is_retraction(record: Record) -> bool:
    """Return True for the value "retraction" of `alert_type`."""
    return line(record.get("alert_type")).casefold() in ("retraction", "retracted")


def sent_time(record: Record, received: datetime | None, *fallbacks: str) -> datetime:
    """Return when a notice was sent: `alert_datetime`, else when it was received, else what `fallbacks` name.

    Raises UndecodablePayload if there is none.
    """
    stated = first_time(record, "alert_datetime", "datetime_of_notice") or received
    found = stated or first_time(record, *fallbacks)
    if found is None:
        raise UndecodablePayload("The message has no usable alert_datetime.")
    return found


def first_time(record: Record, *keys: str) -> datetime | None:
    """Return the time of the first of these fields that has a usable one."""
    given = (plausible_time(fields.time(record.get(key))) for key in keys)
    return next((time for time in given if time is not None), None)


def plausible_time(time: datetime | None) -> datetime | None:
    """Return a time of the years in which messages are sent; the year 9999 would stand above all others."""
    return time if time is not None and _YEARS[0] <= time.year <= _YEARS[1] else None


def observation_time(value: object) -> datetime | None:
    """Return a time from ISO 8601 with a time of day, from a Julian or from a modified Julian date, UTC.

    A date alone is none: it wouldn't tell before the merger from after it.
    """
    stated = plausible_time(fields.time(value))
    if stated is not None:
        return stated
    date = fields.number(value)
    if date is None:
        return None
    if _JULIAN_DATES[0] <= date <= _JULIAN_DATES[1]:
        date -= _JULIAN_OFFSET
    if not _MODIFIED_JULIAN_DATES[0] <= date <= _MODIFIED_JULIAN_DATES[1]:
        return None
    return _MODIFIED_JULIAN_EPOCH + timedelta(days=date)


@dataclass(frozen=True, slots=True)
class Circle:
    """An error circle as sent: radius in degrees, and the probability in it; None where it isn't said."""

    radius: float | None
    containment: float | None


def error_circle(record: Record) -> Circle:
    """Return the error circle of a localization; that of an ellipse has its semi-major axis.

    `ra_dec_error` is a radius, or a list of the ellipse's semi-axes and its angle; `position_a_error` is an
    older name.
    """
    given = record.get("ra_dec_error", record.get("position_a_error"))
    axes = given[:2] if isinstance(given, list | tuple) else [given]
    sizes = [size for axis in axes if (size := fields.number(axis, low=0)) is not None]
    radius = max(sizes, default=None)
    if radius is None or not 0 < radius <= 180:
        return Circle(None, None)
    if record.get("containment_probability") is None:
        return Circle(radius, DEFAULT_CONTAINMENT)
    return Circle(radius, fields.probability(record["containment_probability"]))


def right_ascension(value: object) -> float | None:
    """Return degrees, 0 ≤ ra < 360; 360 itself is 0."""
    degrees = fields.number(value, low=0)
    if degrees is None or degrees > 360:
        return None
    return 0.0 if degrees == 360 else degrees


def declination(value: object) -> float | None:
    """Return degrees, −90 to 90."""
    degrees = fields.number(value, low=-90)
    return None if degrees is None or degrees > 90 else degrees


def redshift(value: object) -> float | None:
    """Return a redshift that gives a distance, above 0 and at most 20."""
    found = fields.number(value, low=0)
    return None if not found or found > MAX_REDSHIFT else found


def positive(value: object) -> float | None:
    """Return a finite number above 0."""
    found = fields.number(value, low=0)
    return found or None


def position(
    record: Record, *, name: str = "", time: datetime | None = None, magnitude: str = ""
) -> ReportedPosition | None:
    """Return the position of a localization in GCN's schema, in degrees; None without usable `ra`, `dec`."""
    ra, dec = right_ascension(record.get("ra")), declination(record.get("dec"))
    if ra is None or dec is None:
        return None
    circle = error_circle(record)
    z = redshift(record.get("redshift"))
    return ReportedPosition(
        ra=ra,
        dec=dec,
        name=name,
        radius=circle.radius,
        containment=circle.containment,
        redshift=z,
        redshift_error=None if z is None else positive(record.get("redshift_error")),
        time=time,
        magnitude=magnitude,
    )


def looks_like_fits(file: bytes) -> bool:
    """Return True for a FITS file, plain or gzipped, by its first bytes; it isn't opened."""
    return file.startswith(_FITS_HEADS)


def count(value: object) -> int | None:
    """Return a whole number of at least 0."""
    found = fields.number(value, low=0)
    return int(found) if found is not None and found == math.floor(found) and found < 1e9 else None
