"""Standard streams that accept any text, and a home directory, in any environment."""

from __future__ import annotations

import codecs
import errno
import os
import sys
import unicodedata
from pathlib import Path

from rich.console import Console

NONEXISTENT_HOME = "/nonexistent"
"""Debian's home directory of users that have none."""
ERROR_HANDLER = "gwevent_nearest"
"""The name of the codec error handler that writes similar characters."""
_REPLACEMENTS = {
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


def closest_encodable(character: str, encoding: str) -> str:
    """Return the most similar text that an encoding has for a character it lacks, else "?"."""
    plain = unicodedata.normalize("NFKD", character)
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    if unicodedata.combining(character):
        return ""
    for candidate in filter(None, (_REPLACEMENTS.get(character), plain, letters)):
        try:
            candidate.encode(encoding)
        except UnicodeEncodeError:
            continue
        return candidate
    return "?"


class TerminalConsole(Console):
    """A rich console that raises BrokenPipeError if its reader is gone; `bot.cli.main` handles it."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError; rich would end the process with status 1."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def prepare_streams() -> None:
    """Make the standard streams exist and accept any character, and set HOME if it is missing.

    Some libraries fail if they find no home directory for their configuration, as for a user id without a
    name in a container. HOME is then a folder that does not exist.
    """
    try:
        homeless = not Path.home().is_absolute()
    except RuntimeError:
        homeless = True
    if homeless:
        os.environ["HOME"] = NONEXISTENT_HOME
    codecs.register_error(ERROR_HANDLER, _replace_unencodable)
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # A closed stream: the next file to be opened, such as the database, would become standard output.
            os.open(os.devnull, os.O_RDWR)
    # Never closed.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=ERROR_HANDLER)


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(closest_encodable(character, error.encoding) for character in bad), error.end
