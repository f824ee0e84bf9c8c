"""Files with secrets that others on the machine can read, told at the start."""

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
    """Return which of the settings file and hop's auth.toml hold secrets that others can read, with modes.

    What isn't there, or can't be looked at, is left to who needs it.
    """
    holding = [env_file] if env_file is not None and _holds_secrets(env_file) else []
    try:
        require_config_home()
        holding.append(Path(get_config_path("auth")))
    except SourceConfigError:
        # Without a home hop has no such file.
        pass
    found = []
    for path in holding:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            found.append((path.absolute(), stat.filemode(mode)))
    return found


def warn_readable_secrets(env_file: Path | None = Path(".env")) -> None:
    """Log each of them with what to do."""
    for path, mode in readable_secret_files(env_file):
        log.warning("others_can_read_secrets", path=str(path), mode=mode, advice=f"chmod 600 {path}")


def _holds_secrets(env_file: Path) -> bool:
    try:
        given = dotenv_values(env_file)
    except (OSError, UnicodeDecodeError):
        return False
    return any(given.get(name) for name in secret_setting_names())
