"""What a thread's Follow-up reply shows: all that names the event, checked against its newest map.

Built by `bot.delivery.follow_up_renderer` from the store and the sky map; worded by
`formatters.posts.follow_up`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from formatters.models.counterpart import Counterpart, RegionChange
from formatters.models.nearby_alert import NearbyCoincidence
from formatters.models.position_on_map import PositionOnMap
from formatters.models.related_message import ReportedPosition, StoredMessage
from formatters.models.superevent import Superevent


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPosition:
    """A reported position and its place in the event's newest map."""

    position: ReportedPosition
    on_map: PositionOnMap | None
    """None where the map has a gap, or if there is no map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpEntry:
    """One message of the list."""

    stored: StoredMessage
    positions: tuple[CheckedPosition, ...] = ()
    """The message's positions in their order."""
    overlap: float | None = None
    """For a region instead of a position (GUANO): the probability (0 to 1) of the event's map inside the
    region's 90 % credible region; None if there is no region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """The content of one thread's Follow-up reply."""

    superevent: Superevent
    entries: tuple[FollowUpEntry, ...]
    """Messages of the streams that the channel subscribes to, newest first."""
    candidates: tuple[Counterpart, ...] = ()
    region_change: RegionChange | None = None
    """Compared with the map before the newest; None if nothing moved."""
    nearby: tuple[NearbyCoincidence, ...] = ()
    map_age: timedelta | None = None
    """Time from the event to the newest map; None without one."""
