"""Counterpart candidates: sources that telescopes and detectors found and that may belong to a superevent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from formatters.models.position_on_map import PositionOnMap
from formatters.models.related_message import MessageKind, ReportedPosition, Stream


class Decision(StrEnum):
    """A channel's decision about a candidate. The values are stored."""

    KEEP = "keep"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateDecision:
    """A channel's newest decision about a candidate."""

    decision: Decision
    user_id: str
    """Slack's id of who decided."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSource:
    """The source of a candidate's report: a message, or a person of the channel."""

    label: str
    """"GCN 34763", "BOOM", "HERMES", "IceCube"; for a person empty, see `user_id`. Not escaped."""
    reported: datetime
    stream: Stream | None = None
    """The stream of the message; None for a person."""
    kind: MessageKind | None = None
    """The kind of the message; None for a person."""
    user_id: str | None = None
    """Slack's id of the person who added it; None for a message."""
    url: str | None = None

    @property
    def is_neutrino(self) -> bool:
        """True for a neutrino search, whichever stream brings it."""
        return self.stream is Stream.ICECUBE or self.kind is MessageKind.NEUTRINO_SEARCH

    @property
    def is_burst(self) -> bool:
        """True for a gamma-ray position of Swift BAT GUANO."""
        return self.stream is Stream.GUANO


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """One candidate: reports of the same source merged, compared with the newest sky map."""

    name: str
    """The name it is called by in commands; a position without a name gets one from its coordinates."""
    aliases: tuple[str, ...]
    """Other names of the same source, as reported."""
    position: ReportedPosition
    """The position with the smallest error, with redshift and distance from whichever report has them."""
    sources: tuple[CandidateSource, ...]
    """Every report, oldest first; at least one."""
    on_map: PositionOnMap | None = None
    """Credible levels in the newest map in 2-D and 3-D; None without a map or where it has a gap."""
    distance_sigmas: float | None = None
    """(Host's distance − mean along the line of sight) / sd, both errors combined; None if either is
    unknown."""
    offset: timedelta | None = None
    """Time of the source after the merger, negative before it; None if no report gives a time."""
    decision: CandidateDecision | None = None
    spread: float = 0.0
    """The largest angle between the position and another one reported for the same name, degrees."""

    @property
    def is_neutrino(self) -> bool:
        """True for a neutrino of a search: its error circle holds many galaxies, and it is no host."""
        return all(source.is_neutrino for source in self.sources)

    @property
    def is_burst(self) -> bool:
        """True for a gamma-ray position of Swift BAT GUANO alone, which is no host either."""
        return all(source.is_burst for source in self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionChange:
    """The candidates that a new map moved into or out of its 90 % credible region."""

    entered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
