"""A HEALPix sky map: reading it from a FITS file, and measuring areas, probabilities and distances on it.

Maps are multi-order ones with UNIQ indices, as LVK publishes them
(https://emfollow.docs.ligo.org/userguide/tutorial/multiorder_skymaps.html); small flat maps of one nside are
converted to the same form. Arrays "per tile" have the shape (n,) and the order of the file.

Areas and levels are computed here and not with ligo.skymap, which is much slower per map and has many large
dependencies; where it is installed, the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf, pi
from typing import TypeVar

import numpy as np

from bot.skymaps import healpix
from bot.skymaps.arrays import DEG2_PER_SR, MAX_ORDER, Flags, Floats, Integers, argsort_descending
from bot.skymaps.distance_moments import conditional_distance, mean_distance
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.fits_table import BinaryTable, CardValue, read_table
from bot.skymaps.regions import connected_regions, count_components
from formatters.models.notice import Distance, Localization

__all__ = [
    "SkyMap",
    "credible_areas",
    "credible_levels",
    "distance_at",
    "distance_where_known",
    "in_credible_region",
    "localize",
    "peak_tile",
    "probability_inside",
    "read_sky_map",
    "sky_map_from_table",
    "tile_at",
]

MAX_TILES = 2**20
"""The most tiles of a map. Published maps have 345 to 80,631; a flat map of nside 256 has 786,432."""

_FIRST_UNIQ = 4 ** np.arange(1, MAX_ORDER + 3, dtype=np.int64)
"""The first UNIQ of each order, and the first beyond the last order."""
_TILE_AREAS: Floats = np.ldexp(pi / 3, -2 * np.arange(MAX_ORDER + 1))
"""The area of a tile of each order, sr."""
_SUM_TOLERANCE = 0.01
_LEVEL_MARGIN = 1e-9
"""More than the rounding error of a sum of probabilities."""
_ICRS_NAMES = ("C", "ICRS", "CELESTIAL", "EQUATORIAL")

_Array = TypeVar("_Array", Integers, Floats)


@dataclass(frozen=True, kw_only=True, eq=False)
class SkyMap:
    """Disjoint HEALPix tiles with a probability density each, in the order of the file.

    All arrays have the same shape (n,) and are read-only. Positions are ICRS. What not every use needs is
    computed when it is first asked for.
    """

    uniq: Integers
    """UNIQ index: ipix + 4 · 4^order."""
    order: Integers
    """HEALPix order (log2 of nside), 0 to 29."""
    ipix: Integers
    """NESTED index within the order."""
    density: Floats
    """Probability density in sr⁻¹, finite and not negative; its integral over the map is 1 within 0.01."""
    distmu: Floats | None = None
    """Mpc; location parameter of p(r) = DISTNORM · r² · N(r; DISTMU, DISTSIGMA): not the mean, may be inf.

    The ansatz is that of Singer et al. 2016 (ApJL 829, L15).
    """
    distsigma: Floats | None = None
    """Mpc; scale parameter of p(r)."""
    distnorm: Floats | None = None
    """Mpc⁻²; normalization of p(r)."""
    distance: Distance | None = None
    """Mean and standard deviation over the whole sky, Mpc: the header's DISTMEAN and DISTSTD."""
    log_bci: float | None = None
    """Natural logarithm of the Bayes factor coherent against incoherent: the header's LOGBCI."""
    instruments: tuple[str, ...] = ()
    creator: str | None = None
    unread_tiles: int = 0
    """Number of tiles of the file that were left out, because their probability density is no number ≥ 0."""

    @property
    def area(self) -> Floats:
        """Return each tile's area in sr."""
        return _TILE_AREAS[self.order]

    @cached_property
    def probability(self) -> Floats:
        """Return each tile's probability, 0 to 1."""
        return _read_only(self.density * self.area)

    @cached_property
    def by_position(self) -> Integers:
        """Return the indices that sort the tiles along the NESTED curve, by their first pixel at order 29."""
        # A published map lists its tiles order by order, each along the curve: runs that a stable sort only
        # has to merge, in a fifth of the time.
        return _read_only(np.argsort(self.start, kind="stable"))

    @cached_property
    def by_density(self) -> Integers:
        """Return the indices that sort the tiles by descending density.

        Equal densities are in the order of `by_position`, so that a credible region is the same in whatever
        order a file lists its tiles.
        """
        return _read_only(self.by_position[argsort_descending(self.density[self.by_position])])

    @property
    def start(self) -> Integers:
        """Return each tile's first pixel at order 29, NESTED."""
        return self.ipix << 2 * (MAX_ORDER - self.order)

    @property
    def stop(self) -> Integers:
        """Return the pixel after each tile's last one at order 29, NESTED."""
        return (self.ipix + 1) << 2 * (MAX_ORDER - self.order)


def read_sky_map(fits: bytes) -> SkyMap:
    """Read a map from the bytes of its FITS file, gzipped or not. Raises UnreadableMap."""
    return sky_map_from_table(read_table(fits))


def sky_map_from_table(table: BinaryTable, max_tiles: int = MAX_TILES) -> SkyMap:
    """Read a map of at most `max_tiles` tiles from its binary table. Raises UnreadableMap."""
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
    """Convert a flat map (one probability per pixel of one nside, RING or NESTED) into tiles."""
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
            ipix = healpix.ring_to_nested(order, ipix)
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
    order = _orders(uniq)
    ipix = uniq - (4 << 2 * order)
    distances = [_distance_column(table, name, uniq.size) for name in ("DISTMU", "DISTSIGMA", "DISTNORM")]
    complete = all(column is not None for column in distances)
    distmu, distsigma, distnorm = distances if complete else (None, None, None)
    good = np.isfinite(density) & (density >= 0)
    unread = density.size - int(np.count_nonzero(good))
    if unread == density.size:
        raise UnreadableMap("The map has no tile whose probability density is a number ≥ 0.")
    if unread:
        # They become gaps. If they held more than a negligible probability, the sum below isn't 1.
        uniq, order, ipix, density = uniq[good], order[good], ipix[good], density[good]
        distmu, distsigma, distnorm = (
            None if column is None else column[good] for column in (distmu, distsigma, distnorm)
        )
    for array in (uniq, order, ipix, density, distmu, distsigma, distnorm):
        if array is not None:
            array.flags.writeable = False
    skymap = SkyMap(
        uniq=uniq,
        order=order,
        ipix=ipix,
        density=density,
        distmu=distmu,
        distsigma=distsigma,
        distnorm=distnorm,
        distance=_header_distance(table.header),
        log_bci=_header_float(table.header, "LOGBCI"),
        instruments=_header_instruments(table.header),
        creator=_header_text(table.header, "CREATOR"),
        unread_tiles=unread,
    )
    # Two tiles with the same start overlap too.
    if np.any(skymap.stop[skymap.by_position[:-1]] > skymap.start[skymap.by_position[1:]]):
        raise UnreadableMap("The map's tiles overlap.")
    with np.errstate(over="ignore"):
        total = float(skymap.probability.sum())
    if not abs(total - 1) <= _SUM_TOLERANCE:
        without = f" without {unread:,} tiles whose probability density is no number ≥ 0" if unread else ""
        raise UnreadableMap(f"The map's probabilities add up to {total:.4g}{without}, not to 1.")
    return skymap


def _orders(uniq: Integers) -> Integers:
    """Return the HEALPix orders of tiles: half the place of the highest bit of UNIQ, less one."""
    # A float's exponent is that place. Clearing every bit below a set one keeps the conversion from rounding
    # up to the next power of two.
    exponent = (uniq & ~(uniq >> 1)).astype(np.float64).view(np.int64) >> 52
    return np.asarray(((exponent - 1023) >> 1) - 1, np.int64)


def _read_only(array: _Array) -> _Array:
    array.flags.writeable = False
    return array


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
    # oLIB separates detectors by blanks ("H1 L1"), other pipelines by commas; "Swift BAT" contains a blank.
    names = text.split(",") if "," in text else text.split()
    return tuple(name.strip() for name in names if name.strip())


def localize(skymap: SkyMap) -> Localization:
    """Measure a map: peak, credible areas (deg²), connected regions and distances (Mpc)."""
    peak = peak_tile(skymap)
    ra, dec = _tile_centre(skymap, peak)
    densest = _densest_tiles(skymap, 0.9)
    area_50, area_90 = densest.areas((0.5, 0.9))
    distance, share = skymap.distance, None
    if distance is None:
        distance, share = distance_where_known(skymap)
    part, part_50 = (
        _sort_by_position(skymap, densest.region(0.9)),
        _sort_by_position(skymap, densest.region(0.5)),
    )
    return Localization(
        ra=ra,
        dec=dec,
        area_50=area_50,
        area_90=area_90,
        regions=connected_regions(skymap.order[part], skymap.ipix[part], skymap.probability[part]),
        pieces_50=count_components(skymap.order[part_50], skymap.ipix[part_50]),
        distance=distance,
        distance_share=share,
        unread_tiles=skymap.unread_tiles,
        peak_distance=distance_at(skymap, peak),
        log_bci=skymap.log_bci,
        instruments=skymap.instruments,
        creator=skymap.creator,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _DensestTiles:
    """The first of a map's tiles by descending density, and what they hold together."""

    tiles: Integers
    """(n,) indices in the map: the first n of `by_density`."""
    probability: Floats
    """(n,) probability of the tiles up to each one, itself included."""
    area: Floats
    """(n,) area of the tiles up to each one, sr."""

    def region(self, level: float) -> Integers:
        """Return the indices of the tiles of the credible region of a level, by descending density."""
        return self.tiles[: int(np.searchsorted(self.probability, level)) + 1]

    def areas(self, levels: tuple[float, ...]) -> tuple[float, ...]:
        """Return the areas of credible regions as `credible_areas` does."""
        probability = np.concatenate(([0.0], self.probability))
        areas = np.interp(levels, probability, np.concatenate(([0.0], self.area)), right=4 * pi)
        return tuple((areas * DEG2_PER_SR).tolist())


def _densest_tiles(skymap: SkyMap, level: float) -> _DensestTiles:
    """Return the densest tiles, at least those of the credible region of a level, or all."""
    # What is less dense than t holds less than t · 4π together, so the tiles from there on hold the rest.
    # Sorting only these gives what begins `by_density`, and is most of the time that sorting takes.
    threshold = (float(skymap.probability.sum()) - level - _LEVEL_MARGIN) / (4 * pi)
    if "by_density" in vars(skymap) or not threshold > 0:
        tiles = skymap.by_density
    else:
        tiles = skymap.by_position[(skymap.density >= threshold)[skymap.by_position]]
        tiles = tiles[argsort_descending(skymap.density[tiles])]
    probability = np.cumsum(skymap.probability[tiles])
    needed = int(np.searchsorted(probability, level)) + 1
    tiles = tiles[:needed]
    return _DensestTiles(tiles, probability[:needed], np.cumsum(_TILE_AREAS[skymap.order[tiles]]))


def _sort_by_position(skymap: SkyMap, tiles: Integers) -> Integers:
    """Return indices of tiles sorted along the NESTED curve."""
    held = np.zeros(skymap.uniq.size, np.bool_)
    held[tiles] = True
    return skymap.by_position[held[skymap.by_position]]


def distance_where_known(skymap: SkyMap) -> tuple[Distance | None, float | None]:
    """Return the distance over the tiles that have one (Mpc), and their part (0 to 1) of the probability.

    For maps without DISTMEAN and DISTSTD, such as AMPLFI's. Return (None, None) if no tile has a distance.
    """
    if skymap.distmu is None or skymap.distsigma is None:
        return None, None
    known = np.isfinite(skymap.distmu) & np.isfinite(skymap.distsigma) & (skymap.distsigma > 0)
    probability = skymap.probability
    distance = mean_distance(probability[known], skymap.distmu[known], skymap.distsigma[known])
    if distance is None:
        return None, None
    return distance, float(np.clip(probability[known].sum() / probability.sum(), 0, 1))


def peak_tile(skymap: SkyMap) -> int:
    """Return the index of the tile with the highest density, the first of equals, as in LVK's user guide."""
    return int(skymap.density.argmax())


def _tile_centre(skymap: SkyMap, tile: int) -> tuple[float, float]:
    ra, dec = healpix.centres(skymap.order[tile], skymap.ipix[tile])
    return float(ra), float(dec)


def credible_areas(skymap: SkyMap, levels: tuple[float, ...]) -> tuple[float, ...]:
    """Return the areas in deg² of the credible regions of these levels (0 to 1).

    As in `ligo.skymap.postprocess.crossmatch`, the cumulative area is interpolated at the level in the
    cumulative probability of the tiles by descending density. A level above the map's whole probability gets
    the whole sky, one below the first tile's probability the corresponding part of that tile.
    """
    return _densest_tiles(skymap, max(levels)).areas(levels)


def credible_levels(skymap: SkyMap) -> Floats:
    """Return each tile's credible level: the probability (0 to 1) of all tiles that are at least as dense."""
    density = skymap.density[skymap.by_density]
    cumulative = np.cumsum(skymap.probability[skymap.by_density])
    # Tiles of equal density all get the level of the last of them.
    last = np.searchsorted(-density, -density, side="right") - 1
    levels = np.empty_like(cumulative)
    levels[skymap.by_density] = cumulative[last]
    return levels


def in_credible_region(skymap: SkyMap, level: float) -> Flags:
    """Return a mask of the credible region: the densest tiles that together hold a probability of `level`."""
    part = np.zeros(skymap.uniq.size, np.bool_)
    part[_densest_tiles(skymap, level).region(level)] = True
    return part


def probability_inside(skymap: SkyMap, other: SkyMap, level: float) -> float:
    """Return the part (0 to 1) of `other`'s probability inside the credible region of `skymap` at `level`."""
    part = in_credible_region(skymap, level)
    starts, stops = other.start[other.by_position], other.stop[other.by_position]
    density = other.density[other.by_position]
    before = np.concatenate(([0.0], np.cumsum(other.probability[other.by_position])))

    def below(pixel: Integers) -> Floats:
        # The probability of everything before this pixel of order 29 on the NESTED curve.
        tile = np.maximum(np.searchsorted(starts, pixel, side="right") - 1, 0)
        pixels = np.clip(pixel, starts[tile], stops[tile]) - starts[tile]
        within: Floats = before[tile] + density[tile] * np.ldexp(pixels * (pi / 3), -2 * MAX_ORDER)
        return within

    inside = np.sum(below(skymap.stop[part]) - below(skymap.start[part])) / before[-1]
    return float(np.clip(inside, 0, 1))


def tile_at(skymap: SkyMap, ra: float, dec: float) -> int | None:
    """Return the index of the tile that contains a position (ICRS degrees), None where the map has a gap."""
    pixel = int(healpix.finest_pixels(ra, dec))
    starts = skymap.start[skymap.by_position]
    place = int(np.searchsorted(starts, pixel, side="right")) - 1
    if place < 0:
        return None
    tile = int(skymap.by_position[place])
    return tile if pixel < skymap.stop[tile] else None


def distance_at(skymap: SkyMap, tile: int) -> Distance | None:
    """Return the distance (mean and standard deviation, Mpc) along the line of sight through a tile."""
    if skymap.distmu is None or skymap.distsigma is None:
        return None
    return conditional_distance(float(skymap.distmu[tile]), float(skymap.distsigma[tile]))
