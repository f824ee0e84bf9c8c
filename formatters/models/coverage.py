"""The coverage of an event's newest sky map by observations, each and all together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.models.notice import Notice
from formatters.models.observation import Observation, ObservationStatus
from formatters.models.treasure_map import ReportedObservation, TreasureMapReading

_COUNTED = (ObservationStatus.DONE, ObservationStatus.PLANNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveredObservation:
    """An observation of the channel, and what it has of the map."""

    observation: Observation
    share: float | None
    """Probability (0 to 1) of the map in its fields; None without fields, or without a field of view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthRange:
    """The shallowest and the deepest limit, in one unit."""

    low: float
    high: float
    unit: str | None = None
    """The Treasure Map's word (ab_mag, flux_erg …); None for magnitudes as the channel typed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCoverage:
    """The Treasure Map's reports of one instrument in one status and band, without the channel's own."""

    reported: ReportedObservation
    """Without the fields that the channel reported too."""
    own: int = 0
    """How many those are; they are counted with the channel's."""
    share: float | None = None
    """Probability (0 to 1) of the map in the fields; None without a field of view."""
    is_partial: bool = False
    """True if there are more fields than are measured, so that it is at least this share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandCoverage:
    """The coverage of a map in one band; what two fields share is counted once."""

    band: str | None
    """None for observations of which nobody said the band."""
    done: float
    """Probability (0 to 1) of the map in fields that are done."""
    planned: float
    """Probability (0 to 1) of the map in fields that are planned and not done in this band."""
    instruments: tuple[str, ...]
    depths: tuple[DepthRange, ...] = ()
    """Of what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UncoveredPiece:
    """A connected part of the map's 90 % region that is in nobody's field."""

    ra: float
    """ICRS degrees of its most probable place, not of its middle, which may be somebody's."""
    dec: float
    probability: float
    area: float
    """deg²."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageSummary:
    """The coverage of an event, for the Follow-up reply."""

    notice: Notice
    """The notice that brought the map."""
    is_combined: bool
    done: float
    """Probability (0 to 1) of the map in any field that is done."""
    planned: float
    """Probability (0 to 1) in fields that are planned and in none that is done."""
    instruments: int
    """How many instruments have something planned or done."""
    reported_only: int = 0
    """How many of them are known from the Treasure Map alone."""
    unmeasured: int = 0
    """Observations, planned or done, whose fields or field of view aren't known: they are in no number."""
    as_of: datetime | None = None
    """When the newest of it was reported, or read from the Treasure Map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCoverage:
    """The coverage of an event's newest map that can be read."""

    notice: Notice
    """The notice that brought the map."""
    is_combined: bool
    """True if it is the map combined with an external coincidence."""
    unread: tuple[Notice, ...] = ()
    """Newer notices whose map can't be read or isn't kept any more, oldest first."""
    observations: tuple[CoveredObservation, ...] = ()
    """The channel's, cancelled ones too, in the order in which they were reported."""
    reading: TreasureMapReading | None = None
    """The last answer of the Treasure Map; None if this deployment doesn't read it."""
    reported: tuple[ReportedCoverage, ...] = ()
    """Its pointings, by instrument, status and band."""
    bands: tuple[BandCoverage, ...] = ()
    """The channel's and the Treasure Map's together, the most done first."""
    done: float = 0.0
    """Probability (0 to 1) of the map in any field that is done, in whatever band and to whatever depth."""
    planned: float = 0.0
    """Probability (0 to 1) in fields that are planned and in none that is done."""
    uncovered: float = 1.0
    """Probability (0 to 1) of the whole map in no field, planned or done."""
    uncovered_90: float = 0.0
    """That of the map's 90 % region in no field, and its area in deg²."""
    uncovered_90_area: float = 0.0
    pieces: tuple[UncoveredPiece, ...] = ()
    """The largest parts of it, the most probable first."""

    @property
    def unmeasured(self) -> int:
        """Return how many observations, planned or done, have no share: they are in no number."""
        own = sum(one.share is None and one.observation.status in _COUNTED for one in self.observations)
        return own + sum(
            one.share is None and one.reported.status in _COUNTED and bool(one.reported.fields)
            for one in self.reported
        )

    @property
    def summary(self) -> CoverageSummary | None:
        """Return it in short; None if nothing is planned or done in a known field."""
        own = {
            one.observation.instrument
            for one in self.observations
            if _counts(one.observation.status, one.share)
        }
        others = {one.reported.instrument for one in self.reported if _counts(one.reported.status, one.share)}
        if not (own or others):
            return None
        folded = {name.casefold() for name in own}
        reported_only = sum(name.casefold() not in folded for name in others)
        times = [one.observation.changed_at for one in self.observations]
        if self.reading is not None and self.reading.read_at is not None:
            times.append(self.reading.read_at)
        return CoverageSummary(
            unmeasured=self.unmeasured,
            as_of=max(times, default=None),
            notice=self.notice,
            is_combined=self.is_combined,
            done=self.done,
            planned=self.planned,
            instruments=len(own) + reported_only,
            reported_only=reported_only,
        )


def _counts(status: ObservationStatus | None, share: float | None) -> bool:
    return share is not None and status in _COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFields:
    """Fields of an observation that lie in somebody else's."""

    instrument: str
    """The other instrument's name; not escaped."""
    status: ObservationStatus
    user_id: str | None
    """Slack's id of who reported them in this channel; None if they are from the Treasure Map."""
    fields: tuple[int, ...]
    """The numbers, from 1, of the fields of which at least half lies in those of this instrument."""
    bands: tuple[str, ...] = ()
    """The bands of theirs, as far as they are known."""
