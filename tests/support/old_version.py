"""Version 0.1.0 of gwevent, of the repository's own history: its wheel, installed as a user installs it."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

OLD_COMMIT = "e8f3c8d"
"""The commit that is version 0.1.0."""
_REPOSITORY = Path(__file__).resolve().parents[2]


class OldVersionUnavailable(RuntimeError):
    """The old code can't be had or run here; the message says why, and what to do."""


def install_old_version(folder: Path) -> Path:
    """Build the wheel of 0.1.0, install it in a virtual environment in `folder`, and return its Python.

    What the wheel depends on is taken from this environment, which the new one sees behind its own packages:
    what 0.1.0 pinned isn't fetched, for a test needs no network. Raises OldVersionUnavailable.
    """
    if find_spec("pebble") is None:
        raise OldVersionUnavailable(
            "gwevent 0.1.0 needs Pebble, of the extra `test`: delete .venv-test, and ./tests/run installs it"
        )
    tree = folder / "tree"
    _unpack(tree)
    _run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist"), cwd=tree)
    [wheel] = (folder / "dist").glob("*.whl")
    venv = folder / "venv"
    _run("-m", "venv", "--without-pip", str(venv), cwd=folder)
    python = venv / "bin" / "python"
    _run("-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel), cwd=folder)
    [packages] = venv.glob("lib/python*/site-packages")
    # A path of a .pth file comes after the environment's own packages, so gwevent is the old one.
    mine = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (packages / "dependencies.pth").write_text("\n".join(mine) + "\n", "utf-8")
    return python


def _unpack(folder: Path) -> None:
    """Unpack the tree of 0.1.0 into `folder`. Raises OldVersionUnavailable."""
    try:
        packed = subprocess.run(
            ["git", "archive", OLD_COMMIT], cwd=_REPOSITORY, capture_output=True, check=False
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


def _run(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
