"""A marker file next to the SQLite database, written once the database contains data.

It reveals a database that was later lost: with an empty file in its place, or an unmounted disk, the bot
would otherwise start without subscriptions, acknowledge notices and post none of them.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


def marker_path(path: Path) -> Path:
    """Return the path of the marker file: next to the database, with symbolic links resolved."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}.known")


def why_unusable(path: Path) -> str | None:
    """Return the reason why no database may be created or used at this path; None if it may. Blocks.

    The path is unusable if a marker file exists but the database is missing or empty.
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
    """Return True if the database has a notice or a subscription, or exists but can't be read now."""
    if not path.exists() or not path.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            query = "SELECT EXISTS (SELECT 1 FROM notices) OR EXISTS (SELECT 1 FROM subscriptions)"
            return bool(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError as error:
        # A database without tables is empty. Other errors, such as a lock, are reported by its next user.
        return "no such table" not in str(error)
    except sqlite3.Error:
        return True


def write_marker(path: Path) -> None:
    """Write the marker file if it does not exist; a failure is only logged."""
    at = marker_path(path)
    if at.exists():
        return
    said = (
        f"gwevent's database {path.name} beside this file holds notices or subscriptions.\n"
        "While this file is here, gwevent doesn't start with an empty database in its place.\n"
        "For a deliberate fresh start delete both.\n"
    )
    try:
        # Private like the database next to it.
        at.touch(mode=0o600)
        at.write_text(said, "utf-8")
    except OSError as error:
        log.warning("database_marker_write_failed", path=str(at), reason=error.strerror)
