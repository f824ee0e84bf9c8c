"""Positions in maps: against ligo.skymap, against a plain sum over voxels, and what must hold of any map."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import astropy_healpix as healpix
import numpy as np
import pytest
from astropy import units
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.alerts.decode import extract_sky_maps
from bot.samples import sky_map, streak
from bot.samples.skymaps import Columns, to_fits
from bot.skymaps.cone_search import probability_in_cone
from bot.skymaps.crossmatch import (
    CredibleVolume,
    crossmatch,
    luminosity_distance,
    tile_indices,
)
from bot.skymaps.distance_moments import conditional_distance, conditional_moments
from bot.skymaps.skymap import SkyMap, peak_tile, read_sky_map
from formatters.answers.position_check import PositionOnMap
from tests.support.factories import NOW

Floats = NDArray[np.float64]
NAN = float("nan")


@cache
def formula() -> SkyMap:
    """Two streaks of 768 tiles, 150 ± 45 Mpc."""
    peaks = [
        *streak(120, 30, bearing=40, length=12, width=4),
        *streak(300, -40, bearing=10, length=8, width=5, weight=0.4),
    ]
    fits = sky_map(
        peaks,
        superevent_id="S261122a",
        time=NOW,
        distance=(150.0, 45.0),
        nearer_at_peak=0.3,
        base_order=2,
        rounds=4,
    )
    return read_sky_map(fits)


def centre(skymap: SkyMap, tile: int) -> tuple[float, float]:
    lon, lat = healpix.healpix_to_lonlat(skymap.ipix[tile], 2 ** skymap.order[tile], order="nested")
    return float(lon.deg), float(lat.deg)


def place(skymap: SkyMap, ra: float, dec: float, distance: float = NAN) -> PositionOnMap:
    (found,) = crossmatch(skymap, [ra], [dec], [distance])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("ra", "dec", "distance", "searched_prob", "searched_area", "searched_prob_vol"),
    [
        (120.3, 30.2, 140.0, 0.0020246993, 0.8392936452, 0.0817903287),
        (113.1, 22.4, 180.0, 0.2154772856, 105.7509992966, 0.4893117116),
        (299.0, -41.0, 100.0, 0.3932124450, 235.0022206591, 0.2496927443),
        (20.0, 70.0, 150.0, 1.0, 33947.7493615014, 1.0),
        (126.0, 38.0, 1500.0, 0.2197241298, 108.2688802322, 1.0),
        (120.3, 30.2, 3.0, 0.0020246993, 0.8392936452, 0.6577073309),
    ],
)
def test_agrees_with_ligo_skymap_reference_values(
    ra: float,
    dec: float,
    distance: float,
    searched_prob: float,
    searched_area: float,
    searched_prob_vol: float,
) -> None:
    """Recorded from crossmatch of ligo.skymap 2.5.4, on the map by formula.

    Its volume is a sum over shells of 0.9 Mpc, the target's counted whole.
    """
    found = place(formula(), ra, dec, distance)
    assert found.credible_level == pytest.approx(searched_prob, abs=1e-6)
    assert found.searched_area == pytest.approx(searched_area, rel=1e-6)
    assert found.credible_level_3d == pytest.approx(searched_prob_vol, abs=SHELL)


SHELL = 0.025
"""The most that ligo.skymap's grid of 1,000 distances differs from the integral (1.9 % on S241125n's map)."""
SHARED = ("real/S241125n-UPDATE-RAVEN.json", "official/MS181101ab-preliminary.avro")


@pytest.mark.parametrize("name", SHARED)
def test_agrees_with_installed_ligo_skymap(shared_notices: Path, tmp_path: Path, name: str) -> None:
    reason = "pip install ligo.skymap compares with it too, beside recorded values and a sum over voxels"
    module = pytest.importorskip("ligo.skymap.postprocess.crossmatch", reason=reason)
    reading = pytest.importorskip("ligo.skymap.io", reason=reason)
    from astropy.coordinates import SkyCoord

    for number, fits in enumerate(extract_sky_maps((shared_notices / name).read_bytes())):
        if fits is None:
            continue
        path = tmp_path / f"{number}.multiorder.fits"
        path.write_bytes(fits)
        skymap, theirs = read_sky_map(fits), reading.read_sky_map(str(path), moc=True)
        assert skymap.distance is not None
        rng = np.random.default_rng(number)
        for tile in rng.choice(skymap.uniq.size, 1, p=skymap.probability / skymap.probability.sum()):
            ra, dec = centre(skymap, int(tile))
            distance = skymap.distance.mean * rng.uniform(0.4, 1.5)
            where = SkyCoord(ra * units.deg, dec * units.deg, distance=distance * units.Mpc)
            reference = module.crossmatch(theirs, where)
            found = place(skymap, ra, dec, distance)
            assert found.credible_level == pytest.approx(float(reference.searched_prob), abs=1e-3)
            assert found.searched_area == pytest.approx(float(reference.searched_area), rel=1e-3)
            assert found.credible_level_3d == pytest.approx(float(reference.searched_prob_vol), abs=SHELL)


def summed_level(skymap: SkyMap, tile: int, distance: float) -> float:
    """The probability of all voxels as dense as the target or denser, by a plain sum.

    A tile's shells are cut at the edges of the interval of distance in which it is dense enough.
    """
    mu, sigma, norm = skymap.distmu, skymap.distsigma, skymap.distnorm
    assert mu is not None and sigma is not None and norm is not None

    known = np.flatnonzero(np.isfinite(mu) & (norm > 0) & (skymap.density > 0))
    peak = np.full(skymap.uniq.size, -np.inf)
    peak[known] = np.log(skymap.density[known]) + np.log(norm[known]) - np.log(sigma[known])
    excess = peak - (peak[tile] - ((distance - mu[tile]) / sigma[tile]) ** 2 / 2)
    total = 0.0
    for other in np.flatnonzero(excess >= 0):
        half = sigma[other] * np.sqrt(2 * excess[other])
        low, high = max(mu[other] - half, 0.0), min(mu[other] + half, max(mu[other], 0) + 12 * sigma[other])
        if high <= low:
            continue
        edges = np.linspace(low, high, 2001)
        r = (edges[1:] + edges[:-1]) / 2
        density = np.exp(peak[other] - ((r - mu[other]) / sigma[other]) ** 2 / 2) / np.sqrt(2 * np.pi)
        total += float(np.sum(density * r**2)) * (edges[1] - edges[0]) * skymap.area[other]
    return total


@pytest.mark.parametrize("tile", [0, 200, 767])
@pytest.mark.parametrize("distance", [3.0, 30.0, 140.0, 260.0])
def test_volume_level_is_the_integral_over_all_denser_volume(tile: int, distance: float) -> None:
    found = place(formula(), *centre(formula(), tile), distance)
    assert found.credible_level_3d == pytest.approx(summed_level(formula(), tile, distance), abs=1e-5)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 10_000), st.floats(0.5, 700))
def test_volume_level_of_any_map_is_the_integral(seed: int, number: int, distance: float) -> None:
    skymap = split(seed)
    tile = number % skymap.uniq.size
    found = place(skymap, *centre(skymap, tile), distance)
    assert found.credible_level_3d == pytest.approx(min(summed_level(skymap, tile, distance), 1), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_volume_level_of_published_maps_is_the_integral(shared_notices: Path, name: str) -> None:
    for fits in extract_sky_maps((shared_notices / name).read_bytes()):
        if fits is None:
            continue
        skymap = read_sky_map(fits)
        assert skymap.distance is not None
        for rank, by in ((0, 1.0), (2000, 0.6)):
            tile = int(skymap.by_density[rank])
            distance = skymap.distance.mean * by
            found = place(skymap, *centre(skymap, tile), distance)
            assert found.credible_level_3d == pytest.approx(summed_level(skymap, tile, distance), abs=1e-4)


def test_conditional_means_and_volume_are_accurate_far_in_the_tail() -> None:
    """Parameters as LVK's maps have them far from the source; each tile's mass is 1, whatever its shape."""
    mu, sigma = np.array([-400.0, -90.0, -79.0, 0.0, 200.0, 5000.0]), np.array([20.0, 10.0, 10.0, 50, 9, 80])
    means, squares = conditional_moments(mu, sigma)
    for index in range(mu.size):
        expected = conditional_distance(float(mu[index]), float(sigma[index]))
        assert expected is not None and means[index] == pytest.approx(expected.mean, rel=1e-6)
        assert squares[index] == pytest.approx(expected.mean**2 + expected.std**2, rel=1e-6)
    for index in (1, 2, 3, 4):
        m, s, mean = (float(column[index]) for column in (mu, sigma, means))
        step = mean / 10_000
        r = np.arange(step / 2, 20 * mean, step)
        norm = s * np.sqrt(2 * np.pi) / np.sum(r**2 * np.exp(-(((r - m) / s) ** 2) / 2) * step)
        log_norm = np.log([norm / (4 * np.pi)])
        volume = CredibleVolume(np.array([0]), mu[[index]], sigma[[index]], log_norm, np.array([4 * np.pi]))
        # A target so far away that all volume is denser.
        assert volume.credible_level(0, 6 * mean) == pytest.approx(1, abs=1e-4)


def without_distance(skymap: SkyMap, tile: int) -> SkyMap:
    mu, sigma, norm = (np.array(column) for column in (skymap.distmu, skymap.distsigma, skymap.distnorm))
    mu[tile], sigma[tile], norm[tile] = np.inf, 1.0, 0.0
    return remade(skymap, {"DISTMU": mu, "DISTSIGMA": sigma, "DISTNORM": norm})


def remade(skymap: SkyMap, columns: dict[str, Floats], uniq: Any = None) -> SkyMap:
    given: Columns = {
        "UNIQ": (skymap.uniq if uniq is None else uniq, None),
        "PROBDENSITY": (skymap.density, "sr-1"),
    }
    given |= {name: (values, None) for name, values in columns.items()}
    from astropy.io import fits

    return read_sky_map(to_fits(given, fits.Header({"COORDSYS": "C"})))


def test_position_without_distance_information_has_none() -> None:
    skymap = without_distance(formula(), 300)
    found = place(skymap, *centre(skymap, 300), 100.0)
    assert found.distance is None
    assert found.credible_level_3d == pytest.approx(1, abs=2e-3), "everywhere else is denser"
    plain = place(remade(formula(), {}), 120.0, 30.0, 100.0)
    assert plain.distance is None and plain.credible_level_3d is None
    assert place(formula(), 120.0, 30.0).credible_level_3d is None


def test_position_in_a_gap_is_none_and_poles_have_tiles() -> None:
    whole = formula()
    keep = whole.uniq != whole.uniq[whole.by_density[-1]]
    assert int(whole.order[whole.by_density[-1]]) == 2
    from astropy.io import fits

    columns: Columns = {"UNIQ": (whole.uniq[keep], None), "PROBDENSITY": (whole.density[keep], None)}
    gappy = read_sky_map(to_fits(columns, fits.Header()))
    ra, dec = centre(whole, int(whole.by_density[-1]))
    assert crossmatch(gappy, [ra, 120.0], [dec, 30.0])[0] is None
    assert crossmatch(gappy, [ra, 120.0], [dec, 30.0])[1] is not None
    assert (tile_indices(whole, [0.0, 359.999999, 0.0], [90.0, -90.0, 0.0]) >= 0).all()


def test_the_peak_lies_at_its_own_probability() -> None:
    skymap = formula()
    peak = peak_tile(skymap)
    found = place(skymap, *centre(skymap, peak))
    assert found.credible_level == pytest.approx(skymap.probability[peak], rel=1e-9)
    assert found.relative_density == 1
    assert found.searched_area == pytest.approx(skymap.area[peak] * (180 / np.pi) ** 2)
    assert found.in_50 and found.in_90


def split(seed: int) -> SkyMap:
    """A whole sky of 192 or more tiles with random densities and distances."""
    rng = np.random.default_rng(seed)
    coarse = np.arange(192)
    finer = rng.random(192) < 0.3
    fine = (coarse[finer][:, None] * 4 + np.arange(4)).ravel()
    uniq = rng.permutation(np.concatenate([coarse[~finer] + 4 * 4**2, fine + 4 * 4**3]))
    area = np.pi / 3 / 4.0 ** np.where(uniq >= 4 * 4**3, 3, 2)
    density = rng.random(uniq.size) ** 6
    density /= float(density @ area)
    mu, sigma = rng.uniform(-50, 300, uniq.size), rng.uniform(10, 80, uniq.size)
    second = [conditional_distance(float(m), float(s)) is not None for m, s in zip(mu, sigma, strict=True)]
    assert all(second)
    columns: Columns = {
        "UNIQ": (uniq, None),
        "PROBDENSITY": (density, None),
        "DISTMU": (mu, None),
        "DISTSIGMA": (sigma, None),
        "DISTNORM": (1 / (mu**2 + sigma**2), None),
    }
    from astropy.io import fits

    return read_sky_map(to_fits(columns, fits.Header()))


def turned(skymap: SkyMap, quarters: int) -> SkyMap:
    """The same map a quarter of the sky further east, or several: base pixels change places in their ring."""
    base, rest = np.divmod(skymap.ipix, 4**skymap.order)
    ipix = (base // 4 * 4 + (base + quarters) % 4) * 4**skymap.order + rest
    columns = {"DISTMU": skymap.distmu, "DISTSIGMA": skymap.distsigma, "DISTNORM": skymap.distnorm}
    known = {name: values for name, values in columns.items() if values is not None}
    return remade(skymap, known, ipix + 4 * 4**skymap.order)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 10_000), st.floats(1, 500))
def test_crossmatch_and_cone_are_invariant_under_rotation(seed: int, number: int, distance: float) -> None:
    skymap = split(seed)
    peak = peak_tile(skymap)
    assert place(skymap, *centre(skymap, peak)).credible_level == pytest.approx(
        skymap.probability[peak], rel=1e-9
    )
    ra, dec = centre(skymap, number % skymap.uniq.size)
    found = place(skymap, ra, dec, distance)
    assert 0 <= found.credible_level <= 1.0000001 and 0 < found.relative_density <= 1
    assert found.in_90 or not found.in_50
    assert found.credible_level_3d is not None and 0 <= found.credible_level_3d <= 1
    for quarters in (1, 2, 3):
        again = place(turned(skymap, quarters), (ra + 90 * quarters) % 360, dec, distance)
        assert again.credible_level == pytest.approx(found.credible_level, abs=1e-9)
        assert again.credible_level_3d == pytest.approx(found.credible_level_3d, abs=1e-9)
        assert again.searched_area == pytest.approx(found.searched_area)
        assert (again.in_50, again.in_90) == (found.in_50, found.in_90)
        assert again.distance == found.distance
        cone = probability_in_cone(turned(skymap, quarters), (ra + 90 * quarters) % 360, dec, 20.0)
        assert cone == pytest.approx(probability_in_cone(skymap, ra, dec, 20.0), abs=1e-6)


def test_levels_in_the_volume_rise_away_from_the_densest_distance() -> None:
    skymap = formula()
    mu = skymap.distmu
    peak = peak_tile(skymap)
    assert mu is not None
    ra, dec = centre(skymap, peak)
    levels = [place(skymap, ra, dec, float(mu[peak]) * by).credible_level_3d for by in (1, 1.3, 1.8, 2.5)]
    assert levels == sorted(levels, key=lambda level: level or 0)


@pytest.mark.parametrize(
    ("redshift", "mpc"),
    [
        (0.0098, 43.74755446244489),
        (0.1, 475.8222675121877),
        (1, 6791.2689423031325),
        (10, 105999.13587403279),
    ],
)
def test_luminosity_distances_of_planck18(redshift: float, mpc: float) -> None:
    """Recorded from astropy.cosmology.Planck18.luminosity_distance."""
    assert luminosity_distance(redshift) == pytest.approx(mpc, rel=1e-9)
