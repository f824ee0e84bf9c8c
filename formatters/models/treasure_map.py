"""Pointings that other groups reported to the Treasure Map (https://treasuremap.space) for a superevent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.models.observation import ObservationStatus, ObservedField
from formatters.models.pointing import Footprint

MAGNITUDE_UNITS = {"ab_mag": "AB", "vega_mag": "Vega"}
"""The Treasure Map's units of a depth in magnitudes, and how people write them; the others are fluxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedObservation:
    """The pointings of one instrument that agree in status, band and unit of depth, whoever reported them."""

    instrument_id: int
    """The Treasure Map's id."""
    instrument: str
    """The short name, else the name; not escaped."""
    other_names: tuple[str, ...] = ()
    """Other names of it in the Treasure Map, to recognize one's own instrument; not escaped."""
    status: ObservationStatus | None
    """None for a status that stands in no list; `status_word` says it."""
    status_word: str
    """As the Treasure Map gives it: "completed"; empty if it gives none; not escaped."""
    footprint: Footprint | None = None
    """None if the Treasure Map has none, or none that can be used: then its share isn't known."""
    fields: tuple[ObservedField, ...] = ()
    """In the order of time, those without a time last."""
    band: str | None = None
    """As the Treasure Map gives it: "r", "clear", "XRT"; not escaped. Bands are never added up."""
    depths: tuple[float, float] | None = None
    """The least and the greatest number given as depth, in `depth_unit`; None if none was given."""
    depth_unit: str | None = None
    """"ab_mag", "vega_mag", "flux_erg" (erg cm⁻² s⁻¹), "flux_jy" (Jy), or what it gave; not escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreasureMapReading:
    """The last answer of the Treasure Map about a superevent."""

    observations: tuple[ReportedObservation, ...] = ()
    """Those of the last complete answer, done, planned, cancelled and unknown ones, by instrument."""
    read_at: datetime | None = None
    """When the last complete answer came; None if none came yet."""
    problem: str | None = None
    """Why the newest request failed, one sentence; None if it didn't. Then the observations are older."""
    left_out: int = 0
    """Pointings of that answer without a usable position, or beyond what is kept."""


NOT_READ = TreasureMapReading()


@dataclass(frozen=True, slots=True, kw_only=True)
class TreasureMapState:
    """The state of reading the Treasure Map, for operators."""

    read_at: datetime | None
    """The newest complete answer about any superevent."""
    problem: str | None
    """Why the newest request failed, one sentence; None if it didn't, or there was none."""
    events: int
    """Superevents that are read regularly."""
