"""A plan of pointings for an event: of which map, when it was made, and why it may be empty."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from formatters.models.notice import Notice
from formatters.models.observing import ObservingConstraints, Site
from formatters.models.pointing import PointingPlan, Telescope


class NothingReason(StrEnum):
    """The reasons why a plan may have no field."""

    NEVER_RISES = "never_rises"
    """No part of the map that matters ever gets high enough at the site."""
    NO_DARKNESS = "no_darkness"
    """It doesn't get dark enough there for one exposure in this night or the next."""
    TOO_SHORT = "too_short"
    """The time that was asked for is shorter than one exposure."""
    TOO_LOW = "too_low"
    """Nothing that matters is high enough while it is dark."""
    NO_FIELD = "no_field"
    """Something is high enough, but no field there can be observed: the Moon is near, a field is up for less
    than one exposure, or none of the telescope's fixed fields lies there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToObserve:
    """The reason why nothing can be observed, and when something can for the first time after that."""

    reason: NothingReason
    next_start: datetime | None = None
    """UTC: when at least 1 % of the map is high enough in darkness, in a later night; None if that doesn't
    come within `searched`."""
    searched: timedelta
    """How far ahead was looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """A request for a plan: the telescope, its site, and how much."""

    site: Site
    telescope: Telescope
    constraints: ObservingConstraints
    count: int | None = None
    """Most fields; None for as many as there is time for."""
    duration: timedelta | None = None
    """Time from the beginning on; None until dawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPlan:
    """A plan of pointings on the newest map of an event that can be read."""

    request: PlanRequest
    plan: PointingPlan
    planned_at: datetime
    """UTC: the time that it was made for."""
    notice: Notice
    """The notice of the map."""
    is_combined: bool
    """True if that map is combined with the external event's."""
    unread: tuple[Notice, ...] = field(default=())
    """The newer notices whose map can't be read or isn't kept any more, oldest first."""
    nothing: NothingToObserve | None = None
    """Given if the plan has no field."""
