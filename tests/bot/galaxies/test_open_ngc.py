"""Real galaxies, where `pyongc` is installed: NGC 4993, which GW170817 came from."""

from __future__ import annotations

from pathlib import Path

from bot.galaxies.ranking import first_ranked, rank_galaxies
from bot.samples import sky_map, streak
from bot.skymaps.skymap import read_sky_map
from bot.skymaps.volume_levels import VolumeLevels
from formatters.models.galaxy import MassSource
from tests.support.factories import NOW
from tests.support.open_ngc import open_ngc_catalogue


def test_an_event_like_gw170817_ranks_ngc_4993_first(tmp_path: Path) -> None:
    catalogue = open_ngc_catalogue(tmp_path)
    assert catalogue.rows.size > 9_000
    host = next(one for one in map(catalogue.galaxy, range(catalogue.rows.size)) if one.name == "NGC4993")
    # The area (31 deg²) and the spread in distance of the map of 2017-08-17; its peak at the galaxy.
    sky = streak(host.ra, host.dec, bearing=150, length=2.6, width=0.9)
    distance = (host.distance, 8.0)
    skymap = read_sky_map(
        sky_map(sky, superevent_id="S261122a", time=NOW, distance=distance, nearer_at_peak=0.0)
    )
    levels = VolumeLevels.from_skymap(skymap)
    assert levels is not None
    ranking = rank_galaxies(catalogue, skymap, levels)
    first = first_ranked(catalogue, ranking, 5)
    assert first[0].galaxy.name == "NGC4993", [(one.galaxy.name, one.share) for one in first]
    assert first[0].galaxy.mass_source is MassSource.K_BAND
    # log M* = 10.6 to 10.9 in the literature (Im et al. 2017; Levan et al. 2017).
    assert abs(first[0].galaxy.log_mass - 10.6) < 0.35
    assert ranking.row.size > 5
