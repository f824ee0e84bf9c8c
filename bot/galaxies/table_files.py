"""Read a file of galaxies in pieces: FITS (NED-LVS and others), CSV, or Parquet where pyarrow is installed.

A file is never held as a whole: a piece is 50,000 rows.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from bot.galaxies.catalogue_index import CatalogueProblem
from bot.galaxies.column_names import GALAXY_TYPES, NUMBERS, find_columns
from bot.galaxies.raw_galaxies import RawGalaxies
from bot.skymaps.arrays import Flags, Floats

PIECE = 50_000
PIECE_BYTES = 32_000_000
"""A piece has fewer rows where they are long."""
LINE_MAX = 1_000_000
"""Characters of a line of CSV; what is longer is no table."""
_Scale = tuple[float, float, int | None]
Pieces = Iterator[tuple[RawGalaxies, int]]
"""Pieces of a file, each with the number of its rows that couldn't be read."""

_YES = frozenset({b"t", b"true", b"1", b"yes", b"y"})


def read_pieces(file: Path) -> tuple[Pieces, int | None]:
    """Return the pieces of a file, and its number of rows where its header tells. Raises CatalogueProblem.

    The pieces raise CatalogueProblem as well, where the file turns out to be damaged further on.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(80)
    except OSError as error:
        raise CatalogueProblem(f"{file} can't be read: {error.strerror}.") from error
    if head.startswith(b"SIMPLE  ="):
        return _read_fits(file)
    if head.startswith(b"PAR1"):
        return _read_parquet(file)
    if head[:2] == b"\x1f\x8b":
        raise CatalogueProblem(
            f"{file} is compressed: unpack it first (gunzip), so that it is read in pieces."
        )
    if not head or b"\0" in head:
        raise CatalogueProblem(f"{file} is no table in FITS, CSV or Parquet.")
    return _read_csv(file), None


def _read_fits(file: Path) -> tuple[Pieces, int]:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    try:
        # What astropy warns of, such as a file that was cut off, is looked for below.
        with warnings.catch_warnings(), file.open("rb") as raw:
            warnings.simplefilter("ignore", AstropyWarning)
            # Only headers are read; after an error astropy itself doesn't close what it opened.
            opened = fits.open(raw, memmap=False, lazy_load_hdus=True)
            table = next((hdu for hdu in opened if isinstance(hdu, fits.BinTableHDU)), None)
            if table is None:
                raise CatalogueProblem(f"{file} has no binary table.")
            columns = table.columns
            names = find_columns(columns.names)
            rows = int(table.header["NAXIS2"])
            row = columns.dtype.newbyteorder(">")
            begin = int(table.fileinfo()["datLoc"])
            if row.itemsize != int(table.header["NAXIS1"]):
                raise CatalogueProblem(f"{file} has a table whose rows aren't as long as its columns say.")
            for field, name in names.items():
                _check_type(name, row[name], is_number=field in NUMBERS)
            scales = {field: _scale_of(columns[name]) for field, name in names.items() if field in NUMBERS}
    except CatalogueProblem:
        raise
    except Exception as error:
        # Whatever astropy meets in a damaged header, the person gets one sentence.
        raise CatalogueProblem(f"{file} is a damaged FITS file: {_reason(error)}.") from error
    if file.stat().st_size < begin + rows * row.itemsize:
        raise CatalogueProblem(f"{file} ends before its {rows:,} rows do: it was cut off; fetch it again.")

    size = max(1, min(PIECE, PIECE_BYTES // row.itemsize))

    def pieces() -> Pieces:
        with file.open("rb") as opened:
            opened.seek(begin)
            for start in range(0, rows, size):
                found = np.fromfile(opened, row, min(size, rows - start))
                if found.size < min(size, rows - start):
                    raise CatalogueProblem(f"{file} became shorter while it was read; import it again.")
                yield (
                    _from_columns(
                        {field: _scaled(found[name], scales.get(field)) for field, name in names.items()}
                    ),
                    0,
                )

    return pieces(), rows


def _reason(error: Exception) -> str:
    """Return a library's error as the end of a sentence."""
    return " ".join(str(error).split())[:200].rstrip(". ") or type(error).__name__


def _check_type(name: str, found: np.dtype[Any], *, is_number: bool) -> None:
    """Raise CatalogueProblem unless a column has one number, or one text, in each row."""
    if found.shape:
        raise CatalogueProblem(f"The column {name} has several values in each row, where one is wanted.")
    if is_number and found.kind not in "iuf":
        raise CatalogueProblem(f"The column {name} has texts, where numbers are wanted.")


def _scale_of(column: Any) -> _Scale:
    """Return the factor, the offset and what stands for an unknown number. Raises ValueError, TypeError."""
    null = None if column.null is None else int(column.null)
    return float(column.bscale or 1.0), float(column.bzero or 0.0), null


def _scaled(column: NDArray[Any], scale: _Scale | None) -> NDArray[Any]:
    if scale is None:
        return column
    factor, offset, null = scale
    values = column.astype(np.float64)
    if null is not None and column.dtype.kind in "iu":
        values[column == null] = np.nan
    # A damaged file may hold any number; what isn't finite counts as unknown.
    with np.errstate(all="ignore"):
        scaled: Floats = values * factor + offset
    return scaled


def _read_parquet(file: Path) -> tuple[Pieces, int]:
    try:
        from pyarrow import ArrowException, parquet
    except ModuleNotFoundError as error:
        raise CatalogueProblem(
            "Parquet is read with pyarrow: pip install pyarrow, or convert the file to FITS or CSV."
        ) from error
    try:
        opened = parquet.ParquetFile(file)
        names = find_columns(opened.schema_arrow.names)
        rows = int(opened.metadata.num_rows)
    except (ArrowException, OSError, ValueError) as error:
        raise CatalogueProblem(f"{file} is a damaged Parquet file: {_reason(error)}.") from error

    def pieces() -> Pieces:
        try:
            for batch in opened.iter_batches(PIECE, columns=sorted(set(names.values()))):
                yield _from_lists({field: batch.column(name).to_pylist() for field, name in names.items()})
        except (ArrowException, OSError, ValueError) as error:
            raise CatalogueProblem(f"{file} is a damaged Parquet file: {_reason(error)}.") from error

    return pieces(), rows


def _read_csv(file: Path) -> Pieces:
    try:
        with _open_text(file) as opened:
            header = next(_csv_lines(opened), [])
    except (csv.Error, OSError) as error:
        raise _csv_problem(file, error) from error
    names = find_columns(header)
    places = {field: header.index(name) for field, name in names.items()}

    def pieces() -> Pieces:
        try:
            with _open_text(file) as opened:
                lines = _csv_lines(opened)
                next(lines)
                while rows := list(islice(lines, PIECE)):
                    whole = [row for row in rows if len(row) == len(header)]
                    found, unreadable = _from_lists(
                        {field: [row[place] for row in whole] for field, place in places.items()}
                    )
                    short = sum(1 for row in rows if row and len(row) != len(header))
                    yield found, unreadable + short
        except (csv.Error, OSError) as error:
            raise _csv_problem(file, error) from error

    return pieces()


def _open_text(file: Path) -> TextIO:
    return file.open(encoding="utf-8-sig", errors="replace", newline="")


def _csv_lines(opened: TextIO) -> Iterator[list[str]]:
    lines = iter(lambda: opened.readline(LINE_MAX), "")
    return csv.reader(line for line in lines if not line.startswith("#"))


def _csv_problem(file: Path, error: csv.Error | OSError) -> CatalogueProblem:
    if isinstance(error, OSError):
        return CatalogueProblem(f"{file} can't be read: {error.strerror}.")
    return CatalogueProblem(f"{file} is no table in CSV: {error}.")


def _from_lists(columns: Mapping[str, Sequence[object]]) -> tuple[RawGalaxies, int]:
    """Return rows of Python values without those in which a text stands for a number, and their count."""
    numbers = {
        field: [_number(one) for one in values] for field, values in columns.items() if field in NUMBERS
    }
    bad = {at for values in numbers.values() for at, one in enumerate(values) if one is None}
    good = [at for at in range(len(next(iter(columns.values())))) if at not in bad]
    kept: dict[str, NDArray[Any]] = {
        field: np.array([values[at] for at in good], np.float64) for field, values in numbers.items()
    }
    for field, texts in columns.items():
        if field not in NUMBERS:
            encoded = ["" if one is None else str(one) for one in texts]
            kept[field] = np.array([encoded[at].encode() for at in good], dtype="S")
    return _from_columns(kept), len(bad)


def _number(value: object) -> float | None:
    """Return a number, NaN where nothing stands, None for a text that is no number."""
    if value is None:
        return float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan") if str(value).strip() in ("", "-", "--", "null", "NULL", "N/A") else None


def _from_columns(columns: Mapping[str, NDArray[Any]]) -> RawGalaxies:
    size = len(columns["ra"])

    def number(field: str) -> Floats:
        found = columns.get(field)
        return np.full(size, np.nan) if found is None else np.asarray(found, np.float64)

    def text(field: str) -> list[bytes]:
        found = columns.get(field)
        if found is None:
            return [b""] * size
        if found.dtype.kind == "S":
            return [bytes(one).strip() for one in found.tolist()]
        return [str(one).strip().encode() for one in found.tolist()]

    def flags(field: str, chosen: frozenset[bytes]) -> Flags:
        found = columns.get(field)
        if found is not None and found.dtype.kind in "ib":
            # A FITS column of truth values holds the letters T and F as numbers.
            return np.asarray((found == ord("T")) | (found == 1), np.bool_)
        return np.array([one.lower() in chosen for one in text(field)], np.bool_)

    types = [one.decode("utf-8", "replace").casefold() for one in text("type")]
    return RawGalaxies(
        name=text("name"),
        ra=number("ra"),
        dec=number("dec"),
        distance=number("distance"),
        distance_error=number("distance_error"),
        redshift=number("redshift"),
        redshift_error=number("redshift_error"),
        mass=number("mass"),
        k_magnitude=number("k_magnitude"),
        w1_magnitude=number("w1_magnitude"),
        is_questionable=flags("quality", _YES),
        is_photometric=np.array([one.lower().startswith(b"phot") for one in text("technique")], np.bool_),
        is_galaxy=np.array([one in GALAXY_TYPES for one in types], np.bool_),
        is_from_redshift=np.array([one.lower() == b"redshift" for one in text("method")], np.bool_),
    )
