"""Fields of view: what people type, their area, and which points of the sky one covers.

A field is described on the plane that touches the sky at its centre (gnomonic projection), x to the east and
y to the north in degrees, so that it has the same shape at the poles and across right ascension 0.
"""

from __future__ import annotations

import re
from math import cos, degrees, pi, radians, sqrt, tan

import numpy as np

from bot.skymaps.arrays import Flags, Floats
from formatters.models.pointing import Footprint

MAX_SIZE_DEG = 30.0
"""The largest side or diameter; a wider plane would be far from the sky."""
MIN_SIZE_DEG = 0.01

_NUMBER = r"(\d{1,6}(?:\.\d{1,6})?)"
_UNIT = r"(deg(?:rees?)?|°|arcmin(?:utes?)?|am|'|′)"
_CIRCLE = re.compile(
    rf"{_NUMBER}\s*{_UNIT}\s*(?:circle|circular|round|diameter|ø)(?:\s+diameter)?", re.IGNORECASE
)
_RECTANGLE = re.compile(rf"{_NUMBER}\s*{_UNIT}?\s*[x×*]\s*{_NUMBER}\s*{_UNIT}", re.IGNORECASE)
_SQUARE = re.compile(rf"{_NUMBER}\s*{_UNIT}\s*square", re.IGNORECASE)
_AREA = re.compile(
    rf"{_NUMBER}\s*(?:sq\.?\s*deg(?:rees?)?|deg²|deg2|deg\^2|square\s+deg(?:rees?)?)", re.IGNORECASE
)
_LENGTH = re.compile(rf"{_NUMBER}\s*{_UNIT}?", re.IGNORECASE)
_CELLS = 1_000
"""Cells along the longer side of the raster in which the area of several polygons is counted."""

EXAMPLES = "1.1deg circle, 2.2x2.2deg or 47sqdeg"


class FootprintProblem(ValueError):
    """Words that are no field of view; the message is one sentence for the person who typed them."""


def parse_footprint(words: str) -> Footprint:
    """Return the field of view of words like "1.1deg circle" (diameter), "2.2x2.2deg", "47sqdeg" (a square).

    Raises FootprintProblem.
    """
    text = " ".join(words.split())
    if match := _CIRCLE.fullmatch(text):
        diameter = _degrees(match[1], match[2])
        _check_size(diameter)
        return circle(diameter / 2, text)
    if match := _RECTANGLE.fullmatch(text):
        width, height = _degrees(match[1], match[2] or match[4]), _degrees(match[3], match[4])
    elif match := _SQUARE.fullmatch(text):
        width = height = _degrees(match[1], match[2])
    elif match := _AREA.fullmatch(text):
        width = height = sqrt(float(match[1]))
    elif match := _LENGTH.fullmatch(text):
        size = f"{match[1]}{match[2] or 'deg'}"
        raise FootprintProblem(f'Is "{text[:40]}" round or square? Write {size} circle or {match[1]}x{size}.')
    else:
        raise FootprintProblem(
            f'"{text[:40]}" is no field of view: write {EXAMPLES}, or an instrument\'s name.'
        )
    _check_size(width)
    _check_size(height)
    x, y = width / 2, height / 2
    return polygon_footprint([[(-x, -y), (x, -y), (x, y), (-x, y)]], text)


def circle(radius: float, words: str) -> Footprint:
    """Return a round field of a radius in degrees."""
    return Footprint(
        polygons=(), radius=radius, area=2 * pi * (1 - cos(radians(radius))) * degrees(1) ** 2, words=words
    )


def polygon_footprint(polygons: list[list[tuple[float, float]]], words: str) -> Footprint:
    """Return a field of polygons, corners (x, y) in degrees on the plane. Raises FootprintProblem."""
    for polygon in polygons:
        if len(polygon) < 3:
            raise FootprintProblem("A polygon of a field of view needs at least three corners.")
        for x, y in polygon:
            if not (abs(x) <= MAX_SIZE_DEG / 2 and abs(y) <= MAX_SIZE_DEG / 2):
                raise FootprintProblem(
                    f"A corner of the field of view is more than {MAX_SIZE_DEG / 2:g}° from its centre."
                )
    if not polygons:
        raise FootprintProblem("The field of view has no polygon.")
    area = abs(_signed_area(polygons[0])) if len(polygons) == 1 else _area_once(polygons)
    if area < MIN_SIZE_DEG**2:
        raise FootprintProblem("The polygons of the field of view have no area.")
    return Footprint(polygons=tuple(tuple(polygon) for polygon in polygons), area=area, words=words)


def bounding_radius(footprint: Footprint) -> float:
    """Return the radius in degrees of the smallest circle around the centre that holds the whole field."""
    if footprint.radius is not None:
        return footprint.radius
    farthest = max(x * x + y * y for polygon in footprint.polygons for x, y in polygon)
    return degrees(np.arctan(radians(sqrt(farthest))))


def covers(
    footprint: Footprint, ra: float | Floats, dec: float | Floats, points: tuple[Floats, Floats, Floats]
) -> Flags:
    """Return which points a field centred on (`ra`, `dec`) covers; ICRS degrees.

    `points` are x, y and z of unit vectors, each of shape (n,), as is the result. The centre is one for all
    points, or one for each, (n,).
    """
    lon, lat = np.radians(ra), np.radians(dec)
    cos_lon, sin_lon, cos_lat, sin_lat = np.cos(lon), np.sin(lon), np.cos(lat), np.sin(lat)
    x, y, z = points
    if footprint.radius is not None:
        # The chord tells small angles apart, where the cosine doesn't.
        chord = (x - cos_lat * cos_lon) ** 2 + (y - cos_lat * sin_lon) ** 2 + (z - sin_lat) ** 2
        return np.asarray(chord <= (2 * np.sin(radians(footprint.radius) / 2)) ** 2, np.bool_)
    outward = x * cos_lon + y * sin_lon
    along = outward * cos_lat + z * sin_lat
    is_near = along >= np.cos(radians(bounding_radius(footprint))) - 1e-12
    # What is behind the plane or far from it isn't projected.
    depth = np.where(is_near, along, 1.0)
    east = np.degrees((y * cos_lon - x * sin_lon) / depth)
    north = np.degrees((z * cos_lat - outward * sin_lat) / depth)
    return np.asarray(is_near & _inside_any(footprint.polygons, east, north), np.bool_)


def outlines(
    footprint: Footprint, ra: float, dec: float, points_per_edge: int = 8
) -> list[tuple[Floats, Floats]]:
    """Return the closed outlines of a field centred on (`ra`, `dec`) as RA and Dec in degrees."""
    if footprint.radius is not None:
        angle = np.linspace(0, 2 * pi, 8 * points_per_edge + 1)
        size = tan(radians(footprint.radius))
        edges = [(size * np.sin(angle), size * np.cos(angle))]
    else:
        edges = []
        for polygon in footprint.polygons:
            corners = np.radians(np.array([*polygon, polygon[0]]))
            steps = np.arange(points_per_edge * len(polygon) + 1) / points_per_edge
            at = np.arange(len(corners))
            edges.append((np.interp(steps, at, corners[:, 0]), np.interp(steps, at, corners[:, 1])))
    lon, lat = radians(ra), radians(dec)
    found = []
    for east, north in edges:
        x = np.cos(lat) * np.cos(lon) - east * np.sin(lon) - north * np.sin(lat) * np.cos(lon)
        y = np.cos(lat) * np.sin(lon) + east * np.cos(lon) - north * np.sin(lat) * np.sin(lon)
        z = np.sin(lat) + north * np.cos(lat)
        found.append((np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))))
    return found


def _inside_any(polygons: tuple[tuple[tuple[float, float], ...], ...], x: Floats, y: Floats) -> Flags:
    found = np.zeros(x.shape, np.bool_)
    for polygon in polygons:
        inside = np.zeros(x.shape, np.bool_)
        for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            if y1 == y2:
                continue
            crosses = (y1 > y) != (y2 > y)
            inside ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        found |= inside
    return found


def _signed_area(polygon: list[tuple[float, float]]) -> float:
    pairs = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2


def _area_once(polygons: list[list[tuple[float, float]]]) -> float:
    """Return the area of several polygons in deg², what two of them share counted once."""
    corners = np.array([corner for polygon in polygons for corner in polygon])
    low, high = corners.min(axis=0), corners.max(axis=0)
    cell = float((high - low).max()) / _CELLS
    if not cell > 0:
        return 0.0
    x = np.arange(low[0] + cell / 2, high[0], cell)
    y = np.arange(low[1] + cell / 2, high[1], cell)
    grid_x, grid_y = (one.ravel() for one in np.meshgrid(x, y))
    inside = _inside_any(tuple(tuple(polygon) for polygon in polygons), grid_x, grid_y)
    return float(inside.sum()) * cell**2


def _degrees(number: str, unit: str) -> float:
    return float(number) / (1 if unit.casefold().startswith(("deg", "°")) else 60)


def _check_size(size: float) -> None:
    if not MIN_SIZE_DEG <= size <= MAX_SIZE_DEG:
        raise FootprintProblem(
            f"A field of view is between {MIN_SIZE_DEG:g}° and {MAX_SIZE_DEG:g}° wide; {size:g}° isn't."
        )
