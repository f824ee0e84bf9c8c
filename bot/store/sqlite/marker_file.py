"""A note beside the SQLite file that it holds something, so that an empty one in its place is noticed.

Whoever puts an empty file there, or forgets to mount the disk's folder, would else get a bot without
subscriptions that acknowledges notices nobody asked for.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


def marker_path(path: Path) -> Path:
    """Where the note lies: beside the file itself, whatever name it was reached by."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}.known")


def why_unusable(path: Path) -> str | None:
    """Why a database mustn't be made, or used, at this path; None if all is well. Blocks.

    That is so where a filled one was known and now none, or one without anything in it, stands there.
    """
    note = marker_path(path)
    if not note.exists() or is_filled(path):
        return None
    there = "is empty" if path.exists() else "is missing"
    return (
        f"The database {path} {there}, though a filled one was there before ({note} says so). Put it back "
        f"(is its disk mounted?), or restore a backup; for a fresh start delete {note}, then start again."
    )


def is_filled(path: Path) -> bool:
    """Whether a database stands there that holds a notice or a subscription, or that can't be read now."""
    if not path.exists() or not path.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            query = "SELECT EXISTS (SELECT 1 FROM notices) OR EXISTS (SELECT 1 FROM subscriptions)"
            return bool(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError as error:
        # What is locked or can't be opened is found out by who opens it next; without tables it is empty.
        return "no such table" not in str(error)
    except sqlite3.Error:
        return True


def write_marker(path: Path) -> None:
    """Write the note, if it isn't there; that it can't be written is only logged."""
    at = marker_path(path)
    if at.exists():
        return
    said = (
        f"gwevent's database {path.name} beside this file holds notices or subscriptions.\n"
        "While this file is here, gwevent doesn't start with an empty database in its place.\n"
        "For a deliberate fresh start delete both.\n"
    )
    try:
        # What channels subscribed to is nobody else's business, and this lies beside it.
        at.touch(mode=0o600)
        at.write_text(said, "utf-8")
    except OSError as error:
        log.warning("database_marker_write_failed", path=str(at), reason=error.strerror)
