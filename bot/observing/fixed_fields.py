"""The fixed fields of a telescope that may not point anywhere: centres from a CSV file."""

from __future__ import annotations

import csv
import io
import math

Centres = tuple[tuple[float, float], ...]
"""RA and Dec in ICRS degrees."""

MAX_FIELDS = 20_000


class InvalidFields(ValueError):
    """A CSV of fields that can't be used; the text says why, without a full stop."""


def parse_fixed_fields(text: str) -> Centres:
    """Return the centres of a CSV with the columns `ra` and `dec` (ICRS degrees), each once, in its order.

    Other columns and lines that begin with # are passed over. Raises InvalidFields.
    """
    lines = [(at, line) for at, line in enumerate(io.StringIO(text), 1) if line.strip() and line[0] != "#"]
    try:
        rows = list(csv.reader(line for _, line in lines))
    except csv.Error as error:
        raise InvalidFields(f"it isn't a CSV file ({error})") from error
    if not rows:
        raise InvalidFields("it is empty")
    names = [name.strip().casefold() for name in rows[0]]
    if names.count("ra") != 1 or names.count("dec") != 1:
        raise InvalidFields("its first line doesn't name a column ra and a column dec")
    if len(rows) - 1 > MAX_FIELDS:
        raise InvalidFields(f"it has more than {MAX_FIELDS:,} fields")
    if len(rows) == 1:
        raise InvalidFields("it has no fields below its first line")
    if len(rows) != len(lines):
        raise InvalidFields("a value of it goes over several lines")
    at_ra, at_dec = names.index("ra"), names.index("dec")
    return tuple(
        dict.fromkeys(
            _centre(row, at_ra, at_dec, line) for (line, _), row in zip(lines[1:], rows[1:], strict=True)
        )
    )


def _centre(row: list[str], at_ra: int, at_dec: int, line: int) -> tuple[float, float]:
    try:
        ra, dec = float(row[at_ra]), float(row[at_dec])
    except (ValueError, IndexError):
        raise InvalidFields(f"line {line} has no RA and Dec in degrees") from None
    if not (math.isfinite(ra) and -360 <= ra <= 360 and -90 <= dec <= 90):
        raise InvalidFields(f"line {line} has a position that isn't on the sky")
    return ra % 360, dec
