"""Import, fetch, list and remove catalogues of galaxies, with progress bars and words."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import TimeRemainingColumn

from bot.cli import terminal
from bot.galaxies.catalogue_index import ROW, CatalogueProblem, DiskProblem, catalogue_slugs, remove_catalogue
from bot.galaxies.download import download, make_client, newest_release
from bot.galaxies.folder_lock import hold_folder
from bot.galaxies.import_job import ImportResult, write_catalogue
from bot.galaxies.installed import installed_catalogues, slug_in_use
from bot.galaxies.table_files import Pieces, read_pieces
from bot.setting_types.catalogues import catalogue_folder, parse_slug
from bot.settings import Settings
from formatters.models.galaxy import CatalogueInfo, MassSource

NED_LVS = "ned-lvs"
RESERVE_BYTES = 450_000_000
"""What NED-LVS' two million galaxies take beside the fetched file while they are imported."""
TITLE_MAX = 60
_NED_LVS_FILE = re.compile(r"NEDLVS_(\d{8})", re.IGNORECASE | re.ASCII)


def import_file(settings: Settings, file: Path, name: str | None) -> None:
    """Import a file under a name. Raises CatalogueProblem."""
    slug, title = name_catalogue(file.name, name)
    folder = catalogue_folder(settings)
    with hold_folder(folder):
        pieces, rows = read_pieces(file)
        _import(settings, folder, file, pieces, rows, slug, title)


def fetch_ned_lvs(settings: Settings, *, keep: bool) -> None:
    """Fetch the newest NED-LVS and import it, unless it is there. Raises CatalogueProblem."""
    folder = catalogue_folder(settings)
    downloads = folder / "downloads"
    with hold_folder(folder), make_client(settings.ned_lvs_url) as client:
        url = newest_release(settings.ned_lvs_url, client)
        name = url.rpartition("/")[2]
        slug, title = name_catalogue(name, NED_LVS)
        there = next((one.info for one in installed_catalogues(folder) if one.slug == slug), None)
        if there is not None and there.title == title and _NED_LVS_FILE.search(name):
            terminal.stdout.print(f"{url} is here already: {describe(there)}.")
            return
        _remove_other_downloads(downloads, name)
        terminal.stderr.print(f"{url} → {downloads}")
        with terminal.byte_progress_bar("fetch") as (bar, task):
            file = download(
                url,
                downloads,
                client,
                lambda done, total: bar.update(task, completed=done, total=total),
                reserve=RESERVE_BYTES,
            )
        try:
            pieces, rows = read_pieces(file)
            _import(settings, folder, file, pieces, rows, slug, title)
        except DiskProblem:
            # The next attempt needs no download.
            raise
        except CatalogueProblem as problem:
            # Perhaps a page that says why there is no file.
            with suppress(OSError):
                file.unlink()
            raise CatalogueProblem(f"{url} didn't bring a catalogue: {problem}") from problem
        if not keep:
            with suppress(OSError):
                file.unlink()
                downloads.rmdir()


def _remove_other_downloads(downloads: Path, name: str) -> None:
    """Remove what came of an older release whose download was given up."""
    with suppress(OSError):
        for file in downloads.iterdir():
            if file.suffix in (".part", ".etag") and file.stem not in (name, f"{name}.part"):
                file.unlink()


def print_catalogues(settings: Settings) -> bool:
    """Print the catalogues; return False if the one that is used isn't there or can't be read."""
    folder = catalogue_folder(settings)
    found, used = installed_catalogues(folder), slug_in_use(folder, settings.catalogue)
    for one in found:
        mark = "*" if one.slug == used else " "
        if one.info is None:
            terminal.stdout.print(f"{mark} {one.problem}")
        else:
            size = f"{one.info.galaxies * ROW.itemsize / 1e6:,.0f} MB"
            day = f"{one.info.imported_at:%Y-%m-%d}"
            terminal.stdout.print(f"{mark} {one.slug}: {describe(one.info)}, {size}, imported {day}")
    if not found:
        terminal.stdout.print(
            f"There is no catalogue in {folder}: gwevent catalogue fetch ned-lvs brings one."
        )
    else:
        terminal.stdout.print(f"In {folder}; * is used.")
    if used is not None and used not in [one.slug for one in found]:
        terminal.stdout.print(f"GWEVENT_CATALOGUE names {used}, which isn't there.")
    return used is None or any(one.slug == used and one.info is not None for one in found)


def remove(settings: Settings, name: str) -> None:
    """Remove a catalogue. Raises CatalogueProblem."""
    folder = catalogue_folder(settings)
    # A folder that isn't there isn't made for this.
    slugs = catalogue_slugs(folder)
    slug = name.strip().casefold()
    if slug not in slugs:
        others = f"there are: {', '.join(slugs)}" if slugs else "there is none at all"
        raise CatalogueProblem(f"There is no catalogue {name} in {folder}; {others}.")
    with hold_folder(folder):
        try:
            remove_catalogue(folder, slug)
        except OSError as error:
            raise CatalogueProblem(f"{slug} can't be removed from {folder}: {error.strerror}.") from error
    terminal.stdout.print(f"{slug} is removed from {folder}.{_say_used(settings, folder)}")


def name_catalogue(file_name: str, given: str | None) -> tuple[str, str]:
    """Return a catalogue's name and title; without a given name, from the file's. Raises CatalogueProblem."""
    release = _NED_LVS_FILE.search(file_name)
    stem = re.sub(r"[^ -~]+", " ", file_name.rpartition(".")[0] or file_name).strip()
    if given is not None:
        try:
            slug = parse_slug(given)
        except ValueError as error:
            raise CatalogueProblem(f"--name {given} can't be used: {error}.") from error
    elif release is not None:
        slug = NED_LVS
    else:
        slug = re.sub(r"[^a-z0-9]+", "-", stem.casefold()).strip("-")[:30].strip("-")
        if not slug:
            raise CatalogueProblem(f"{file_name} makes no name for a catalogue: name it with --name.")
    own = stem if given is None else given.strip()
    title = own if release is None else f"NED-LVS {release[1]}"
    return slug, title[:TITLE_MAX] or slug


def describe(info: CatalogueInfo) -> str:
    """Describe a catalogue."""
    return f"{info.title}, {info.galaxies:,} galaxies to {info.max_distance:,.0f} Mpc"


def _import(
    settings: Settings, folder: Path, file: Path, pieces: Pieces, rows: int | None, slug: str, title: str
) -> None:
    """Import what was opened, and say what became of it. Raises CatalogueProblem."""
    free = shutil.disk_usage(folder).free
    size = f"{file.name}: {file.stat().st_size / 1e6:,.0f} MB"
    if rows is not None:
        # The rows as they come, and once more sorted.
        needed = 2 * rows * ROW.itemsize
        size += f", {rows:,} rows, which take up to {needed / 1e6:,.0f} MB while they are imported"
        if free < needed:
            raise DiskProblem(f"{size}; {folder} has {free / 1e6:,.0f} MB free.")
    terminal.stderr.print(f"{size}; {folder} has {free / 1e6:,.0f} MB free.")
    with terminal.progress_bar("import", rows, TimeRemainingColumn()) as (bar, task):
        result = write_catalogue(
            pieces,
            folder,
            slug,
            title,
            datetime.now(UTC),
            lambda read: bar.update(task, completed=read),
        )
    for line in summarize(result):
        terminal.stdout.print(line)
    terminal.stdout.print(f"It is in {folder}.{_say_used(settings, folder)}")


def summarize(result: ImportResult) -> list[str]:
    """Return lines about what was imported and what was left out."""
    info, left_out = result.info, result.left_out
    reasons = (
        (left_out.no_galaxy, "no galaxies"),
        (left_out.no_position, "without a position"),
        (left_out.no_distance, "without a distance or redshift"),
        (left_out.unreadable, "that couldn't be read"),
    )
    masses = (
        (MassSource.CATALOGUE, "the file's own"),
        (MassSource.K_BAND, "by the magnitude in K"),
        (MassSource.W1_BAND, "by the magnitude in W1"),
        (
            MassSource.MEDIAN,
            f"unknown: the median, 10^{info.median_log_mass:.1f} solar masses, stands for it",
        ),
    )
    lines = [f"{info.slug}: {describe(info)}, {info.galaxies * ROW.itemsize / 1e6:,.0f} MB."]
    out = [f"{count:,} {what}" for count, what in reasons if count]
    lines.append(f"Rows left out: {', '.join(out) if out else 'none'}.")
    known = [f"{result.masses[kind]:,} {what}" for kind, what in masses if result.masses[kind]]
    lines.append(f"Stellar masses: {', '.join(known)}.")
    if result.questionable:
        lines.append(
            f"{result.questionable:,} have a redshift that the file calls questionable; answers say so."
        )
    return lines


def _say_used(settings: Settings, folder: Path) -> str:
    used = slug_in_use(folder, settings.catalogue)
    if used is None:
        return " None is left."
    if used not in catalogue_slugs(folder):
        return f" GWEVENT_CATALOGUE names {used}, which isn't there."
    why = " (GWEVENT_CATALOGUE)" if settings.catalogue is not None else ""
    return f" Used is {used}{why}; a running bot sees that by itself."
