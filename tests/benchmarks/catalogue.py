"""How long and how much memory a catalogue of two million galaxies takes: imported, opened, ranked.

Run: python -m tests.benchmarks.catalogue [FOLDER]

A file like NED-LVS, 1 GB of 500 bytes a row, is made by formula in the folder (kept for the next run; else in
one that is removed), and imported by the command in a process of its own.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from astropy.io import fits

from bot.galaxies.catalogue_index import open_catalogue
from bot.galaxies.ranking import first_ranked, rank_galaxies
from bot.samples import sky_map
from bot.samples.skymaps import ring
from bot.skymaps.skymap import read_sky_map
from bot.skymaps.volume_levels import VolumeLevels
from tests.support.factories import NOW
from tests.support.galaxies import made_columns

ROWS = 2_000_000
PIECE = 100_000
ROW_BYTES = 500
"""A row of NED-LVS: 1 GB of two million."""
REPOSITORY = Path(__file__).resolve().parents[2]
OPEN = """
import sys, time
from pathlib import Path
from bot.galaxies.catalogue_index import open_catalogue
began = time.perf_counter()
open_catalogue(Path(sys.argv[1]), "ned-lvs")
print(time.perf_counter() - began)
"""


def make_file(file: Path) -> None:
    """Write a table with NED-LVS' columns and others that nobody reads, in pieces."""
    with file.open("wb") as out:
        for start in range(0, ROWS, PIECE):
            columns = made_columns(PIECE, seed=start, max_redshift=0.25)
            columns["objname"] = np.array([f"MADE J{start + at:07d}" for at in range(PIECE)], "S30")
            used = sum(1 if one.dtype.kind == "b" else one.dtype.itemsize for one in columns.values())
            columns["unread"] = np.full(PIECE, b"x", f"S{ROW_BYTES - used}")
            formats = {"f": "D", "b": "L"}
            table = fits.BinTableHDU.from_columns(
                [
                    fits.Column(name, formats.get(one.dtype.kind, f"{one.dtype.itemsize}A"), array=one)
                    for name, one in columns.items()
                ]
            )
            piece = io.BytesIO()
            table.writeto(piece)
            primary, header = fits.PrimaryHDU().header.tostring(), table.header.tostring()
            begin = len(primary) + len(header)
            if start == 0:
                table.header["NAXIS2"] = ROWS
                out.write((primary + table.header.tostring()).encode())
            out.write(piece.getbuffer()[begin : begin + PIECE * ROW_BYTES])
        out.write(b"\0" * (-ROWS * ROW_BYTES % 2_880))


def peak_mb(pid: int) -> float:
    """Return the most memory that a process had, mapped files included; getrusage counts its parent's too."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


def import_file(file: Path, folder: Path) -> None:
    """Import the file as a person does, and measure the process."""
    began = time.perf_counter()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GWEVENT_", "SLACK_"))},
        "GWEVENT_DATABASE_URL": f"sqlite:///{folder.parent / 'none.sqlite'}",
        "GWEVENT_CATALOGUE_DIR": str(folder),
    }
    command = [sys.executable, "-m", "bot.cli.main", "catalogue", "import", str(file)]
    peak = 0.0
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment) as process:
        while process.poll() is None:
            peak = max(peak, peak_mb(process.pid))
            time.sleep(0.02)
    assert process.returncode == 0
    print(f"import of {file.stat().st_size / 1e6:,.0f} MB: {time.perf_counter() - began:.1f} s")
    print(f"peak memory: {peak:,.0f} MB (≤ 600 MB)")
    size = sum(one.stat().st_size for one in folder.iterdir())
    print(f"on disk: {size / 1e6:,.0f} MB (≤ 250 MB)")
    took = subprocess.check_output([sys.executable, "-c", OPEN, str(folder)], cwd=REPOSITORY, text=True)
    print(f"opened by a new process: {float(took):.4f} s (≤ 0.2 s)")


def rank(folder: Path) -> None:
    """Rank the galaxies for a map of 19,200 tiles."""
    sky = ring(30, 5, radius=55, width=6, brightest=160, contrast=1)
    # The widest that comes: two detectors, and a distance at which the catalogue has most of its galaxies.
    fits_body = sky_map(sky, superevent_id="S261122a", time=NOW, distance=(800.0, 250.0))
    skymap = read_sky_map(fits_body)
    catalogue = open_catalogue(folder, "ned-lvs")
    for what in ("first", "warm", "warm"):
        began = time.perf_counter()
        levels = VolumeLevels.from_skymap(skymap)
        assert levels is not None
        ranking = rank_galaxies(catalogue, skymap, levels)
        first = first_ranked(catalogue, ranking, 20)
        took = time.perf_counter() - began
        print(
            f"ranking of {ranking.row.size:,} galaxies for {skymap.uniq.size:,} tiles, {what}:"
            f" {took * 1e3:.0f} ms (warm ≤ 300 ms); first: {first[0].galaxy.name}"
        )
    tracemalloc.start()
    levels = VolumeLevels.from_skymap(skymap)
    assert levels is not None
    rank_galaxies(catalogue, skymap, levels)
    stays, most = tracemalloc.get_traced_memory()
    print(
        f"memory: {most / 1e6:.0f} MB at most (≤ 100 MB), {stays / 1e6:.0f} MB stay, beside the mapped rows"
    )


def main() -> None:
    """Make the file unless it is there, import it, and rank it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        file = folder / "NEDLVS_20260424.fits"
        if not file.exists():
            make_file(file)
        import_file(file, folder / "catalogues")
        rank(folder / "catalogues")


if __name__ == "__main__":
    main()
