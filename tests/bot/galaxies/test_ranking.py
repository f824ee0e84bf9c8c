"""The ranking of galaxies: against sums by hand, the exact credible levels, and what must hold of any map."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.galaxies.catalogue_index import ROW, Catalogue
from bot.galaxies.ranking import LEVEL, first_ranked, rank_galaxies
from bot.samples import sky_map, streak
from bot.skymaps import healpix
from bot.skymaps.arrays import Floats
from bot.skymaps.crossmatch import CredibleVolume, crossmatch, tile_indices
from bot.skymaps.skymap import SkyMap, read_sky_map
from bot.skymaps.volume_levels import VolumeLevels
from formatters.models.galaxy import CatalogueInfo
from tests.support.factories import NOW
from tests.support.galaxies import made_catalogue, made_columns

INFO = CatalogueInfo(
    slug="few",
    title="Few",
    galaxies=0,
    max_distance=1000.0,
    median_log_mass=10.3,
    imported_at=NOW,
    shell_width=10.0,
    mass_in_shells=(),
)


@cache
def narrow_map(ra: float = 197.45, dec: float = -23.38, mean: float = 40.0) -> SkyMap:
    fits = sky_map(
        streak(ra, dec, bearing=30, length=3, width=1.5),
        superevent_id="S261122a",
        time=NOW,
        distance=(mean, 8.0),
        nearer_at_peak=0.0,
        base_order=3,
        rounds=3,
    )
    return read_sky_map(fits)


@cache
def levels_of(ra: float = 197.45, dec: float = -23.38, mean: float = 40.0) -> VolumeLevels:
    levels = VolumeLevels.from_skymap(narrow_map(ra, dec, mean))
    assert levels is not None
    return levels


def catalogue_of(*galaxies: tuple[str, float, float, float, float]) -> Catalogue:
    """A catalogue of (name, RA, Dec, distance in Mpc, log10 of the mass)."""
    rows = np.zeros(len(galaxies), ROW)
    for row, (name, ra, dec, distance, log_mass) in zip(rows, galaxies, strict=True):
        row["name"], row["ra"], row["dec"] = name.encode(), ra, dec
        row["distance"], row["distance_error"], row["log_mass"] = distance, 3.0, log_mass
        row["magnitude"] = np.nan
    rows["pixel"] = healpix.finest_pixels(rows["ra"], rows["dec"])
    return Catalogue(replace(INFO, galaxies=rows.size), rows[np.argsort(rows["pixel"], kind="stable")])


def ranked(catalogue: Catalogue, ra: float = 197.45, dec: float = -23.38) -> dict[str, tuple[int, float]]:
    """Rank and share by name, for a map around a position."""
    ranking = rank_galaxies(catalogue, narrow_map(ra, dec), levels_of(ra, dec))
    return {
        one.galaxy.name: (one.rank, one.share) for one in first_ranked(catalogue, ranking, ranking.row.size)
    }


def test_the_nearer_to_the_map_and_the_heavier_a_galaxy_is_the_higher_it_ranks() -> None:
    at_peak, beside = ("at peak", 197.45, -23.38, 40.0, 10.5), ("beside", 199.5, -21.5, 40.0, 10.5)
    far, light = ("far", 197.45, -23.3, 52.0, 10.5), ("light", 197.5, -23.38, 40.0, 9.0)
    outside, behind = ("outside", 20.0, 40.0, 40.0, 12.0), ("behind", 197.45, -23.38, 400.0, 12.0)
    found = ranked(catalogue_of(at_peak, beside, far, light, outside, behind))
    assert found["at peak"][0] == 1
    assert {"beside", "far", "light"} < found.keys()
    assert {"outside", "behind"}.isdisjoint(found)
    assert sum(share for _, share in found.values()) == pytest.approx(1)


def test_a_share_is_density_in_the_volume_times_mass_over_the_sum() -> None:
    first, second = ("a", 197.45, -23.38, 38.0, 10.0), ("b", 198.3, -22.1, 45.0, 11.0)
    skymap = narrow_map()
    weights = []
    for _, ra, dec, distance, log_mass in (first, second):
        tile = int(tile_indices(skymap, ra, dec)[0])
        assert skymap.distmu is not None and skymap.distsigma is not None and skymap.distnorm is not None
        width = np.hypot(skymap.distsigma[tile], 3.0)
        normal = np.exp(-(((distance - skymap.distmu[tile]) / width) ** 2) / 2) / width
        weights.append(skymap.density[tile] * skymap.distnorm[tile] * normal * 10**log_mass)
    found = ranked(catalogue_of(first, second))
    assert found["a"][1] == pytest.approx(weights[0] / sum(weights), rel=1e-6)


def test_a_map_without_galaxies_in_its_volume_gives_none() -> None:
    assert ranked(catalogue_of(("far", 10.0, 10.0, 900.0, 11.0))) == {}


@pytest.mark.slow
def test_credible_levels_are_those_of_the_exact_calculation(tmp_path: Path) -> None:
    catalogue = made_catalogue(tmp_path, made_columns(30_000, max_redshift=0.02))
    skymap, levels = narrow_map(mean=45.0), levels_of(mean=45.0)
    ranking = rank_galaxies(catalogue, skymap, levels)
    rows = catalogue.rows[ranking.row]
    exact = crossmatch(skymap, rows["ra"], rows["dec"], rows["distance"].astype(float))
    assert ranking.row.size > 10
    for at, one in enumerate(exact):
        assert one is not None and one.credible_level_3d is not None
        assert ranking.level_3d[at] == pytest.approx(one.credible_level_3d, abs=1e-3)
        assert ranking.level_2d[at] == pytest.approx(one.credible_level, abs=1e-12)


@pytest.mark.slow
def test_no_galaxy_of_the_volume_is_missed(tmp_path: Path) -> None:
    catalogue = made_catalogue(tmp_path, made_columns(5_000, max_redshift=0.02))
    skymap, levels = narrow_map(mean=45.0), levels_of(mean=45.0)
    every = crossmatch(
        skymap, catalogue.rows["ra"], catalogue.rows["dec"], catalogue.rows["distance"].astype(float)
    )
    exact = np.array(
        [1.0 if one is None or one.credible_level_3d is None else one.credible_level_3d for one in every]
    )
    found = set(rank_galaxies(catalogue, skymap, levels).row.tolist())
    assert set(np.flatnonzero(exact < LEVEL - 1e-3)) <= found <= set(np.flatnonzero(exact < LEVEL + 1e-3))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 2.0))
def test_more_mass_never_lowers_a_rank(seed: int, more: float) -> None:
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(12, 4)) * [2, 2, 6, 0.5] + [197.45, -23.38, 40, 10.3]
    galaxies = [
        (f"g{at}", ra, dec, distance, mass) for at, (ra, dec, distance, mass) in enumerate(drawn.tolist())
    ]
    before = ranked(catalogue_of(*galaxies))
    for at, (name, ra, dec, distance, mass) in enumerate(galaxies):
        if name in before:
            changed = [*galaxies[:at], (name, ra, dec, distance, mass + more), *galaxies[at + 1 :]]
            after = ranked(catalogue_of(*changed))
            assert after[name][0] <= before[name][0]
            assert after[name][1] >= before[name][1]


def test_a_galaxy_moves_up_as_the_map_moves_towards_it() -> None:
    catalogue = catalogue_of(("a", 197.0, -23.4, 40.0, 10.5), ("b", 200.0, -21.0, 40.0, 10.5))
    assert ranked(catalogue, 197.0, -23.4)["a"][0] == 1
    assert ranked(catalogue, 200.0, -21.0)["b"][0] == 1


@pytest.mark.parametrize("wide", [False, True])
def test_levels_of_many_places_agree_with_the_exact_ones(wide: bool) -> None:
    sky = streak(100, -20, bearing=70, length=40 if wide else 3, width=15 if wide else 2)
    skymap = read_sky_map(
        sky_map(sky, superevent_id="S261122a", time=NOW, distance=(1500.0, 600.0), nearer_at_peak=0.0)
    )
    levels = VolumeLevels.from_skymap(skymap)
    assert levels is not None and skymap.distmu is not None and skymap.distsigma is not None
    rng = np.random.default_rng(4)
    tile = rng.choice(skymap.density.size, 60, p=skymap.probability / skymap.probability.sum())
    distance: Floats = np.abs(skymap.distmu[tile] + skymap.distsigma[tile] * rng.normal(size=60)) + 1
    found = levels.levels(levels.log_density(levels.row[tile], distance))
    volume = CredibleVolume.from_skymap(skymap)
    assert volume is not None
    exact = [volume.credible_level(int(one), float(d)) for one, d in zip(tile, distance, strict=True)]
    assert found == pytest.approx(exact, abs=1e-3)


@pytest.mark.slow
def test_the_first_of_a_ranking_are_those_of_the_whole_with_the_same_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = made_catalogue(tmp_path, made_columns(30_000, max_redshift=0.02))
    skymap, levels = narrow_map(mean=45.0), levels_of(mean=45.0)
    whole = rank_galaxies(catalogue, skymap, levels)
    # Pieces much smaller than the volume's galaxies.
    monkeypatch.setattr("bot.galaxies.ranking._PIECE", 7)
    first = rank_galaxies(catalogue, skymap, levels, 5)
    assert first.total == whole.total == whole.row.size > 10
    assert first.row.tolist() == whole.row[:5].tolist()
    assert first.share == pytest.approx(whole.share[:5], rel=1e-12)
    assert whole.share.sum() == pytest.approx(1)
    everything = rank_galaxies(catalogue, skymap, levels)
    assert everything.row.tolist() == whole.row.tolist()
