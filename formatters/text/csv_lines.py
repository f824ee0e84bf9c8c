"""Lines of comma-separated values, as the exports give them to copy."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins so for a formula."""


def csv_line(values: Sequence[object]) -> str:
    """Return values as one line without its end: None is empty, a float has six digits."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(
        "" if value is None else f"{value:.6g}" if isinstance(value, float) else value for value in values
    )
    return written.getvalue()


def csv_text(value: str) -> str:
    """Return a text from outside on one line that no spreadsheet takes for a formula."""
    line = " ".join(value.split())
    return f"'{line}" if line.startswith(_FORMULA_STARTS) else line
