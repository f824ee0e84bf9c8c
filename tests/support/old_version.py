"""The code of gwevent 0.1.0, of the repository's own history."""

from __future__ import annotations

import io
import subprocess
import tarfile
from importlib.util import find_spec
from pathlib import Path

OLD_COMMIT = "e8f3c8d"
"""The commit that is version 0.1.0."""
_REPOSITORY = Path(__file__).resolve().parents[2]


class OldVersionUnavailable(RuntimeError):
    """The old code can't be had or run here; the message says why, and what to do."""


def unpack_old_version(folder: Path) -> Path:
    """Unpack the packages of 0.1.0 into a folder, to be named by PYTHONPATH, and return the folder.

    Raises OldVersionUnavailable.
    """
    if find_spec("pebble") is None:
        raise OldVersionUnavailable(
            "gwevent 0.1.0 needs Pebble, of the extra `test`: delete .venv-test, and ./tests/run installs it"
        )
    try:
        packed = subprocess.run(
            ["git", "archive", OLD_COMMIT, "bot", "formatters"],
            cwd=_REPOSITORY,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise OldVersionUnavailable("there is no git here to take gwevent 0.1.0 from: install git") from None
    if packed.returncode:
        raise OldVersionUnavailable(
            f"this clone's history doesn't hold {OLD_COMMIT}, which is gwevent 0.1.0: `git fetch --unshallow`"
            " gets it"
        )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
