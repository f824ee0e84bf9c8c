"""Decoding of HERMES' messages (topics `hermes.*` on Hopskotch).

The schema is that of LCOGT/hermes (hermes/serializers.py): `title`, `submitter`, `authors`, `topic`,
`message_text` and `data` with `event_id`, `targets`, `photometry`. What is sent has neither an id nor a time
of its own: hop has them in headers. Every field is taken as optional.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime

from bot.alerts.payload import Record, UndecodablePayload
from bot.related_messages.message_fields import (
    MAX_NAME,
    MAX_POSITIONS,
    declination,
    first_time,
    line,
    mapping,
    mappings,
    positive,
    redshift,
    right_ascension,
    superevent_ids,
    without_real_events,
)
from bot.related_messages.photometry import Brightness, brightness_by_source
from bot.setting_types.topics import is_test_topic
from formatters.models.related_message import MessageKind, RelatedMessage, ReportedPosition, Stream

DEGREES = {
    "degrees": 1.0,
    "degree": 1.0,
    "deg": 1.0,
    "arcmin": 1 / 60,
    "arcsec": 1 / 3600,
    "mas": 1 / 3_600_000,
}
"""Units of errors in degrees."""
MEGAPARSECS = {
    "cm": 3.2407792894443648e-25,
    "m": 3.2407792894443648e-23,
    "km": 3.2407792894443648e-20,
    "au": 4.84813681109536e-12,
    "ly": 3.0660139378555057e-7,
    "pc": 1e-6,
    "kpc": 1e-3,
    "mpc": 1.0,
    "gpc": 1e3,
}
"""Units of distances in Mpc, by their names in lower case (IAU 2015 B2: 1 pc = 648,000/π au)."""

_SEXAGESIMAL = re.compile(
    r"(?P<sign>[+-]?)(?P<first>\d{1,3})(?P<unit>[:hd° ]) ?(?P<minutes>\d{1,2})(?:[:m' ′] ?"
    r"(?P<seconds>\d{1,2}(?:\.\d{0,12})?)[s\"″]?)?",
    re.ASCII,
)


def decode_hermes(record: Record, received: datetime | None) -> RelatedMessage:
    """Decode a message of HERMES; `received` stands in for the time that it doesn't have.

    Messages of a topic for tests name mocks and tests only. Raises UndecodablePayload.
    """
    title = line(record.get("title"))
    data = mapping(record.get("data"))
    if not title and not data:
        raise UndecodablePayload("The HERMES message has neither a title nor data.")
    ids = superevent_ids(data.get("event_id"), is_lvk=False)
    if is_test_topic(line(record.get("topic"), MAX_NAME)):
        ids = without_real_events(ids)
    withdrawn = record.get("retracted") is True
    brightness = brightness_by_source(data.get("photometry"))
    found = (_position(target, brightness) for target in mappings(data.get("targets"), MAX_POSITIONS))
    positions = tuple(one for one in found if one is not None)
    return RelatedMessage(
        stream=Stream.HERMES,
        key=line(record.get("uuid"), MAX_NAME) or _digest(record),
        created=_sent(record, received, brightness),
        superevent_ids=ids,
        kind=MessageKind.CANDIDATES if positions else MessageKind.REPORT,
        subject=title or "HERMES message without a title",
        author=line(record.get("authors")) or line(record.get("submitter")),
        is_retracted=withdrawn,
        positions=() if withdrawn else positions,
    )


def _sent(record: Record, received: datetime | None, brightness: dict[str, Brightness]) -> datetime:
    stated = first_time(record, "published", "modified", "created") or received
    if stated is not None:
        return stated
    detections = [one.first_detection for one in brightness.values() if one.first_detection is not None]
    if not detections:
        raise UndecodablePayload("The HERMES message has no time of its own.")
    return max(detections)


def _digest(record: Record) -> str:
    """Return a digest in place of a missing id: a repeat has the same, anything else another."""
    parts = [record.get(key) for key in ("topic", "title", "submitter", "authors", "message_text", "data")]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _position(target: Record, brightness: dict[str, Brightness]) -> ReportedPosition | None:
    ra, dec = _ra_degrees(target.get("ra")), _dec_degrees(target.get("dec"))
    if ra is None or dec is None:
        return None
    name = line(target.get("name", target.get("target_name")), MAX_NAME)
    seen = brightness.get(name, Brightness())
    z = redshift(target.get("redshift")) or redshift(target.get("host_redshift"))
    unit = MEGAPARSECS.get(line(target.get("distance_units"), MAX_NAME).casefold())
    distance = positive(target.get("distance"))
    error = positive(target.get("distance_error"))
    has_distance = unit is not None and distance is not None
    return ReportedPosition(
        ra=ra,
        dec=dec,
        name=name,
        radius=_radius(target),
        redshift=z,
        distance=distance * unit if unit is not None and distance is not None else None,
        distance_error=error * unit if has_distance and unit is not None and error is not None else None,
        time=seen.first_detection,
        magnitude=seen.newest,
    )


def _radius(target: Record) -> float | None:
    """Return the larger of both errors in degrees; what share of sources it holds isn't said."""
    sizes = []
    for axis in ("ra", "dec"):
        size = positive(target.get(f"{axis}_error"))
        unit = DEGREES.get(line(target.get(f"{axis}_error_units", "degrees"), MAX_NAME).casefold())
        if size is not None and unit is not None:
            sizes.append(size * unit)
    radius = max(sizes, default=None)
    return radius if radius is not None and radius <= 180 else None


def _ra_degrees(value: object) -> float | None:
    """Return degrees from degrees or, as HERMES reads it, hours, minutes and seconds ("13:09:48.1")."""
    degrees = right_ascension(value)
    if degrees is not None or not (match := _sexagesimal(value)):
        return degrees
    per_unit = 1 if match["unit"] in "d°" else 15
    total = _total(match)
    return None if total is None or match["sign"] == "-" else right_ascension(total * per_unit)


def _dec_degrees(value: object) -> float | None:
    """Return degrees from degrees, or from degrees, minutes and seconds ("-23:22:53")."""
    degrees = declination(value)
    if degrees is not None or not (match := _sexagesimal(value)) or match["unit"] == "h":
        return degrees
    total = _total(match)
    return None if total is None else declination(-total if match["sign"] == "-" else total)


def _sexagesimal(value: object) -> re.Match[str] | None:
    return _SEXAGESIMAL.fullmatch(line(value, MAX_NAME).replace("\u2212", "-"))


def _total(match: re.Match[str]) -> float | None:
    minutes, seconds = int(match["minutes"]), float(match["seconds"] or 0)
    return None if minutes >= 60 or seconds >= 60 else int(match["first"]) + minutes / 60 + seconds / 3600
