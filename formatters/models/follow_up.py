"""The contents of a thread's Follow-up reply: all that names the event, checked against its newest map.

Built by `bot.delivery.follow_up_renderer` from the store and the sky map; worded by
`formatters.posts.follow_up`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from formatters.models.counterpart import Counterpart, RegionChange
from formatters.models.coverage import CoverageSummary
from formatters.models.galaxy import VolumeGalaxies
from formatters.models.nearby_alert import NearbyCoincidence
from formatters.models.notice import Notice
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
class LevelsMap:
    """The sky map that the levels are of: the newest one that can be read."""

    notice: Notice
    """The notice that brought it."""
    is_combined: bool = False
    """True if it is the map combined with an external coincidence."""
    unread: tuple[Notice, ...] = ()
    """Newer notices whose map can't be read or isn't kept any more, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """The content of one thread's Follow-up reply."""

    superevent: Superevent
    entries: tuple[FollowUpEntry, ...]
    """All messages of the streams that the channel subscribes to, newest first."""
    candidates: tuple[Counterpart, ...] = ()
    region_change: RegionChange | None = None
    """Compared with the map before the newest; None if nothing moved."""
    nearby: tuple[NearbyCoincidence, ...] = ()
    galaxies: VolumeGalaxies | None = None
    """None where there is nothing to say of galaxies; they alone are no reason for a reply."""
    coverage: CoverageSummary | None = None
    """None where nothing is planned or done; it alone is no reason for a reply."""
    levels_map: LevelsMap | None = None
    """None if no map can be read."""
    levels_failed: bool = False
    """True if the positions couldn't be compared with the map although it can be read."""


def named_candidates(candidates: Iterable[Counterpart]) -> tuple[Counterpart, ...]:
    """Return the candidates that the reply counts and names.

    Neutrinos and gamma-ray positions are among them only if somebody decided about them: else their messages
    say them, by their time and not by a number.
    """
    return tuple(
        one for one in candidates if one.decision is not None or not (one.is_neutrino or one.is_burst)
    )


def pending_retraction(superevent: Superevent, messages: Iterable[StoredMessage]) -> StoredMessage | None:
    """Return LVK's newest circular that retracts the event while no notice does; None if there is none.

    A notice that makes the event a candidate again answers the circulars before it.
    """
    if superevent.is_retracted:
        return None
    resumed = _resumption(superevent)
    retractions = [
        one
        for one in messages
        if one.message.retracts_event
        and not one.message.is_retracted
        and (resumed is None or one.message.sent > resumed)
    ]
    return max(retractions, key=lambda one: (one.message.created, one.id), default=None)


def _resumption(superevent: Superevent) -> datetime | None:
    """Return when the first notice after the last retraction was made; None if there was no retraction."""
    resumed = None
    for before, notice in pairwise(superevent.notices):
        if before.is_retraction and not notice.is_retraction:
            resumed = notice.time_created
    return resumed
