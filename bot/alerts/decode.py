"""A payload's bytes to a Notice.

LVK's schema and its history are known here and nowhere else: `igwn-gwalert-schema` 1.0 to 1.3, the forms
of 2022, and what gwcelery really sends. A field that can't be used becomes None and stays readable in
`published`; a notice is refused only where its id, type or times, or a candidate's event, are missing.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from bot.alerts.record import (
    AVRO_MAGIC,
    MAX_PAYLOAD,
    Record,
    UndecodablePayload,
    read_record,
    record_of,
    salvage_id,
)
from bot.alerts.skymap import SkyMap, UnreadableMap, localize, read, share_inside
from formatters.notice import (
    RETRACTION,
    STAGES,
    Event,
    ExternalCoincidence,
    Localization,
    MassBins,
    Notice,
    canonical_id,
)

__all__ = [
    "AVRO_MAGIC",
    "MAX_PAYLOAD",
    "UndecodablePayload",
    "decode",
    "notice_of",
    "record_of",
    "sky_maps",
]

SIGN_TURNED = datetime(2025, 1, 17, tzinfo=UTC)
"""From here on (gwcelery 2.6.0) `time_difference` is external minus GW; before, it was GW minus external."""
HAND_MADE = "MS181101ab"
"""The user guide's samples, older than SIGN_TURNED by their dates, have always said external minus GW."""

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?"
    r" ?(?P<zone>[Zz]|UTC|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_BLANKS = b" \t\n\r\v\f"
_ROUNDING = 1e-3
_MAX_DEPTH = 20
_MAX_TEXT = 4096
_MAX_NAME = 64
_MOST_NAMES = 50
"""Classes, properties, instruments, addresses: of more the first, for each is said in every message."""


def decode(body: bytes) -> Notice:
    """Return the notice in a payload: Avro container or JSON, with its maps measured.

    Raises UndecodablePayload, with the superevent's id if the payload lets one be known. A map that
    can't be read doesn't fail the notice; its `map_problem` says why.
    """
    try:
        return notice_of(read_record(body))
    except UndecodablePayload as problem:
        found = problem.superevent_id or salvage_id(body)
        raise UndecodablePayload(problem.reason, found) from None


def sky_maps(body: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the FITS files in a payload, the GW map and the combined one; None where it has none.

    Raises UndecodablePayload if the payload is no notice at all, and UnreadableMap if a map is no file.
    """
    record = read_record(body)
    found = []
    for holder, key in (("event", "skymap"), ("external_coinc", "combined_skymap")):
        given = _mapping(record.get(holder)).get(key)
        found.append(None if given is None else _map_bytes(given))
    return found[0], found[1]


def notice_of(record: Record) -> Notice:
    """Return the notice in a record that was already parsed, with its maps measured.

    Raises UndecodablePayload, with the superevent's id if the record has one.
    """
    published = _published(record)
    superevent_id = _superevent_id(published)
    alert_type = _alert_type(published, superevent_id)
    time_created = _time(published.get("time_created"))
    if time_created is None:
        raise UndecodablePayload("The notice has no usable time_created.", superevent_id)
    event = _event(published.get("event"), alert_type, superevent_id)
    gw_map, localization, map_problem = _measured(record.get("event"), "skymap")
    return Notice(
        superevent_id=superevent_id,
        alert_type=alert_type,
        time_created=time_created,
        urls=_urls(published.get("urls")),
        event=event,
        external=_external(record, published, gw_map, turned=_turned(superevent_id, time_created)),
        localization=localization,
        map_problem=map_problem,
        published=published,
    )


def _superevent_id(published: Mapping[str, Any]) -> str:
    given = published.get("superevent_id")
    found = canonical_id(given) if isinstance(given, str) else None
    if found is None:
        raise UndecodablePayload("The notice has no usable superevent_id.")
    return found


def _alert_type(published: Mapping[str, Any], superevent_id: str) -> str:
    given = published.get("alert_type")
    if not isinstance(given, str) or not 0 < len(given.strip()) <= _MAX_NAME:
        raise UndecodablePayload("The notice has no usable alert_type.", superevent_id)
    upper = given.strip().upper()
    # 2022 wrote EARLY_WARNING.
    joined = upper.replace("_", "")
    return joined if joined in STAGES else upper


def _turned(superevent_id: str, time_created: datetime) -> bool:
    return time_created < SIGN_TURNED and superevent_id != HAND_MADE


def _event(given: object, alert_type: str, superevent_id: str) -> Event | None:
    time = _time(given.get("time")) if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or time is None:
        if alert_type in STAGES and alert_type != RETRACTION:
            raise UndecodablePayload(
                f"The {alert_type} notice has no event with a usable time.", superevent_id
            )
        return None
    return Event(
        time=time,
        far=_number(given.get("far"), low=0),
        # The notices of 2022 had no such key, and all of them were significant ones.
        significant=given["significant"] if isinstance(given.get("significant"), bool) else True,
        instruments=_instruments(given.get("instruments")),
        group=_name(given.get("group")),
        pipeline=_name(given.get("pipeline")),
        search=_name(given.get("search")),
        classification=_probabilities(given.get("classification")),
        properties=_probabilities(given.get("properties")),
        duration=_number(given.get("duration"), low=0),
        central_frequency=_number(given.get("central_frequency"), low=0),
        mchirp_source=_mass_bins(given.get("mchirp_source")),
    )


def _external(
    record: Record, published: Mapping[str, Any], gw_map: SkyMap | None, *, turned: bool
) -> ExternalCoincidence | None:
    given = published.get("external_coinc")
    if not isinstance(given, Mapping):
        return None
    combined, localization, map_problem = _measured(record.get("external_coinc"), "combined_skymap")
    ivorn = given.get("ivorn")
    difference = _number(given.get("time_difference"))
    overlap = None if gw_map is None or combined is None else share_inside(gw_map, combined, 0.9)
    return ExternalCoincidence(
        observatory=_name(given.get("observatory")),
        search=_name(given.get("search")),
        gcn_notice_id=_notice_id(given.get("gcn_notice_id")),
        ivorn=ivorn if isinstance(ivorn, str) else None,
        time_difference=0.0 - difference if turned and difference is not None else difference,
        time_coincidence_far=_number(given.get("time_coincidence_far"), low=0),
        time_sky_position_coincidence_far=_number(given.get("time_sky_position_coincidence_far"), low=0),
        localization=localization,
        map_problem=map_problem,
        overlap=overlap,
    )


def _measured(holder: object, key: str) -> tuple[SkyMap | None, Localization | None, str | None]:
    """Return the map under a key of event or external_coinc, what was measured on it, and why it wasn't."""
    given = holder.get(key) if isinstance(holder, Mapping) else None
    if given is None:
        return None, None, None
    try:
        skymap = read(_map_bytes(given))
        return skymap, localize(skymap), None
    except UnreadableMap as problem:
        return None, None, problem.reason


def _map_bytes(given: object) -> bytes:
    if isinstance(given, bytes):
        return given
    if not isinstance(given, str):
        raise UnreadableMap("The map is neither bytes nor base64 text.")
    try:
        return base64.b64decode(given.encode("ascii").translate(None, _BLANKS), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableMap("The map isn't valid base64.") from None


def _published(record: Record) -> dict[str, Any]:
    """Return the record as JSON values, without its maps."""
    maps = {"event": "skymap", "external_coinc": "combined_skymap"}
    return {
        _text(str(key)[:_MAX_TEXT]): _plain(
            {name: field for name, field in value.items() if name != maps[key]}
            if key in maps and isinstance(value, Mapping)
            else value
        )
        for key, value in record.items()
    }


def _plain(value: object, depth: int = 0) -> Any:
    """Return a value as JSON can carry it: what can't be is told in words, what is huge by its size."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return _text(value) if len(value) <= _MAX_TEXT else f"({len(value):,} characters)"
        case bytes():
            return base64.b64encode(value).decode() if len(value) <= _MAX_TEXT else f"({len(value):,} bytes)"
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping() | list() | tuple() if depth >= _MAX_DEPTH:
            return "(nested too deeply)"
        case Mapping():
            return {_text(str(key)[:_MAX_TEXT]): _plain(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner, depth + 1) for inner in value]
        case _:
            # Avro's decimals and UUIDs
            return _text(str(value))


def _text(value: str) -> str:
    # Neither a database nor Slack takes NUL or half a surrogate pair.
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _mapping(given: object) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}


def _urls(given: object) -> dict[str, str]:
    pairs = list(_mapping(given).items())[:_MOST_NAMES]
    return {name: url for name, url in pairs if isinstance(url, str)}


def _name(given: object) -> str:
    return given.strip() if isinstance(given, str) else ""


def _notice_id(given: object) -> str | None:
    # An integer until schema 1.2, then also a string.
    usable = isinstance(given, int | str) and not isinstance(given, bool)
    return str(given) if usable else None


def _instruments(given: object) -> tuple[str, ...]:
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list):
        return ()
    return tuple(name.strip() for name in names if isinstance(name, str) and name.strip())[:_MOST_NAMES]


def _number(given: object, low: float = -math.inf) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    try:
        number = float(given)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= low else None


def _probability(given: object) -> float | None:
    number = _number(given, low=-_ROUNDING)
    return None if number is None or number > 1 + _ROUNDING else min(max(number, 0.0), 1.0)


def _probabilities(given: object) -> dict[str, float]:
    read = {name: _probability(value) for name, value in list(_mapping(given).items())[:_MOST_NAMES]}
    return {name: value for name, value in read.items() if value is not None}


def _mass_bins(given: object) -> MassBins | None:
    bins = _mapping(given)
    edges, probabilities = bins.get("bin_edges"), bins.get("probabilities")
    if not isinstance(edges, list) or not isinstance(probabilities, list):
        return None
    masses = [mass for edge in edges if (mass := _number(edge, low=0)) is not None]
    shares = [share for value in probabilities if (share := _probability(value)) is not None]
    whole = len(masses) == len(edges) == len(shares) + 1 == len(probabilities) + 1
    if not whole or not shares or masses != sorted(set(masses)):
        return None
    return MassBins(bin_edges=tuple(masses), probabilities=tuple(shares))


def _time(given: object) -> datetime | None:
    """Read ISO 8601 with T or a blank, to any fraction of a second; without a zone it is UTC."""
    match = _TIME.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None:
        return None
    zone = match["zone"] or "Z"
    zone = "+00:00" if zone.upper() in ("Z", "UTC") else zone
    fraction = f"{match['fraction'] or '0':0<6.6}"
    try:
        return datetime.fromisoformat(f"{match['date']}T{match['time']}.{fraction}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
