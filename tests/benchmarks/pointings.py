"""Plans of pointings on ten published maps. Run it: python tests/benchmarks/pointings.py [folder of tilepy].

Probability covered by gwevent, by a greedy fixed grid, by tilepy where a folder with it is named
(pip install --target FOLDER tilepy), and the bound that no plan exceeds: that of the densest area as large as
all fields, of what comes high enough in the night. All are measured alike, on the whole map.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import radians, sin, sqrt
from pathlib import Path

import numpy as np

from bot.observing.footprints import bounding_radius, circle, parse_footprint
from bot.observing.observatories import find_site
from bot.observing.pointing_fields import measure
from bot.observing.pointing_pixels import ProbabilityCurve, occupied_pixels, order_of_width
from bot.observing.pointing_planner import LEAST_GAIN, LEAST_PART, plan_pointings
from bot.observing.pointing_visibility import SiteView, Slots, unit_vectors
from bot.skymap_service.cache import read_notice_maps
from bot.skymaps import healpix
from bot.skymaps.skymap import SkyMap
from formatters.models.observing import ObservingConstraints, Site
from formatters.models.pointing import Footprint, Telescope

NOTICES = Path(__file__).resolve().parents[3] / "shared" / "notices"
MAPS = (
    "official/MS181101ab-initial.avro",
    "mock/MS230425k-initial.json",
    "mock/MS230425l-initial.json",
    "real/S230518h-Initial_alert.json",
    "real/S230520ae-Initial_alert.json",
    "real/S230522a-Preliminary1_alert.json",
    "real/S230528ay-preliminary_v1.json",
    "real/S231030av.json",
    "real/S241102br-initial.json",
    "real/S241125n-INITIAL-RAVEN.json",
)
FIELDS = ("0.5deg circle", "2.2deg circle", "47sqdeg")
COUNTS = (10, 30, 100)
SITES = ("Rubin", "Palomar", "La Palma", "Siding Spring")
"""The one that sees the most of a map plans for it."""
NOW = datetime(2026, 11, 28, 18, 0, tzinfo=UTC)
LIMITS = ObservingConstraints()
AIM_S = 2.0
NEXT_TO_NOTHING = 2 * LEAST_GAIN
"""Two fields that aren't worth their time: a plan may have those at the threshold, and another not."""
TILEPY_SECONDS = 30
TILEPY_ORDER = 9


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What all plan for."""

    skymap: SkyMap
    curve: ProbabilityCurve
    site: Site
    telescope: Telescope
    view: SiteView
    slots: Slots


def greedy_grid(case: Case, count: int) -> float:
    """Return what a plain plan covers: fields of a fixed grid, the best first, each in the first free slot.

    The grid has rows of equal declination without gaps between fields: of a circle, its inscribed square.
    Fields that add next to nothing are left out, as gwevent leaves them out.
    """
    footprint = case.telescope.footprint
    side = footprint.radius * sqrt(2) if footprint.radius is not None else sqrt(footprint.area)
    rows = int(np.ceil(180 / side))
    order = order_of_width(side / 4)
    pixels = occupied_pixels(case.skymap, order, 3_000_000)
    ra, dec = healpix.centres(order, pixels)
    row = np.minimum(((dec + 90) / 180 * rows).astype(np.int64), rows - 1)
    middle = -90 + (np.arange(rows) + 0.5) * 180 / rows
    edge = np.maximum(np.abs(middle) - 90 / rows, 0)
    columns = np.maximum(1, np.ceil(360 * np.cos(np.radians(edge)) / side)).astype(np.int64)
    column = np.minimum((ra / 360 * columns[row]).astype(np.int64), columns[row] - 1)
    cells, where = np.unique(row * 10**7 + column, return_inverse=True)
    held = np.bincount(where, case.curve.probability(order, pixels))
    cell_row, cell_column = cells // 10**7, cells % 10**7
    all_ra, all_dec = (cell_column + 0.5) * 360 / columns[cell_row], middle[cell_row]
    best = np.argsort(-held, kind="stable")[:20_000]
    visible = case.view.visible(unit_vectors(all_ra[best], all_dec[best]), case.slots)
    free = np.ones(case.slots.begin.size, np.bool_)
    chosen: list[int] = []
    for field, sees in zip(best.tolist(), visible, strict=True):
        slots = np.flatnonzero(sees & free)
        if slots.size:
            free[slots[0]] = False
            chosen.append(field)
            if len(chosen) == count:
                break
    shares = measure(case.curve, footprint, all_ra[chosen], all_dec[chosen])
    least = min(LEAST_GAIN, LEAST_PART * max(shares, default=0.0))
    return sum(share for share in shares if share > least)


def bound(case: Case, count: int) -> float:
    """Return the probability of the densest area as large as the fields, of what one may reach."""
    tiles = case.skymap.by_density
    vectors = np.stack(healpix.centre_vectors(case.skymap.order[tiles], case.skymap.ipix[tiles]), axis=1)
    limit = sin(radians(LIMITS.altitude - bounding_radius(case.telescope.footprint)))
    times = np.append(case.slots.begin, case.slots.end[-1:])
    tiles = tiles[case.view.highest_sine(vectors, times) >= limit]
    if not tiles.size:
        return 0.0
    area = np.cumsum(case.skymap.area[tiles]) * np.degrees(1) ** 2
    held = np.cumsum(case.skymap.probability[tiles]) / case.skymap.probability.sum()
    wanted = count * case.telescope.footprint.area
    return float(np.interp(wanted, np.append(0, area), np.append(0, held)))


def tilepy(case: Case, footprint: Footprint, folder: str) -> list[float] | None:
    """Return what tilepy's first 10, 30 and 100 fields cover; None where it takes too long."""
    radius = bounding_radius(footprint)
    reduced = order_of_width(radius)
    with tempfile.TemporaryDirectory() as place:
        task, result = Path(place) / "task.npz", Path(place) / "result.json"
        np.savez(
            task,
            nside=2**TILEPY_ORDER,
            reduced=2**reduced,
            probability=case.curve.probability(TILEPY_ORDER, np.arange(12 * 4**TILEPY_ORDER)),
            reduced_probability=case.curve.probability(reduced, np.arange(12 * 4**reduced)),
            latitude=case.site.latitude,
            longitude=case.site.longitude,
            height=case.site.height,
            altitude=LIMITS.altitude,
            radius=radius,
            count=max(COUNTS),
            minutes=case.telescope.exposure.total_seconds() / 60,
            slots=case.slots.begin,
        )
        script = Path(__file__).resolve().parents[1] / "support" / "tilepy_pointings.py"
        try:
            subprocess.run(
                [sys.executable, str(script), str(task), str(result)],
                env={**os.environ, "PYTHONPATH": folder, "HOME": place},
                check=True,
                timeout=TILEPY_SECONDS,
                capture_output=True,
                cwd=place,
            )
        except subprocess.TimeoutExpired:
            return None
        except subprocess.CalledProcessError as error:
            print(error.stderr.decode()[-400:])
            return None
        rows = np.array(json.loads(result.read_text()), np.float64).reshape(-1, 2)
    return [sum(measure(case.curve, footprint, rows[:count, 0], rows[:count, 1])) for count in COUNTS]


def best_site(skymap: SkyMap) -> Site:
    """Return the site that sees the most of a map in the night."""
    telescope = _telescope("47sqdeg")
    return max(
        (find_site(name) for name in SITES),
        key=lambda site: plan_pointings(skymap, site, telescope, LIMITS, NOW, count=1).observable,
    )


def _telescope(fov: str) -> Telescope:
    return Telescope(
        site="site",
        footprint=parse_footprint(fov),
        exposure=timedelta(minutes=2),
        overhead=timedelta(minutes=1),
    )


def _percent(values: list[float]) -> str:
    return " / ".join(f"{100 * value:.3g}" for value in values)


def main() -> None:
    """Print the table, a row for each map and field of view with N = 10 / 30 / 100, then what fell short."""
    if not NOTICES.is_dir():
        print("The collection of real notices, ../shared/notices, isn't there: nothing to plan for.")
        return
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    slowest, by_clock, shortfalls = 0.0, 0.0, []
    print(
        "| map, site | field | gwevent, % | greedy grid, % | tilepy, % | bound, % | s |\n" + "|---" * 7 + "|"
    )
    for name in MAPS:
        skymap = read_notice_maps((NOTICES / name).read_bytes()).gw
        if skymap is None:
            continue
        site = best_site(skymap)
        for fov in FIELDS:
            telescope = _telescope(fov)
            view = SiteView(site, LIMITS, NOW)
            case = Case(skymap, ProbabilityCurve(skymap), site, telescope, view, view.slots(telescope, None))
            ours, seconds = [], []
            for count in COUNTS:
                start, begun = time.process_time(), time.perf_counter()
                plan = plan_pointings(skymap, site, telescope, LIMITS, NOW, count=count)
                seconds.append(time.process_time() - start)
                by_clock = max(by_clock, time.perf_counter() - begun)
                ours.append(plan.covered)
            grid = [greedy_grid(case, count) for count in COUNTS]
            limits = [bound(case, count) for count in COUNTS]
            # tilepy knows circles only: of a square field, the circle of the same area.
            footprint = telescope.footprint
            round_field = footprint if footprint.radius else circle(sqrt(footprint.area / np.pi), fov)
            theirs = tilepy(case, round_field, folder) if folder is not None else None
            event = name.split("/")[1].split("-")[0].removesuffix(".json")
            print(
                f"| {event}, {site.name} | {fov} | {_percent(ours)} | {_percent(grid)} "
                f"| {'–' if theirs is None else _percent(theirs)} | {_percent(limits)} "
                f"| {' / '.join(f'{one:.1f}' for one in seconds)} |",
                flush=True,
            )
            slowest = max(slowest, *seconds)
            for count, mine, other, most in zip(COUNTS, ours, grid, limits, strict=True):
                if mine < other - NEXT_TO_NOTHING:
                    shortfalls.append(f"{event}, {fov}, N = {count}: {mine:.8f} below the grid's {other:.8f}")
                if mine > most * 1.005:
                    shortfalls.append(f"{event}, {fov}, N = {count}: {mine:.5f} above the bound {most:.5f}")
    print(f"slowest plan {slowest:.2f} s of CPU, {by_clock:.2f} s by the clock, aim ≤ {AIM_S:g} s")
    print("\n".join(shortfalls) or f"Nowhere below the greedy grid by more than {NEXT_TO_NOTHING:.3%}.")


if __name__ == "__main__":
    main()
