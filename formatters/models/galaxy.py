"""Galaxies of a catalogue, and their ranking by how likely their place and mass make a merger there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from formatters.models.notice import Distance, Notice


class MassSource(IntEnum):
    """The sources of a galaxy's stellar mass. The values are stored in catalogues."""

    CATALOGUE = 0
    K_BAND = 1
    W1_BAND = 2
    MEDIAN = 3
    """Unknown: the catalogue's median takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueInfo:
    """The properties of a catalogue as a whole."""

    slug: str
    """The name it is called by: "ned-lvs"."""
    title: str
    """Its name in answers, with its release: "NED-LVS 20260424"; not escaped."""
    galaxies: int
    max_distance: float
    """Luminosity distance of the farthest galaxy, Mpc."""
    median_log_mass: float
    """log10 of the median stellar mass in solar masses, of the galaxies whose mass is known."""
    imported_at: datetime
    shell_width: float
    """Width of the shells of `mass_in_shells`, Mpc of luminosity distance."""
    mass_in_shells: tuple[float, ...]
    """Known stellar mass on the whole sky in shells of distance, in solar masses, from 0 outwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Galaxy:
    """A galaxy of the catalogue."""

    name: str
    ra: float
    """Right ascension, ICRS degrees."""
    dec: float
    """Declination, ICRS degrees."""
    distance: float
    """Luminosity distance, Mpc."""
    distance_error: float
    """1 sd, Mpc, the peculiar velocity included."""
    log_mass: float
    """log10 of the stellar mass in solar masses."""
    mass_source: MassSource
    magnitude: float | None
    """Apparent magnitude in the catalogue's band (K or W1 for NED-LVS); None if unknown."""
    is_questionable: bool
    """True if the catalogue marks its redshift as questionable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedGalaxy:
    """A galaxy and its place in the ranking for one map."""

    rank: int
    galaxy: Galaxy
    share: float
    """Share (0 to 1) of the ranking: its weight over that of all galaxies in the 90 % volume.

    It isn't the probability that the galaxy is the host: the catalogue is incomplete."""
    level_2d: float
    """Credible level of its direction, 0 to 1."""
    level_3d: float
    """Credible level of its place in the volume, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyRanking:
    """The galaxies of the 90 % credible volume of one map."""

    catalogue: CatalogueInfo
    galaxies: tuple[RankedGalaxy, ...]
    """The first ones, by rank."""
    total: int
    """Number of the catalogue's galaxies in the 90 % credible volume."""
    completeness: float | None
    """Part (0 to 1, at most 1) of the expected stellar mass that the catalogue holds at the event's distance;
    None where it can't be told."""
    distance: Distance | None = None
    """The map's own luminosity distance, all over the sky; None if it states none."""


class RankingProblem(StrEnum):
    """The reasons why no galaxy can be ranked."""

    NO_CATALOGUE = "no catalogue"
    NO_MAP = "no map"
    NO_DISTANCES = "no distances"
    TOO_SLOW = "too slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeGalaxies:
    """The galaxies in the 90 % credible volume of an event's newest map, for the Follow-up reply."""

    ranking: GalaxyRanking
    map_notice: Notice
    """The notice that brought the map."""
    is_combined: bool = False
    """True if it is the map combined with an external coincidence."""
    entered: tuple[str, ...] = ()
    """Names of the galaxies that this map brought into the first ten, by rank; compared with the map before
    it that differs and has distances."""
