"""What was read covers what the Treasure Map's own numbers mean, by a count of points on the sphere.

The count knows no tangent plane: it turns each point of the sky into the frame of a field's centre and asks
whether its longitude and latitude lie in a detector as the Treasure Map describes it.
"""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.app.factory import Factory
from bot.observing.field_regions import FieldGroup, region_of
from bot.observing.pointing_pixels import ProbabilityCurve
from bot.samples.treasure_map import pointing
from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, SKY_AREA_DEG2, Flags, Floats
from bot.treasure_map.sync import TreasureMapSync
from tests.support.factories import NOW, REAL, decoded_notice, record_notices, subscribe
from tests.support.rubin_maps import gaussian
from tests.support.shared_data import NO_POINTINGS
from tests.support.treasure_map import FakeTreasureMap

ORDER = 10
HALF_DEG = 0.3
CENTRES = [(x, y) for x in (-0.62, 0.0, 0.62) for y in (-0.62, 0.0, 0.62)]
"""Of the nine detectors of the fake server's DECam, each 0.6° wide."""
ANGLE = 30.0

Centres = list[tuple[float, float]]


@pytest.fixture(params=["made", "real"])
def centres(request: pytest.FixtureRequest) -> Centres:
    """Ninety made pointings across RA 0h, and DECam's real ones of S251112cm where the shared folder is."""
    if request.param == "made":
        return [((-9.0 + 2.1 * i) % 360, -14.0 + 2.4 * j) for j in range(9) for i in range(10)]
    file: Path = request.getfixturevalue("shared_notices").parent / "pointings" / "S251112cm-decam.csv"
    if not file.is_file():
        pytest.skip(NO_POINTINGS)
    with file.open(encoding="utf-8") as rows:
        return [(float(row["ra"]), float(row["dec"])) for row in csv.DictReader(rows)]


def in_a_detector(points: Floats, ra: float, dec: float, angle: float) -> Flags:
    """Return which points, (n, 3), lie in a field whose north is turned by `angle` towards the east."""
    a, d, p = np.radians([ra, dec, angle])
    axis = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    north = np.cross(axis, east)
    up, right = np.cos(p) * north + np.sin(p) * east, np.cos(p) * east - np.sin(p) * north
    lon = np.degrees(np.arctan2(points @ right, points @ axis))
    lat = np.degrees(np.arcsin(np.clip(points @ up, -1, 1)))
    found = np.zeros(len(points), np.bool_)
    for x, y in CENTRES:
        found |= (np.abs(lon - x) <= HALF_DEG) & (np.abs(lat - y) <= HALF_DEG)
    return found


@pytest.mark.slow
async def test_pointings_of_an_answer_cover_what_a_fine_grid_counts_within_one_percent(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, centres: Centres
) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    camera = {"instrumentid": 38, "instrument_name": "DECam", "pos_angle": ANGLE}
    fake.pointings[REAL] = [
        pointing(n, ra, dec, NOW + n * timedelta(minutes=1), **camera)
        for n, (ra, dec) in enumerate(centres, start=1)
    ]
    await reader.read_due()
    (one,) = (await factory.treasure_map.pointings(REAL)).observations
    assert one.footprint is not None and len(one.fields) == len(centres)
    region = region_of(FieldGroup.of(one.footprint, one.fields))

    skymap = gaussian(600.0, *centres[40])
    pixels = np.arange(12 * 4**6)
    points = np.stack(healpix.centre_vectors(6, pixels), axis=1)
    near = np.zeros(pixels.size, np.bool_)
    for ra, dec in centres:
        a, d = np.radians([ra, dec])
        axis = [np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)]
        near |= points @ np.array(axis) > np.cos(np.radians(2.5))
    pixels = (pixels[near][:, None] * 4 ** (ORDER - 6) + np.arange(4 ** (ORDER - 6))).ravel()
    points = np.stack(healpix.centre_vectors(ORDER, pixels), axis=1)
    covered = np.zeros(pixels.size, np.bool_)
    for ra, dec in centres:
        covered |= in_a_detector(points, ra, dec, ANGLE)
    place = (pixels[covered] << 2 * (MAX_ORDER - ORDER)) + 1
    by_position = skymap.by_position
    tile = by_position[np.searchsorted(skymap.start[by_position], place, side="right") - 1]
    expected = float(skymap.density[tile].sum() * 4 * np.pi / (12 * 4**ORDER))

    assert expected > 0.05
    assert region.probability(ProbabilityCurve(skymap)) == pytest.approx(expected, rel=0.01)
    assert region.area == pytest.approx(covered.sum() * SKY_AREA_DEG2 / (12 * 4**ORDER), rel=0.01)
