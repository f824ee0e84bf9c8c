"""The SQLite file under the bot: whether what is written there is what a restart would open.

SQLite goes on writing, without an error, to files that were deleted, renamed or replaced meanwhile. So the
device and inode of the database, its `-wal` and its `-shm` at the path are compared with those that the
connections have open, around each transaction.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

FileId = tuple[int, int]
"""Device and inode."""


class FileChange(Enum):
    """How what stands at the path differs from what the connections have open."""

    MISSING = "is gone: deleted, moved away, or its disk isn't mounted"
    REPLACED = "was replaced by another file"
    TRUNCATED = "was truncated"
    WAL_LOST = "lost the -wal or -shm file beside it, which held what was written last"


@dataclass(frozen=True, slots=True)
class FilesAtPath:
    """Which files stand at the path; None for one that doesn't."""

    main: FileId | None
    wal: FileId | None
    shm: FileId | None
    size: int = field(compare=False)
    """Of the database itself."""


class DatabaseFile:
    """What stands at one path, and what the connections of this process have open of it."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened or looked at yet."""
        self.path = path
        self.identity = 0
        """The number drawn when the database was made; 0 while it isn't known."""
        self.open_connections = 0
        """How many are open."""
        self._real_path = path
        self._main_id: FileId | None = None
        self._opened_files: FilesAtPath | None = None
        self._last_size = 0

    def uri(self) -> str:
        """A URI that opens the file and never makes one: an empty database would hide that it is gone."""
        return f"{self.path.absolute().as_uri()}?mode=rw"

    def detect_change(self) -> FileChange | None:
        """What happened to the files since they were opened; None if nothing did."""
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
        """Note a connection just opened to a database of this identity; say why it can't be used, or None.

        Its files are those at the path if they were the expected ones before and are so after.
        """
        self._real_path = Path(os.path.realpath(self.path))
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
        """Note that a connection is closed; after the last one SQLite takes away what lies beside it."""
        self.open_connections -= 1
        if self.open_connections == 0:
            self._opened_files = None

    def reset(self) -> None:
        """Take what stands at the path for the database, once all connections are closed."""
        self._main_id, self._opened_files, self._last_size = None, None, 0

    def describe_change(self, change: FileChange) -> str:
        """What happened, for the log and for who is told."""
        return f"The database {self.path} {change.value}; nothing is taken in until it is back."

    def describe_wrong_database(self) -> str:
        """The sentence for a database that isn't the one that was there."""
        return (
            f"Another database stands at {self.path} than the one that was opened there; put the right one "
            "back, or restart gwevent if this one is meant."
        )

    def identity_at_path(self) -> int | None:
        """The identity of the database that stands at the path; None if there is none that can be read.

        Blocks. To be called when no connection is open: the files beside it may be the former database's.
        """
        if not self._stat_files().size:
            return None
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.uri(), uri=True)) as connection:
            connection.execute("SELECT 1 FROM notices LIMIT 1").fetchall()
            return read_identity(connection)
        return None

    def is_empty(self) -> bool:
        """Whether there isn't a byte in what stands at the path."""
        return not self._stat_files().size

    def move_stale_wal_away(self) -> None:
        """Take away the -wal of the file that was open, if another file stands there now: it isn't its."""
        now = self._stat_files()
        if (
            self._opened_files is None
            or now.main == self._main_id
            or now.wal != self._opened_files.wal
            or now.wal is None
        ):
            return
        wal = self._real_path.with_name(f"{self._real_path.name}-wal")
        with suppress(OSError):
            wal.rename(wal.with_name(f"{wal.name}.lost"))

    def _stat_files(self) -> FilesAtPath:
        size, main = 0, None
        with suppress(OSError):
            found = self.path.stat()
            main, size = (found.st_dev, found.st_ino), found.st_size
        wal, shm = (
            file_id(self._real_path.with_name(f"{self._real_path.name}-{end}")) for end in ("wal", "shm")
        )
        return FilesAtPath(main, wal, shm, size)


def read_identity(connection: sqlite3.Connection) -> int:
    """The number drawn when a database was made, which its copies have too; 0 before it is drawn."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    assert isinstance(number, int)
    return number


def why_path_is_aliased(path: Path) -> str | None:
    """Why a file can't be used because it goes by another name too; None if it doesn't.

    What isn't in the file yet lies in one beside it, under its name: by another name nobody finds that, and
    two bots wouldn't find each other's lock.
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
    """The places where something is mounted; empty where the system doesn't say."""
    with suppress(OSError):
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
        return frozenset(line.split()[4].replace("\\040", " ") for line in lines)
    return frozenset()


def file_id(path: Path) -> FileId | None:
    """Which file stands at a path; None if there is none that can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
