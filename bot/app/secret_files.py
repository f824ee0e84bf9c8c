"""Files with secrets that other users can read: logged at startup, reported by `gwevent doctor`."""

from __future__ import annotations

import stat
from pathlib import Path

import structlog
from dotenv import dotenv_values
from hop.configure import get_config_path

from bot.settings import secret_setting_names
from bot.sources.base import SourceConfigError
from bot.sources.credentials import require_config_home

log = structlog.get_logger(__name__)


def readable_secret_files(env_file: Path | None = Path(".env")) -> list[tuple[Path, str]]:
    """Return the settings file and hop's auth.toml, each with its mode, if others can read secrets in them.

    A file that does not exist or can't be examined is omitted: reading it reports the error.
    """
    holding = [env_file] if env_file is not None and _holds_secrets(env_file) else []
    try:
        require_config_home()
        holding.append(Path(get_config_path("auth")))
    except SourceConfigError:
        # Without a home directory hop has no such file.
        pass
    modes = [(path.absolute(), mode_readable_by_others(path)) for path in holding]
    return [(path, stat.filemode(mode)) for path, mode in modes if mode is not None]


def mode_readable_by_others(path: Path) -> int | None:
    """Return a file's mode if its group or others can read it; None if not, or if it can't be examined."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    return mode if mode & (stat.S_IRGRP | stat.S_IROTH) else None


def warn_readable_secrets(env_file: Path | None = Path(".env")) -> None:
    """Log a warning with advice for each file with secrets that others can read."""
    for path, mode in readable_secret_files(env_file):
        log.warning("secret_file_readable", path=str(path), mode=mode, advice=f"chmod 600 {path}")


def _holds_secrets(env_file: Path) -> bool:
    try:
        given = dotenv_values(env_file)
    except (OSError, UnicodeDecodeError):
        return False
    return any(given.get(name) for name in secret_setting_names())
