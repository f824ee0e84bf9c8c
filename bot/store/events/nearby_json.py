"""Stored nearby alerts as JSON: what a newer version of gwevent adds is left out, what it lacks is empty."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from bot.related_messages.nearby_versions import AlertVersions
from formatters.models.nearby_alert import NearbyAlert
from formatters.models.related_message import ReportedPosition

_PARTS = ("newest", "positioned", "classified", "timed")
_ALERT_FIELDS = frozenset(field.name for field in fields(NearbyAlert))
_POSITION_FIELDS = frozenset(field.name for field in fields(ReportedPosition))


def to_json(versions: AlertVersions) -> str:
    """Return the text that `from_json` reads."""
    content: dict[str, Any] = {part: _alert_to_dict(getattr(versions, part)) for part in _PARTS}
    return json.dumps({**content, "ids": sorted(versions.ids)}, ensure_ascii=False, sort_keys=True)


def from_json(text: str) -> AlertVersions:
    """Parse the JSON of `to_json`, or of a newer version of it. Raises ValueError if it can't be read."""
    try:
        content = json.loads(text)
        parts = {part: _alert_from_dict(content.get(part)) for part in _PARTS}
        newest = parts.pop("newest")
        ids = frozenset(content["ids"])
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"The stored alert lacks what this version needs: {error!r}.") from error
    if newest is None:
        raise ValueError("The stored alert has no newest version.")
    return AlertVersions(newest=newest, ids=ids, **parts)


def _alert_to_dict(alert: NearbyAlert | None) -> dict[str, Any] | None:
    if alert is None:
        return None
    values = {name: getattr(alert, name) for name in _ALERT_FIELDS}
    position = alert.position
    values["position"] = (
        None if position is None else _encode({name: getattr(position, name) for name in _POSITION_FIELDS})
    )
    return _encode(values)


def _alert_from_dict(values: Mapping[str, Any] | None) -> NearbyAlert | None:
    if values is None:
        return None
    known = {name: value for name, value in values.items() if name in _ALERT_FIELDS}
    for name in ("trigger_time", "created"):
        known[name] = datetime.fromisoformat(known[name])
    known["ids"] = tuple(known.get("ids", ()))
    if known.get("region_fits") is not None:
        known["region_fits"] = base64.b64decode(known["region_fits"])
    position = known.get("position")
    if position is not None:
        named = {name: value for name, value in position.items() if name in _POSITION_FIELDS}
        if named.get("time") is not None:
            named["time"] = datetime.fromisoformat(named["time"])
        known["position"] = ReportedPosition(**named)
    return NearbyAlert(**known)


def _encode(values: Mapping[str, Any]) -> dict[str, Any]:
    def encode(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    return {name: encode(value) for name, value in values.items()}
