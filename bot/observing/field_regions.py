"""The sky that fields of a telescope cover, as ranges of HEALPix pixels.

A region is a list of ranges on the NESTED curve at the finest order, so that regions of fields of any size
are united and subtracted exactly, and a map's probability in one is a difference of two values of its
`ProbabilityCurve`: for a new map nothing else has to be computed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import degrees, isfinite, radians, tan

import numpy as np

from bot.observing.field_raster import FieldRaster
from bot.observing.footprints import bounding_radius
from bot.observing.pointing_pixels import (
    PIXEL_WIDTH_DEG,
    ProbabilityCurve,
    children,
    pixel_order,
    surrounding_order,
)
from bot.observing.pointing_visibility import unit_vectors
from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, SKY_AREA_DEG2, Flags, Floats, Integers
from formatters.models.observation import ObservedField
from formatters.models.pointing import Footprint

FINER = 4
"""Orders by which the finest pixels are finer than those in which plans compare fields: 14 across a field
become 224. A pixel belongs to a field if its centre does, so that a field is right within 0.2 % or so, and
many are together far better. For very many, coarser pixels do."""
MAX_FIELDS = 20_000
"""The most different fields of one shape that are measured; then a computation takes some seconds."""
_MOST_PIXELS = 8_000_000
"""Pixels that are looked at for one group of fields, about; a million takes some 0.4 s."""
_REACH = 1.05
"""The farthest corner of a pixel from its centre, in pixel widths; at the poles it is nearly that."""
_CHUNK_PIXELS = 1_500_000
"""Pixels that are looked at together, about; each takes some 200 bytes for a moment."""
_FEW_CORNERS, _FEW_DETECTORS = 8, 8
_SKY_PIXELS: int = 12 * 4**MAX_ORDER

Centre = tuple[float, float, float]
"""RA and Dec in ICRS degrees, and the position angle in degrees from north to east."""


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields of one shape, each once."""

    footprint: Footprint
    centres: tuple[Centre, ...]

    @classmethod
    def of(cls, footprint: Footprint, fields: Iterable[ObservedField]) -> FieldGroup:
        """Return the group of these fields; what isn't on the sky is left out."""
        every = ((one.ra % 360, one.dec, one.position_angle % 360) for one in fields if is_on_sky(one))
        if footprint.radius is not None:
            every = ((ra, dec, 0.0) for ra, dec, _ in every)
        return cls(footprint, tuple(dict.fromkeys(every)))


@dataclass(frozen=True, slots=True, eq=False)
class SkyRegion:
    """Disjoint ranges of pixels at order MAX_ORDER along the NESTED curve, ascending."""

    start: Integers
    stop: Integers
    """The pixel after each range's last one."""

    @property
    def is_empty(self) -> bool:
        """True if there is nothing in it."""
        return not self.start.size

    @property
    def area(self) -> float:
        """Return the area in deg²."""
        sizes = (self.stop - self.start).astype(np.float64)
        return float(sizes.sum()) / _SKY_PIXELS * SKY_AREA_DEG2

    def probability(self, curve: ProbabilityCurve) -> float:
        """Return the probability (0 to 1) of a map in it."""
        inside = curve.until(self.stop) - curve.until(self.start)
        return float(np.clip(inside.sum(), 0, 1))

    def holds(self, pixels: Integers) -> Flags:
        """Return True for pixels of order MAX_ORDER that lie in it."""
        if self.is_empty:
            return np.zeros(pixels.shape, np.bool_)
        place = np.searchsorted(self.start, pixels, side="right") - 1
        return np.asarray((place >= 0) & (pixels < self.stop[np.maximum(place, 0)]), np.bool_)

    def without(self, other: SkyRegion) -> SkyRegion:
        """Return the part of it that isn't in another."""
        if self.is_empty or other.is_empty:
            return self
        # Between each two ranges of the other, and before the first and after the last, is a gap.
        gap_start = np.concatenate([[0], other.stop])
        gap_stop = np.concatenate([other.start, [_SKY_PIXELS]])
        first = np.searchsorted(gap_stop, self.start, side="right")
        last = np.searchsorted(gap_start, self.stop, side="left")
        count = np.maximum(last - first, 0)
        mine = np.repeat(np.arange(self.start.size), count)
        begin = np.cumsum(count) - count
        gap = np.arange(int(count.sum())) - np.repeat(begin, count) + np.repeat(first, count)
        start = np.maximum(self.start[mine], gap_start[gap])
        stop = np.minimum(self.stop[mine], gap_stop[gap])
        kept = start < stop
        return SkyRegion(start[kept], stop[kept])


def empty_region() -> SkyRegion:
    """Return a region that holds nothing."""
    nothing = np.empty(0, np.int64)
    return SkyRegion(nothing, nothing)


def region_of_ranges(start: Integers, stop: Integers) -> SkyRegion:
    """Return the region of ranges in any order, which may overlap."""
    if not start.size:
        return empty_region()
    order = np.argsort(start, kind="stable")
    start, reached = start[order], np.maximum.accumulate(stop[order])
    first = np.concatenate([[True], start[1:] > reached[:-1]])
    last = np.append(np.flatnonzero(first)[1:] - 1, start.size - 1)
    return SkyRegion(start[first], reached[last])


def union(regions: Sequence[SkyRegion]) -> SkyRegion:
    """Return everything that is in one of these regions."""
    if len(regions) == 1:
        return regions[0]
    if not regions:
        return empty_region()
    return region_of_ranges(
        np.concatenate([one.start for one in regions]), np.concatenate([one.stop for one in regions])
    )


def region_of(group: FieldGroup) -> SkyRegion:
    """Return the region that fields of one shape cover together, at most MAX_FIELDS of them."""
    found = [region_of_ranges(start, stop) for _, start, stop in _covered_ranges(group)]
    return union(found)


def parts_inside(group: FieldGroup, region: SkyRegion) -> Floats:
    """Return the part (0 to 1) of each field of a group that lies in a region, (n,)."""
    count = len(group.centres)
    inside, whole = np.zeros(count), np.zeros(count)
    for owner, start, stop in _covered_ranges(group):
        size = (stop - start).astype(np.float64)
        whole += np.bincount(owner, size, count)
        shared = _overlap(region, start, stop)
        inside += np.bincount(owner, shared, count)
    return np.asarray(np.divide(inside, whole, out=np.zeros(count), where=whole > 0), np.float64)


def _overlap(region: SkyRegion, start: Integers, stop: Integers) -> Floats:
    """Return how many pixels of each range lie in a region."""
    if region.is_empty:
        return np.zeros(start.shape)
    size = (region.stop - region.start).astype(np.float64)
    before = np.concatenate([[0.0], np.cumsum(size)])

    def until(place: Integers) -> Floats:
        at = np.maximum(np.searchsorted(region.start, place, side="right") - 1, 0)
        return np.asarray(
            before[at] + np.clip((place - region.start[at]).astype(np.float64), 0, size[at]), np.float64
        )

    return until(stop) - until(start)


def _covered_ranges(group: FieldGroup) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Yield ranges of pixels that fields cover, with the number of the field, some fields at a time."""
    centres = np.array(group.centres[:MAX_FIELDS], np.float64).reshape(-1, 3)
    if not len(centres):
        return
    coarsest = pixel_order(group.footprint)
    # Of many detectors the errors along their edges cancel out in one field already.
    order = coarsest + FINER - (len(group.footprint.polygons) > _FEW_DETECTORS)
    while order > coarsest and len(centres) * _pixels_per_field(group.footprint, order) > _MOST_PIXELS:
        order -= 1
    shape = _shape(group.footprint)
    chunk = max(1, int(_CHUNK_PIXELS / _pixels_per_field(group.footprint, order)))
    for begin in range(0, len(centres), chunk):
        some = centres[begin : begin + chunk]
        yield from (
            (owner + begin, ipix << 2 * (MAX_ORDER - at), (ipix + 1) << 2 * (MAX_ORDER - at))
            for at, owner, ipix in _covered_pixels(shape, some, order)
        )


def _pixels_per_field(footprint: Footprint, order: int) -> float:
    across: float = 2 * bounding_radius(footprint) / (PIXEL_WIDTH_DEG / 2**order)
    # Only the pixels along the edges are looked at in the finest order; cameras have edges all over.
    return 16 * across + 400 if _is_simple(footprint) else across**2 + 400


def _is_simple(footprint: Footprint) -> bool:
    """Return True for a circle and for a polygon of few corners, whose edges are looked at one by one."""
    polygons = footprint.polygons
    return footprint.radius is not None or (len(polygons) == 1 and len(polygons[0]) <= _FEW_CORNERS)


def _covered_pixels(shape: _Shape, centres: Floats, order: int) -> Iterator[tuple[int, Integers, Integers]]:
    """Yield (order, field, pixel) of the pixels that fields cover: coarse where they are wholly inside."""
    ra, dec, angle = centres.T
    vectors = unit_vectors(ra, dec)
    begin = surrounding_order(shape.reach, order)
    if begin is None:
        begin = 0
        owner = np.repeat(np.arange(len(centres)), 12)
        ipix = np.tile(np.arange(12), len(centres))
    else:
        own = healpix.finest_pixels(ra, dec) >> 2 * (MAX_ORDER - begin)
        near = np.concatenate([own[np.newaxis], healpix.neighbours(np.full(own.size, begin), own)])
        owner = np.broadcast_to(np.arange(own.size), near.shape)[near >= 0]
        ipix = near[near >= 0]
    for at in range(begin, order + 1):
        points = np.stack(healpix.centre_vectors(at, ipix), axis=1)
        is_last = at == order
        radius = 0.0 if is_last else _REACH * PIXEL_WIDTH_DEG / 2**at
        # The chord tells small angles apart, where the cosine doesn't.
        chord = ((points - vectors[owner]) ** 2).sum(axis=1)
        is_near = chord <= (2 * np.sin(radians(min(shape.reach + radius, 180.0)) / 2)) ** 2 + 1e-15
        owner, ipix, points = owner[is_near], ipix[is_near], points[is_near]
        if is_last:
            inside = shape.holds(points, ra[owner], dec[owner], angle[owner])
            yield at, owner[inside], ipix[inside]
            return
        if shape.reach + radius < 60:
            inside, partly = shape.compare(points, ra[owner], dec[owner], angle[owner], radius)
            yield at, owner[inside], ipix[inside]
            owner, ipix = owner[partly], ipix[partly]
        owner, ipix = np.repeat(owner, 4), children(ipix, 1)


@lru_cache(maxsize=4)
def _shape(footprint: Footprint) -> _Shape:
    return _Shape(footprint)


class _Shape:
    """A field of view, prepared for many points."""

    def __init__(self, footprint: Footprint) -> None:
        self.reach = bounding_radius(footprint)
        self._radius = None if footprint.radius is None else degrees(tan(radians(footprint.radius)))
        self._corners = footprint.polygons[0] if _is_simple(footprint) and footprint.polygons else ()
        self._raster = None if _is_simple(footprint) else FieldRaster(footprint.polygons)

    def holds(self, points: Floats, ra: Floats, dec: Floats, angle: Floats) -> Flags:
        """Return True for points, (n, 3), in the field that is centred at each one's position."""
        x, y, _ = _on_plane(points, ra, dec, angle)
        if self._radius is not None:
            return np.asarray(x**2 + y**2 <= self._radius**2, np.bool_)
        if self._raster is not None:
            return self._raster.holds(x, y)
        return _edge_distance(self._corners, x, y)[0]

    def compare(
        self, points: Floats, ra: Floats, dec: Floats, angle: Floats, radius: float
    ) -> tuple[Flags, Flags]:
        """Return around which points a circle lies wholly inside the field, and around which maybe partly.

        `radius` is the circle's on the sky, degrees; with the field's it is less than 60°.
        """
        x, y, distance = _on_plane(points, ra, dec, angle)
        # The plane stretches what is far from its centre.
        grown = np.degrees(np.tan(np.radians(distance + radius)) - np.tan(np.radians(distance)))
        if self._raster is not None:
            return self._raster.compare(x, y, float(grown.max(initial=0)))
        if self._radius is not None:
            depth = self._radius - np.hypot(x, y)
        else:
            inside, to_edge = _edge_distance(self._corners, x, y)
            depth = np.where(inside, to_edge, -to_edge)
        return depth > grown, np.abs(depth) <= grown


def _on_plane(points: Floats, ra: Floats, dec: Floats, angle: Floats) -> tuple[Floats, Floats, Floats]:
    """Return x and y of points on the field's own plane, degrees, and their distances from its centre.

    The field's y points to the position angle, from north to east. Points are less than 90° from the centre.
    """
    lon, lat = np.radians(ra), np.radians(dec)
    cos_lon, sin_lon, cos_lat, sin_lat = np.cos(lon), np.sin(lon), np.cos(lat), np.sin(lat)
    px, py, pz = points.T
    outward = px * cos_lon + py * sin_lon
    along = outward * cos_lat + pz * sin_lat
    east = np.degrees((py * cos_lon - px * sin_lon) / along)
    north = np.degrees((pz * cos_lat - outward * sin_lat) / along)
    distance = np.degrees(np.arctan(np.radians(np.hypot(east, north))))
    if not angle.any():
        return east, north, distance
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return east * cos - north * sin, east * sin + north * cos, distance


def _edge_distance(polygon: tuple[tuple[float, float], ...], x: Floats, y: Floats) -> tuple[Flags, Floats]:
    """Return True for points in a polygon of the plane, and each point's distance from its edge."""
    inside = np.zeros(x.shape, np.bool_)
    nearest = np.full(x.shape, np.inf)
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        dx, dy = x2 - x1, y2 - y1
        if dx == dy == 0:
            continue
        along = np.clip(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy), 0, 1)
        nearest = np.minimum(nearest, (x - x1 - along * dx) ** 2 + (y - y1 - along * dy) ** 2)
    return inside, np.sqrt(nearest)


def is_on_sky(field: ObservedField) -> bool:
    """Return True if a field's centre and angle are numbers that a place on the sky has."""
    return isfinite(field.ra) and isfinite(field.position_angle) and abs(field.dec) <= 90
