"""The part of a map in another's credible region is of that map's own probability, whatever it adds up to."""

from dataclasses import replace

import pytest

from bot.samples.edge_cases import few_rows
from bot.skymaps.skymap import probability_inside, read_sky_map


@pytest.mark.parametrize("total", [0.991, 1.0, 1.009])
@pytest.mark.parametrize("level", [0.1, 0.5])
def test_a_maps_total_of_not_quite_one_is_no_part_of_the_overlap(total: float, level: float) -> None:
    skymap = read_sky_map(few_rows())
    whole = float(skymap.probability.sum())
    scaled = replace(skymap, density=skymap.density * (total / whole))
    expected = probability_inside(skymap, replace(skymap, density=skymap.density / whole), level)
    assert 0 < expected < 0.99
    assert probability_inside(skymap, scaled, level) == pytest.approx(expected, rel=1e-9)
