"""A position in a map, on the sky and in the volume. Run it: python tests/benchmarks/positions.py.

Against ligo.skymap's crossmatch with a distance, which does both at once, where it is installed. Either
side has read the map before.
"""

from __future__ import annotations

import importlib
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.samples import sky_map, streak
from bot.skymaps.crossmatch import crossmatch as places
from bot.skymaps.skymap import read_sky_map

ROUNDS = 5
RA, DEC, DISTANCE = 196.0, -19.0, 45.0
AIMS = {"on the sky": 20, "in the volume": 500}
"""ms."""

Work = Callable[[], object]


def map_file() -> bytes:
    """Return a map of 19,200 tiles, 40 ± 8 Mpc."""
    peaks = streak(194.3, -17.9, bearing=150, length=4, width=1.5)
    now = datetime.now(UTC)
    return sky_map(peaks, superevent_id="S261122a", time=now, distance=(40.0, 8.0), nearer_at_peak=0.2)


def crossmatch(body: bytes) -> Work | None:
    """Return ligo.skymap's work; None where it isn't installed."""
    try:
        matching: Any = importlib.import_module("ligo.skymap.postprocess.crossmatch")
        reading: Any = importlib.import_module("ligo.skymap.io")
    except ImportError:
        return None
    from astropy import units
    from astropy.coordinates import SkyCoord

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.multiorder.fits"
        path.write_bytes(body)
        skymap = reading.read_sky_map(str(path), moc=True)
    target = SkyCoord(RA * units.deg, DEC * units.deg, distance=DISTANCE * units.Mpc)
    return lambda: matching.crossmatch(skymap, target)


def main() -> None:
    """Measure in turn, so that a busy machine slows all; print medians."""
    body = map_file()
    skymap = read_sky_map(body)
    work: dict[str, Work] = {
        "on the sky": lambda: places(skymap, RA, DEC),
        "in the volume": lambda: places(skymap, RA, DEC, DISTANCE),
    }
    other = crossmatch(body)
    if other is not None:
        work["ligo.skymap"] = other
    times: dict[str, list[float]] = {name: [] for name in work}
    for task in work.values():
        task()
    for _ in range(ROUNDS):
        for name, task in work.items():
            start = time.perf_counter()
            task()
            times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, value in medians.items():
        aim = f", aim ≤ {AIMS[name]} ms" if name in AIMS else ""
        print(f"{name:<15}{value:9.1f} ms{aim}")
    if "ligo.skymap" in medians:
        print(f"ratio {medians['in the volume'] / medians['ligo.skymap']:.3f}")
    else:
        print("ligo.skymap isn't installed: no ratio.")


if __name__ == "__main__":
    main()
