"""The number of pieces of the 50 % region, against the connected regions, and as it is stored."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from bot.skymaps.arrays import Floats
from bot.skymaps.regions import connected_regions
from bot.skymaps.skymap import SkyMap, in_credible_region, localize
from formatters.models.notice import Localization

ORDER = 3
PIXELS = 12 * 4**ORDER


def map_of(density: Floats) -> SkyMap:
    """Return a flat map of ORDER with these densities, normalized."""
    ipix = np.arange(PIXELS)
    area = 4 * np.pi / PIXELS
    normalized = density / (density.sum() * area)
    return SkyMap(
        uniq=ipix + 4 * 4**ORDER,
        order=np.full(PIXELS, ORDER),
        ipix=ipix,
        density=normalized,
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_pieces_of_the_50_percent_region_are_its_connected_parts(seed: int) -> None:
    skymap = map_of(np.random.default_rng(seed).random(PIXELS) ** (1 + seed % 8))
    part = np.flatnonzero(in_credible_region(skymap, 0.5))
    parts = connected_regions(skymap.order[part], skymap.ipix[part], skymap.probability[part])
    assert localize(skymap).pieces_50 == len(parts)


def test_two_far_spots_are_two_pieces_and_one_spot_is_one() -> None:
    density = np.full(PIXELS, 1e-6)
    density[10] = 1
    assert localize(map_of(density)).pieces_50 == 1
    density[600] = 1
    assert localize(map_of(density)).pieces_50 == 2


def test_a_localization_of_an_older_version_is_read_and_is_still_the_same_map() -> None:
    found = localize(map_of(np.random.default_rng(0).random(PIXELS)))
    adapter = TypeAdapter(Localization)
    stored = json.loads(adapter.dump_json(found))
    assert adapter.validate_python(stored).pieces_50 == found.pieces_50
    del stored["pieces_50"]
    old = adapter.validate_json(json.dumps(stored))
    assert old.pieces_50 is None
    assert old == found == replace(found, pieces_50=7)
