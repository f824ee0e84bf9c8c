"""Rows of observations: from and to the models, a field of view and fields as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.observing.observatories import normalized_name
from formatters.models.observation import NewObservation, Observation, ObservationStatus, ObservedField
from formatters.models.pointing import Footprint

INSTRUMENT_MAX = 64
"""Characters of an instrument's name that are stored."""
BAND_MAX, NOTE_MAX = 32, 500
"""Those of a band and of a remark."""
WORDS_MAX = 100
"""Characters of the words of a field of view."""


def row_values(new: NewObservation, status: ObservationStatus, now: datetime) -> dict[str, object]:
    """Return the values of the row of a new observation; texts are cut to what their columns hold."""
    return {
        "team_id": new.team_id,
        "channel_id": new.channel_id,
        "superevent_id": new.superevent_id,
        "instrument": new.instrument[:INSTRUMENT_MAX],
        "folded": folded_name(new.instrument),
        "status": status.value,
        "user_id": new.user_id,
        "created_at": now,
        "changed_at": now,
        "observed_at": new.observed_at,
        "shape": None if new.footprint is None else json.dumps(_footprint_to_json(new.footprint)),
        "fields": fields_to_json(new.fields),
        "band": None if new.band is None else new.band[:BAND_MAX],
        "depth": new.depth,
        "note": new.note[:NOTE_MAX],
    }


def folded_name(instrument: str) -> str:
    """Return the name by which rows of one instrument are found: without case, accents and signs."""
    return normalized_name(instrument)[:INSTRUMENT_MAX]


def observation_from_row(row: Any) -> Observation | None:
    """Return the observation of a row; None for a status that only a later gwevent knows.

    A field of view that can't be read counts as unknown, fields that can't be read as not given.
    """
    try:
        status = ObservationStatus(row.status)
    except ValueError:
        return None
    return Observation(
        id=row.id,
        superevent_id=row.superevent_id,
        instrument=row.instrument,
        status=status,
        user_id=row.user_id,
        created_at=row.created_at,
        changed_at=row.changed_at,
        footprint=_footprint_from_json(row.shape),
        fields=fields_from_json(row.fields),
        observed_at=row.observed_at,
        band=row.band,
        depth=row.depth,
        note=row.note,
    )


def observations_from_rows(rows: Iterable[Any]) -> tuple[Observation, ...]:
    """Return the observations of rows, without those that only a later gwevent can read."""
    return tuple(one for one in map(observation_from_row, rows) if one is not None)


def fields_to_json(fields: Sequence[ObservedField]) -> str:
    """Return fields as [[ra, dec, ISO time or null, position angle], …], angles in degrees."""
    return json.dumps(
        [
            [
                one.ra,
                one.dec,
                None if one.time is None else one.time.astimezone(UTC).isoformat(),
                one.position_angle,
            ]
            for one in fields
        ]
    )


def fields_from_json(text: str) -> tuple[ObservedField, ...]:
    """Return the fields of `fields_to_json`; none if they are in a form that only a later gwevent reads."""
    try:
        return tuple(
            ObservedField(
                ra=float(ra),
                dec=float(dec),
                time=None if time is None else datetime.fromisoformat(time),
                position_angle=float(angle),
            )
            for ra, dec, time, angle in json.loads(text)
        )
    except (ValueError, TypeError, OverflowError):
        return ()


def _footprint_to_json(footprint: Footprint) -> dict[str, object]:
    shape: dict[str, object] = {"area": footprint.area, "words": footprint.words[:WORDS_MAX]}
    if footprint.radius is not None:
        return shape | {"radius": footprint.radius}
    return shape | {"polygons": footprint.polygons}


def _footprint_from_json(text: str | None) -> Footprint | None:
    if text is None:
        return None
    try:
        shape = json.loads(text)
        footprint = Footprint(
            polygons=tuple(
                tuple((float(x), float(y)) for x, y in polygon) for polygon in shape.get("polygons", ())
            ),
            radius=None if shape.get("radius") is None else float(shape["radius"]),
            area=float(shape["area"]),
            words=str(shape["words"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    return footprint if footprint.polygons or footprint.radius is not None else None
