"""The last answer of the Treasure Map about a superevent as bytes of a row: deflated JSON, and back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from formatters.models.observation import ObservationStatus, ObservedField
from formatters.models.treasure_map import ReportedObservation

_LEVEL = 6


@dataclass(frozen=True, slots=True)
class ReportedPointings:
    """All pointings of an answer that can be used, and the number of the others."""

    observations: tuple[ReportedObservation, ...] = ()
    """Without footprints, which belong to the instruments."""
    left_out: int = 0


def to_bytes(pointings: ReportedPointings) -> bytes:
    """Return the content of a row; equal pointings give equal bytes."""
    values = {
        "observations": [_observation_to_json(one) for one in pointings.observations],
        "left_out": pointings.left_out,
    }
    return zlib.compress(json.dumps(values, separators=(",", ":")).encode(), _LEVEL)


def from_bytes(content: bytes) -> ReportedPointings:
    """Return the pointings of a row. Raises ValueError for a form that only a later gwevent reads."""
    try:
        values = json.loads(zlib.decompress(content))
        observations = tuple(_observation_from_json(one) for one in values["observations"])
        return ReportedPointings(observations, int(values["left_out"]))
    except (zlib.error, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"The stored pointings can't be read ({type(error).__name__}).") from error


def _observation_to_json(one: ReportedObservation) -> dict[str, object]:
    return {
        "instrument_id": one.instrument_id,
        "instrument": one.instrument,
        "status": one.status_word,
        "known": None if one.status is None else one.status.value,
        "band": one.band,
        "depths": one.depths,
        "unit": one.depth_unit,
        "fields": [_field_to_json(field) for field in one.fields],
    }


def _observation_from_json(values: Mapping[str, Any]) -> ReportedObservation:
    known, depths = values["known"], values["depths"]
    return ReportedObservation(
        instrument_id=int(values["instrument_id"]),
        instrument=str(values["instrument"]),
        status=None if known is None else ObservationStatus(known),
        status_word=str(values["status"]),
        band=values["band"],
        depths=None if depths is None else (float(depths[0]), float(depths[1])),
        depth_unit=values["unit"],
        fields=tuple(_field_from_json(field) for field in values["fields"]),
    )


def _field_to_json(field: ObservedField) -> list[object]:
    time = None if field.time is None else field.time.isoformat()
    return [field.ra, field.dec, time, field.position_angle]


def _field_from_json(values: Sequence[Any]) -> ObservedField:
    ra, dec, time, angle = values
    return ObservedField(
        ra=float(ra),
        dec=float(dec),
        time=None if time is None else datetime.fromisoformat(time),
        position_angle=float(angle),
    )
