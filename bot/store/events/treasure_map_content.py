"""The last answer of the Treasure Map about a superevent as bytes of a row, and back.

They are deflated lines of JSON: the number of pointings left out, then for each observation what its
pointings share and, in lines of their own, the pointings. In lines, since Python parses a JSON text without
letting another thread go on: 100,000 pointings in one would stop the loop, and with it alerts, for a second.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from formatters.models.observation import ObservationStatus, ObservedField
from formatters.models.treasure_map import ReportedObservation

_LEVEL = 6
_FIELDS_PER_LINE = 1_000


@dataclass(frozen=True, slots=True)
class ReportedPointings:
    """All pointings of an answer that can be used, and the number of the others."""

    observations: tuple[ReportedObservation, ...] = ()
    """Without footprints, which belong to the instruments."""
    left_out: int = 0


def to_bytes(pointings: ReportedPointings) -> bytes:
    """Return the content of a row; equal pointings give equal bytes."""
    deflate = zlib.compressobj(_LEVEL)
    return b"".join(deflate.compress(f"{line}\n".encode()) for line in _lines(pointings)) + deflate.flush()


def from_bytes(content: bytes) -> ReportedPointings:
    """Return the pointings of a row. Raises ValueError for a form that only a later gwevent reads."""
    try:
        lines = iter(zlib.decompress(content).splitlines())
        head = json.loads(next(lines))
        observations = []
        for line in lines:
            values = json.loads(line)
            fields: list[ObservedField] = []
            for _ in range(values["lines"]):
                fields += map(_field_from_json, json.loads(next(lines)))
            observations.append(_observation_from_json(values, fields))
        return ReportedPointings(tuple(observations), int(head["left_out"]))
    except (zlib.error, KeyError, TypeError, AttributeError, RecursionError, StopIteration) as error:
        raise ValueError(f"The stored pointings can't be read ({type(error).__name__}).") from error


def _lines(pointings: ReportedPointings) -> Iterator[str]:
    yield _dumps({"left_out": pointings.left_out})
    for one in pointings.observations:
        starts = range(0, len(one.fields), _FIELDS_PER_LINE)
        yield _dumps(_observation_to_json(one) | {"lines": len(starts)})
        for start in starts:
            yield _dumps([_field_to_json(field) for field in one.fields[start : start + _FIELDS_PER_LINE]])


def _dumps(values: object) -> str:
    return json.dumps(values, separators=(",", ":"))


def _observation_to_json(one: ReportedObservation) -> dict[str, object]:
    return {
        "instrument_id": one.instrument_id,
        "instrument": one.instrument,
        "status": one.status_word,
        "known": None if one.status is None else one.status.value,
        "band": one.band,
        "depths": one.depths,
        "unit": one.depth_unit,
    }


def _observation_from_json(values: Mapping[str, Any], fields: Sequence[ObservedField]) -> ReportedObservation:
    known, depths = values["known"], values["depths"]
    return ReportedObservation(
        instrument_id=int(values["instrument_id"]),
        instrument=str(values["instrument"]),
        status=None if known is None else ObservationStatus(known),
        status_word=str(values["status"]),
        band=values["band"],
        depths=None if depths is None else (float(depths[0]), float(depths[1])),
        depth_unit=values["unit"],
        fields=tuple(fields),
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
