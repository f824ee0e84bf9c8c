"""Galaxies as a file gives them, and as the catalogue keeps them: distances and masses on one scale each.

Distances: the file's own, else the luminosity distance of the redshift (Planck 2018). A distance from a
redshift has the error of the redshift and of a peculiar velocity of 200 km/s (1 sd; the one-dimensional
dispersion of field galaxies is 150 to 300 km/s).

Masses: the file's own stellar mass, else L_K · 0.6 M☉/L☉ (McGaugh & Schombert 2014, AJ 148, 77; M_K☉ = 3.27,
Willmer 2018, ApJS 236, 47), else L_W1 · 0.5 M☉/L☉ (Lelli, McGaugh & Schombert 2016, AJ 152, 157, at 3.6 µm;
M_W1☉ = 3.24, Jarrett et al. 2013, AJ 145, 6), Vega magnitudes, without K correction and dust. Where all are
missing, the median of the catalogue's known masses takes their place (`MassSource.MEDIAN`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bot.filters.redshifts import SPEED_OF_LIGHT_KM_S, distance_of_redshift
from bot.galaxies.catalogue_index import NAME_MAX, QUESTIONABLE, ROW, Rows
from bot.skymaps import healpix
from bot.skymaps.arrays import Flags, Floats
from formatters.models.galaxy import MassSource

PECULIAR_VELOCITY_KM_S = 200.0
SUN_K, MASS_TO_LIGHT_K = 3.27, 0.6
SUN_W1, MASS_TO_LIGHT_W1 = 3.24, 0.5
LOG_MASS_RANGE = (5.0, 13.0)
"""log10 of the stellar masses that are believed; a mass outside counts as unknown."""
LEAST_DISTANCE_ERROR = 1e-3
"""Relative 1 sd below which no distance is believed."""
UNKNOWN_DISTANCE_ERROR = 0.2
"""Relative 1 sd of a distance that the file gives without an error and without a redshift."""
PHOTOMETRIC_ERROR = 0.03
"""1 sd of a photometric redshift z whose error isn't given, in units of 1 + z."""
MAX_REDSHIFT = 1.5
MIN_DISTANCE = 1e-3
"""Mpc; what is nearer is in the Galaxy, or a mistake."""
MAGNITUDES = (-30.0, 40.0)
"""Apparent magnitudes that are believed; one outside counts as unknown."""
MAX_LOGARITHM = 20.0
"""A stellar mass below this is taken as a logarithm: no galaxy has so few solar masses."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawGalaxies:
    """Rows of a file; arrays of shape (k,) with NaN for what is unknown."""

    name: Sequence[bytes]
    """UTF-8."""
    ra: Floats
    """ICRS degrees."""
    dec: Floats
    distance: Floats
    """Luminosity distance, Mpc."""
    distance_error: Floats
    redshift: Floats
    redshift_error: Floats
    mass: Floats
    """Stellar mass in solar masses, or its log10."""
    k_magnitude: Floats
    """Vega."""
    w1_magnitude: Floats
    """Vega."""
    is_questionable: Flags
    """True where the redshift is marked as questionable."""
    is_photometric: Flags
    is_galaxy: Flags
    """False where the file says that it is something else."""
    is_from_redshift: Flags
    """True where `distance` was computed from the redshift, so that its error lacks the peculiar velocity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Numbers of rows that weren't kept, by reason."""

    no_galaxy: int = 0
    no_position: int = 0
    no_distance: int = 0
    unreadable: int = 0
    """Rows that couldn't be read as numbers; counted by the reader."""

    def __add__(self, other: LeftOut) -> LeftOut:
        return LeftOut(
            no_galaxy=self.no_galaxy + other.no_galaxy,
            no_position=self.no_position + other.no_position,
            no_distance=self.no_distance + other.no_distance,
            unreadable=self.unreadable + other.unreadable,
        )


def to_rows(raw: RawGalaxies) -> tuple[Rows, LeftOut]:
    """Return the usable galaxies as rows of a catalogue in the file's order, and what was left out.

    Rows whose mass is unknown have NaN and `MassSource.MEDIAN`: the median is known at the end of the file.
    """
    has_position = np.isfinite(raw.ra) & (np.abs(raw.ra) <= 360) & (np.abs(raw.dec) <= 90)
    distance, error = _distances(raw)
    has_distance = distance > MIN_DISTANCE
    keep = raw.is_galaxy & has_position & has_distance
    left_out = LeftOut(
        no_galaxy=int((~raw.is_galaxy).sum()),
        no_position=int((raw.is_galaxy & ~has_position).sum()),
        no_distance=int((raw.is_galaxy & has_position & ~has_distance).sum()),
    )
    log_mass, source = _masses(raw, distance)
    rows = np.zeros(int(keep.sum()), ROW)
    ra = raw.ra[keep] % 360
    rows["pixel"] = healpix.finest_pixels(ra, raw.dec[keep]) if rows.size else 0
    rows["ra"], rows["dec"] = ra, raw.dec[keep]
    rows["distance"], rows["distance_error"] = distance[keep], error[keep]
    k, w1 = raw.k_magnitude[keep], raw.w1_magnitude[keep]
    rows["log_mass"], rows["mass_source"] = log_mass[keep], source[keep]
    rows["magnitude"] = np.where(_is_magnitude(k), k, np.where(_is_magnitude(w1), w1, np.nan))
    rows["flags"] = np.where(raw.is_questionable[keep], QUESTIONABLE, 0)
    rows["name"] = [_short_name(raw.name[at]) for at in np.flatnonzero(keep).tolist()]
    return rows, left_out


def _distances(raw: RawGalaxies) -> tuple[Floats, Floats]:
    """Return luminosity distances and their 1 sd, Mpc; NaN where none is known.

    A distance or an error beyond the redshifts that are read is a mistake, and counts as unknown.
    """
    table, redshifts = _distance_table()
    z = np.where((raw.redshift > 0) & (raw.redshift < MAX_REDSHIFT), raw.redshift, np.nan)
    of_redshift = np.interp(z, redshifts, table)
    given = (raw.distance > MIN_DISTANCE) & (raw.distance <= table[-1])
    distance = np.where(given, raw.distance, of_redshift)
    # Mpc per unit of redshift at the galaxy.
    slope = np.interp(np.interp(distance, table, redshifts), redshifts, np.gradient(table, redshifts))
    has_z_error = (raw.redshift_error >= 0) & (raw.redshift_error < MAX_REDSHIFT)
    z_error = np.where(has_z_error, raw.redshift_error, 0.0)
    unknown = raw.is_photometric & (z_error == 0)
    z_error = np.where(unknown, PHOTOMETRIC_ERROR * (1 + np.nan_to_num(z)), z_error)
    peculiar = slope * PECULIAR_VELOCITY_KM_S / SPEED_OF_LIGHT_KM_S
    has_error = (raw.distance_error > 0) & (raw.distance_error <= table[-1])
    own = np.where(has_error, raw.distance_error, UNKNOWN_DISTANCE_ERROR * distance)
    from_redshift = np.hypot(np.where(given & has_error, raw.distance_error, slope * z_error), peculiar)
    error = np.where(given & ~raw.is_from_redshift, own, from_redshift)
    return distance, np.maximum(error, LEAST_DISTANCE_ERROR * distance)


def _masses(raw: RawGalaxies, distance: Floats) -> tuple[Floats, NDArray[np.uint8]]:
    """Return log10 of the stellar masses (NaN if unknown) and their sources."""
    with np.errstate(all="ignore"):
        modulus = 5 * np.log10(distance) + 25
        own = np.where(raw.mass <= MAX_LOGARITHM, raw.mass, np.log10(raw.mass))
    # A damaged file may hold any number; a mass that isn't believable counts as unknown.
    by_k = 0.4 * (SUN_K - (raw.k_magnitude - modulus)) + np.log10(MASS_TO_LIGHT_K)
    by_w1 = 0.4 * (SUN_W1 - (raw.w1_magnitude - modulus)) + np.log10(MASS_TO_LIGHT_W1)
    found = np.full(distance.shape, np.nan)
    source = np.full(distance.shape, MassSource.MEDIAN, np.uint8)
    for kind, value in (
        (MassSource.W1_BAND, by_w1),
        (MassSource.K_BAND, by_k),
        (MassSource.CATALOGUE, own),
    ):
        usable = (value >= LOG_MASS_RANGE[0]) & (value <= LOG_MASS_RANGE[1])
        found[usable], source[usable] = value[usable], kind
    return found, source


def _is_magnitude(value: Floats) -> Flags:
    return np.asarray((value > MAGNITUDES[0]) & (value < MAGNITUDES[1]), np.bool_)


@cache
def _distance_table() -> tuple[Floats, Floats]:
    """Return luminosity distances in Mpc and their redshifts."""
    redshifts = np.concatenate([[0.0], np.geomspace(1e-5, MAX_REDSHIFT, 2_000)])
    return np.array([distance_of_redshift(float(z)) for z in redshifts]), redshifts


def _short_name(name: bytes) -> bytes:
    """Return a name without blanks around it, cut at a whole character."""
    text = name.strip().decode("utf-8", "replace")
    return text.encode()[:NAME_MAX].decode("utf-8", "ignore").encode()
