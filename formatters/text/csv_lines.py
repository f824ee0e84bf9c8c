"""Lines of the exports that people copy: comma-separated values, and how many lines a message holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

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


def lines_within(lines: Iterable[str], limit: int | None) -> list[str]:
    """Return as many whole lines as `limit` characters hold, all for None; the others aren't even made."""
    kept: list[str] = []
    left = limit
    for line in lines:
        if left is not None:
            left -= len(line) + 1
            if left < 0:
                break
        kept.append(line)
    return kept
