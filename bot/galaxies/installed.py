"""The catalogues in a folder: which there are, which one is used, and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.galaxies.catalogue_index import CatalogueProblem, catalogue_slugs, open_catalogue
from formatters.models.galaxy import CatalogueInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledCatalogue:
    """A catalogue in the folder, readable or not."""

    slug: str
    info: CatalogueInfo | None
    """None if it can't be read."""
    problem: str | None
    """Why it can't be read, one sentence; None if it can be."""


def installed_catalogues(folder: Path) -> list[InstalledCatalogue]:
    """Return the catalogues in a folder by name. A folder that is missing or can't be read has none."""
    try:
        slugs = catalogue_slugs(folder)
    except OSError:
        slugs = []
    return [_look_at(folder, slug) for slug in slugs]


def slug_in_use(folder: Path, named: str | None) -> str | None:
    """Return the catalogue that is used: the one that the settings name, else the last that was imported.

    The named one is returned whether it is there or not, so that another is never used in its place; None
    means that the folder has none. One that can't be read is used only where all others can't be either.
    """
    if named is not None:
        return named
    found = installed_catalogues(folder)
    readable = [one.info for one in found if one.info is not None]
    if readable:
        return max(readable, key=lambda info: (info.imported_at, info.slug)).slug
    return found[0].slug if found else None


def _look_at(folder: Path, slug: str) -> InstalledCatalogue:
    try:
        return InstalledCatalogue(slug=slug, info=open_catalogue(folder, slug).info, problem=None)
    except CatalogueProblem as problem:
        return InstalledCatalogue(slug=slug, info=None, problem=str(problem))
