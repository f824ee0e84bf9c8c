"""Observations of a superevent that a channel's people plan, have made, or gave up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from formatters.models.pointing import Footprint

MAX_FIELDS = 500
"""The most fields of one observation."""


class ObservationStatus(StrEnum):
    """The status of an observation. The values are stored, and are those of the Treasure Map."""

    PLANNED = "planned"
    DONE = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedField:
    """One field that was, or is to be, observed."""

    ra: float
    """ICRS degrees."""
    dec: float
    time: datetime | None = None
    """Begin of the exposure, UTC; None if it isn't known."""
    position_angle: float = 0.0
    """Degrees from north to east."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The fields that one instrument observes in one band, as one person of a channel reported them."""

    id: int
    """The store's id."""
    superevent_id: str
    instrument: str
    """The name of the channel's site, or of the instrument, as people call it; not escaped."""
    status: ObservationStatus
    user_id: str
    """Slack's id of who reported it last."""
    created_at: datetime
    changed_at: datetime
    footprint: Footprint | None = None
    """None if the field of view isn't known: then nothing can be said about its share of the map."""
    fields: tuple[ObservedField, ...] = ()
    """In the order of observation; empty if nobody said which."""
    observed_at: datetime | None = None
    """When the exposures were made, for fields without a time; None if nobody said."""
    band: str | None = None
    """As it was typed: "r", "J", "clear"; not escaped. Bands are never added up."""
    depth: float | None = None
    """Limiting magnitude (AB unless said otherwise); None if nobody said."""
    note: str = ""
    """A reason or remark of who reported it; not escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObservation:
    """An observation as a person reports it, before it is stored; the attributes of `Observation` mean the
    same.
    """

    team_id: str
    channel_id: str
    superevent_id: str
    instrument: str
    user_id: str
    footprint: Footprint | None = None
    fields: tuple[ObservedField, ...] = ()
    observed_at: datetime | None = None
    band: str | None = None
    depth: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentShare:
    """The probability that one instrument covers of the newest sky map, for the card's line of people."""

    instrument: str
    """Not escaped."""
    status: ObservationStatus
    share: float | None
    """Probability (0 to 1) of the newest map in its fields; None if it isn't known (yet)."""


def without_done_fields(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """Return observations in the order of their ids, plans without the fields that are done.

    A field of a plan, cancelled or not, is done if its instrument reported the same centre later than the
    plan, in any band; a report without fields says nothing of which, so it leaves the plan as it is. A plan
    whose fields are all done is left out, and so is one without fields once anything is done.
    """
    kept = []
    for one in sorted(observations, key=lambda one: one.id):
        later = [
            other
            for other in observations
            if other.status == ObservationStatus.DONE
            and other.id > one.id
            and other.instrument.casefold() == one.instrument.casefold()
        ]
        if one.status == ObservationStatus.DONE or not later:
            kept.append(one)
        elif not one.fields:
            if one.status == ObservationStatus.CANCELLED:
                kept.append(one)
        else:
            done = {_place(field) for other in later for field in other.fields}
            left = tuple(field for field in one.fields if _place(field) not in done)
            if left:
                kept.append(replace(one, fields=left))
    return tuple(kept)


def _place(field: ObservedField) -> tuple[int, int]:
    """Return a field's centre in arcseconds, which is equal for one centre however it was written."""
    return round(field.ra * 3600) % (360 * 3600), round(field.dec * 3600)
