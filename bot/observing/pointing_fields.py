"""A sky map as pixels that fit a field of view, candidate pointings, and which pixels each covers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2, sqrt

import numpy as np

from bot.observing.footprints import bounding_radius, covers
from bot.skymaps import healpix
from bot.skymaps.arrays import SKY_AREA_DEG2, Flags, Floats, Integers
from bot.skymaps.skymap import SkyMap
from formatters.models.pointing import Footprint

PIXELS_ACROSS = 14
"""Pixels across the diameter of the circle around a field, at least."""
MAX_PIXEL_ORDER = 13
MAX_PIXELS = 300_000
CENTRES_ACROSS = 4
"""Candidate centres across the side of a square of the field's area."""
MAX_CENTRES = 8_000
_PIXEL_WIDTH_DEG = sqrt(SKY_AREA_DEG2 / 12)
"""The side of a HEALPix pixel of order 0, degrees."""

Vectors = tuple[Floats, Floats, Floats]
"""x, y and z of unit vectors, each of shape (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """The pixels of a map that may be worth a pointing."""

    order: int
    """HEALPix order."""
    ipix: Integers
    """(n,) NESTED, ascending."""
    probability: Floats
    """(n,): the map's probability in each."""
    points: Vectors
    """The directions of the centres."""


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Candidate pointings and the pixels that each covers, as a sparse matrix in rows."""

    ra: Floats
    """(m,) ICRS degrees."""
    dec: Floats
    first: Integers
    """(m + 1,): the pixels of field i are `pixel[first[i]:first[i + 1]]`."""
    pixel: Integers
    """Indices into the pixels."""

    def pixels_of(self, field: int) -> Integers:
        """Return the pixels that a field covers."""
        return self.pixel[self.first[field] : self.first[field + 1]]


class Coverage:
    """What a set of fields covers, and what each other field would add."""

    def __init__(self, fields: Fields, probability: Floats) -> None:
        """Begin with no field; `probability` is that of the n pixels."""
        self._fields = fields
        self._probability = probability
        self._times_covered = np.zeros(probability.size, np.int64)
        owner = np.repeat(np.arange(fields.ra.size), np.diff(fields.first))
        order = np.argsort(fields.pixel, kind="stable")
        self._owners = owner[order]
        """The fields that cover the first pixel, then those of the second, and so on."""
        self._first_owner = np.searchsorted(fields.pixel[order], np.arange(probability.size + 1))
        self.gains = np.bincount(owner, probability[fields.pixel], fields.ra.size).astype(np.float64)
        """(m,): the probability in each field that no chosen one covers."""

    def add(self, field: int) -> None:
        """Add a field to the set."""
        pixels = self._fields.pixels_of(field)
        self._change_gains(pixels[self._times_covered[pixels] == 0], -1.0)
        self._times_covered[pixels] += 1

    def remove(self, field: int) -> None:
        """Take a field out of the set, once."""
        pixels = self._fields.pixels_of(field)
        self._times_covered[pixels] -= 1
        self._change_gains(pixels[self._times_covered[pixels] == 0], 1.0)

    def _change_gains(self, pixels: Integers, sign: float) -> None:
        first, last = self._first_owner[pixels], self._first_owner[pixels + 1]
        count = last - first
        begin = np.cumsum(count) - count
        owners = self._owners[np.arange(int(count.sum())) + np.repeat(first - begin, count)]
        weight = np.repeat(self._probability[pixels], count)
        self.gains += sign * np.bincount(owners, weight, self.gains.size)


def pixel_order(footprint: Footprint) -> int:
    """Return the HEALPix order whose pixels are fine enough for a field of view."""
    width = 2 * bounding_radius(footprint) / PIXELS_ACROSS
    return int(np.clip(ceil(log2(_PIXEL_WIDTH_DEG / width)), 3, MAX_PIXEL_ORDER))


def rasterize(skymap: SkyMap, is_observable: Flags, order: int, area: float) -> Pixels:
    """Return the densest observable part of a map as pixels of one order.

    `is_observable` is for each of the map's tiles. About `area` deg² are kept, at most MAX_PIXELS pixels.
    """
    by_density = skymap.by_density[is_observable[skymap.by_density]]
    by_density = by_density[skymap.density[by_density] > 0]
    pixel_area = SKY_AREA_DEG2 / 12 / 4.0**order
    wanted = int(min(max(area / pixel_area, 1), MAX_PIXELS))
    # Tiles that are finer than the pixels share one; the others are cut.
    per_tile = np.maximum(4.0 ** (order - skymap.order[by_density]), 0.25)
    count = int(np.searchsorted(np.cumsum(per_tile), wanted, side="right")) + 1
    tiles = by_density[:count]
    shift = 2 * (order - skymap.order[tiles])
    fine, coarse = tiles[shift <= 0], tiles[shift > 0]
    pieces = [skymap.ipix[fine] >> -shift[shift <= 0]]
    shares = [skymap.probability[fine]]
    children = 1 << shift[shift > 0]
    first = np.repeat(skymap.ipix[coarse] << shift[shift > 0], children)
    begin = np.repeat(np.cumsum(children) - children, children)
    pieces.append(first + np.arange(int(children.sum())) - begin)
    shares.append(np.repeat(skymap.probability[coarse] / children, children))
    every: Integers = np.concatenate(pieces)
    ipix, where = np.unique(every, return_inverse=True)
    probability = np.bincount(where, np.concatenate(shares), ipix.size)
    return Pixels(order, ipix, probability.astype(np.float64), healpix.centre_vectors(order, ipix))


def free_centres(pixels: Pixels, footprint: Footprint) -> tuple[Floats, Floats]:
    """Return candidate centres anywhere in the map, the most probable places first; RA and Dec in degrees."""
    spacing = sqrt(footprint.area) / CENTRES_ACROSS
    order = int(np.clip(ceil(log2(_PIXEL_WIDTH_DEG / spacing)), 2, pixels.order))
    ipix, where = np.unique(pixels.ipix >> 2 * (pixels.order - order), return_inverse=True)
    held = np.bincount(where, pixels.probability, ipix.size)
    best = np.argsort(-held, kind="stable")[:MAX_CENTRES]
    ra, dec = healpix.centres(order, ipix[best])
    # A map that is smaller than a field wants its middle in the middle.
    x, y, z = (float(np.dot(one, pixels.probability)) for one in pixels.points)
    middle = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
    return np.concatenate([[middle[0]], ra]), np.concatenate([[middle[1]], dec])


def grid_centres(pixels: Pixels, footprint: Footprint) -> tuple[Floats, Floats]:
    """Return the centres of a grid of fields side by side on the whole sky, as far as it holds pixels."""
    if footprint.radius is not None:
        width = height = footprint.radius * sqrt(2)
    else:
        corners = np.array([corner for polygon in footprint.polygons for corner in polygon])
        width, height = (corners.max(axis=0) - corners.min(axis=0)).tolist()
    rows = max(1, ceil(180 / height))
    dec = -90 + (np.arange(rows) + 0.5) * 180 / rows
    # A row is as wide as its edge that is nearer to the equator.
    edge = np.maximum(np.abs(dec) - 90 / rows, 0)
    columns = np.maximum(1, np.ceil(360 * np.cos(np.radians(edge)) / width)).astype(np.int64)
    all_dec = np.repeat(dec, columns)
    number = np.arange(int(columns.sum())) - np.repeat(np.cumsum(columns) - columns, columns)
    all_ra = (number + 0.5) * 360 / np.repeat(columns, columns)
    return _near_pixels(all_ra, all_dec, pixels, footprint)


def fixed_centres(
    centres: tuple[tuple[float, float], ...], pixels: Pixels, footprint: Footprint
) -> tuple[Floats, Floats]:
    """Return those of a telescope's fixed fields that may hold pixels; RA and Dec in degrees."""
    ra, dec = np.array(centres, np.float64).T
    return _near_pixels(ra, dec, pixels, footprint)


def cover(ra: Floats, dec: Floats, pixels: Pixels, footprint: Footprint) -> Fields:
    """Return which pixels each field covers."""
    order = _bucket_order(footprint, pixels.order)
    if order is None:
        pools = {0: np.arange(pixels.ipix.size)}
        bucket = np.zeros(ra.size, np.int64)
    else:
        bucket = healpix.finest_pixels(ra, dec) >> 2 * (29 - order)
        pools = _pools(np.unique(bucket), order, pixels)
    found: list[Integers] = [np.empty(0, np.int64)] * ra.size
    for number, (one_ra, one_dec) in enumerate(zip(ra.tolist(), dec.tolist(), strict=True)):
        pool = pools[int(bucket[number])]
        x, y, z = (axis[pool] for axis in pixels.points)
        found[number] = pool[covers(footprint, one_ra, one_dec, (x, y, z))]
    sizes = np.array([one.size for one in found], np.int64)
    return Fields(ra, dec, np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(found))


def _bucket_order(footprint: Footprint, order: int) -> int | None:
    """Return the order of pixels so wide that a field lies within one and its eight neighbours."""
    found = int(log2(_PIXEL_WIDTH_DEG / (2.2 * bounding_radius(footprint))) // 1)
    return min(found, order) if found >= 1 else None


def _pools(buckets: Integers, order: int, pixels: Pixels) -> dict[int, Integers]:
    """Return for each bucket the pixels in it and around it."""
    around = np.concatenate([buckets[np.newaxis], healpix.neighbours(np.full(buckets.size, order), buckets)])
    shift = 2 * (pixels.order - order)
    first = np.searchsorted(pixels.ipix, around << shift)
    last = np.searchsorted(pixels.ipix, (around + 1) << shift)
    last = np.where(around >= 0, last, first)
    return {
        int(bucket): np.concatenate(
            [np.arange(a, b) for a, b in zip(first[:, at].tolist(), last[:, at].tolist(), strict=True)]
        )
        for at, bucket in enumerate(buckets.tolist())
    }


def _near_pixels(ra: Floats, dec: Floats, pixels: Pixels, footprint: Footprint) -> tuple[Floats, Floats]:
    """Return the centres around which there are pixels, those with the most first, at most MAX_CENTRES."""
    order = _bucket_order(footprint, pixels.order)
    if order is None:
        return ra, dec
    held = pixels.ipix >> 2 * (pixels.order - order)
    buckets, where = np.unique(held, return_inverse=True)
    inside = np.bincount(where, pixels.probability, buckets.size)
    near = healpix.neighbours(np.full(buckets.size, order), buckets)
    weight: dict[int, float] = {}
    for bucket, one in zip(buckets.tolist(), inside.tolist(), strict=True):
        weight[bucket] = weight.get(bucket, 0.0) + one
    for row in near:
        for bucket, one in zip(row.tolist(), inside.tolist(), strict=True):
            weight[bucket] = max(weight.get(bucket, 0.0), one)
    mine = healpix.finest_pixels(ra, dec) >> 2 * (29 - order)
    score = np.array([weight.get(one, 0.0) for one in mine.tolist()])
    best = np.argsort(-score, kind="stable")
    best = best[score[best] > 0][:MAX_CENTRES]
    return ra[best], dec[best]


def angle_to(ra: Floats, dec: Floats, vector: Floats) -> Floats:
    """Return the (m,) angles in degrees between positions (ICRS degrees) and a unit vector (3,)."""
    lon, lat = np.radians(ra), np.radians(dec)
    cosine = (
        vector[0] * np.cos(lat) * np.cos(lon)
        + vector[1] * np.cos(lat) * np.sin(lon)
        + vector[2] * np.sin(lat)
    )
    found: Floats = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return found
