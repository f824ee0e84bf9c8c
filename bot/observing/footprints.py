"""Fields of view: what people type, their area, and which points of the sky one covers.

A field is described on the plane that touches the sky at its centre (gnomonic projection), x to the east and
y to the north in degrees, so that it has the same shape at the poles and across right ascension 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from math import acos, asin, cos, degrees, pi, radians, sin, sqrt, tan

import numpy as np

from bot.skymaps.arrays import Flags, Floats
from formatters.models.pointing import Footprint

MAX_SIZE_DEG = 30.0
"""The largest side or diameter; a wider plane would be far from the sky."""
MIN_SIZE_DEG = 0.01
MAX_CORNERS = 1_000
"""The most corners of all polygons of a field together: 250 detectors."""
EXAMPLES = "1.1deg circle, 2.2x2.2deg or 47sqdeg"

_MAX_OFFSET = degrees(tan(radians(MAX_SIZE_DEG / 2))) * (1 + 1e-9)
"""How far a corner may be from the centre along x or y, in degrees of the plane."""
_MAX_TEXT = 80
_CELLS = 1_000
"""Cells along each side of the raster in which the area of several polygons is counted."""

_NUMBER = r"(\d{1,7}(?:\.\d{1,7})?|\.\d{1,7})"
_UNIT = r"(deg|arcmin|arcsec)"
_SPELLINGS = (
    (re.compile(r"(?<=\d)-(?=deg|arc)"), " "),
    (
        re.compile(
            r"(?:sq(?:uare)?\.?[\s-]*(?:deg(?:ree)?s?\.?|°)|□\s*°|(?:deg(?:ree)?s?|°)\s*(?:²|\^?2))(?![\w.])"
        ),
        "sqdeg",
    ),
    (re.compile(r"deg(?:ree)?s?(?![a-z])\.?|°"), "deg"),
    (re.compile(r"arc[\s-]*sec(?:ond)?s?(?![a-z])\.?|\"|''"), "arcsec"),
    (re.compile(r"arc[\s-]*min(?:ute)?s?(?![a-z])\.?|'"), "arcmin"),
    (re.compile(r"(?<=[\d.\sg'nc])\s*(?:[x×*]|by)\s*(?=[\d.])"), " x "),
)
"""How people write units and the sign between two sides, and how it is read here."""
_SHAPES = {
    "circle": re.compile(r"\b(?:circle|circular|round)\b|ø|⌀"),
    "diameter": re.compile(r"\b(?:diameter|diam)\b\.?"),
    "radius": re.compile(r"\bradius\b"),
    "square": re.compile(r"\b(?:square|rectangle|rectangular|box)\b"),
}
_FILLERS = re.compile(r"\b(?:an?|of|the|in|with)\b")
_SIDES = re.compile(rf"{_NUMBER}\s*{_UNIT}?\s*x\s*{_NUMBER}\s*{_UNIT}?")
_AREA = re.compile(rf"{_NUMBER}\s*sqdeg")
_LENGTH = re.compile(rf"{_NUMBER}\s*{_UNIT}?")
_DECIMAL_COMMA = re.compile(r"\d,\d")


class FootprintProblem(ValueError):
    """Words or polygons that are no usable field of view; the message is one sentence for who gave them."""


class UnknownFootprint(FootprintProblem):
    """Words that aren't even the beginning of a field of view; they may be the name of an instrument."""


def parse_footprint(words: str) -> Footprint:
    """Return the field of view of words like "1.1deg circle" (diameter), "2.2x2.2deg", "47sqdeg" (a square).

    Sizes are angles across the middle of the field, areas those on the sky. Raises FootprintProblem.
    """
    text = " ".join(words.split())
    if len(text) > _MAX_TEXT:
        raise UnknownFootprint(f'"{text[:40]}…" is no field of view: write {EXAMPLES}.')
    shown = f'"{text[:40]}"'
    plain = text.casefold()
    for pattern, spelling in _SPELLINGS:
        plain = pattern.sub(spelling, plain)
    shapes = {name for name, pattern in _SHAPES.items() if pattern.search(plain)}
    for pattern in _SHAPES.values():
        plain = pattern.sub(" ", plain)
    plain = " ".join(_FILLERS.sub(" ", plain).split()).strip(" ,;:")
    is_round = bool(shapes & {"circle", "diameter", "radius"})
    if is_round and "square" in shapes:
        raise FootprintProblem(f"Is {shown} round or square? It is called both.")
    if match := _AREA.fullmatch(plain):
        if shapes & {"diameter", "radius"}:
            raise FootprintProblem(f"{shown} gives an area where an angle is needed: write 1.1deg circle.")
        return _of_area(float(match[1]), round_=is_round, words=text)
    if match := _SIDES.fullmatch(plain):
        unit = match[4] or match[2]
        if unit is None:
            sides = f"{match[1]}x{match[3]}"
            raise FootprintProblem(f"{shown} has no unit: write {sides}deg or {sides}arcmin.")
        if is_round:
            raise FootprintProblem(f"{shown} has two sides, so it isn't round: write {EXAMPLES}.")
        return rectangle(_degrees(match[1], match[2] or unit), _degrees(match[3], unit), text)
    if match := _LENGTH.fullmatch(plain):
        return _of_length(match[1], match[2], shapes, text)
    if _DECIMAL_COMMA.search(plain):
        raise FootprintProblem(f"{shown} has a comma between digits: write 1.1deg with a point.")
    raise UnknownFootprint(f"{shown} is no field of view: write {EXAMPLES}, or an instrument's name.")


def _of_length(number: str, unit: str | None, shapes: set[str], words: str) -> Footprint:
    shown = f'"{words[:40]}"'
    if unit is None and float(number) != 0:
        raise FootprintProblem(f"{shown} has no unit: write {number}deg or {number}arcmin, circle or square.")
    size = _degrees(number, unit or "deg")
    if shapes & {"radius"}:
        size *= 2
    _check_size(size)
    if shapes & {"circle", "diameter", "radius"}:
        return circle(size / 2, words)
    if "square" in shapes:
        return rectangle(size, size, words)
    raise FootprintProblem(
        f"Is {shown} round or square? Write {number}{unit} circle or {number}x{number}{unit}."
    )


def _of_area(area: float, *, round_: bool, words: str) -> Footprint:
    """Return the square, or the circle, with this area on the sky in deg²."""
    solid_angle = radians(1) ** 2 * area
    if not MIN_SIZE_DEG**2 <= area <= MAX_SIZE_DEG**2 * 0.7:
        raise FootprintProblem(
            f"A field of view has between {MIN_SIZE_DEG**2:.4f} and {MAX_SIZE_DEG**2 * 0.7:g} deg²;"
            f" {area:g} deg² isn't."
        )
    if round_:
        return circle(degrees(acos(1 - solid_angle / (2 * pi))), words)
    # A square whose sides are great circles has 4 asin(sin²(a/2)), where a is the angle across its middle.
    side = 2 * degrees(asin(sqrt(sin(solid_angle / 4))))
    return rectangle(side, side, words)


def rectangle(width: float, height: float, words: str) -> Footprint:
    """Return a field of these angles across its middle, degrees; its sides are parts of great circles.

    Raises FootprintProblem.
    """
    _check_size(width)
    _check_size(height)
    x, y = (degrees(tan(radians(size / 2))) for size in (width, height))
    return polygon_footprint([[(-x, -y), (x, -y), (x, y), (-x, y)]], words)


def circle(radius: float, words: str) -> Footprint:
    """Return a round field of a radius in degrees."""
    return Footprint(
        polygons=(), radius=radius, area=2 * pi * (1 - cos(radians(radius))) * degrees(1) ** 2, words=words
    )


def polygon_footprint(polygons: Sequence[Sequence[tuple[float, float]]], words: str) -> Footprint:
    """Return a field of polygons, corners (x, y) in degrees on the plane. Raises FootprintProblem.

    What two polygons share is counted once; edges are parts of great circles.
    """
    if not polygons:
        raise FootprintProblem("The field of view has no polygon.")
    if sum(map(len, polygons)) > MAX_CORNERS:
        raise FootprintProblem(
            f"The polygons of a field of view have at most {MAX_CORNERS} corners together."
        )
    opened = [_without_repeats(polygon) for polygon in polygons]
    for polygon in opened:
        if len(polygon) < 3:
            raise FootprintProblem("A polygon of a field of view needs at least three corners.")
        if not all(abs(x) <= _MAX_OFFSET and abs(y) <= _MAX_OFFSET for x, y in polygon):
            raise FootprintProblem(
                f"A corner of the field of view is more than {MAX_SIZE_DEG / 2:g}° from its centre."
            )
        if _crosses_itself(polygon):
            raise FootprintProblem(
                "The edges of a polygon of the field of view cross: list its corners in order."
            )
    area = abs(_solid_angle(opened[0])) if len(opened) == 1 else _area_once(opened)
    if area < MIN_SIZE_DEG**2:
        raise FootprintProblem("The polygons of the field of view have no area.")
    return Footprint(polygons=tuple(opened), area=area, words=words)


def bounding_radius(footprint: Footprint) -> float:
    """Return the radius in degrees of the smallest circle around the centre that holds the whole field."""
    if footprint.radius is not None:
        return footprint.radius
    farthest = max(x * x + y * y for polygon in footprint.polygons for x, y in polygon)
    return degrees(np.arctan(radians(sqrt(farthest))))


def covers(
    footprint: Footprint, ra: float | Floats, dec: float | Floats, points: tuple[Floats, Floats, Floats]
) -> Flags:
    """Return True for points that a field centred on (`ra`, `dec`) covers; ICRS degrees.

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


def turned(footprint: Footprint, position_angle: float) -> Footprint:
    """Return a field whose north points to a position angle, in degrees from north to east."""
    if footprint.radius is not None or not position_angle % 360:
        return footprint
    angle = radians(position_angle)
    cosine, sine = cos(angle), sin(angle)
    polygons = tuple(
        tuple((x * cosine + y * sine, y * cosine - x * sine) for x, y in polygon)
        for polygon in footprint.polygons
    )
    return replace(footprint, polygons=polygons)


def simplified(footprint: Footprint, most: int) -> Footprint:
    """Return a field of at most so many polygons, for drawing: else the hull of all its corners."""
    if len(footprint.polygons) <= most:
        return footprint
    corners = sorted({corner for polygon in footprint.polygons for corner in polygon})
    # Andrew's monotone chain (1979, Inf. Process. Lett. 9, 216): the lower half, then the upper one.
    hull: list[tuple[float, float]] = []
    for half in (corners, corners[::-1]):
        chain: list[tuple[float, float]] = []
        for corner in half:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], corner) <= 0:
                chain.pop()
            chain.append(corner)
        hull += chain[:-1]
    return replace(footprint, polygons=(tuple(hull),))


def _turn(first: tuple[float, float], second: tuple[float, float], third: tuple[float, float]) -> float:
    """Return a positive number if the way through three points turns left, 0 if it goes straight on."""
    return (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (third[0] - first[0])


def outlines(
    footprint: Footprint, ra: float, dec: float, points_per_edge: int = 8
) -> list[tuple[Floats, Floats]]:
    """Return the closed outlines of a field centred on (`ra`, `dec`) as RA and Dec in degrees."""
    if footprint.radius is not None:
        angle = np.linspace(0, 2 * pi, 8 * points_per_edge + 1)
        size = tan(radians(footprint.radius))
        angle[-1] = 0
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
        right_ascension = np.degrees(np.arctan2(y, x)) % 360
        # What is hardly below 0 becomes 360 by rounding.
        right_ascension[right_ascension == 360] = 0
        found.append((right_ascension, np.degrees(np.arctan2(z, np.hypot(x, y)))))
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


def _without_repeats(polygon: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return the corners without repeats of the one before, and without a last one that is the first."""
    corners = [(float(x), float(y)) for x, y in polygon]
    found = [corner for at, corner in enumerate(corners) if at == 0 or corner != corners[at - 1]]
    return tuple(found[:-1] if len(found) > 1 and found[-1] == found[0] else found)


def _crosses_itself(polygon: tuple[tuple[float, float], ...]) -> bool:
    """Return True if two edges that aren't neighbours cross."""
    corners = np.array(polygon)
    ends = np.roll(corners, -1, axis=0)

    def side(of: Floats) -> Floats:
        """Return on which side of each edge (rows) each point (columns) lies."""
        edge = (ends - corners)[:, None]
        to = of[None] - corners[:, None]
        return np.asarray(np.sign(edge[..., 0] * to[..., 1] - edge[..., 1] * to[..., 0]), np.float64)

    apart = side(corners) * side(ends) < 0
    return bool((apart & apart.T).any())


def _solid_angle(polygon: tuple[tuple[float, float], ...]) -> float:
    """Return the area on the sky of a polygon of the plane in deg², with the sign of its direction.

    It is the sum of the triangles between its edges and the centre (Van Oosterom & Strackee 1983, IEEE Trans.
    Biomed. Eng. 30, 125).
    """
    corners = np.radians(np.array(polygon))
    x, y = corners.T
    length = np.sqrt(1 + x**2 + y**2)
    x2, y2, length2 = (np.roll(values, -1) for values in (x, y, length))
    triangles = 2 * np.arctan2(x * y2 - x2 * y, length * length2 + (x * x2 + y * y2 + 1) + length + length2)
    return float(triangles.sum()) * degrees(1) ** 2


def _area_once(polygons: Sequence[tuple[tuple[float, float], ...]]) -> float:
    """Return the area on the sky of several polygons in deg², what two of them share counted once."""
    if not _may_overlap(polygons):
        return float(sum(abs(_solid_angle(polygon)) for polygon in polygons))
    corners = np.array([corner for polygon in polygons for corner in polygon])
    low, high = corners.min(axis=0), corners.max(axis=0)
    cell = (high - low) / _CELLS
    if not cell.all():
        return 0.0
    x, y = (start + step * (np.arange(_CELLS) + 0.5) for start, step in zip(low, cell, strict=True))
    inside = np.zeros((_CELLS, _CELLS), np.bool_)
    for polygon in polygons:
        # Only the cells around this polygon: a camera has many detectors, each small.
        (left, bottom), (right, top) = np.min(polygon, axis=0), np.max(polygon, axis=0)
        columns = slice(*np.searchsorted(x, (left, right)))
        rows = slice(*np.searchsorted(y, (bottom, top)))
        grid_x, grid_y = np.meshgrid(x[columns], y[rows])
        found = _inside_any((polygon,), grid_x.ravel(), grid_y.ravel())
        inside[rows, columns] |= found.reshape(grid_x.shape)
    on_sky = (1 + np.radians(x)[None] ** 2 + np.radians(y)[:, None] ** 2) ** -1.5
    return float((inside * on_sky).sum() * cell.prod())


def _may_overlap(polygons: Sequence[tuple[tuple[float, float], ...]]) -> bool:
    """Return True if the boxes around two polygons overlap."""
    low = np.array([np.min(polygon, axis=0) for polygon in polygons])
    high = np.array([np.max(polygon, axis=0) for polygon in polygons])
    meet = (low[:, None] < high[None]).all(axis=2) & (low[None] < high[:, None]).all(axis=2)
    return bool((meet & ~np.eye(len(polygons), dtype=bool)).any())


def _degrees(number: str, unit: str) -> float:
    return float(number) / {"deg": 1, "arcmin": 60, "arcsec": 3600}[unit]


def _check_size(size: float) -> None:
    if not MIN_SIZE_DEG <= size <= MAX_SIZE_DEG:
        raise FootprintProblem(
            f"A field of view is between {MIN_SIZE_DEG:g}° and {MAX_SIZE_DEG:g}° wide; {size:g}° isn't."
        )
