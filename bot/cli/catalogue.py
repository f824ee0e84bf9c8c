"""`gwevent catalogue …`: the commands; `bot.cli.catalogue_job` does the work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.runner import env_file_option, fail, load_settings
from bot.cli.switches import SwitchCommand, SwitchGroup

NED_LVS = "ned-lvs"

app = typer.Typer(
    cls=SwitchGroup,
    help="Catalogues of galaxies, for /gwevent galaxies: import, fetch, list, remove.",
    no_args_is_help=True,
)


def _complete_fetched() -> list[str]:
    return [NED_LVS]


def _complete_installed() -> list[str]:
    """Return the catalogues that are there; none where that can't be told, since a shell shows no error."""
    from bot.app.deployment import open_deployment
    from bot.galaxies.catalogue_index import catalogue_slugs
    from bot.setting_types.catalogues import catalogue_folder
    from bot.settings import SettingsError

    try:
        return catalogue_slugs(catalogue_folder(open_deployment(env_file_option.get()).settings))
    except (SettingsError, OSError):
        return []


@app.command("import", cls=SwitchCommand)
def import_(
    file: Annotated[Path, typer.Argument(help="NED-LVS or another table of galaxies: FITS, CSV, Parquet.")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="What it is called here; else made from the file's name."),
    ] = None,
) -> None:
    """Import a file of galaxies; a catalogue of the same name stays in use until that is done."""
    from bot.cli import catalogue_job

    _run(lambda: catalogue_job.import_file(load_settings(), file, name))


@app.command(cls=SwitchCommand)
def fetch(
    name: Annotated[
        str, typer.Argument(help="ned-lvs: NED's Local Volume Sample.", autocompletion=_complete_fetched)
    ],
    keep: Annotated[bool, typer.Option("--keep", help="Keep the file that was fetched.")] = False,
) -> None:
    """Fetch a catalogue and import it; after an interruption, run it again: it goes on from there."""
    from bot.cli import catalogue_job

    if name.casefold() != NED_LVS:
        fail(f"Only {NED_LVS} can be fetched; any other file of galaxies: gwevent catalogue import FILE.")
    _run(lambda: catalogue_job.fetch_ned_lvs(load_settings(), keep=keep))


@app.command("list", cls=SwitchCommand)
def list_() -> None:
    """List the catalogues, and say which one is used. Exit status 1: that one can't be read."""
    from bot.cli import catalogue_job

    if not catalogue_job.print_catalogues(load_settings()):
        raise typer.Exit(1)


@app.command(cls=SwitchCommand)
def remove(
    name: Annotated[str, typer.Argument(help="Its name in the list.", autocompletion=_complete_installed)],
) -> None:
    """Remove a catalogue from the disk."""
    from bot.cli import catalogue_job

    _run(lambda: catalogue_job.remove(load_settings(), name))


def _run(work: Callable[[], None]) -> None:
    """Do the work; expected failures exit with one sentence."""
    from bot.galaxies.catalogue_index import CatalogueProblem

    try:
        work()
    except CatalogueProblem as problem:
        fail(str(problem))
    except KeyboardInterrupt:
        typer.echo("gwevent: Stopped; what was there before stays.", err=True)
        raise typer.Exit(130) from None
