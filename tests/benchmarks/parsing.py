"""Bytes to a Notice, against the user guide's own script. Run it: python tests/benchmarks/parsing.py.

The user guide's script reads the Avro record, the map with `Table.read`, and prints the peak and the header's
distance (https://emfollow.docs.ligo.org/userguide/tutorial/). gwevent does that and both credible areas
besides; the regions are measured apart, since the script has nothing like them.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import astropy_healpix as healpix
import fastavro
import numpy as np
from astropy import units
from astropy.table import Table

from bot import samples
from bot.alerts.decode import decode
from bot.skymaps import skymap
from bot.skymaps.regions import connected_regions

OFFICIAL = Path(__file__).resolve().parents[2].parent / "shared/notices/official/MS181101ab-preliminary.avro"
ROUNDS = 60


class Row(NamedTuple):
    """One line of the report."""

    name: str
    median: float
    """ms."""
    ratio: float | None
    """Of the user guide's script in the same run."""
    aim: str


def payload() -> tuple[str, bytes]:
    """Return the user guide's sample where it is, else the same notice made by formula."""
    if OFFICIAL.is_file():
        return OFFICIAL.name, OFFICIAL.read_bytes()
    made = samples.ms181101ab(datetime.now(UTC))
    record = next(notice for notice in made if notice["alert_type"] == "PRELIMINARY")
    return "MS181101ab by formula", samples.to_avro(record)


def user_guide(body: bytes) -> tuple[float, float, float, float]:
    """Do what the user guide's script does: RA and Dec in degrees, DISTMEAN and DISTSTD in Mpc."""
    record: Any = next(fastavro.reader(io.BytesIO(body)))
    table = Table.read(io.BytesIO(record["event"]["skymap"]))
    level, ipix = healpix.uniq_to_level_ipix(table[np.argmax(table["PROBDENSITY"])]["UNIQ"])
    ra, dec = healpix.healpix_to_lonlat(ipix, healpix.level_to_nside(level), order="nested")
    return ra.to_value(units.deg), dec.to_value(units.deg), table.meta["DISTMEAN"], table.meta["DISTSTD"]


def without_regions(body: bytes) -> tuple[float, float, float, float]:
    """Decode the notice, all but the regions, and return the same figures."""
    with mock.patch.object(skymap, "connected_regions", new=lambda *_: ()):
        found = decode(body).localization
    assert found is not None and found.distance is not None and found.area_90 > found.area_50 > 0
    return found.ra, found.dec, found.distance.mean, found.distance.std


def wide_map() -> bytes:
    """Return a map of 19,200 rows whose 90 % region covers more than half of the sky."""
    record = samples.one_detector(datetime.now(UTC))[0]
    found: bytes = record["event"]["skymap"]
    return found


def tiles_inside(fits: bytes) -> tuple[Any, Any, Any]:
    """Return the orders, indices and probabilities of a map's 90 % region."""
    read = skymap.read_sky_map(fits)
    part = read.by_position[skymap.in_credible_region(read, 0.9)[read.by_position]]
    return read.order[part], read.ipix[part], read.probability[part]


def run(rounds: int = ROUNDS) -> list[Row]:
    """Measure everything in turn, `rounds` times, and return the medians."""
    _, body = payload()
    if user_guide(body) != without_regions(body):
        raise ValueError("gwevent and the user guide's script differ in what they find.")
    record: Any = next(fastavro.reader(io.BytesIO(body)))
    narrow, wide = tiles_inside(record["event"]["skymap"]), tiles_inside(wide_map())
    work: dict[str, tuple[Callable[[], object], str]] = {
        "the user guide's script": (lambda: user_guide(body), ""),
        "bytes to Notice, without the regions": (lambda: without_regions(body), "ratio ≤ 0.5"),
        "regions": (lambda: connected_regions(*narrow), "≤ 30 ms"),
        "regions of one detector's map": (lambda: connected_regions(*wide), "≤ 30 ms"),
        "bytes to Notice": (lambda: decode(body), ""),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, (task, _) in work.items():
            start = time.perf_counter()
            task()
            times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in times.items()}
    script = medians["the user guide's script"]
    return [
        Row(name, medians[name], None if name.startswith("regions") else medians[name] / script, aim)
        for name, (_, aim) in work.items()
    ]


def main() -> None:
    """Print the report."""
    name, body = payload()
    print(f"{name}, {len(body):,} bytes, medians of {ROUNDS} rounds in turn")
    for row in run():
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        print(f"{row.name:<40}{row.median:8.2f} ms {ratio:>6}  {row.aim}")


if __name__ == "__main__":
    main()
