"""One import at a time into a folder of catalogues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bot.galaxies.catalogue_index import CatalogueProblem


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made if it is missing; the system lets go of it when this process is killed.

    Raises CatalogueProblem if another process holds it, or it can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".import.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise CatalogueProblem(
            f"Another gwevent catalogue is at work in {folder}; try again when it has ended."
        ) from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CatalogueProblem(f"{folder} can't be written: {reason}.") from error
    try:
        yield
    finally:
        lock.release()
