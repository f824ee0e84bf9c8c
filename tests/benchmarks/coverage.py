"""How long it takes to measure what 500 fields cover of a map, and of the maps that come after it.

Run: python -m tests.benchmarks.coverage
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np

from bot.observing.coverage import measure_coverage
from bot.observing.field_regions import FieldGroup, SkyRegion, region_of
from bot.observing.footprints import circle, polygon_footprint, rectangle
from bot.observing.uncovered_sky import MapToCover
from bot.skymaps import healpix
from formatters.models.observation import Observation, ObservationStatus, ObservedField
from tests.support.rubin_maps import gaussian

COUNT = 500
MAPS = 5
AIM_FIRST_S = 4.0
AIM_RATIO = 0.2
NOW = datetime.now(UTC)
CAMERA = polygon_footprint(
    [
        [(x, y), (x + 0.26, y), (x + 0.26, y + 0.13), (x, y + 0.13)]
        for x in np.arange(-0.95, 0.8, 0.3)
        for y in np.arange(-0.98, 0.9, 0.16)
    ],
    "camera",
)
FOOTPRINTS = {"circle": circle(1.1, "circle"), "square": rectangle(6.8, 6.8, "square"), "camera": CAMERA}


def observations(name: str) -> list[Observation]:
    """Return ten observations of fifty fields each around one place, of which many overlap."""
    random = np.random.default_rng(7)
    places = random.normal(0, 6, (COUNT, 2))
    fields = [ObservedField(ra=float(100 + ra), dec=float(-20 + dec)) for ra, dec in places]
    return [
        Observation(
            id=number,
            superevent_id="S261115a",
            instrument=f"Telescope {number}",
            status=ObservationStatus.DONE if number % 2 else ObservationStatus.PLANNED,
            user_id="U1",
            created_at=NOW,
            changed_at=NOW,
            footprint=FOOTPRINTS[name],
            fields=tuple(fields[number::10]),
            band="r" if number % 3 else "J",
        )
        for number in range(10)
    ]


def main() -> None:
    """Print a table: the first map, the median of the others, and their ratio."""
    healpix.load()
    maps = [gaussian(300.0 + 50 * number, 100.0, -20.0) for number in range(MAPS)]
    print(f"{'field':10}{'first, s':>10}{'next, s':>10}{'ratio':>8}")
    passed = True
    for name in FOOTPRINTS:
        made, kept = observations(name), dict[FieldGroup, SkyRegion]()

        def region(group: FieldGroup, kept: dict[FieldGroup, SkyRegion] = kept) -> SkyRegion:
            if group not in kept:
                kept[group] = region_of(group)
            return kept[group]

        times = []
        for skymap in maps:
            began = time.process_time()
            measure_coverage(MapToCover.of(skymap), made, (), region)
            times.append(time.process_time() - began)
        after = float(np.median(times[1:]))
        passed &= times[0] <= AIM_FIRST_S and after / times[0] <= AIM_RATIO
        print(f"{name:10}{times[0]:10.2f}{after:10.3f}{after / times[0]:8.3f}")
    print(f"aims (≤ {AIM_FIRST_S:g} s, ratio ≤ {AIM_RATIO:g}): {'met' if passed else 'MISSED'}")


if __name__ == "__main__":
    main()
