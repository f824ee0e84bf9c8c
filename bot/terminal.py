"""Standard streams that take whatever is said: any encoding, a reader that goes away, none at all."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from pathlib import Path

ERRORS = "gwevent_nearest"
"""The name under which codecs know what is written for a character that an encoding lacks."""
_NEAREST = {
    "—": "-",
    "–": "-",
    "−": "-",
    "·": "|",
    "°": " deg",
    "±": "+-",
    "×": "x",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "’": "'",
    "“": '"',
    "”": '"',
}


def nearest(character: str, encoding: str) -> str:
    """What stands for a character in an encoding that lacks it: the nearest that it has, else a "?"."""
    plain = unicodedata.normalize("NFKD", character)
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    for candidate in (_NEAREST.get(character), plain, letters):
        if candidate is None:
            continue
        try:
            candidate.encode(encoding)
        except UnicodeEncodeError:
            continue
        return candidate
    return "?"


def prepare() -> None:
    """Make standard output and standard error take any character, and be there."""
    codecs.register_error(ERRORS, _replaced)
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Closed: the next file that is opened, the database say, would become standard output.
            os.open(os.devnull, os.O_RDWR)
    # For as long as the process lives.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=ERRORS)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(nearest(character, error.encoding) for character in bad), error.end
