"""Write a catalogue: rows of a file, sorted along the HEALPix curve, with the masses that were unknown.

The rows are written as they come, then sorted into the final file, so that the memory holds pieces only.
Until the last step the catalogue that was there before stays in use; a job that is killed leaves files that
nothing names, which the next import removes.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from bot.galaxies.catalogue_index import (
    ROW,
    CatalogueProblem,
    DiskProblem,
    Rows,
    publish_catalogue,
    remove_leftovers,
)
from bot.galaxies.raw_galaxies import LeftOut, RawGalaxies, to_rows
from bot.runtime.callbacks import no_op
from formatters.models.galaxy import CatalogueInfo, MassSource

SHELL_WIDTH = 10.0
"""Width of the shells in which the known mass is summed, Mpc."""
MAX_SHELLS = 1_000
FALLBACK_LOG_MASS = 10.3
"""log10 of the mass of a galaxy in a catalogue that knows none; it then changes no rank."""
_PIECE = 100_000
"""Rows that are moved at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The result of an import: what was written, and what was left out."""

    info: CatalogueInfo
    left_out: LeftOut
    masses: dict[MassSource, int]
    """Number of galaxies by the source of their mass."""
    questionable: int


def write_catalogue(
    pieces: Iterable[tuple[RawGalaxies, int]],
    folder: Path,
    slug: str,
    title: str,
    now: datetime,
    on_progress: Callable[[int], None] = no_op,
) -> ImportResult:
    """Write the catalogue `slug` from pieces of a file, each with its number of unreadable rows.

    `on_progress` is called with the number of rows read by then. Two imports into one folder must not run at
    once (`bot.galaxies.folder_lock`). Raises CatalogueProblem for a file without
    usable galaxies, a full disk or a folder that can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder, slug)
        draft = folder / f".{slug}.rows.part"
        rows_file = folder / f"{slug}-{secrets.token_hex(4)}.npy"
        sorted_file = folder / f".{rows_file.name}.part"
        try:
            left_out = _append_rows(pieces, draft, on_progress)
            rows = _open_draft(draft, left_out)
            _require_space(folder, rows.nbytes)
            info, masses, questionable = _write_sorted(rows, sorted_file, slug, title, now)
            sorted_file.replace(rows_file)
            try:
                publish_catalogue(folder, info, rows_file)
            except OSError:
                rows_file.unlink(missing_ok=True)
                raise
        finally:
            for file in (draft, sorted_file):
                with suppress(OSError):
                    file.unlink(missing_ok=True)
    except OSError as error:
        raise DiskProblem(
            f"The catalogue can't be written in {folder}: {error.strerror or error}. What was there before"
            " stays."
        ) from error
    return ImportResult(info=info, left_out=left_out, masses=masses, questionable=questionable)


def _append_rows(
    pieces: Iterable[tuple[RawGalaxies, int]], draft: Path, on_progress: Callable[[int], None]
) -> LeftOut:
    left_out, read = LeftOut(), 0
    with draft.open("wb") as file:
        for raw, unreadable in pieces:
            rows, reasons = to_rows(raw)
            file.write(rows.tobytes())
            left_out = left_out + reasons + LeftOut(unreadable=unreadable)
            read += len(raw.name) + unreadable
            on_progress(read)
    return left_out


def _open_draft(draft: Path, left_out: LeftOut) -> Rows:
    if draft.stat().st_size == 0:
        raise CatalogueProblem(
            "The file holds no galaxy with a position and a distance or redshift"
            f" ({left_out.no_galaxy + left_out.no_position + left_out.no_distance:,} rows were read, and"
            f" {left_out.unreadable:,} couldn't be)."
        )
    return np.memmap(draft, ROW, "r")


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskProblem(
            f"{folder} has {free / 1e6:,.0f} MB free, and the catalogue needs {needed / 1e6:,.0f} MB more."
        )


def _write_sorted(
    rows: Rows, file: Path, slug: str, title: str, now: datetime
) -> tuple[CatalogueInfo, dict[MassSource, int], int]:
    """Write the rows sorted by pixel, the median mass where none is known. Raises OSError."""
    order = np.argsort(rows["pixel"], kind="stable")
    log_mass = np.asarray(rows["log_mass"])
    known = np.isfinite(log_mass)
    median = float(np.median(log_mass[known])) if known.any() else FALLBACK_LOG_MASS
    # Not by a memory map: on a full disk that would end the process without an error.
    with file.open("wb") as written:
        header = {"descr": np.lib.format.dtype_to_descr(ROW), "fortran_order": False, "shape": rows.shape}
        np.lib.format.write_array_header_1_0(written, header)
        for start in range(0, rows.size, _PIECE):
            piece = rows[order[start : start + _PIECE]]
            piece["log_mass"] = np.where(np.isfinite(piece["log_mass"]), piece["log_mass"], median)
            written.write(piece.tobytes())
        written.flush()
        os.fsync(written.fileno())
    distance = np.asarray(rows["distance"], np.float64)
    shells = np.minimum((distance / SHELL_WIDTH).astype(np.int64), MAX_SHELLS)
    mass = np.where(known, 10.0 ** np.where(known, log_mass, 0.0).astype(np.float64), 0.0)
    sums = np.bincount(shells, mass)[:MAX_SHELLS]
    source = np.asarray(rows["mass_source"])
    info = CatalogueInfo(
        slug=slug,
        title=title,
        galaxies=int(rows.size),
        max_distance=float(distance.max()),
        median_log_mass=median,
        imported_at=now,
        shell_width=SHELL_WIDTH,
        mass_in_shells=tuple(map(float, sums)),
    )
    masses = {kind: int((source == kind).sum()) for kind in MassSource}
    return info, masses, int((np.asarray(rows["flags"]) & 1).sum())
