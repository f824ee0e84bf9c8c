"""The command line: `gwevent …`. Each command's module is listed here, in the order of `gwevent --help`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot import __version__
from bot.cli import (
    backfill,
    catalogue,
    demo,
    doctor,
    keys,
    notices,
    people,
    replay,
    runner,
    service,
    transfer,
)
from bot.cli.switches import SwitchCommand, SwitchGroup
from bot.runtime import standard_streams

app = typer.Typer(
    name="gwevent",
    cls=SwitchGroup,
    help="LIGO/Virgo/KAGRA public alerts in Slack.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command(cls=SwitchCommand)(service.run)
app.command(cls=SwitchCommand)(service.consume)
app.command(cls=SwitchCommand)(service.serve)
app.command(cls=SwitchCommand)(demo.demo)
app.command(cls=SwitchCommand)(notices.show)
app.command(cls=SwitchCommand)(notices.preview)
# A declination (-17:51:25) begins like an option.
app.command(cls=SwitchCommand, context_settings={"ignore_unknown_options": True})(notices.ask)
app.command(cls=SwitchCommand)(replay.replay)
app.command(cls=SwitchCommand)(backfill.backfill)
app.command(cls=SwitchCommand)(doctor.doctor)
app.command(cls=SwitchCommand)(keys.new_key)
app.command(cls=SwitchCommand)(keys.rotate_keys)
app.command(cls=SwitchCommand)(service.migrate)
app.command(cls=SwitchCommand)(transfer.export)
app.command("import", cls=SwitchCommand)(transfer.import_)
app.command(cls=SwitchCommand)(people.audit)
app.command(cls=SwitchCommand)(people.forget_person)
app.command(cls=SwitchCommand)(notices.samples)
app.add_typer(catalogue.app, name="catalogue")


def main() -> None:
    """Run a command. Every expected failure is one sentence on standard error and exit status 2."""
    standard_streams.prepare_streams()
    out, file = sys.stdout, os.fstat(1)
    try:
        app()
    except SystemExit:
        if sys.stdout is not out or not os.path.samestat(file, os.fstat(1)):
            # Typer, or rich for the help, replaced it after a broken pipe: the reader, like `head`, has seen
            # enough.
            raise SystemExit(0) from None
        raise


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"gwevent {__version__}")
        raise typer.Exit


@app.callback()
def _root_callback(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file",
            help="The settings file; GWEVENT_ENV_FILE names it too. Default: .env in this folder.",
        ),
    ] = None,
) -> None:
    """LIGO/Virgo/KAGRA public alerts in Slack."""
    runner.env_file_option.set(env_file)


if __name__ == "__main__":
    main()
