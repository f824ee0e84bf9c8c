"""Catalogues of galaxies by formula, as arrays and as files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.io import fits

from bot.filters.redshifts import distance_of_redshift
from bot.galaxies.catalogue_index import Catalogue, open_catalogue
from bot.galaxies.import_job import write_catalogue
from bot.galaxies.table_files import read_pieces

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def made_columns(size: int, *, seed: int = 1, max_redshift: float = 0.1) -> dict[str, np.ndarray]:
    """NED-LVS' columns for galaxies that fill space evenly; a third each has mass, K and nothing."""
    rng = np.random.default_rng(seed)
    z = max_redshift * rng.uniform(0.001, 1, size) ** (1 / 3)
    kind = np.arange(size) % 3
    knots = np.linspace(0, max_redshift, 1_000)
    distances = knots, np.array([distance_of_redshift(float(one)) for one in knots])
    return {
        "objname": np.array([f"MADE J{number:07d}" for number in range(size)], dtype="S30"),
        "ra": rng.uniform(0, 360, size),
        "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, size))),
        "objtype": np.full(size, b"G", dtype="S6"),
        "z": z,
        "z_unc": np.full(size, 0.0001),
        "z_tech": np.full(size, b"SPEC", dtype="S4"),
        "z_qual": np.arange(size) % 10 == 0,
        "DistMpc": np.interp(z, *distances),
        "DistMpc_unc": np.full(size, np.nan),
        "DistMpc_method": np.full(size, b"Redshift", dtype="S14"),
        "m_Ks": np.where(kind == 1, rng.uniform(9, 14, size), np.nan),
        "m_W1": np.full(size, np.nan),
        "Mstar": np.where(kind == 0, 10 ** rng.normal(10.4, 0.5, size), np.nan),
    }


def write_fits(file: Path, columns: dict[str, np.ndarray]) -> Path:
    formats = {"f": "D", "b": "L"}
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(name, formats.get(one.dtype.kind, f"{one.dtype.itemsize}A"), array=one)
            for name, one in columns.items()
        ]
    )
    table.writeto(file, overwrite=True)
    return file


def write_csv(file: Path, columns: dict[str, np.ndarray]) -> Path:
    lines = [",".join(columns)]
    for row in zip(*(one.tolist() for one in columns.values()), strict=True):
        lines.append(
            ",".join(
                one.decode() if isinstance(one, bytes) else "" if one != one else str(one) for one in row
            )
        )
    file.write_text("\n".join(lines) + "\n")
    return file


def made_catalogue(folder: Path, columns: dict[str, np.ndarray], slug: str = "made") -> Catalogue:
    """Import the columns as a FITS file and open the catalogue."""
    return import_columns(folder, columns, slug, "Made")


def import_columns(folder: Path, columns: dict[str, np.ndarray], slug: str, title: str) -> Catalogue:
    """Import columns as a FITS file into the folder `catalogues` of a folder, and open the catalogue."""
    file = write_fits(folder / "made.fits", columns)
    write_catalogue(read_pieces(file)[0], folder / "catalogues", slug, title, NOW)
    return open_catalogue(folder / "catalogues", slug)
