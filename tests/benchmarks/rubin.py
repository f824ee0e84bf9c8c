"""How long Rubin's rules take for a notice: measuring its map, and judging it.

Run: python -m tests.benchmarks.rubin
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from bot.criteria.rubin_2026 import judge_rubin
from bot.observing.rubin_sky import measure_rubin_sky
from bot.samples import sky_map, streak
from bot.skymaps.skymap import SkyMap, read_sky_map
from tests.support.rubin_maps import rubin_notice, top_hat

ROUNDS = 21
NOW = datetime.now(UTC)
AIM_MS = 60
"""Of the map of 19,200 tiles, together with judging."""


def ms(work: Callable[[int], object]) -> float:
    """Return the median of some rounds."""
    times = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        work(number)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def measure(skymap: SkyMap, number: int) -> object:
    """Measure a map at an hour of its own, as no two events have the same sky."""
    return measure_rubin_sky(skymap, NOW + timedelta(hours=number))


def bayestar() -> SkyMap:
    """Return a map of 19,200 tiles."""
    peaks = streak(194.3, -17.9, bearing=150, length=12, width=2.5)
    return read_sky_map(sky_map(peaks, superevent_id="S261122a", time=NOW))


def main() -> None:
    """Print medians, the first measurement apart, and the memory that one takes."""
    notice, usual = rubin_notice(), bayestar()
    began = time.perf_counter()
    sky = measure_rubin_sky(usual, NOW)
    print(f"the first measurement of a process: {1000 * (time.perf_counter() - began):.0f} ms")
    for skymap in (usual, top_hat(400.0, 60.0, -30.0, order=8)):
        took = ms(partial(measure, skymap))
        aim = f", aim ≤ {AIM_MS} ms" if skymap is usual else ""
        print(f"a map of {skymap.uniq.size:,} tiles: {took:.1f} ms{aim}")
    print(f"judging a notice: {ms(lambda _: judge_rubin(notice, sky, sky_pending=False)):.3f} ms")
    tracemalloc.start()
    measure_rubin_sky(usual, NOW)
    print(f"memory while measuring: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
