"""A HEALPix sky map: read from FITS bytes, and what can be measured on it.

Multi-order maps as LVK publishes them
(https://emfollow.docs.ligo.org/userguide/tutorial/multiorder_skymaps.html); small flat ones are turned into
the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, exp, inf, isfinite, pi, sqrt

import astropy_healpix as healpix
import numpy as np
from astropy import units

from bot.skymaps.arrays import DEG2_PER_SR, MAX_ORDER, Flags, Floats, Integers
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.fits_table import BinaryTable, CardValue, read_table
from bot.skymaps.regions import connected_regions
from formatters.models.notice import Distance, Localization

__all__ = [
    "SkyMap",
    "credible_areas",
    "credible_levels",
    "distance_at",
    "in_credible_region",
    "localize",
    "peak_tile",
    "probability_inside",
    "read_sky_map",
    "sky_map_from_table",
    "tile_at",
]

MAX_TILES = 2**20
"""Maps in circulation have 345 to 80,631 tiles; a flat map of nside 256 has 786,432."""

_FIRST_UNIQ = 4 ** np.arange(1, MAX_ORDER + 3, dtype=np.int64)
"""The first UNIQ of each order, and the first that is beyond the last order."""
_TILE_AREAS: Floats = np.ldexp(pi / 3, -2 * np.arange(MAX_ORDER + 1))
_SUM_TOLERANCE = 0.01
_ICRS_NAMES = ("C", "ICRS", "CELESTIAL", "EQUATORIAL")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkyMap:
    """Disjoint HEALPix tiles with a probability density each, in the order of the file.

    Arrays are of one length and can't be written to. Positions are ICRS.
    """

    uniq: Integers
    """ipix + 4 · 4^order."""
    order: Integers
    """0 to 29."""
    ipix: Integers
    """NESTED index within the order."""
    density: Floats
    """sr⁻¹, finite and not negative; its integral is 1 within a hundredth."""
    by_position: Integers
    """Indices that sort the tiles by their place on the nested curve."""
    by_density: Integers
    """Indices that sort the tiles by falling density; equals in any order."""
    distmu: Floats | None = None
    """Mpc; location parameter of p(r) = DISTNORM · r² · N(r; DISTMU, DISTSIGMA): no mean, can be infinite."""
    distsigma: Floats | None = None
    """Mpc; scale parameter of the same."""
    distnorm: Floats | None = None
    """Mpc⁻²; normalisation of the same."""
    distance: Distance | None = None
    """The header's DISTMEAN and DISTSTD."""
    log_bci: float | None = None
    instruments: tuple[str, ...] = ()
    creator: str | None = None

    @property
    def area(self) -> Floats:
        """Each tile's area in sr."""
        return _TILE_AREAS[self.order]

    @property
    def probability(self) -> Floats:
        """Each tile's probability."""
        return self.density * self.area

    @property
    def start(self) -> Integers:
        """Each tile's first pixel at order 29."""
        return self.ipix << 2 * (MAX_ORDER - self.order)

    @property
    def stop(self) -> Integers:
        """The pixel at order 29 after each tile's last."""
        return (self.ipix + 1) << 2 * (MAX_ORDER - self.order)


def read_sky_map(fits: bytes) -> SkyMap:
    """Read a map from the bytes of its FITS file, gzipped or not. Raises UnreadableMap."""
    return sky_map_from_table(read_table(fits))


def sky_map_from_table(table: BinaryTable, max_tiles: int = MAX_TILES) -> SkyMap:
    """Read a map of at most `most` tiles from its table. Raises UnreadableMap."""
    frame = table.header.get("COORDSYS", "C")
    if str(frame).upper() not in _ICRS_NAMES:
        raise UnreadableMap(f"The map is in the frame {str(frame)[:20]!r}, and only ICRS (C) is read.")
    uniq = table.column("UNIQ")
    if uniq is None:
        return _parse_flat_map(table, max_tiles)
    density = table.column("PROBDENSITY")
    if density is None:
        raise UnreadableMap("The map has no column PROBDENSITY.")
    if uniq.dtype.kind not in "iu":
        raise UnreadableMap("The map's column UNIQ doesn't hold integers.")
    _check_tile_count(uniq.size, max_tiles)
    if uniq.min() < _FIRST_UNIQ[0] or uniq.max() >= _FIRST_UNIQ[-1]:
        raise UnreadableMap("The map has a tile whose UNIQ is none.")
    return _create_sky_map(table, uniq.astype(np.int64), density.astype(np.float64))


def _parse_flat_map(table: BinaryTable, max_tiles: int) -> SkyMap:
    """Turn a flat map (one probability per pixel of one nside) into tiles."""
    prob = table.column("PROB")
    if prob is None:
        prob = table.column("PROBABILITY")
    if prob is None:
        raise UnreadableMap("The map has neither a column UNIQ nor a column PROB.")
    _check_tile_count(prob.size, max_tiles)
    order = int(prob.size // 12).bit_length() // 2
    if prob.size != 12 * 4**order or table.header.get("INDXSCHM", "IMPLICIT") != "IMPLICIT":
        raise UnreadableMap(f"The map is a flat one of {prob.size} pixels, which don't make a whole sky.")
    ipix = np.arange(prob.size, dtype=np.int64)
    match table.header.get("ORDERING"):
        case "RING":
            ipix = np.asarray(healpix.HEALPix(2**order).ring_to_nested(ipix), np.int64)
        case "NESTED" | "NEST":
            pass
        case _:
            raise UnreadableMap("The map is a flat one without an ORDERING of RING or NESTED.")
    return _create_sky_map(table, ipix + 4 * 4**order, prob.astype(np.float64) * (3 * 4**order / pi))


def _check_tile_count(tiles: int, max_tiles: int) -> None:
    if not tiles:
        raise UnreadableMap("The map is empty.")
    if tiles > max_tiles:
        raise UnreadableMap(f"The map has {tiles:,} tiles, and at most {max_tiles:,} are read.")


def _create_sky_map(table: BinaryTable, uniq: Integers, density: Floats) -> SkyMap:
    if density.size != uniq.size:
        raise UnreadableMap("The map's columns differ in length.")
    order = np.searchsorted(_FIRST_UNIQ, uniq, side="right") - 1
    ipix = uniq - _FIRST_UNIQ[order]
    bad = np.count_nonzero(~(np.isfinite(density) & (density >= 0)))
    if bad:
        raise UnreadableMap(f"The map has {bad:,} tiles whose probability density is no number ≥ 0.")
    distances = [_distance_column(table, name, uniq.size) for name in ("DISTMU", "DISTSIGMA", "DISTNORM")]
    complete = all(column is not None for column in distances)
    distmu, distsigma, distnorm = distances if complete else (None, None, None)
    shifts = 2 * (MAX_ORDER - order)
    start = ipix << shifts
    # Equal ones overlap, so it needn't be a stable sort, which is slower.
    by_position = np.argsort(start)
    if np.any(((ipix + 1) << shifts)[by_position[:-1]] > start[by_position[1:]]):
        raise UnreadableMap("The map's tiles overlap.")
    by_density = np.argsort(-density)
    skymap = SkyMap(
        uniq=uniq,
        order=order,
        ipix=ipix,
        density=density,
        by_position=by_position,
        by_density=by_density,
        distmu=distmu,
        distsigma=distsigma,
        distnorm=distnorm,
        distance=_header_distance(table.header),
        log_bci=_header_float(table.header, "LOGBCI"),
        instruments=_header_instruments(table.header),
        creator=_header_text(table.header, "CREATOR"),
    )
    with np.errstate(over="ignore"):
        total = float(skymap.probability.sum())
    if not abs(total - 1) <= _SUM_TOLERANCE:
        raise UnreadableMap(f"The map's probabilities add up to {total:.4g}, not to 1.")
    for array in (uniq, order, ipix, density, by_position, by_density, distmu, distsigma, distnorm):
        if array is not None:
            array.flags.writeable = False
    return skymap


def _distance_column(table: BinaryTable, name: str, size: int) -> Floats | None:
    column = table.column(name)
    if column is None:
        return None
    if column.size != size:
        raise UnreadableMap("The map's columns differ in length.")
    return column.astype(np.float64)


def _header_float(header: Mapping[str, CardValue], key: str) -> float | None:
    value = header.get(key)
    if isinstance(value, bool | str) or value is None or not -inf < value < inf:
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _header_text(header: Mapping[str, CardValue], key: str) -> str | None:
    value = header.get(key)
    return value.strip() or None if isinstance(value, str) else None


def _header_distance(header: Mapping[str, CardValue]) -> Distance | None:
    mean, std = _header_float(header, "DISTMEAN"), _header_float(header, "DISTSTD")
    if mean is None or std is None or mean <= 0 or std < 0:
        return None
    return Distance(mean=mean, std=std)


def _header_instruments(header: Mapping[str, CardValue]) -> tuple[str, ...]:
    text = _header_text(header, "INSTRUME") or ""
    # oLIB writes "H1 L1", everybody else commas; a name such as "Swift BAT" has a blank of its own.
    names = text.split(",") if "," in text else text.split()
    return tuple(name.strip() for name in names if name.strip())


def localize(skymap: SkyMap) -> Localization:
    """Measure everything that a message says about a map."""
    peak = peak_tile(skymap)
    ra, dec = _tile_centre(skymap, peak)
    area_50, area_90 = credible_areas(skymap, (0.5, 0.9))
    part = skymap.by_position[in_credible_region(skymap, 0.9)[skymap.by_position]]
    return Localization(
        ra=ra,
        dec=dec,
        area_50=area_50,
        area_90=area_90,
        regions=connected_regions(skymap.order[part], skymap.ipix[part], skymap.probability[part]),
        distance=skymap.distance,
        peak_distance=distance_at(skymap, peak),
        log_bci=skymap.log_bci,
        instruments=skymap.instruments,
        creator=skymap.creator,
    )


def peak_tile(skymap: SkyMap) -> int:
    """Index of the tile with the highest density, of equals the first, as the user guide takes it."""
    return int(skymap.density.argmax())


def _tile_centre(skymap: SkyMap, tile: int) -> tuple[float, float]:
    lon, lat = healpix.healpix_to_lonlat(skymap.ipix[tile], 2 ** int(skymap.order[tile]), order="nested")
    return float(lon.to_value(units.deg)), float(lat.to_value(units.deg))


def credible_areas(skymap: SkyMap, levels: tuple[float, ...]) -> tuple[float, ...]:
    """Areas in deg² of the credible regions of these levels (0 to 1).

    Interpolated as `ligo.skymap.postprocess.crossmatch` does it: the level in the cumulative
    probability, on the cumulative area, tiles by falling density; beyond the map's probability the
    whole sky. A level below that of the first tile gets its share of that tile.
    """
    area = skymap.area[skymap.by_density]
    probability = np.concatenate(([0.0], np.cumsum(skymap.density[skymap.by_density] * area)))
    found = np.interp(levels, probability, np.concatenate(([0.0], np.cumsum(area))), right=4 * pi)
    return tuple((found * DEG2_PER_SR).tolist())


def credible_levels(skymap: SkyMap) -> Floats:
    """Per tile, the probability of all tiles that are at least as dense: the level that it lies on."""
    density = skymap.density[skymap.by_density]
    cumulative = np.cumsum(skymap.probability[skymap.by_density])
    # Equal densities share the level of the last of them.
    last = np.searchsorted(-density, -density, side="right") - 1
    levels = np.empty_like(cumulative)
    levels[skymap.by_density] = cumulative[last]
    return levels


def in_credible_region(skymap: SkyMap, level: float) -> Flags:
    """Per tile, whether it belongs to the credible region: the densest tiles that hold at least `level`."""
    cumulative = np.cumsum(skymap.probability[skymap.by_density])
    part = np.zeros(skymap.uniq.size, np.bool_)
    part[skymap.by_density[: int(np.searchsorted(cumulative, level)) + 1]] = True
    return part


def probability_inside(skymap: SkyMap, other: SkyMap, level: float) -> float:
    """Share (0 to 1) of `other`'s probability inside the credible region of `skymap` of this level."""
    part = in_credible_region(skymap, level)
    starts, stops = other.start[other.by_position], other.stop[other.by_position]
    density = other.density[other.by_position]
    before = np.concatenate(([0.0], np.cumsum(other.probability[other.by_position])))

    def below(pixel: Integers) -> Floats:
        # The probability of all that lies before this pixel of order 29 on the nested curve.
        tile = np.maximum(np.searchsorted(starts, pixel, side="right") - 1, 0)
        pixels = np.clip(pixel, starts[tile], stops[tile]) - starts[tile]
        within: Floats = before[tile] + density[tile] * np.ldexp(pixels * (pi / 3), -2 * MAX_ORDER)
        return within

    found = np.sum(below(skymap.stop[part]) - below(skymap.start[part])) / before[-1]
    return float(np.clip(found, 0, 1))


def tile_at(skymap: SkyMap, ra: float, dec: float) -> int | None:
    """Index of the tile that holds a position (ICRS degrees); None where the map has a gap."""
    pixel = int(healpix.lonlat_to_healpix(ra * units.deg, dec * units.deg, 2**MAX_ORDER, order="nested"))
    starts = skymap.start[skymap.by_position]
    place = int(np.searchsorted(starts, pixel, side="right")) - 1
    if place < 0:
        return None
    tile = int(skymap.by_position[place])
    return tile if pixel < skymap.stop[tile] else None


def distance_at(skymap: SkyMap, tile: int) -> Distance | None:
    """Return the distance (Mpc) along the line of sight through a tile, None if the map gives none there."""
    if skymap.distmu is None or skymap.distsigma is None:
        return None
    return conditional_distance(float(skymap.distmu[tile]), float(skymap.distsigma[tile]))


def conditional_distance(mu: float, sigma: float) -> Distance | None:
    """Mean and standard deviation of p(r) ∝ r² N(r; mu, sigma), r > 0, all in Mpc.

    The moments of `ligo.skymap.distance.parameters_to_moments` (Singer et al. 2016, ApJL 829, L15). None
    where the parameters describe no distance (mu infinite, sigma not positive).
    """
    if not (isfinite(mu) and isfinite(sigma) and sigma > 0):
        return None
    z = mu / sigma
    if z > 38:
        # The tail below 0 is nothing now, and the difference of the closed form's moments would cancel.
        q = 1 / (z * z)
        return Distance(mean=mu * (1 + 3 * q) / (1 + q), std=sigma * sqrt(1 + 3 * q * q) / (1 + q))
    if z > -8:
        hazard = sqrt(2 / pi) * exp(-z * z / 2) / erfc(-z / sqrt(2))
        second = z * z + 1 + z * hazard
        third = z * (z * z + 3) + (z * z + 2) * hazard
        fourth = z * z * (z * z + 6) + 3 + z * (z * z + 5) * hazard
        mean = third / second
        variance = fourth / second - mean * mean
    else:
        # The closed form cancels here. With u = -z r / sigma the integrand is u^n exp(-u² / 2z²) under
        # the weight exp(-u), which Gauss-Laguerre quadrature takes to rounding error.
        u, weight = np.polynomial.laguerre.laggauss(40)
        weight = weight * u**2 * np.exp(-((u / z) ** 2) / 2)
        mean = float(np.average(u, weights=weight)) / -z
        variance = float(np.average((u / -z - mean) ** 2, weights=weight))
    return Distance(mean=sigma * mean, std=sigma * sqrt(variance))
