"""Candidate pointings on the part of a sky map that matters, and which of its pixels each covers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, degrees, sqrt

import numpy as np

from bot.observing.footprints import bounding_radius, covers
from bot.observing.pointing_pixels import (
    PIXEL_WIDTH_DEG,
    ProbabilityCurve,
    children,
    pixel_order,
    pixels_around,
    surrounding_order,
)
from bot.observing.pointing_visibility import unit_vectors
from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, Floats, Integers
from formatters.models.pointing import Footprint

CENTRES_ACROSS = 8
"""Candidate centres across the side of a square of the field's area, at most …"""
MAX_CENTRES = 4_000
"""… and of all, about; there are fewer across for many fields."""
BLOCK_ORDERS = 2
"""Pixels are looked at by blocks: four by four of them."""
MEASURE_ORDERS, MEASURE_ORDERS_OF_FEW = 3, 4
"""How many orders finer the pixels are with which chosen fields are measured. A single field is then right
within 0.3 % or so; errors of many cancel out, so that they may be a little larger."""
_FEW = 12
_REACH = 1.05
"""The farthest corner of a pixel from its centre, in pixel widths; at the poles it is nearly that."""

Vectors = tuple[Floats, Floats, Floats]
"""x, y and z of unit vectors, each of shape (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """The pixels of a map that may be worth a pointing, by whole blocks of 4^BLOCK_ORDERS."""

    order: int
    """HEALPix order."""
    ipix: Integers
    """(n,) NESTED, ascending."""
    probability: Floats
    """(n,): the map's probability in each."""
    points: Floats
    """(n, 3): the directions of the centres."""


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


class FieldGain:
    """Keeps what the chosen fields cover, and what each other field would add."""

    def __init__(self, fields: Fields, probability: Floats) -> None:
        """Begin with no field; `probability` is that of the n pixels."""
        self._fields = fields
        self._probability = probability
        self._times_covered = np.zeros(probability.size, np.int64)
        owner = np.repeat(np.arange(fields.ra.size), np.diff(fields.first))
        order = np.argsort(fields.pixel, kind="stable")
        self._owners = owner[order]
        """The fields that cover the first pixel, then those of the second, and so on."""
        count = np.bincount(fields.pixel, minlength=probability.size)
        self._first_owner = np.concatenate([[0], np.cumsum(count)])
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


def free_centres(pixels: Pixels, region: Integers, footprint: Footprint) -> tuple[Floats, Floats]:
    """Return candidate centres close together all over a region, which is given by pixels of that order.

    RA and Dec are in degrees.
    """
    order, places = pixels.order, region
    while order > 0 and (
        places.size > MAX_CENTRES or PIXEL_WIDTH_DEG / 2**order < sqrt(footprint.area) / CENTRES_ACROSS
    ):
        order -= 1
        places = np.unique(places >> 2)
    ra, dec = healpix.centres(order, places)
    # A map that is smaller than a field wants its middle in the middle.
    x, y, z = (pixels.probability @ pixels.points).tolist()
    middle = degrees(np.arctan2(y, x)) % 360, degrees(np.arctan2(z, np.hypot(x, y)))
    return np.concatenate([[middle[0]], ra]), np.concatenate([[middle[1]], dec])


def grid_centres(pixels: Pixels, footprint: Footprint) -> tuple[Floats, Floats]:
    """Return the centres of a grid of fields side by side on the whole sky, as far as it holds pixels."""
    if footprint.radius is not None:
        width = height = footprint.radius * sqrt(2)
    else:
        corners = np.array([corner for polygon in footprint.polygons for corner in polygon])
        width, height = (corners.max(axis=0) - corners.min(axis=0)).tolist()
    rows = max(1, ceil(180 / height))
    all_dec = -90 + (np.arange(rows) + 0.5) * 180 / rows
    # A row is as wide as its edge that is nearer to the equator.
    edge = np.maximum(np.abs(all_dec) - 90 / rows, 0)
    all_columns = np.maximum(1, np.ceil(360 * np.cos(np.radians(edge)) / width)).astype(np.int64)
    # Only rows with pixels, and of them only fields near pixels: a small field has millions on the sky.
    reach = bounding_radius(footprint)
    latitude = np.degrees(np.arcsin(np.clip(pixels.points[:, 2], -1, 1)))
    low, high = float(latitude.min()) - reach, float(latitude.max()) + reach
    keep = (all_dec >= low) & (all_dec <= high)
    dec, columns = all_dec[keep], all_columns[keep]
    longitude = np.degrees(np.arctan2(pixels.points[:, 1], pixels.points[:, 0])) % 360
    found: list[tuple[Floats, Floats]] = []
    for row_dec, row_columns in zip(dec.tolist(), columns.tolist(), strict=True):
        near = np.abs(latitude - row_dec) <= 180 / rows / 2 + 1e-9
        numbers = np.unique((longitude[near] / 360 * row_columns).astype(np.int64) % row_columns)
        found.append(((numbers + 0.5) * 360 / row_columns, np.full(numbers.size, row_dec)))
    if not found:
        return np.empty(0), np.empty(0)
    return np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])


def cover(ra: Floats, dec: Floats, pixels: Pixels, footprint: Footprint) -> Fields:
    """Return the pixels that each field covers."""
    field, pixel = _near_pixels(ra, dec, pixels, footprint)
    point = pixels.points[pixel]
    inside = covers(footprint, ra[field], dec[field], (point[:, 0], point[:, 1], point[:, 2]))
    field, pixel = field[inside], pixel[inside]
    order = np.argsort(field, kind="stable")
    sizes = np.bincount(field, minlength=ra.size)
    return Fields(ra, dec, np.concatenate([[0], np.cumsum(sizes)]), pixel[order])


def blocks_near(ra: Floats, dec: Floats, footprint: Footprint) -> Integers:
    """Return the blocks of pixels, ascending, that any of some fields may reach into."""
    order = pixel_order(footprint) - BLOCK_ORDERS
    reach = np.radians(bounding_radius(footprint) + _REACH * PIXEL_WIDTH_DEG / 2**order)
    around = surrounding_order(degrees(reach), order)
    found: list[Integers] = []
    for near, centre in _surroundings(ra, dec, order, around):
        points = np.stack(healpix.centre_vectors(order, near), axis=1)
        found.append(near[points @ centre >= np.cos(reach)])
    return np.unique(np.concatenate(found))


def _surroundings(
    ra: Floats, dec: Floats, order: int, around: int | None
) -> Iterator[tuple[Integers, Floats]]:
    """Yield for each position the pixels of one order around it, by the whole pixel of order `around`."""
    vectors = unit_vectors(ra, dec)
    if around is None:
        whole_sky = pixels_around(order, None, np.empty(0, np.int64))
        yield from ((whole_sky, vector) for vector in vectors)
        return
    bucket = healpix.finest_pixels(ra, dec) >> 2 * (MAX_ORDER - around)
    known: dict[int, Integers] = {}
    for one, vector in zip(bucket.tolist(), vectors, strict=True):
        if one not in known:
            known[one] = pixels_around(order, around, np.array([one]))
        yield known[one], vector


def _near_pixels(ra: Floats, dec: Floats, pixels: Pixels, footprint: Footprint) -> tuple[Integers, Integers]:
    """Return pairs of a field and a pixel that it may cover, by blocks of pixels."""
    blocks = pixels.ipix[:: 4**BLOCK_ORDERS] >> 2 * BLOCK_ORDERS
    block_order = pixels.order - BLOCK_ORDERS
    points = np.stack(healpix.centre_vectors(block_order, blocks), axis=1)
    centres = unit_vectors(ra, dec)
    reach = np.radians(bounding_radius(footprint) + _REACH * PIXEL_WIDTH_DEG / 2**block_order)
    least = np.cos(reach)
    order = surrounding_order(degrees(reach), block_order)
    if order is None:
        field, block = np.nonzero(centres @ points.T >= least)
    else:
        bucket = healpix.finest_pixels(ra, dec) >> 2 * (MAX_ORDER - order)
        pairs: list[tuple[Integers, Integers]] = []
        by_bucket = np.argsort(bucket, kind="stable")
        edges = np.flatnonzero(np.diff(bucket[by_bucket])) + 1
        shift = 2 * (block_order - order)
        for mine in np.split(by_bucket, edges):
            one = bucket[mine[:1]]
            near = np.concatenate([one, healpix.neighbours(np.array([order]), one).ravel()])
            near = near[near >= 0]
            first = np.searchsorted(blocks, near << shift)
            last = np.searchsorted(blocks, (near + 1) << shift)
            pool = np.concatenate(
                [np.arange(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
            )
            some, where = np.nonzero(centres[mine] @ points[pool].T >= least)
            pairs.append((mine[some], pool[where]))
        field = np.concatenate([pair[0] for pair in pairs])
        block = np.concatenate([pair[1] for pair in pairs])
    count = 4**BLOCK_ORDERS
    pixel = ((block * count)[:, np.newaxis] + np.arange(count)).ravel()
    return np.repeat(field, count), pixel


def measure(curve: ProbabilityCurve, footprint: Footprint, ra: Floats, dec: Floats) -> list[float]:
    """Return the probability in each of some fields that none before it covers, on the whole map.

    Pixels are counted by their centres.
    """
    if not ra.size:
        return []
    finer = MEASURE_ORDERS_OF_FEW if ra.size <= _FEW else MEASURE_ORDERS
    coarse = pixel_order(footprint)
    fine = coarse + finer
    reach = np.radians(bounding_radius(footprint) + _REACH * PIXEL_WIDTH_DEG / 2**coarse)
    around = surrounding_order(degrees(reach), coarse)
    covered: list[Integers] = []
    around_each = _surroundings(ra, dec, coarse, around)
    for one_ra, one_dec, (pool, centre) in zip(ra.tolist(), dec.tolist(), around_each, strict=True):
        near = pool[np.stack(healpix.centre_vectors(coarse, pool), axis=1) @ centre >= np.cos(reach)]
        points = children(near, finer)
        covered.append(points[covers(footprint, one_ra, one_dec, healpix.centre_vectors(fine, points))])
    every, first = np.unique(np.concatenate(covered), return_index=True)
    owner = np.repeat(np.arange(ra.size), [one.size for one in covered])[first]
    shares: list[float] = np.bincount(owner, curve.probability(fine, every), ra.size).tolist()
    return shares
