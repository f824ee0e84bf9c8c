"""`gwevent export` and `gwevent import`: the commands; `bot.cli.channel_file` has the file's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.runner import fail, load_settings, run_async, write_output

if TYPE_CHECKING:
    from bot.store.channels.bulk_transfer import TransferResult


def export(
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Write there instead.")] = None,
) -> None:
    """Write what people asked for as JSON: subscriptions, sites, criteria sets, for `gwevent import`."""
    from bot.app.deployment import displayed_url
    from bot.app.factory import open_factory
    from bot.cli import channel_file
    from bot.settings import SettingsError

    settings = load_settings()

    async def work() -> str:
        async with open_factory(settings, create=False) as factory:
            given = await factory.channel_transfer.export()
            if not given.channels and await factory.channel_transfer.is_unused():
                # An empty file would pass for a backup.
                raise SettingsError(
                    f"The database {displayed_url(settings.effective_database_url)} was never a bot's: no "
                    "notice came, no channel asked for anything: there is nothing to export. Name the bot's "
                    "settings with --env-file."
                )
            return channel_file.dumps(given)

    write_output(run_async(work()), out)


def import_(
    file: Annotated[Path, typer.Argument(help="What gwevent export wrote.")],
    replace_criteria: Annotated[
        bool,
        typer.Option("--replace-criteria", help="Give criteria sets that are there the file's grades."),
    ] = False,
) -> None:
    """Activate what `gwevent export` wrote; a channel that gets something new by it has a post, once."""
    from bot.app.factory import open_factory, utc_now
    from bot.cli import channel_file
    from bot.store.channels.bulk_transfer import InvalidReference
    from bot.store.channels.criteria_sets import CriteriaSetInUse, TooManyCriteriaSets
    from bot.store.channels.sites import TooManySites
    from formatters.models.criteria_set import SETS_MAX
    from formatters.models.observing import SITES_MAX

    try:
        given = channel_file.loads(file.read_text("utf-8"))
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}.")
    except UnicodeDecodeError:
        fail(f"{file} can't be imported: it isn't text.")
    except channel_file.InvalidExportFile as error:
        fail(f"{file} can't be imported: {error}.")
    settings = load_settings()

    async def work() -> TransferResult:
        async with open_factory(settings) as factory:
            return await factory.channel_transfer.import_channels(
                given, utc_now(), replace_sets=replace_criteria
            )

    try:
        imported = run_async(work())
    except TooManySites:
        fail(f"{file} can't be imported: a channel would have more than {SITES_MAX} sites.")
    except TooManyCriteriaSets:
        fail(f"{file} can't be imported: a workspace would have more than {SETS_MAX} criteria sets.")
    except InvalidReference as error:
        fail(f"{file} can't be imported: {error}")
    except CriteriaSetInUse as error:
        used = ", ".join(f"{use.channel_id} (subscription {use.number})" for use in error.uses)
        fail(f"{file} can't be imported: it lacks the grade {', '.join(error.grades)}, which {used} names.")
    typer.echo(
        f"Channels: {imported.channels}; subscriptions activated: {imported.subscriptions}, "
        f"active already: {imported.already_known}; sites: {imported.sites}"
        + (f"; criteria sets: {imported.criteria_sets}." if given.criteria_sets else ".")
    )
    for team_id, slug in imported.kept_sets:
        typer.echo(
            f"The criteria set {slug} of {team_id} has other grades than the file's and was kept; "
            "--replace-criteria takes the file's."
        )
