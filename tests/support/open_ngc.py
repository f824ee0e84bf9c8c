"""OpenNGC's galaxies, where `pyongc` is installed: real ones.

Its data (CC-BY-SA-4.0) isn't copied. `pip install pyongc` for the tests, or a folder with it
in PYTHONPATH.
"""

from __future__ import annotations

import sqlite3
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bot.galaxies.catalogue_index import Catalogue
from tests.support.galaxies import import_columns


def open_ngc_catalogue(folder: Path) -> Catalogue:
    """Import OpenNGC's galaxies as the catalogue "open-ngc"; the test is skipped without `pyongc`."""
    spec = find_spec("pyongc")
    if spec is None or spec.origin is None:
        pytest.skip("there is no pyongc here (pip install pyongc)")
    database = Path(spec.origin).with_name("ongc.db")
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        rows = connection.execute(
            "SELECT name, ra, dec, redshift, kmag FROM objects WHERE type = 'G' AND ra IS NOT NULL"
        ).fetchall()
    finally:
        connection.close()
    name, ra, dec, redshift, k = zip(*rows, strict=True)
    columns = {
        "name": np.array([one.encode() for one in name], "S"),
        "ra": np.degrees(np.array(ra, np.float64)),
        "dec": np.degrees(np.array(dec, np.float64)),
        "z": np.array(redshift, np.float64),
        "k_mag": np.array(k, np.float64),
    }
    return import_columns(folder, columns, "open-ngc", "OpenNGC")
