"""A payload's bytes to a Notice.

LVK's schema and its history are known here and in `bot.alerts.fields`: `igwn-gwalert-schema` 1.0 to 1.3, the
forms of 2022, and what gwcelery really sends. A field that can't be used becomes None and stays readable in
`published`; a notice is refused only where its id, type or times, or a candidate's event, are missing.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from bot.alerts import fields
from bot.alerts.digest import MAP_KEYS, record_digest
from bot.alerts.payload import (
    MAX_PAYLOAD_BYTES,
    Record,
    UndecodablePayload,
    read_record,
    recover_superevent_id,
    unwrap_record,
)
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.fits_table import MAX_UNPACKED_BYTES, read_table
from bot.skymaps.skymap import (
    MAX_TILES,
    SkyMap,
    localize,
    probability_inside,
    sky_map_from_table,
)
from formatters.models.notice import (
    ALERT_TYPES,
    ID_MAX,
    RETRACTION,
    Event,
    ExternalCoincidence,
    Localization,
    Notice,
    parse_event_id,
)

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "UndecodablePayload",
    "decode",
    "extract_sky_maps",
    "notice_from_record",
    "unwrap_record",
]

TIME_DIFFERENCE_SIGN_CHANGE = datetime(2025, 1, 17, tzinfo=UTC)
"""From here on (gwcelery 2.6.0) `time_difference` is external minus GW; before, it was GW minus external."""
USER_GUIDE_SAMPLE_ID = "MS181101ab"
"""The user guide's samples, older than SIGN_TURNED by their dates, have always said external minus GW."""

MAX_TILES_OF_ADDITIONAL_MAPS = 2**17
"""Of all maps beyond a notice's first combined one, together: each costs as much as the first."""

_MAX_DEPTH = 20


def decode(body: bytes) -> Notice:
    """Return the notice in a payload: Avro container or JSON, with its maps measured.

    Raises UndecodablePayload, with the superevent's id if the payload lets one be known. A map that
    can't be read doesn't fail the notice; its `map_problem` says why.
    """
    try:
        return notice_from_record(read_record(body))
    except UndecodablePayload as problem:
        found = problem.superevent_id or recover_superevent_id(body)
        raise UndecodablePayload(problem.reason, found) from None


def extract_sky_maps(body: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the FITS files in a payload, the GW map and the combined one; None where it has none.

    Of several combined maps it is the one that `Notice.external` measures. Raises UndecodablePayload if the
    payload is no notice at all, and UnreadableMap if a map is no file.
    """
    record = read_record(body)
    given = fields.single_mapping(record.get("event")).get("skymap")
    said = _coincidences(record.get("external_coinc"))
    ranked = [said[place].get("combined_skymap") for place in _indices_by_far(said)]
    combined = [one for one in ranked if one is not None]
    room = _MapBudget()
    if len(combined) > 1:
        room.measure(given)
        combined = [
            one
            for number, one in enumerate(combined)
            if room.measure(one, additional=number > 0).skymap is not None
        ][:1] or combined
    return (
        None if given is None else fields.file_bytes(given),
        fields.file_bytes(combined[0]) if combined else None,
    )


def content_digest(body: bytes) -> str | None:
    """Return the digest of what a payload says, as `Notice.content` has it; None if it is no notice."""
    try:
        return record_digest(read_record(body), _MapBudget().digest)
    except UndecodablePayload:
        return None


def notice_from_record(record: Record) -> Notice:
    """Return the notice in a record that was already parsed, with its maps measured.

    Raises UndecodablePayload, with the superevent's id if the record has one.
    """
    published = _json_without_maps(record)
    superevent_id = _superevent_id(record.get("superevent_id"))
    alert_type = _alert_type(published, superevent_id)
    time_created = fields.time(published.get("time_created"))
    if time_created is None:
        raise UndecodablePayload("The notice has no usable time_created.", superevent_id)
    event = _event(published.get("event"), alert_type, superevent_id)
    room = _MapBudget()
    gw = room.measure(fields.single_mapping(record.get("event")).get("skymap"))
    turned = _external_sign_is_inverted(superevent_id, time_created)
    said = _coincidences(published.get("external_coinc"))
    maps = [one.get("combined_skymap") for one in _coincidences(record.get("external_coinc"))]
    # What says most has its map measured first.
    combined = {
        place: room.measure(maps[place], additional=number > 0)
        for number, place in enumerate(_indices_by_far(said))
    }
    coincidences = [
        _coincidence(one, gw.skymap, combined[place], turned=turned) for place, one in enumerate(said)
    ]
    # One with a map that was read, else that of the lowest joint FAR.
    mapped = (place for place in combined if combined[place].localization is not None)
    at = next(mapped, next(iter(combined), 0))
    external = coincidences.pop(at) if coincidences else None
    return Notice(
        superevent_id=superevent_id,
        alert_type=alert_type,
        time_created=time_created,
        urls=fields.urls(published.get("urls")),
        event=event,
        external=external,
        more_external=tuple(coincidences),
        external_at=at,
        localization=gw.localization,
        map_problem=gw.problem,
        published=published,
        content=record_digest(record, room.digest),
    )


def _superevent_id(given: object) -> str:
    found = parse_event_id(given)
    if found is None:
        # As far as it can be read it is told to the channels.
        said = given if isinstance(given, str) else fields.gcn_notice_id(given) or ""
        readable = parse_event_id("".join(c for c in said[: 10 * ID_MAX] if c.isprintable())[:ID_MAX])
        raise UndecodablePayload("The notice has no usable superevent_id.", readable)
    return found


def _alert_type(published: Mapping[str, Any], superevent_id: str) -> str:
    given = published.get("alert_type")
    if not isinstance(given, str) or not 0 < len(given.strip()) <= fields.MAX_NAME_LENGTH:
        raise UndecodablePayload("The notice has no usable alert_type.", superevent_id)
    upper = given.strip().upper()
    # 2022 wrote EARLY_WARNING.
    joined = upper.replace("_", "")
    return joined if joined in ALERT_TYPES else upper


def _external_sign_is_inverted(superevent_id: str, time_created: datetime) -> bool:
    return time_created < TIME_DIFFERENCE_SIGN_CHANGE and superevent_id != USER_GUIDE_SAMPLE_ID


def _event(given: object, alert_type: str, superevent_id: str) -> Event | None:
    said = fields.single_mapping(given)
    time = fields.time(said.get("time"))
    if time is None:
        if alert_type in ALERT_TYPES and alert_type != RETRACTION:
            raise UndecodablePayload(
                f"The {alert_type} notice has no event with a usable time.", superevent_id
            )
        return None
    significant, unread = fields.flag(said, "significant")
    return Event(
        time=time,
        far=fields.number(said.get("far"), low=0),
        significant=significant,
        flag_unread=unread,
        instruments=fields.instruments(said.get("instruments")),
        group=fields.name(said.get("group")),
        pipeline=fields.name(said.get("pipeline")),
        search=fields.name(said.get("search")),
        classification=fields.probabilities(said.get("classification")),
        properties=fields.probabilities(said.get("properties")),
        duration=fields.number(said.get("duration"), low=0),
        central_frequency=fields.number(said.get("central_frequency"), low=0),
        mchirp_source=fields.mass_bins(said.get("mchirp_source")),
    )


def _coincidences(given: object) -> list[Mapping[str, Any]]:
    """What a notice names in external_coinc: nothing, one, or (as LVK may come to do) a list of them."""
    listed = given if isinstance(given, list | tuple) else [given]
    return [one for one in listed if isinstance(one, Mapping)][: fields.MAX_COINCIDENCES]


def _indices_by_far(said: Sequence[Mapping[str, Any]]) -> list[int]:
    """The places of coincidences in the notice, by rising joint FAR; those that give none last."""

    def rank(place: int) -> float:
        both = fields.number(said[place].get("time_sky_position_coincidence_far"), low=0)
        time_alone = fields.number(said[place].get("time_coincidence_far"), low=0)
        return next((far for far in (both, time_alone) if far is not None), math.inf)

    return sorted(range(len(said)), key=rank)


def _coincidence(
    given: Mapping[str, Any], gw_map: SkyMap | None, combined: _MeasuredMap, *, turned: bool
) -> ExternalCoincidence:
    ivorn = given.get("ivorn")
    difference = fields.number(given.get("time_difference"))
    overlap = None
    if gw_map is not None and combined.skymap is not None:
        overlap = probability_inside(gw_map, combined.skymap, 0.9)
    return ExternalCoincidence(
        observatory=fields.name(given.get("observatory")),
        search=fields.name(given.get("search")),
        gcn_notice_id=fields.gcn_notice_id(given.get("gcn_notice_id")),
        ivorn=fields.sanitize_text(ivorn) if isinstance(ivorn, str) else None,
        time_difference=0.0 - difference if turned and difference is not None else difference,
        time_coincidence_far=fields.number(given.get("time_coincidence_far"), low=0),
        time_sky_position_coincidence_far=fields.number(
            given.get("time_sky_position_coincidence_far"), low=0
        ),
        localization=combined.localization,
        map_problem=combined.problem,
        overlap=overlap,
    )


@dataclass(frozen=True, slots=True)
class _MeasuredMap:
    """A map, what was measured on it, and why it wasn't."""

    skymap: SkyMap | None = None
    localization: Localization | None = None
    problem: str | None = None


class _MapBudget:
    """The maps of one notice, and what they may take together: a list could bring fifty large ones."""

    def __init__(self) -> None:
        self._tiles_left = MAX_TILES
        self._additional_tiles_left = MAX_TILES_OF_ADDITIONAL_MAPS
        self._bytes_left = MAX_UNPACKED_BYTES
        self._digests: dict[int, str] = {}

    def measure(self, given: object, *, additional: bool = False) -> _MeasuredMap:
        """Measure a map as the record holds it; None is none. `further` ones are those of a long list."""
        if given is None:
            return _MeasuredMap()
        try:
            table = read_table(fields.file_bytes(given), self._bytes_left, MAX_TILES)
            self._digests[id(given)] = _digest(table.unpacked_file)
            self._bytes_left -= table.unpacked_file.nbytes
            skymap = sky_map_from_table(
                table, min(self._tiles_left, self._additional_tiles_left) if additional else self._tiles_left
            )
            self._tiles_left -= skymap.uniq.size
            self._additional_tiles_left -= skymap.uniq.size if additional else 0
            return _MeasuredMap(skymap, localize(skymap))
        except UnreadableMap as problem:
            return _MeasuredMap(problem=problem.reason)

    def digest(self, given: object) -> str:
        """Return the digest of a map: of its file as far as it is read, or of what is there instead."""
        if id(given) not in self._digests:
            self._digests[id(given)] = self._digest(given)
        return self._digests[id(given)]

    def _digest(self, given: object) -> str:
        try:
            file = fields.file_bytes(given)
        except UnreadableMap:
            return _digest(str(given)[:MAX_PAYLOAD_BYTES].encode("utf-8", "replace"))
        try:
            return _digest(read_table(file, self._bytes_left, MAX_TILES).unpacked_file)
        except UnreadableMap:
            return _digest(file)


def _digest(file: bytes | memoryview) -> str:
    return hashlib.blake2b(file, digest_size=16).hexdigest()


def _json_without_maps(record: Record) -> dict[str, Any]:
    """Return the record as JSON values, without its maps."""

    def without_maps(value: object, key: str) -> object:
        if isinstance(value, list | tuple):
            return [without_maps(one, key) if isinstance(one, Mapping) else one for one in value]
        if not isinstance(value, Mapping):
            return value
        return {name: field for name, field in value.items() if name != key}

    return {
        fields.sanitize_text(str(key)[: fields.MAX_TEXT_LENGTH]): _json_value(
            without_maps(value, MAP_KEYS[key]) if key in MAP_KEYS else value
        )
        for key, value in record.items()
    }


def _json_value(value: object, depth: int = 0) -> Any:
    """Return a value as JSON can carry it: what can't be is told in words, what is huge by its size."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return (
                fields.sanitize_text(value)
                if len(value) <= fields.MAX_TEXT_LENGTH
                else f"({len(value):,} characters)"
            )
        case bytes():
            small = len(value) <= fields.MAX_TEXT_LENGTH
            return base64.b64encode(value).decode() if small else f"({len(value):,} bytes)"
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping() | list() | tuple() if depth >= _MAX_DEPTH:
            return "(nested too deeply)"
        case Mapping():
            return {
                fields.sanitize_text(str(key)[: fields.MAX_TEXT_LENGTH]): _json_value(inner, depth + 1)
                for key, inner in value.items()
            }
        case list() | tuple():
            return [_json_value(inner, depth + 1) for inner in value]
        case _:
            # Avro's decimals and UUIDs
            return fields.sanitize_text(str(value))
