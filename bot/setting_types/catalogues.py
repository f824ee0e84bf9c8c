# ruff: noqa: D102 - the settings explain themselves where they are defined
"""The settings for catalogues of galaxies: where they come from, and where they are kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from bot.setting_types.databases import user_data_folder

NED_LVS_URL = "https://ned.ipac.caltech.edu/NED::LVS/fits/Current/"
"""The folder in which NED publishes the releases of its Local Volume Sample."""
SERVICE_FOLDER = Path("/var/lib/gwevent")
"""The data of the image and of the systemd unit; also for a user without a home directory."""
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,29}", re.ASCII)
"""The name of a catalogue."""


class CatalogueSettings(Protocol):
    """The settings about catalogues of galaxies."""

    @property
    def catalogue_dir(self) -> Path | None: ...
    @property
    def database_url(self) -> str: ...


def catalogue_folder(settings: CatalogueSettings) -> Path:
    """Return the folder of the catalogues, which may not exist: the setting, else `catalogues` beside data.

    Beside a SQLite file that is its folder; with PostgreSQL, the folder of the user's data.
    """
    if settings.catalogue_dir is not None:
        return settings.catalogue_dir
    database = _sqlite_file(settings.database_url)
    data = (user_data_folder() or SERVICE_FOLDER) if database is None else database.parent
    return data / "catalogues"


def parse_slug(text: str) -> str:
    """Return a catalogue's name in small letters. Raises ValueError, whose text can be shown."""
    slug = text.strip().casefold()
    if SLUG.fullmatch(slug) is None:
        raise ValueError("it must be 1 to 30 letters a to z, digits and hyphens, such as ned-lvs")
    return slug


def _sqlite_file(database_url: str) -> Path | None:
    """Return the file of a SQLite URL; None for another database, one in memory, or a URL that is none."""
    scheme, _, rest = database_url.partition(":///")
    if not scheme.startswith("sqlite"):
        return None
    path = rest.partition("?")[0]
    return None if path in ("", ":memory:") or path.startswith("file:") else Path(path)
