"""The check of the catalogue of galaxies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.galaxies.catalogue_index import CatalogueProblem, open_catalogue
from bot.galaxies.installed import slug_in_use
from bot.setting_types.catalogues import catalogue_folder
from bot.settings import Settings
from formatters.terminal.findings import Finding, Level

OLD = timedelta(days=400)
"""NED publishes a release of its Local Volume Sample about once a year."""
_NAME = "Galaxies"


def check_catalogue(settings: Settings, now: datetime | None = None) -> list[Finding]:
    """Check the catalogue of galaxies that is used. Blocks."""
    folder = catalogue_folder(settings)
    fetch = "gwevent catalogue fetch ned-lvs"
    slug = slug_in_use(folder, settings.catalogue)
    if slug is None:
        found = f"There is no catalogue of galaxies in {folder}: /gwevent galaxies has nothing to rank."
        todo = f"{fetch} brings one; as the bot's user, in the folder that it reads (GWEVENT_CATALOGUE_DIR)."
        return [Finding(_NAME, Level.WARN, found, todo)]
    try:
        info = open_catalogue(folder, slug).info
    except CatalogueProblem as problem:
        todo = f"{fetch}, or gwevent catalogue import FILE --name {slug}."
        if settings.catalogue is not None:
            todo = f"{todo[:-1]}; or name another with GWEVENT_CATALOGUE (gwevent catalogue list)."
        return [Finding(_NAME, Level.FAIL, f"{problem} It is looked for in {folder}.", todo)]
    age = (now or datetime.now(UTC)) - info.imported_at
    found = f"{info.title}, {info.galaxies:,} galaxies to {info.max_distance:,.0f} Mpc"
    if age > OLD:
        todo = f"{fetch} brings a newer release, if there is one."
        return [Finding(_NAME, Level.WARN, f"{found}; imported {age.days} days ago.", todo)]
    return [Finding(_NAME, Level.OK, f"{found}.")]
