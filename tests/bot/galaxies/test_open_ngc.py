"""Real galaxies: NGC 4993 in a map like that of GW170817. Skipped where pyongc isn't installed."""

from __future__ import annotations

import pytest

from bot.galaxies.catalogue_index import Catalogue
from bot.galaxies.completeness import completeness
from bot.galaxies.ranking import first_ranked, rank_galaxies
from bot.samples import sky_map, streak
from bot.samples.skymaps import offset_position
from bot.skymaps.skymap import read_sky_map
from bot.skymaps.volume_levels import VolumeLevels
from formatters.models.galaxy import RankedGalaxy
from tests.support.factories import NOW
from tests.support.open_ngc import open_ngc

PLACE = (197.4487, -23.3839)
"""NGC 4993."""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return open_ngc(tmp_path_factory.mktemp("openngc"))


def first_galaxies(
    catalogue: Catalogue, centre: tuple[float, float], distance: float = 40.0, count: int = 10
) -> list[RankedGalaxy]:
    """The ranking for a map of 28 deg² and 40 ± 8 Mpc, as that of 2017, around a place."""
    skymap = read_sky_map(
        sky_map(
            streak(*centre, bearing=155, length=2.5, width=0.8),
            superevent_id="S170817a",
            time=NOW,
            distance=(distance, 8.0),
            nearer_at_peak=0.0,
        )
    )
    levels = VolumeLevels.from_skymap(skymap)
    assert levels is not None
    return list(first_ranked(catalogue, rank_galaxies(catalogue, skymap, levels), count))


def test_ngc_4993_is_first_for_a_map_like_that_of_gw170817(catalogue: Catalogue) -> None:
    first = first_galaxies(catalogue, PLACE)[0]
    assert first.galaxy.name == "NGC4993"
    # 40.7 Mpc (Cantiello et al. 2018); of the redshift, without correction for its velocity, 43.6.
    assert first.galaxy.distance == pytest.approx(43.6, abs=0.5)
    assert first.galaxy.distance_error == pytest.approx(3.0, abs=0.2)
    # (0.3 to 1.2)e11 solar masses in the literature.
    assert 10.3 < first.galaxy.log_mass < 11.1


def test_it_is_among_the_first_where_the_map_lies_beside_it(catalogue: Catalogue) -> None:
    found = first_galaxies(catalogue, offset_position(*PLACE, 155, 3.0))
    assert "NGC4993" in [one.galaxy.name for one in found]
    away = first_galaxies(catalogue, offset_position(*PLACE, 65, 8.0), count=1_000)
    assert "NGC4993" not in [one.galaxy.name for one in away]


def test_it_falls_as_the_event_moves_away(catalogue: Catalogue) -> None:
    far = first_galaxies(catalogue, PLACE, distance=90.0, count=1_000)
    assert "NGC4993" not in [one.galaxy.name for one in far]


def test_open_ngc_holds_less_the_farther_away(catalogue: Catalogue) -> None:
    near, far = completeness(catalogue.info, 30.0, 10.0), completeness(catalogue.info, 200.0, 10.0)
    assert near is not None and far is not None
    assert far < near <= 1
