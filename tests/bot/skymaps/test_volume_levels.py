"""Densities and credible levels in the volume: against ligo.skymap where it is installed.

Its crossmatch sums voxels between 999 distances and takes a target's for the voxel below it: the targets here
lie on its distances, where the rest of the difference is that of the sums.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units

from bot.alerts.decode import extract_sky_maps
from bot.samples import sky_map, streak
from bot.skymaps.skymap import read_sky_map
from bot.skymaps.volume_levels import VolumeLevels
from tests.bot.skymaps.test_crossmatch import centre
from tests.support.factories import NOW

TOLERANCE = 1e-3
SHARED = (
    "real/S241125n-UPDATE-RAVEN.json",
    "official/MS181101ab-preliminary.avro",
    "official/MS181101ab-initial.avro",
)


def compare(fits: bytes, folder: Path, seed: int, count: int = 12) -> None:
    reason = "pip install ligo.skymap compares with it too, beside the exact integral"
    module = pytest.importorskip("ligo.skymap.postprocess.crossmatch", reason=reason)
    reading = pytest.importorskip("ligo.skymap.io", reason=reason)
    moments = pytest.importorskip("ligo.skymap.distance", reason=reason)
    from astropy.coordinates import SkyCoord

    path = folder / f"{seed}.multiorder.fits"
    path.write_bytes(fits)
    skymap, theirs = read_sky_map(fits), reading.read_sky_map(str(path), moc=True)
    levels = VolumeLevels.from_skymap(skymap)
    assert levels is not None and skymap.distmu is not None and skymap.distsigma is not None
    mean, _ = moments.parameters_to_marginal_moments(skymap.probability, skymap.distmu, skymap.distsigma)
    step = 6 * mean / 1_000
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(levels.row >= 0)
    tile = rng.choice(known, count, p=skymap.probability[known] / skymap.probability[known].sum())
    wanted = skymap.distmu[tile] + skymap.distsigma[tile] * rng.normal(size=count)
    distance = step * np.clip(np.round(wanted / step), 1, 998)
    places = np.array([centre(skymap, int(one)) for one in tile])
    # A hair farther, so that rounding doesn't put it into the voxel before.
    where = SkyCoord(*(places.T * units.deg), distance=distance * (1 + 1e-9) * units.Mpc)
    reference = module.crossmatch(theirs, where)
    log_density = levels.log_density(levels.row[tile], distance)
    assert np.exp(log_density) == pytest.approx(np.asarray(reference.probdensity_vol), rel=TOLERANCE)
    assert levels.levels(log_density) == pytest.approx(np.asarray(reference.searched_prob_vol), abs=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1.5, 4.0])
def test_densities_and_levels_are_those_of_ligo_skymap(tmp_path: Path, width: float) -> None:
    made = sky_map(
        streak(120, 30, bearing=40, length=12, width=width),
        superevent_id="S261122a",
        time=NOW,
        distance=(150.0, 45.0),
        nearer_at_peak=0.3,
        base_order=3,
        rounds=4,
    )
    compare(made, tmp_path, 7)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_on_real_maps_too(shared_notices: Path, tmp_path: Path, name: str) -> None:
    for number, fits in enumerate(extract_sky_maps((shared_notices / name).read_bytes())):
        if fits is not None:
            compare(fits, tmp_path, number)


def test_the_level_of_the_densest_place_is_zero_and_far_away_one() -> None:
    skymap = read_sky_map(
        sky_map(
            streak(20, -10, bearing=0, length=3, width=2),
            superevent_id="S261122a",
            time=NOW,
            distance=(100.0, 20.0),
        )
    )
    levels = VolumeLevels.from_skymap(skymap)
    assert levels is not None
    row = np.arange(levels.mu.size)
    assert levels.levels(np.array([levels.densest])) == pytest.approx([0], abs=1e-6)
    assert levels.levels(levels.log_density(row, np.full(row.size, 5_000.0))) == pytest.approx(1, abs=1e-6)
    assert levels.levels(np.array([levels.least_log_density(0.9)])) == pytest.approx([0.9], abs=1e-9)


def test_an_error_of_the_distance_widens_the_line_of_sight() -> None:
    skymap = read_sky_map(
        sky_map(
            streak(20, -10, bearing=0, length=3, width=2),
            superevent_id="S261122a",
            time=NOW,
            distance=(100.0, 20.0),
        )
    )
    levels = VolumeLevels.from_skymap(skymap)
    assert levels is not None
    row, distance = np.zeros(1, np.int64), np.array([110.0])
    # The mean over the galaxy's own distances, by a plain sum.
    offsets = np.linspace(-8, 8, 4_001)
    weight = np.exp(-(offsets**2) / 2)
    each = np.exp(levels.log_density(np.zeros(4_001, np.int64), 110 + 15 * offsets))
    expected = (each * weight).sum() / weight.sum()
    assert np.exp(levels.log_density(row, distance, 15.0)) == pytest.approx([expected], rel=1e-6)


def test_a_map_without_distances_has_no_levels() -> None:
    skymap = read_sky_map(
        sky_map(streak(20, -10, bearing=0, length=3, width=2), superevent_id="S261122a", time=NOW)
    )
    assert VolumeLevels.from_skymap(skymap) is None
