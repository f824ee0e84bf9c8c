"""Decoding of a payload's bytes to a Notice.

LVK's schema and its history are known here and in `bot.alerts.fields`: `igwn-gwalert-schema` 1.0 to 1.3, the
forms of 2022, and what gwcelery really sends. A field that can't be used becomes None and stays readable in
`published`; a notice is rejected only if its id, type or time, or a candidate's event, is missing.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from bot.alerts import fields
from bot.alerts.digest import MAP_KEYS, record_digest
from bot.alerts.map_budget import MapBudget, MeasuredMap
from bot.alerts.payload import (
    MAX_PAYLOAD_BYTES,
    Record,
    UndecodablePayload,
    read_record,
    recover_superevent_id,
    unwrap_record,
)
from bot.skymaps.skymap import SkyMap, probability_inside
from formatters.models.notice import (
    ALERT_TYPES,
    ID_MAX,
    RETRACTION,
    Event,
    ExternalCoincidence,
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
"""Since then (gwcelery 2.6.0), `time_difference` is external minus GW; before, it was GW minus external."""
USER_GUIDE_SAMPLE_ID = "MS181101ab"
"""The user guide's example, in which the difference is external minus GW although it is dated earlier."""

_MAX_DEPTH = 20


def decode(body: bytes) -> Notice:
    """Decode a payload, an Avro container or JSON, and measure its sky maps.

    A map that can't be read doesn't fail the notice; its `map_problem` gives the reason. Raises
    UndecodablePayload, with the superevent's id if one can be recovered.
    """
    try:
        return notice_from_record(read_record(body))
    except UndecodablePayload as problem:
        superevent_id = problem.superevent_id or recover_superevent_id(body)
        raise UndecodablePayload(problem.reason, superevent_id) from None


def extract_sky_maps(body: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the FITS files in a payload, (GW map, combined map); None for one that it doesn't have.

    Of several combined maps, return the one that `Notice.external` measures. Raises UndecodablePayload if the
    payload is no notice, and UnreadableMap if a map is neither bytes nor base64.
    """
    record = read_record(body)
    gw_map = fields.single_mapping(record.get("event")).get("skymap")
    coincidences = _coincidences(record.get("external_coinc"))
    ranked = [coincidences[index].get("combined_skymap") for index in _indices_by_far(coincidences)]
    combined = [skymap for skymap in ranked if skymap is not None]
    budget = MapBudget()
    if len(combined) > 1:
        budget.measure(gw_map)
        combined = [
            skymap
            for number, skymap in enumerate(combined)
            if budget.measure(skymap, additional=number > 0).skymap is not None
        ][:1] or combined
    return (
        None if gw_map is None else fields.file_bytes(gw_map),
        fields.file_bytes(combined[0]) if combined else None,
    )


def content_digest(body: bytes) -> str | None:
    """Return the digest of a payload's content, as in `Notice.content`; None if it is no notice."""
    try:
        return record_digest(read_record(body), MapBudget().digest)
    except UndecodablePayload:
        return None


def notice_from_record(record: Record) -> Notice:
    """Build the notice from a record that was already parsed, and measure its sky maps.

    Raises UndecodablePayload, with the superevent's id if the record has one.
    """
    published = _json_without_maps(record)
    superevent_id = _superevent_id(record.get("superevent_id"))
    alert_type = _alert_type(published, superevent_id)
    time_created = fields.time(published.get("time_created"))
    if time_created is None:
        raise UndecodablePayload("The notice has no usable time_created.", superevent_id)
    event = _event(published.get("event"), alert_type, superevent_id)
    budget = MapBudget()
    gw = budget.measure(fields.single_mapping(record.get("event")).get("skymap"))
    sign_is_inverted = _external_sign_is_inverted(superevent_id, time_created)
    mappings = _coincidences(published.get("external_coinc"))
    maps = [one.get("combined_skymap") for one in _coincidences(record.get("external_coinc"))]
    # The map of the most significant coincidence is measured first, within the larger limit.
    combined = {
        index: budget.measure(maps[index], additional=number > 0)
        for number, index in enumerate(_indices_by_far(mappings))
    }
    coincidences = [
        _coincidence(mapping, gw.skymap, combined[index], sign_is_inverted=sign_is_inverted)
        for index, mapping in enumerate(mappings)
    ]
    # The most significant coincidence with a map that was read, else the most significant one.
    mapped = (index for index in combined if combined[index].localization is not None)
    external_at = next(mapped, next(iter(combined), 0))
    external = coincidences.pop(external_at) if coincidences else None
    return Notice(
        superevent_id=superevent_id,
        alert_type=alert_type,
        time_created=time_created,
        urls=fields.urls(published.get("urls")),
        event=event,
        external=external,
        more_external=tuple(coincidences),
        external_at=external_at,
        localization=gw.localization,
        map_problem=gw.problem,
        published=published,
        content=record_digest(record, budget.digest),
    )


def _superevent_id(value: object) -> str:
    superevent_id = parse_event_id(value)
    if superevent_id is None:
        # The readable part of the id is shown to the channels.
        text = value if isinstance(value, str) else fields.gcn_notice_id(value) or ""
        readable = parse_event_id("".join(c for c in text[: 10 * ID_MAX] if c.isprintable())[:ID_MAX])
        raise UndecodablePayload("The notice has no usable superevent_id.", readable)
    return superevent_id


def _alert_type(published: Mapping[str, Any], superevent_id: str) -> str:
    value = published.get("alert_type")
    if not isinstance(value, str) or not 0 < len(value.strip()) <= fields.MAX_NAME_LENGTH:
        raise UndecodablePayload("The notice has no usable alert_type.", superevent_id)
    upper = value.strip().upper()
    # The notices of 2022 have EARLY_WARNING.
    joined = upper.replace("_", "")
    return joined if joined in ALERT_TYPES else upper


def _external_sign_is_inverted(superevent_id: str, time_created: datetime) -> bool:
    return time_created < TIME_DIFFERENCE_SIGN_CHANGE and superevent_id != USER_GUIDE_SAMPLE_ID


def _event(value: object, alert_type: str, superevent_id: str) -> Event | None:
    event = fields.single_mapping(value)
    time = fields.time(event.get("time"))
    if time is None:
        if alert_type in ALERT_TYPES and alert_type != RETRACTION:
            raise UndecodablePayload(
                f"The {alert_type} notice has no event with a usable time.", superevent_id
            )
        return None
    significant, unread = fields.flag(event, "significant")
    return Event(
        time=time,
        far=fields.number(event.get("far"), low=0),
        significant=significant,
        flag_unread=unread,
        instruments=fields.instruments(event.get("instruments")),
        group=fields.name(event.get("group")),
        pipeline=fields.name(event.get("pipeline")),
        search=fields.name(event.get("search")),
        classification=fields.probabilities(event.get("classification")),
        properties=fields.probabilities(event.get("properties")),
        duration=fields.number(event.get("duration"), low=0),
        central_frequency=fields.number(event.get("central_frequency"), low=0),
        mchirp_source=fields.mass_bins(event.get("mchirp_source")),
        unread=fields.unread_fields(event),
    )


def _coincidences(value: object) -> list[Mapping[str, Any]]:
    """Return the coincidences in `external_coinc`: none, one, or a list, which LVK may send one day."""
    listed = value if isinstance(value, list | tuple) else [value]
    return [one for one in listed if isinstance(one, Mapping)][: fields.MAX_COINCIDENCES]


def _indices_by_far(coincidences: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the coincidences' indices by ascending joint FAR; those without a FAR come last."""

    def joint_far(index: int) -> float:
        time_and_sky = fields.number(coincidences[index].get("time_sky_position_coincidence_far"), low=0)
        time_alone = fields.number(coincidences[index].get("time_coincidence_far"), low=0)
        return next((far for far in (time_and_sky, time_alone) if far is not None), math.inf)

    return sorted(range(len(coincidences)), key=joint_far)


def _coincidence(
    mapping: Mapping[str, Any], gw_map: SkyMap | None, combined: MeasuredMap, *, sign_is_inverted: bool
) -> ExternalCoincidence:
    ivorn = mapping.get("ivorn")
    difference = fields.number(mapping.get("time_difference"))
    overlap = None
    if gw_map is not None and combined.skymap is not None:
        overlap = probability_inside(gw_map, combined.skymap, 0.9)
    return ExternalCoincidence(
        observatory=fields.name(mapping.get("observatory")),
        search=fields.name(mapping.get("search")),
        gcn_notice_id=fields.gcn_notice_id(mapping.get("gcn_notice_id")),
        ivorn=fields.sanitize_text(ivorn) if isinstance(ivorn, str) else None,
        time_difference=0.0 - difference if sign_is_inverted and difference is not None else difference,
        time_coincidence_far=fields.number(mapping.get("time_coincidence_far"), low=0),
        time_sky_position_coincidence_far=fields.number(
            mapping.get("time_sky_position_coincidence_far"), low=0
        ),
        localization=combined.localization,
        map_problem=combined.problem,
        overlap=overlap,
    )


def _json_without_maps(record: Record) -> dict[str, Any]:
    """Return the record as JSON values, without its sky maps."""

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
    """Return a value in JSON's types: other types become text, long texts and bytes only their size."""
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
            # A decimal or UUID of Avro.
            return fields.sanitize_text(str(value))
