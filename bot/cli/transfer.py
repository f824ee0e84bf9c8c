"""`gwevent export` and `gwevent import`: the commands; `bot.cli.channel_file` has the file's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.runner import fail, load_settings, run_async, write_output

if TYPE_CHECKING:
    from bot.store.channels.bulk_transfer import ImportResult


def export(
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Write there instead.")] = None,
) -> None:
    """Write what every channel asked for as JSON: subscriptions and sites, for `gwevent import`."""
    from bot.app.deployment import displayed_url
    from bot.app.factory import open_factory
    from bot.cli import channel_file
    from bot.settings import SettingsError

    settings = load_settings()

    async def work() -> str:
        async with open_factory(settings, create=False) as factory:
            channels = await factory.channel_transfer.export()
            if not channels and await factory.channel_transfer.is_unused():
                # An empty file would pass for a backup.
                raise SettingsError(
                    f"The database {displayed_url(settings.effective_database_url)} was never a bot's: no "
                    "notice came, no channel asked for anything: there is nothing to export. Name the bot's "
                    "settings with --env-file."
                )
            return channel_file.dumps(channels)

    write_output(run_async(work()), out)


def import_(file: Annotated[Path, typer.Argument(help="What gwevent export wrote.")]) -> None:
    """Activate what `gwevent export` wrote; a channel that gets something new by it has a post, once."""
    from bot.app.factory import open_factory, utc_now
    from bot.cli import channel_file
    from bot.store.channels.sites import TooManySites
    from formatters.models.observing import SITES_MAX

    try:
        channels = channel_file.loads(file.read_text("utf-8"))
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}.")
    except UnicodeDecodeError:
        fail(f"{file} can't be imported: it isn't text.")
    except channel_file.InvalidExportFile as error:
        fail(f"{file} can't be imported: {error}.")
    settings = load_settings()

    async def work() -> ImportResult:
        async with open_factory(settings) as factory:
            return await factory.channel_transfer.import_channels(channels, utc_now())

    try:
        imported = run_async(work())
    except TooManySites:
        fail(f"{file} can't be imported: a channel would have more than {SITES_MAX} sites.")
    typer.echo(
        f"Channels: {imported.channels}; subscriptions activated: {imported.subscriptions}, "
        f"active already: {imported.already_known}; sites: {imported.sites}."
    )
