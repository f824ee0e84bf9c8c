"""The address of the database, and the folder of a user's data."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path

from bot.runtime.standard_streams import NONEXISTENT_HOME
from bot.setting_types.slack_access import SettingsError

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}


def user_data_folder() -> Path | None:
    """Return the folder of this user's data on this system; None without a home directory."""
    try:
        folder = user_data_path("gwevent")
    except RuntimeError:
        # platformdirs found no home directory.
        return None
    return folder if folder.is_absolute() and not folder.is_relative_to(NONEXISTENT_HOME) else None


def asynchronous_url(given: str) -> str:
    """Return a SQLAlchemy URL with an asynchronous driver; of nothing, SQLite among the user's data.

    Raises SettingsError without a home directory.
    """
    if given:
        scheme, colon, rest = given.partition("://")
        return f"{_DRIVERS.get(scheme, scheme)}{colon}{rest}"
    folder = user_data_folder()
    if folder is None:
        raise SettingsError(
            "GWEVENT_DATABASE_URL must be set: this user has no home directory (HOME) for a database."
        )
    return f"sqlite+aiosqlite:///{folder / 'gwevent.sqlite'}"
