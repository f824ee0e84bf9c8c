"""The probability inside a cone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from astropy_healpix import healpix_to_xyz
from numpy.typing import NDArray

from bot.samples import Lobe, ring, sky_map
from bot.skymaps import cone_search
from bot.skymaps.cone_search import ConeSearch, probability_in_cone
from bot.skymaps.skymap import SkyMap, read_sky_map
from formatters.text.quantities import separation

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SEARCHES = ((ConeSearch.probability_in_cone, 180.0), (ConeSearch.probability_around_poles, 89.9))
"""Each with its largest radius, degrees."""


@pytest.fixture(scope="module")
def skymap() -> SkyMap:
    """Tiles of orders 4 to 11: an arc, and a spot on the celestial pole."""
    sky = (*ring(200.0, 20.0, radius=60.0, width=4.0, brightest=30.0), Lobe(10.0, 89.0, 0.6, 1.5))
    return read_sky_map(sky_map(sky, superevent_id="S261122a", time=NOW))


@pytest.fixture(scope="module")
def pixels(skymap: SkyMap) -> tuple[NDArray[Any], NDArray[Any]]:
    """(unit vectors, probability) of the tiles, those coarser than order 8 divided down to it."""
    vectors, probability = [], []
    for order in range(12):
        mine = skymap.order == order
        depth = max(8 - order, 0)
        ipix = (skymap.ipix[mine][:, None] * 4**depth + np.arange(4**depth)).ravel()
        vectors.append(np.stack(healpix_to_xyz(ipix, 2 ** (order + depth), order="nested"), axis=-1))
        probability.append(np.repeat(skymap.probability[mine] / 4**depth, 4**depth))
    return np.concatenate(vectors), np.concatenate(probability)


def brute(pixels: tuple[NDArray[Any], NDArray[Any]], ra: float, dec: float, radius: float) -> float:
    """The share by the centres of all pixels."""
    vectors, probability = pixels
    lon, lat = np.radians([ra, dec])
    axis = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    return float(probability[vectors @ axis >= np.cos(np.radians(radius))].sum() / probability.sum())


@pytest.mark.parametrize(
    ("ra", "dec", "radius"),
    [(10, 89, 2), (190, 89, 5), (200, 20, 60), (359.9, -20, 30), (200, -70, 120), (40, 0, 175)],
)
def test_it_agrees_with_brute_force(
    skymap: SkyMap, pixels: tuple[NDArray[Any], NDArray[Any]], ra: float, dec: float, radius: float
) -> None:
    # The brute force is the coarser one: its pixels are up to 0.23 degrees wide.
    assert probability_in_cone(skymap, ra, dec, radius) == pytest.approx(
        brute(pixels, ra, dec, radius), abs=2e-3
    )


@pytest.mark.parametrize("radius", [1e-6, 0.01, 1, 30, 90, 150, 179.99, 180])
@pytest.mark.parametrize("dec", [-90, 41.8, 0])
def test_on_an_even_sky_it_is_the_area(dec: float, radius: float) -> None:
    order = 1
    ipix = np.arange(12 * 4**order)
    even = SkyMap(
        uniq=ipix + 4 * 4**order,
        order=np.full(ipix.size, order),
        ipix=ipix,
        density=np.full(ipix.size, 1 / (4 * np.pi)),
    )
    area = np.sin(np.radians(radius) / 2) ** 2
    assert probability_in_cone(even, 123.0, dec, radius) == pytest.approx(area, rel=2e-3, abs=1e-12)


def test_tiles_wholly_inside_count_wholly(skymap: SkyMap) -> None:
    assert probability_in_cone(skymap, 10, 89, 180) == 1
    inside = probability_in_cone(skymap, 10, 89, 20)
    assert inside + probability_in_cone(skymap, 190, -89, 160) == pytest.approx(1, abs=1e-4)
    assert separation(10, 89, 190, -89) == pytest.approx(180)


@pytest.mark.parametrize("radius", [1.0, 30.0, 80.0])
def test_both_poles_of_an_axis_hold_what_two_cones_hold(radius: float) -> None:
    skymap = read_sky_map(sky_map([Lobe(120.0, -30.0, 1.0, 20.0)], superevent_id="S261122a", time=NOW))
    cones = probability_in_cone(skymap, 100.0, -25.0, radius) + probability_in_cone(
        skymap, 280.0, 25.0, radius
    )
    both = ConeSearch(skymap).probability_around_poles(100.0, -25.0, radius)
    assert both == pytest.approx(cones, abs=1e-12)


def test_tiles_that_are_not_subdivided_hold_nothing_that_would_be_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skymap = read_sky_map(sky_map([Lobe(120.0, -30.0, 1.0, 20.0)], superevent_id="S261122a", time=NOW))
    positions = [(120.0, -30.0), (100.0, -10.0), (300.0, 30.0), (120.0, -90.0)]
    found = [probability_in_cone(skymap, *position, 20.0) for position in positions]
    monkeypatch.setattr(cone_search, "NEGLIGIBLE_PROBABILITY", 0.0)
    exact = [probability_in_cone(skymap, *position, 20.0) for position in positions]
    assert found == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("seed", range(30))
def test_sorting_tiles_by_coarse_pixels_changes_only_the_order_of_sums(
    skymap: SkyMap, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(seed)
    ra, dec = random.uniform(0, 360), np.degrees(np.arcsin(random.uniform(-1, 1)))
    radius = [10 ** random.uniform(-4, 2), random.uniform(170, 180)][seed % 5 == 0]
    # What holds next to nothing counts by the centre of its pixel; the test above says what that changes.
    monkeypatch.setattr(cone_search, "NEGLIGIBLE_PROBABILITY", 0.0)
    cones = ConeSearch(skymap)
    found = [search(cones, ra, dec, min(radius, most)) for search, most in SEARCHES]
    every_tile = np.arange(skymap.uniq.size)
    monkeypatch.setattr(ConeSearch, "_by_coarse_pixels", lambda *_: (0.0, every_tile))
    one_by_one = [search(cones, ra, dec, min(radius, most)) for search, most in SEARCHES]
    assert found == pytest.approx(one_by_one, abs=1e-14)


def test_one_search_answers_like_a_new_one_whatever_it_was_asked_before(skymap: SkyMap) -> None:
    cones = ConeSearch(skymap)
    questions = [(10.0, 89.0, 2.0), (200.0, 20.0, 60.0), (10.0, 89.0, 180.0), (10.0, 89.0, 2.0)]
    assert [cones.probability_in_cone(*one) for one in questions] == [
        probability_in_cone(skymap, *one) for one in questions
    ]
