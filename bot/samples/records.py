"""Notices as records, and encoded as the brokers transport them.

The schema is that of the package `igwn-gwalert-schema`. A record holds its maps as bytes; `to_avro` writes
them as bytes like SCiMMA, `to_json` as base64 like GCN.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Literal

import fastavro

Record = dict[str, Any]
"""A notice with the schema's keys; `skymap` and `combined_skymap` are bytes or None."""

Version = Literal["1.0", "1.2", "1.3"]

_NULL_DOUBLE = ["null", "double"]
_NULL_BYTES = ["null", "bytes"]


def format_time(time: datetime, *, milliseconds: bool = False) -> str:
    """Format a UTC time as in notices: whole seconds for a notice's time, milliseconds for an event's."""
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds" if milliseconds else "seconds") + "Z"


def event(
    time: datetime,
    *,
    far: float,
    skymap: bytes | None,
    significant: bool = True,
    instruments: Sequence[str] = ("H1", "L1", "V1"),
    group: str = "CBC",
    pipeline: str = "gstlal",
    search: str = "AllSky",
    classification: Mapping[str, float] | None = None,
    properties: Mapping[str, float] | None = None,
    duration: float | None = None,
    central_frequency: float | None = None,
    mchirp_source: Mapping[str, Sequence[float]] | None = None,
) -> Record:
    """Return the `event` of a notice. `far` and `central_frequency` in Hz, `duration` in s.

    `mchirp_source` is omitted if None, as in versions before 1.2.
    """
    record: Record = {
        "time": format_time(time, milliseconds=True),
        "far": far,
        "significant": significant,
        "instruments": sorted(instruments),
        "group": group,
        "pipeline": pipeline,
        "search": search,
        "classification": dict(classification or {}),
        "properties": dict(properties or {}),
        "duration": duration,
        "central_frequency": central_frequency,
        "skymap": skymap,
    }
    if mchirp_source is not None:
        record["mchirp_source"] = {name: list(values) for name, values in mchirp_source.items()}
    return record


def coincidence(
    *,
    observatory: str,
    search: str,
    gcn_notice_id: int | str,
    ivorn: str,
    time_difference: float,
    time_coincidence_far: float | None,
    time_sky_position_coincidence_far: float | None,
    combined_skymap: bytes | None,
) -> Record:
    """Return the `external_coinc` of a notice; `time_difference` is external minus GW, s; the rates Hz."""
    return {
        "gcn_notice_id": gcn_notice_id,
        "ivorn": ivorn,
        "observatory": observatory,
        "search": search,
        "time_difference": time_difference,
        "time_coincidence_far": time_coincidence_far,
        "time_sky_position_coincidence_far": time_sky_position_coincidence_far,
        "combined_skymap": combined_skymap,
    }


def notice(
    superevent_id: str,
    alert_type: str,
    time_created: datetime,
    *,
    event: Record | None = None,
    external_coinc: Record | None = None,
    urls: Mapping[str, str] | None = None,
) -> Record:
    """Return a notice; without `urls` it links to the superevent's page on GraceDB."""
    page = f"https://gracedb.ligo.org/superevents/{superevent_id}/view/"
    return {
        "alert_type": alert_type,
        "time_created": format_time(time_created),
        "superevent_id": superevent_id,
        "urls": {"gracedb": page} if urls is None else dict(urls),
        "event": event,
        "external_coinc": external_coinc,
    }


def without_maps(record: Record) -> Record:
    """Return the notice with null in place of its maps."""
    plain = dict(record)
    for part, key in (("event", "skymap"), ("external_coinc", "combined_skymap")):
        if plain.get(part) and key in plain[part]:
            plain[part] = plain[part] | {key: None}
    return plain


def to_json(record: Record) -> bytes:
    """Encode a notice as GCN does: JSON with the maps in base64."""

    def base64_map(value: object) -> str:
        if isinstance(value, bytes):
            return base64.b64encode(value).decode("ascii")
        raise TypeError(f"A notice holds no {type(value).__name__}.")

    return json.dumps(record, default=base64_map).encode()


def to_avro(
    record: Record,
    *,
    codec: Literal["null", "deflate"] = "null",
    version: Version = "1.3",
    namespace: str | None = None,
) -> bytes:
    """Encode a notice as SCiMMA does: an Avro container file that contains its schema.

    `namespace` replaces the namespace of the schema version. Keys that the schema does not define are
    omitted.
    """
    buffer = io.BytesIO()
    # the sync marker is random by default, but a notice must always be encoded as the same bytes
    fastavro.writer(
        buffer, _schema(version, namespace), [record], codec=codec, sync_marker=b"gwevent sample.."
    )
    return buffer.getvalue()


@cache
def _schema(version: Version, namespace: str | None) -> Any:
    """Return the writer's schema, parsed; the fields are those of `igwn.alerts.Alert.avsc`."""
    space = namespace or ("igwn.alerts.v1_0" if version == "1.0" else "igwn.alerts")
    event_fields: list[dict[str, Any]] = [
        {"name": "time", "type": "string"},
        {"name": "far", "type": "double"},
        {"name": "significant", "type": "boolean"},
        {"name": "instruments", "type": {"type": "array", "items": "string"}, "default": []},
        {"name": "group", "type": "string"},
        {"name": "pipeline", "type": "string"},
        {"name": "search", "type": "string"},
        {"name": "classification", "type": {"type": "map", "values": "double"}, "default": {}},
        {"name": "properties", "type": {"type": "map", "values": "double"}, "default": {}},
        {"name": "duration", "type": _NULL_DOUBLE},
        {"name": "central_frequency", "type": _NULL_DOUBLE},
        {"name": "skymap", "type": _NULL_BYTES},
    ]
    if version != "1.0":
        bins = {"type": "array", "items": "double"}
        mchirp = {
            "type": "record",
            "name": f"{space}.MchirpInfo",
            "fields": [{"name": "bin_edges", "type": bins}, {"name": "probabilities", "type": bins}],
        }
        event_fields.insert(9, {"name": "mchirp_source", "type": ["null", mchirp], "default": None})
    external_fields: list[dict[str, Any]] = [
        {"name": "gcn_notice_id", "type": ["int", "string"] if version == "1.3" else "int"},
        {"name": "ivorn", "type": "string"},
        {"name": "observatory", "type": "string"},
        {"name": "search", "type": "string"},
        {"name": "time_difference", "type": "double"},
        {"name": "time_coincidence_far", "type": _NULL_DOUBLE},
        {"name": "time_sky_position_coincidence_far", "type": _NULL_DOUBLE},
        {"name": "combined_skymap", "type": _NULL_BYTES},
    ]
    alert_type = {
        "type": "enum",
        "name": f"{space}.AlertType",
        "symbols": ["EARLYWARNING", "PRELIMINARY", "INITIAL", "UPDATE", "RETRACTION"],
    }
    event_info = {"type": "record", "name": f"{space}.EventInfo", "fields": event_fields}
    external_info = {"type": "record", "name": f"{space}.ExternalCoincInfo", "fields": external_fields}
    return fastavro.parse_schema(
        {
            "type": "record",
            "name": f"{space}.Alert",
            "doc": "Alert schema.",
            "fields": [
                {"name": "alert_type", "type": alert_type},
                {"name": "time_created", "type": "string"},
                {"name": "superevent_id", "type": "string"},
                {"name": "event", "type": ["null", event_info]},
                {"name": "external_coinc", "type": ["null", external_info]},
                {"name": "urls", "type": {"type": "map", "values": "string"}, "default": {}},
            ],
        }
    )
