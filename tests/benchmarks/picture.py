"""A picture, from FITS bytes to PNG. Run it: python tests/benchmarks/picture.py.

Measured against ligo.skymap's own all-sky Mollweide raster in the same process, without contours, areas or an
inset, where that package is installed; it isn't needed for anything else. Both are warm, and both make a PNG.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

from bot import samples
from bot.alerts.decode import notice_from_record
from bot.skymap_service.image_process import draw_in_process
from formatters.models.superevent import Superevent

ROUNDS = 20
AIM = 0.33
"""Of ligo.skymap's time."""
Work = Callable[[], object]


def bns(day: int = 1) -> tuple[Superevent, bytes]:
    """Return a superevent with a map of 19,200 rows that is small enough for an inset, and its map.

    Its name and its time are those of a day of November, so that no two pictures have the same title.
    """
    record = dict(samples.ms181101ab(datetime(2026, 11, day, 4, 5, 6, tzinfo=UTC) + timedelta(hours=day))[1])
    record["superevent_id"] = f"MS2611{day:02d}ab"
    fits: bytes = record["event"]["skymap"]
    return Superevent.from_notices([notice_from_record(record)]), fits


def ligo_skymap(fits: bytes) -> Work | None:
    """Return the same map's raster by ligo.skymap; None where the package isn't installed."""
    if importlib.util.find_spec("ligo") is None or importlib.util.find_spec("ligo.skymap") is None:
        return None
    # Its projections are registered with matplotlib by the import.
    importlib.import_module("ligo.skymap.plot")
    reader: Any = importlib.import_module("ligo.skymap.io")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def raster() -> bytes:
        with tempfile.NamedTemporaryFile(suffix=".fits") as file:
            Path(file.name).write_bytes(fits)
            table = reader.read_sky_map(file.name, moc=True)
        # The size and the resolution of this map in gwevent's picture.
        figure = Figure(figsize=(5, 2.5), dpi=216)
        canvas: Any = FigureCanvasAgg(figure)
        axes: Any = figure.add_subplot(projection="astro hours mollweide")
        axes.imshow_hpx((table, "ICRS"), vmin=0, order="nearest-neighbor", cmap="cylon")
        out = io.BytesIO()
        canvas.print_png(out)
        return out.getvalue()

    return raster


def run(rounds: int = ROUNDS) -> dict[str, float]:
    """Measure in turn, so that a busy machine slows both; medians in milliseconds, by name."""
    fits = bns()[1]
    # A process draws one event after another, and keeps the words that it has drawn.
    events = cycle([bns(day)[0] for day in range(1, rounds + 2)])
    work: dict[str, Work] = {"gwevent": lambda: draw_in_process(next(events), fits)}
    other = ligo_skymap(fits)
    if other is not None:
        work["ligo.skymap"] = other
    times: dict[str, list[float]] = {name: [] for name in work}
    for task in work.values():
        task()
    for _ in range(rounds):
        for name, task in work.items():
            start = time.perf_counter()
            task()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Print the report."""
    superevent, fits = bns()
    drawn = draw_in_process(superevent, fits)
    print(f"{superevent.superevent_id}, {len(fits):,} bytes of map, {len(drawn.png):,} of PNG")
    medians = run()
    for name, value in medians.items():
        print(f"{name:<15}{value:8.1f} ms")
    if "ligo.skymap" in medians:
        print(f"ratio {medians['gwevent'] / medians['ligo.skymap']:.2f}, aim ≤ {AIM}")
    else:
        print("ligo.skymap isn't installed: no ratio.")


if __name__ == "__main__":
    main()
