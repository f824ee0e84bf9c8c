"""OpenNGC's galaxies out of the installed package pyongc, read for tests and never copied (CC BY-SA 4.0)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bot.galaxies.catalogue_index import Catalogue, open_catalogue
from bot.galaxies.import_job import write_catalogue
from bot.galaxies.raw_galaxies import RawGalaxies


def open_ngc(folder: Path) -> Catalogue:
    """Import OpenNGC's galaxies with a redshift and open the catalogue; skip the test without pyongc."""
    spec = find_spec("pyongc")
    if spec is None or spec.origin is None:
        pytest.skip("pip install pyongc ranks real galaxies too; the ones by formula cover the same code")
    with closing(sqlite3.connect(f"file:{Path(spec.origin).with_name('ongc.db')}?mode=ro", uri=True)) as file:
        found = file.execute(
            "SELECT name, ra, dec, redshift, kmag FROM objects WHERE type = 'G' AND redshift > 0"
        ).fetchall()
    count = len(found)
    ra, dec, redshift, k_magnitude = (
        np.array([np.nan if row[column] is None else row[column] for row in found], np.float64)
        for column in (1, 2, 3, 4)
    )
    unknown, none = np.full(count, np.nan), np.zeros(count, np.bool_)
    raw = RawGalaxies(
        name=[str(row[0]).encode() for row in found],
        ra=np.degrees(ra),
        dec=np.degrees(dec),
        distance=unknown,
        distance_error=unknown,
        redshift=redshift,
        redshift_error=unknown,
        mass=unknown,
        k_magnitude=k_magnitude,
        w1_magnitude=unknown,
        is_questionable=none,
        is_photometric=none,
        is_galaxy=~none,
        is_from_redshift=none,
    )
    write_catalogue([(raw, 0)], folder, "openngc", "OpenNGC", datetime(2026, 11, 28, tzinfo=UTC))
    return open_catalogue(folder, "openngc")
