"""Fields of view: what people type, areas, and what a field covers, against counts of points and mocpy."""

from __future__ import annotations

import csv
from math import cos, degrees, radians

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.footprints import (
    MAX_CORNERS,
    MAX_SIZE_DEG,
    FootprintProblem,
    UnknownFootprint,
    bounding_radius,
    circle,
    covers,
    outlines,
    parse_footprint,
    polygon_footprint,
    rectangle,
)
from bot.skymaps import healpix
from bot.skymaps.arrays import SKY_AREA_DEG2, Floats, Integers
from formatters.models.pointing import Footprint
from tests.support.shared_data import NO_POINTINGS

ORDER = 12
COARSE = 5
PIXEL_DEG2 = SKY_AREA_DEG2 / (12 * 4**ORDER)
CENTRES = {
    "at RA 0h": (0.0, 10.0),
    "just east of RA 0h": (0.3, -45.0),
    "just west of RA 0h": (359.8, 60.0),
    "at the north pole": (123.0, 90.0),
    "near the north pole": (200.0, 88.7),
    "at the south pole": (0.0, -90.0),
    "near the south pole": (10.0, -89.2),
    "elsewhere": (83.0, 22.0),
}
CROSS = [
    [(-4.0, -1.0), (4.0, -1.0), (4.0, 1.0), (-4.0, 1.0)],
    [(-1.0, -4.0), (1.0, -4.0), (1.0, 4.0), (-1.0, 4.0)],
]
"""Two polygons that share their middle."""
ARROW = [[(-4.0, -4.0), (0.0, -2.0), (4.0, -4.0), (0.0, 4.0)]]
"""A polygon with a corner that points inwards."""
CAMERA = [
    [(x, y), (x + 1.7, y), (x + 1.7, y + 1.7), (x, y + 1.7)]
    for x in (-4.0, -2.0, 0.3, 2.3)
    for y in (-4.0, -2.0, 0.3, 2.3)
]
"""Sixteen detectors with gaps."""
FIELDS = {
    "circle": circle(4.0, "8deg circle"),
    "rectangle": rectangle(9.0, 5.0, "9x5deg"),
    "cross": polygon_footprint(CROSS, "cross"),
    "arrow": polygon_footprint(ARROW, "arrow"),
    "camera": polygon_footprint(CAMERA, "camera"),
}


Vectors = tuple[Floats, Floats, Floats]


def pixels_around(ra: float, dec: float) -> Integers:
    """Return the pixels of a fine grid within 6° of a position."""
    coarse = np.arange(12 * 4**COARSE)
    x, y, z = healpix.centre_vectors(COARSE, coarse)
    a, d = radians(ra), radians(dec)
    near = coarse[x * cos(d) * cos(a) + y * cos(d) * np.sin(a) + z * np.sin(d) > cos(radians(7.5))]
    inner = 4 ** (ORDER - COARSE)
    return np.asarray((near[:, None] * inner + np.arange(inner)).ravel(), np.int64)


def on_plane(ra: float, dec: float, points: Vectors) -> Vectors:
    """Return x, y (degrees of the plane) and the cosine of the distance, by turning the sky."""
    a, d = radians(ra), radians(dec)
    turn = np.array(
        [
            [np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)],
            [-np.sin(a), np.cos(a), 0.0],
            [-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)],
        ]
    )
    along, east, north = turn @ np.array(points)
    front = np.where(along > 0, along, np.nan)
    return np.degrees(east / front), np.degrees(north / front), along


def in_polygon(polygon: tuple[tuple[float, float], ...], x: Floats, y: Floats) -> Floats:
    """Return the winding number of a polygon about each point, by summing angles."""
    corners = [np.arctan2(py - y, px - x) for px, py in polygon]
    turns = [
        (second - first + np.pi) % (2 * np.pi) - np.pi
        for first, second in zip(corners, [*corners[1:], corners[0]], strict=True)
    ]
    return np.asarray(np.abs(np.round(np.sum(turns, axis=0) / (2 * np.pi))), np.float64)


def count(field: Footprint, ra: float, dec: float, points: Vectors) -> int:
    """Count the points in a field, one polygon after the other."""
    x, y, along = on_plane(ra, dec, points)
    if field.radius is not None:
        return int((np.degrees(np.arccos(np.clip(along, -1, 1))) <= field.radius).sum())
    inside = np.zeros(len(x), bool)
    for polygon in field.polygons:
        middle = np.mean(polygon, axis=0)
        size = np.max(np.abs(polygon - middle)) + 0.01
        near = np.flatnonzero((np.abs(x - middle[0]) < size) & (np.abs(y - middle[1]) < size))
        inside[near] |= in_polygon(polygon, x[near], y[near]) > 0
    return int(inside.sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("where", CENTRES)
def test_field_covers_what_a_count_of_points_says(name: str, where: str) -> None:
    field, centre = FIELDS[name], CENTRES[where]
    sky = healpix.centre_vectors(ORDER, pixels_around(*centre))
    covered = int(covers(field, *centre, sky).sum())
    assert covered == pytest.approx(count(field, *centre, sky), rel=1e-4)
    assert covered * PIXEL_DEG2 == pytest.approx(field.area, rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["circle", "rectangle", "arrow"])
@pytest.mark.parametrize("where", CENTRES)
def test_field_covers_what_mocpy_says(name: str, where: str) -> None:
    mocpy = pytest.importorskip("mocpy")
    from astropy import units

    field, centre = FIELDS[name], CENTRES[where]
    if field.radius is not None:
        lon, lat = centre[0] * units.deg, centre[1] * units.deg
        moc = mocpy.MOC.from_cone(lon, lat, radius=field.radius * units.deg, max_depth=14)
    else:
        ((ra, dec),) = outlines(field, *centre, points_per_edge=1)
        moc = mocpy.MOC.from_polygon(ra[:-1] * units.deg, dec[:-1] * units.deg, max_depth=14)
    assert moc.sky_fraction * SKY_AREA_DEG2 == pytest.approx(field.area, rel=0.005)
    pixels = pixels_around(*centre)
    ra, dec = healpix.centres(ORDER, pixels)
    inside = moc.contains_lonlat(ra * units.deg, dec * units.deg)
    ours = covers(field, *centre, healpix.centre_vectors(ORDER, pixels))
    assert (inside ^ ours).sum() * PIXEL_DEG2 < 0.005 * field.area


def test_outline_lies_on_the_edge_of_the_field() -> None:
    for field in (FIELDS["circle"], FIELDS["rectangle"]):
        for centre in CENTRES.values():
            for ra, dec in outlines(field, *centre):
                assert (ra[0], dec[0]) == pytest.approx((ra[-1], dec[-1]))
                assert ((ra >= 0) & (ra < 360)).all()
                a, d = np.radians(ra), np.radians(dec)
                x, y, _ = on_plane(*centre, (np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)))
                within = covers(field, *centre, from_plane(*centre, x * 0.999, y * 0.999))
                beyond = covers(field, *centre, from_plane(*centre, x * 1.001, y * 1.001))
                assert within.all() and not beyond.any()


def from_plane(ra: float, dec: float, x: Floats, y: Floats) -> Vectors:
    """Return the directions of points of the plane."""
    a, d = radians(ra), radians(dec)
    east, north = np.radians(x), np.radians(y)
    vectors = np.array(
        [
            np.cos(d) * np.cos(a) - east * np.sin(a) - north * np.sin(d) * np.cos(a),
            np.cos(d) * np.sin(a) + east * np.cos(a) - north * np.sin(d) * np.sin(a),
            np.sin(d) + north * np.cos(d),
        ]
    )
    vectors /= np.linalg.norm(vectors, axis=0)
    return vectors[0], vectors[1], vectors[2]


@settings(deadline=None, max_examples=60)
@given(
    width=st.floats(0.02, MAX_SIZE_DEG),
    height=st.floats(0.02, MAX_SIZE_DEG),
    ra=st.floats(-360, 720),
    dec=st.floats(-90, 90),
    data=st.data(),
)
def test_rectangle_covers_its_own_points_wherever_it_is(
    width: float, height: float, ra: float, dec: float, data: st.DataObject
) -> None:
    field = rectangle(width, height, "")
    x, y = field.polygons[0][2]
    within = st.floats(-0.999, 0.999)
    u, v = np.array([data.draw(within)]), np.array([data.draw(within)])
    assert covers(field, ra, dec, from_plane(ra, dec, u * x, v * y)).all()
    assert not covers(field, ra, dec, from_plane(ra, dec, u * x, np.array([1.001 * y]))).any()
    assert not covers(field, ra, dec, from_plane(ra, dec, np.array([-1.001 * x]), v * y)).any()
    there = from_plane(ra, dec, np.array([0.0]), np.array([0.0]))
    assert not covers(field, ra, dec, (-there[0], -there[1], -there[2])).any(), (
        "not the other side of the sky"
    )
    assert bounding_radius(field) >= max(width, height) / 2


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(width=st.floats(0.02, MAX_SIZE_DEG), height=st.floats(0.02, MAX_SIZE_DEG))
def test_area_is_that_on_the_sky(width: float, height: float) -> None:
    """Ω = 4 asin(sin(a/2) sin(b/2)) for a pyramid with the apex angles a and b."""
    expected = 4 * np.arcsin(np.sin(radians(width) / 2) * np.sin(radians(height) / 2)) * degrees(1) ** 2
    field = rectangle(width, height, "")
    assert field.area == pytest.approx(expected, rel=1e-9)
    (corners,) = field.polygons
    # The same field in two halves, and with a part of it named twice.
    (left, low), (right, high) = corners[0], corners[2]
    halves = [
        [(left, low), (0.0, low), (0.0, high), (left, high)],
        [(0.0, low), (right, low), (right, high), (0.0, high)],
    ]
    assert polygon_footprint(halves, "").area == pytest.approx(expected, rel=1e-9)
    twice = [corners, [(left / 2, low / 2), (0.0, low / 2), (0.0, high), (left / 2, high)]]
    assert polygon_footprint(twice, "").area == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(
    ("words", "area"),
    [
        ("1.1deg circle", 0.9503),
        ("circle 1.1 deg", 0.9503),
        ("a circle of 1.1 degrees", 0.9503),
        ("1.1-degree circle", 0.9503),
        ("1.1° round", 0.9503),
        ("diameter 1.1 deg", 0.9503),
        ("1.1deg diameter", 0.9503),
        ("1.1deg in diameter", 0.9503),
        ("1.1° ø", 0.9503),
        ("66 arcmin circle", 0.9503),
        ("3960 arcsec circle", 0.9503),
        ('3960" ø', 0.9503),
        ("1590 arcsec x 26.5'", 0.19507),
        ("radius 0.55deg", 0.9503),
        ("0.55 deg radius", 0.9503),
        ("2.2x2.2deg", 4.8394),
        ("2.2 x 2.2 deg", 4.8394),
        ("2.2deg x 2.2deg", 4.8394),
        ("2.2°×2.2°", 4.8394),
        ("2.2*2.2 degrees", 4.8394),
        ("2.2 by 2.2 deg", 4.8394),
        ("132' x 132'", 4.8394),
        ("2.2deg x 132 arcmin", 4.8394),
        ("2.2 deg square", 4.8394),
        ("a 2.2x2.2 deg box", 4.8394),
        ("26.5 x 26.5 arcmin", 0.19507),
        (".5x.5deg", 0.25),
        ("47sqdeg", 47),
        ("47 sq deg", 47),
        ("47 sq. deg.", 47),
        ("47 SQ.DEG", 47),
        ("47 deg2", 47),
        ("47 deg^2", 47),
        ("47 deg²", 47),
        ("47 square degrees", 47),
        ("47 square-degree", 47),
        ("47 □°", 47),
        ("47sqdeg square", 47),
        ("9.6 sq deg circle", 9.6),
        ("circle of 9.6 square degrees", 9.6),
    ],
)
def test_people_s_words_are_read(words: str, area: float) -> None:
    field = parse_footprint(words)
    assert field.area == pytest.approx(area, rel=1e-4)
    assert field.words == words
    is_round = any(word in words for word in ("circle", "round", "diameter", "radius", "ø"))
    assert (field.radius is not None) == is_round


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("0", "0° isn't"),
        ("0deg circle", "0° isn't"),
        ("0x0deg", "0° isn't"),
        ("400 deg", "400° isn't"),
        ("400deg circle", "400° isn't"),
        ("1000x1deg", "1000° isn't"),
        ("16deg radius", "32° isn't"),
        ("0sqdeg", "0 deg² isn't"),
        ("41253 sq deg", "41253 deg² isn't"),
        ("1.1 deg", "Write 1.1deg circle or 1.1x1.1deg"),
        ("1.1", "has no unit: write 1.1deg or 1.1arcmin"),
        ("2.2x2.2", "write 2.2x2.2deg or 2.2x2.2arcmin"),
        ("2.2x2.2deg circle", "has two sides, so it isn't round"),
        ("1deg round square", "called both"),
        ("9 sq deg diameter", "gives an area where an angle is needed"),
        ("1,1deg circle", "1.1deg with a point"),
    ],
)
def test_nonsense_gets_one_sentence(words: str, sentence: str) -> None:
    with pytest.raises(FootprintProblem) as caught:
        parse_footprint(words)
    assert sentence in str(caught.value)
    assert not isinstance(caught.value, UnknownFootprint)


@pytest.mark.parametrize(
    "words", ["", "ZTF", "circle", "-1deg circle", "nan deg", "1e3deg", "x" * 500, "1 2 3"]
)
def test_what_is_no_field_of_view_is_called_so(words: str) -> None:
    with pytest.raises(UnknownFootprint, match="no field of view") as caught:
        parse_footprint(words)
    assert len(str(caught.value)) < 200


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="0123456789.,x×*°'□ degsquarcminøbyof-\n<@&!", max_size=60) | st.text(max_size=90))
def test_any_text_is_read_or_refused_in_bounds(text: str) -> None:
    try:
        field = parse_footprint(text)
    except FootprintProblem as problem:
        assert 20 < len(str(problem)) < 250
    else:
        assert 0 < field.area < 1_000
        assert bounding_radius(field) < 25


@pytest.mark.parametrize(
    ("polygons", "sentence"),
    [
        ([], "has no polygon"),
        ([[(0.0, 0.0), (1.0, 0.0)]], "at least three corners"),
        ([[(0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]], "at least three corners"),
        ([[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)]], "have no area"),
        ([[(0.0, 0.0), (16.0, 0.0), (0.0, 1.0)]], "more than 15° from its centre"),
        ([[(0.0, 0.0), (float("nan"), 0.0), (0.0, 1.0)]], "more than 15° from its centre"),
        ([[(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]], "cross"),
        ([[(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]] * (MAX_CORNERS // 3 + 1), "at most 1000 corners"),
    ],
)
def test_polygons_that_are_no_field_are_refused(
    polygons: list[list[tuple[float, float]]], sentence: str
) -> None:
    with pytest.raises(FootprintProblem, match=sentence):
        polygon_footprint(polygons, "")


def test_closed_polygon_is_that_without_its_last_corner() -> None:
    corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    assert polygon_footprint([[*corners, corners[0]]], "") == polygon_footprint([corners], "")


@pytest.fixture(params=["made", "real"])
def pointings(request: pytest.FixtureRequest) -> list[tuple[float, float]]:
    """Ninety made pointings across RA 0h, and DECam's real ones of S251112cm where the shared folder is."""
    if request.param == "made":
        return [(-9.0 + 2.1 * column, -14.0 + 2.4 * row) for row in range(9) for column in range(10)]
    file = request.getfixturevalue("shared_notices").parent / "pointings" / "S251112cm-decam.csv"
    if not file.is_file():
        pytest.skip(NO_POINTINGS)
    with file.open(encoding="utf-8") as rows:
        return [(float(row["ra"]), float(row["dec"])) for row in csv.DictReader(rows)]


@pytest.mark.slow
@pytest.mark.parametrize("field", ["3 sq deg circle", "2.2x2.2deg"])
def test_many_pointings_cover_together_what_a_count_says(
    pointings: list[tuple[float, float]], field: str
) -> None:
    """On a made map, a round hill of probability, the union of all fields holds what the count says."""
    footprint, order = parse_footprint(field), 9
    pixels = np.arange(12 * 4**order)
    x, y, z = healpix.centre_vectors(order, pixels)
    a, d = np.radians(pointings[40])
    hill = np.exp(60 * (x * np.cos(d) * np.cos(a) + y * np.cos(d) * np.sin(a) + z * np.sin(d) - 1))
    near = np.flatnonzero(hill > hill.max() * 1e-4)
    points, probability = (x[near], y[near], z[near]), hill[near] / hill.sum()
    ours, counted = np.zeros(len(near), bool), np.zeros(len(near), bool)
    for ra, dec in pointings:
        ours |= covers(footprint, ra, dec, points)
        east, north, along = on_plane(ra, dec, points)
        if footprint.radius is not None:
            counted |= along >= cos(radians(footprint.radius))
        else:
            reach = footprint.polygons[0][2][0]
            counted |= (np.abs(east) < reach) & (np.abs(north) < reach)
    assert probability[counted].sum() > 0.1
    assert probability[ours].sum() == pytest.approx(probability[counted].sum(), rel=0.005)
