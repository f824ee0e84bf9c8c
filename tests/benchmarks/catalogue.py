"""How long and how much memory a catalogue of two million galaxies takes: imported, opened, ranked.

Run: python -m tests.benchmarks.catalogue [FOLDER]

A file like NED-LVS, 1 GB of 500 bytes a row, is made by formula in the folder (kept for the next run; else in
one that is removed), and imported by the command in a process of its own.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

from bot.alerts.decode import extract_sky_maps
from bot.galaxies.catalogue_index import open_catalogue
from bot.galaxies.ranking import first_ranked, rank_galaxies
from bot.samples import ms181101ab, to_avro
from bot.skymaps.skymap import read_sky_map
from bot.skymaps.volume_levels import VolumeLevels
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


def import_file(file: Path, folder: Path) -> None:
    """Import the file as a person does, and measure the process."""
    began = time.perf_counter()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GWEVENT_", "SLACK_"))},
        "GWEVENT_DATABASE_URL": f"sqlite:///{folder.parent / 'none.sqlite'}",
        "GWEVENT_CATALOGUE_DIR": str(folder),
    }
    command = [sys.executable, "-m", "bot.cli.main", "catalogue", "import", str(file)]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    print(f"import of {file.stat().st_size / 1e6:,.0f} MB: {time.perf_counter() - began:.1f} s")
    print(f"peak memory: {peak:,.0f} MB (≤ 600 MB)")
    size = sum(one.stat().st_size for one in folder.iterdir())
    print(f"on disk: {size / 1e6:,.0f} MB (≤ 250 MB)")
    took = subprocess.check_output([sys.executable, "-c", OPEN, str(folder)], cwd=REPOSITORY, text=True)
    print(f"opened by a new process: {float(took):.4f} s (≤ 0.2 s)")


def private_mb() -> float:
    """Return the memory of this process that it shares with no other, MB: the mapped rows are shared."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) / 1e3


def rank(folder: Path) -> None:
    """Rank the galaxies for a map of 19,200 tiles."""
    sky_map, _ = extract_sky_maps(to_avro(ms181101ab()))
    assert sky_map is not None
    skymap = read_sky_map(sky_map)
    catalogue = open_catalogue(folder, "ned-lvs")
    before = private_mb()
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"memory that stays: {private_mb() - before:.0f} MB (≤ 100 MB); peak of this process {peak:,.0f} MB"
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
