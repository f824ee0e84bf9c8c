"""A catalogue of galaxies on disk: one NumPy file of rows sorted along the HEALPix curve, mapped into memory.

`<slug>.json` describes a catalogue and names its file of rows. It is replaced last and in one step, so that a
process that is killed while it imports leaves the old catalogue as it was. The format's choice is in
`docs/adr/0010-galaxy-catalogue.md`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.setting_types.catalogues import SLUG
from formatters.models.galaxy import CatalogueInfo, Galaxy, MassSource

FORMAT = 1
NAME_MAX = 40
"""Bytes of UTF-8 kept of a galaxy's name."""
QUESTIONABLE = 1
"""The bit of `flags` that marks a questionable redshift."""
REPLACED_TRIES = 3

ROW = np.dtype(
    [
        ("pixel", "<i8"),  # HEALPix, NESTED, order 29
        ("ra", "<f8"),  # ICRS degrees
        ("dec", "<f8"),
        ("distance", "<f4"),  # luminosity distance, Mpc
        ("distance_error", "<f4"),  # 1 sd, Mpc, the peculiar velocity included
        ("log_mass", "<f4"),  # log10 of the stellar mass in solar masses; always known, see mass_source
        ("magnitude", "<f4"),  # NaN if unknown
        ("mass_source", "u1"),
        ("flags", "u1"),
        ("name", f"S{NAME_MAX}"),
    ]
)
"""A galaxy: 82 bytes, 164 MB for two million."""

Rows = NDArray[np.void]
_ANY_TOKEN = "[0-9a-f]" * 8
"""The part of the name that tells a catalogue's files of rows apart, as a glob pattern."""


class CatalogueProblem(Exception):
    """A catalogue that can't be read or written; the message is one sentence for a person."""


class DiskProblem(CatalogueProblem):
    """The disk's fault: the file that was to be imported may be as it should be."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """A catalogue that is open: its rows are read from disk when they are asked for."""

    info: CatalogueInfo
    rows: Rows
    """Galaxies sorted by `pixel`; read-only, of type ROW."""

    def galaxy(self, index: int) -> Galaxy:
        """Return one galaxy."""
        row = self.rows[index]
        magnitude = float(row["magnitude"])
        return Galaxy(
            name=bytes(row["name"]).decode("utf-8", "replace"),
            ra=float(row["ra"]),
            dec=float(row["dec"]),
            distance=float(row["distance"]),
            distance_error=float(row["distance_error"]),
            log_mass=float(row["log_mass"]),
            mass_source=MassSource(int(row["mass_source"])),
            magnitude=None if np.isnan(magnitude) else magnitude,
            is_questionable=bool(row["flags"] & QUESTIONABLE),
        )


def open_catalogue(folder: Path, slug: str) -> Catalogue:
    """Open a catalogue without reading its rows. Raises CatalogueProblem."""
    for _ in range(REPLACED_TRIES):
        description = folder / f"{slug}.json"
        try:
            stored = json.loads(description.read_text("utf-8"))
            info, file = _read_info(slug, stored), folder / str(stored["rows"])
            rows = np.load(file, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            missing = error
            if Path(error.filename) == description:
                break
            # Perhaps a new import took its place between the two steps.
            continue
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            reason = " ".join(str(error).split())
            raise CatalogueProblem(
                f"The catalogue {slug} can't be read: {reason}; import it again."
            ) from error
        if rows.dtype != ROW or rows.ndim != 1 or rows.size != info.galaxies:
            raise CatalogueProblem(f"The catalogue {slug} is damaged or of another version; import it again.")
        return Catalogue(info, rows)
    name = Path(missing.filename).name
    raise CatalogueProblem(f"There is no catalogue {slug}: {name} is missing.") from None


def publish_catalogue(folder: Path, info: CatalogueInfo, rows_file: Path) -> None:
    """Put a finished file of rows in `folder` in the place of an older one of the same slug, in one step.

    Raises OSError; then the older catalogue is still there.
    """
    stored = {"format": FORMAT, "rows": rows_file.name, **asdict(info)}
    stored["imported_at"] = info.imported_at.isoformat()
    description = folder / f"{info.slug}.json"
    former = _rows_name(description)
    draft = folder / f".{info.slug}.json.part"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(stored, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(description)
    if former is not None and former != rows_file.name:
        # A process that has it mapped goes on with it; the space is free when that ends.
        (folder / former).unlink(missing_ok=True)


def catalogue_slugs(folder: Path) -> list[str]:
    """Return the slugs of the catalogues in a folder, sorted."""
    return sorted(file.stem for file in folder.glob("*.json") if SLUG.fullmatch(file.stem))


def remove_catalogue(folder: Path, slug: str) -> None:
    """Remove a catalogue, damaged or not. Raises OSError."""
    (folder / f"{slug}.json").unlink(missing_ok=True)
    remove_leftovers(folder, slug)


def remove_leftovers(folder: Path, slug: str) -> None:
    """Remove what imports of this catalogue left behind when they were killed: all that it doesn't name.

    Raises OSError.
    """
    used = _rows_name(folder / f"{slug}.json")
    patterns = (
        f".{slug}.rows.part",
        f".{slug}-{_ANY_TOKEN}.npy.part",
        f".{slug}.json.part",
        f"{slug}-{_ANY_TOKEN}.npy",
    )
    for pattern in patterns:
        for file in folder.glob(pattern):
            if file.name != used:
                file.unlink(missing_ok=True)


def _rows_name(description: Path) -> str | None:
    try:
        name = json.loads(description.read_text("utf-8"))["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) and Path(name).name == name else None


def _read_info(slug: str, stored: Mapping[str, Any]) -> CatalogueInfo:
    """Return the description. Raises ValueError, KeyError, TypeError."""
    if stored["format"] != FORMAT or Path(stored["rows"]).name != stored["rows"]:
        raise ValueError(f"its format is {stored['format']!r} and this version reads {FORMAT}")
    return CatalogueInfo(
        slug=slug,
        title=str(stored["title"]),
        galaxies=int(stored["galaxies"]),
        max_distance=float(stored["max_distance"]),
        median_log_mass=float(stored["median_log_mass"]),
        imported_at=datetime.fromisoformat(stored["imported_at"]),
        shell_width=float(stored["shell_width"]),
        mass_in_shells=tuple(map(float, stored["mass_in_shells"])),
    )
