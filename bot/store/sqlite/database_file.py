"""Detects changes of the SQLite database file while the bot has it open.

SQLite keeps writing, without an error, to open files that have been deleted, renamed or replaced. Therefore
the device and inode of the database, its `-wal` and its `-shm` at the path are compared with those of the
files that the connections have open, before and after each transaction (see `file_guard`).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

FileId = tuple[int, int]
"""The device and inode of a file."""


class FileChange(Enum):
    """A difference between the files at the path and those that the connections have open."""

    MISSING = "is gone: deleted, moved away, or its disk isn't mounted"
    REPLACED = "was replaced by another file"
    TRUNCATED = "was truncated"
    WAL_LOST = "lost the -wal or -shm file beside it, which held what was written last"


@dataclass(frozen=True, slots=True)
class FilesAtPath:
    """The identities of the files at the path; None for each that does not exist."""

    main: FileId | None
    wal: FileId | None
    shm: FileId | None
    size: int = field(compare=False)
    """The size of the database file itself, in bytes."""


class DatabaseFile:
    """A database file at one path, and the files that this process's connections have open."""

    def __init__(self, path: Path) -> None:
        """Set the path; the file is neither opened nor examined."""
        self.path = path
        self.identity = 0
        """The random number given to the database at its creation; 0 while unknown."""
        self.open_connections = 0
        """The number of open connections."""
        self._name_side_files(path)
        self._main_id: FileId | None = None
        self._opened_files: FilesAtPath | None = None
        self._last_size = 0

    def uri(self) -> str:
        """Return a URI that opens the file but never creates it: a new empty one would hide the loss."""
        return f"{self.path.absolute().as_uri()}?mode=rw"

    def detect_change(self) -> FileChange | None:
        """Return the change of the files since they were opened; None if there is none."""
        if self._main_id is None:
            return None
        now = self._stat_files()
        if now.main is None:
            return FileChange.MISSING
        if now.main != self._main_id:
            return FileChange.REPLACED
        if now.size < self._last_size:
            return FileChange.TRUNCATED
        if self._opened_files is not None and now != self._opened_files:
            return FileChange.WAL_LOST
        self._last_size = now.size
        return None

    def on_connected(self, identity: int) -> str | None:
        """Register a new connection to a database with this identity.

        Return the reason why the connection must not be used, or None. Its files are taken to be those now at
        the path, provided that these are the files the other connections have open.
        """
        self._name_side_files(Path(os.path.realpath(self.path)))
        now = self._stat_files()
        if now.main is None or (self._main_id is not None and now.main != self._main_id):
            return self.describe_change(FileChange.MISSING if now.main is None else FileChange.REPLACED)
        if self.identity and identity != self.identity:
            return self.describe_wrong_database()
        if self._opened_files is not None and now != self._opened_files:
            return self.describe_change(FileChange.WAL_LOST)
        self._main_id, self._opened_files, self._last_size = now.main, now, now.size
        self.identity = self.identity or identity
        self.open_connections += 1
        return None

    def on_disconnected(self) -> None:
        """Register a closed connection; on closing the last one SQLite deletes the -wal and -shm files."""
        self.open_connections -= 1
        if self.open_connections == 0:
            self._opened_files = None

    def reset(self) -> None:
        """Accept any file at the path for the next connection; call it once all connections are closed."""
        self._main_id, self._opened_files, self._last_size = None, None, 0

    def describe_change(self, change: FileChange) -> str:
        """Return a sentence that describes a change, for the log and for error messages."""
        return f"The database {self.path} {change.value}; nothing is taken in until it is back."

    def describe_wrong_database(self) -> str:
        """Return the error message for a different database at the path."""
        return (
            f"Another database stands at {self.path} than the one that was opened there; put the right one "
            "back, or restart gwevent if this one is meant."
        )

    def identity_at_path(self) -> int | None:
        """Return the identity of the database at the path; None if there is no readable one.

        Blocks. Call it only when no connection is open: the -wal and -shm files may be the former database's.
        """
        if not self._stat_files().size:
            return None
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.uri(), uri=True)) as connection:
            connection.execute("SELECT 1 FROM notices LIMIT 1").fetchall()
            return read_identity(connection)
        return None

    def is_empty(self) -> bool:
        """Return True if the file at the path is missing or has no bytes."""
        return not self._stat_files().size

    def move_stale_wal_away(self) -> None:
        """Rename the -wal of the file that was open if another file is at the path now.

        SQLite would otherwise apply it to the new file.
        """
        now = self._stat_files()
        if (
            self._opened_files is None
            or now.main == self._main_id
            or now.wal != self._opened_files.wal
            or now.wal is None
        ):
            return
        with suppress(OSError):
            self._wal_path.rename(self._wal_path.with_name(f"{self._wal_path.name}.lost"))

    def _stat_files(self) -> FilesAtPath:
        size, main = 0, None
        with suppress(OSError):
            found = self.path.stat()
            main, size = (found.st_dev, found.st_ino), found.st_size
        return FilesAtPath(main, file_id(self._wal_path), file_id(self._shm_path), size)

    def _name_side_files(self, real: Path) -> None:
        # Put together once, because the files are looked at before and after each transaction.
        self._wal_path, self._shm_path = (real.with_name(f"{real.name}-{end}") for end in ("wal", "shm"))


def read_identity(connection: sqlite3.Connection) -> int:
    """Return the random number given to a database at its creation, shared by its copies; 0 if unset."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    assert isinstance(number, int)
    return number


def why_path_is_aliased(path: Path) -> str | None:
    """Return the reason why a file with a second name must not be used; None if it has only one.

    A second name is a hard link or a mount of the single file. SQLite keeps the latest writes in a file next
    to the database, named after it; a program that opens the database by its other name does not find these
    writes, and two bots would not find each other's lock.
    """
    real = Path(os.path.realpath(path))
    try:
        found, folder = real.stat(), real.parent.stat()
    except OSError:
        return None
    if found.st_nlink > 1:
        return (
            f"The database {path} has a second name (a hard link), and SQLite loses data by that: remove the "
            f"other name (find -samefile {path})."
        )
    if found.st_dev != folder.st_dev or str(real) in _mount_points():
        return (
            f"The database {path} is mounted as a single file; mount its folder instead, since what was "
            "written last lies in a file beside it."
        )
    return None


def _mount_points() -> frozenset[str]:
    """Return all mount points; an empty set if the system does not report them."""
    with suppress(OSError):
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
        return frozenset(line.split()[4].replace("\\040", " ") for line in lines)
    return frozenset()


def file_id(path: Path) -> FileId | None:
    """Return the device and inode of the file at a path; None if it is missing or inaccessible."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
