"""What a command needs of where it is started: streams that take whatever is said, and a home."""

from __future__ import annotations

import codecs
import errno
import os
import sys
import unicodedata
from pathlib import Path

from rich.console import Console

NONEXISTENT_HOME = "/nonexistent"
"""The home of who has none, as Debian has it."""
ERROR_HANDLER = "gwevent_nearest"
"""The name under which codecs know what is written for a character that an encoding lacks."""
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
    """What stands for a character in an encoding that lacks it: the nearest that it has, else a "?"."""
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
    """rich's console, which leaves a reader that has gone away to `bot.cli.main`."""

    def on_broken_pipe(self) -> None:
        """Say so to who called, instead of ending the process with status 1."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def prepare_streams() -> None:
    """Make standard output and standard error take any character, and be there; and have a home.

    Libraries look for their configuration at home, and some end where there is none: a user id without a
    name, as in a container. Then it is NOWHERE, where nothing is found.
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
            # Closed: the next file that is opened, the database say, would become standard output.
            os.open(os.devnull, os.O_RDWR)
    # For as long as the process lives.
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
