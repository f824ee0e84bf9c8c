"""A digest of a notice's content that is equal for the same notice from two brokers, in Avro or JSON.

It ignores what may differ between two copies: urls; id, type and time, which are in the key already; null
values; the order of keys; 1 or 1.0; bytes or base64; whether a map is gzipped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any

from bot.alerts import fields

MAP_KEYS = {"event": "skymap", "external_coinc": "combined_skymap"}
"""The keys of the record that hold sky maps, each with the map's key in its value or in its elements."""

_MAX_DEPTH = 20
_EXCLUDED_KEYS = frozenset({"urls", "superevent_id", "alert_type", "time_created"})


def record_digest(record: Mapping[str, Any], digest_of_map: Callable[[object], str]) -> str:
    """Return the digest of a record; `digest_of_map` returns that of a map as the record holds it."""

    def without_maps(value: object, key: str) -> object:
        if isinstance(value, list | tuple):
            return [without_maps(one, key) if isinstance(one, Mapping) else one for one in value]
        skymap = value.get(key) if isinstance(value, Mapping) else None
        return value if skymap is None else {**_as_mapping(value), key: f"map {digest_of_map(skymap)}"}

    content = {
        key: without_maps(value, MAP_KEYS[key]) if key in MAP_KEYS else value
        for key, value in record.items()
        if key not in _EXCLUDED_KEYS
    }
    text = json.dumps(_canonical_value(content), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _canonical_value(value: object, depth: int = 0) -> Any:
    match value:
        case None | bool():
            return value
        case int() | float():
            return _canonical_number(value)
        case str():
            return _canonical_text(value)
        case bytes():
            return _canonical_text(base64.b64encode(value).decode())
        case datetime():
            return _canonical_time(value)
        case date() | time():
            return value.isoformat()
        case Mapping() | list() | tuple() if depth >= _MAX_DEPTH:
            return "(nested too deeply)"
        case Mapping():
            return {str(k): _canonical_value(v, depth + 1) for k, v in value.items() if v is not None}
        case list() | tuple():
            return [_canonical_value(one, depth + 1) for one in value]
        case _:
            # A decimal or UUID of Avro.
            return str(value)


def _canonical_number(value: float) -> object:
    try:
        real = float(value)
    except OverflowError:
        return f"{value:x}"
    if not math.isfinite(real):
        return str(real)
    # An integer beyond 2^53 that no float equals keeps its digits.
    return real + 0.0 if real == value else f"{value:x}"


def _canonical_text(value: str) -> str:
    moment = fields.time(value) if len(value) < fields.MAX_NAME_LENGTH else None
    return value if moment is None else _canonical_time(moment)


def _canonical_time(value: datetime) -> str:
    return value.isoformat() if value.tzinfo is None else f"{value.timestamp():.6f}"
