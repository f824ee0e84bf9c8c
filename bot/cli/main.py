"""The command line: `gwevent …`."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from bot import __version__
from bot.runtime import standard_streams

if TYPE_CHECKING:
    from bot.app.deployment import Deployment
    from bot.settings import Settings
    from bot.store.channels.bulk_transfer import ImportResult
    from formatters.models.notice import Notice

T = TypeVar("T")

app = typer.Typer(
    name="gwevent",
    help="LIGO/Virgo/KAGRA public alerts in Slack.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class OutputFormat(StrEnum):
    """How `preview` shows a message."""

    TEXT = "text"
    BLOCKS = "blocks"
    PNG = "png"


_env_file_option: ContextVar[Path | None] = ContextVar("_named", default=None)
"""The settings file that `--env-file` names."""


def main() -> None:
    """The door: whatever can be foreseen is one sentence on standard error and exit status 2."""
    standard_streams.prepare_streams()
    out = sys.stdout
    try:
        app()
    except SystemExit:
        if sys.stdout is not out:
            # Typer put something else in its place: who read it has seen enough, as `head` does.
            raise SystemExit(0) from None
        raise


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"gwevent: {sentence}", err=True)
    raise typer.Exit(2)


def _print_version(asked: bool) -> None:
    if asked:
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
    _env_file_option.set(env_file)


@app.command()
def run() -> None:
    """Run everything in one process: the consumer, the deliveries, and the answers in Slack."""
    from bot.app.application import Application
    from bot.app.factory import open_factory
    from bot.settings import SettingsError
    from bot.sources.factory import create_sources

    deployment = _open_deployment(quiet=True)
    settings = deployment.settings

    async def work() -> None:
        stop = _install_signal_handlers()
        sources = create_sources(settings)
        async with open_factory(settings) as factory:
            if (reason := factory.database.why_path_is_aliased()) is not None:
                raise SettingsError(reason)
            if not factory.database.acquire_instance_lock():
                raise SettingsError(f"Another gwevent runs on {factory.database.path} already.")
            bot = Application(settings, factory, sources)
            _freeze_garbage_collector()
            await bot.run(stop)

    _run_async(work(), deployment, "run")


@app.command()
def consume() -> None:
    """Read the broker only: any number of processes on one PostgreSQL, each in a group of its own."""
    from bot.app.consumer_application import run_consumers as read
    from bot.app.factory import open_factory
    from bot.sources.factory import create_sources

    deployment = _open_deployment(quiet=True)
    settings = deployment.settings

    async def work() -> None:
        stop = _install_signal_handlers()
        sources = create_sources(settings)
        async with open_factory(settings) as factory:
            await read(settings, factory, sources, stop)

    _run_async(work(), deployment, "consume")


@app.command()
def serve() -> None:
    """Deliver and answer in Slack only: any number of processes on one PostgreSQL."""
    from bot.app.application import Application
    from bot.app.consumer_application import NEEDS_POSTGRESQL
    from bot.app.factory import open_factory
    from bot.settings import SettingsError

    deployment = _open_deployment(quiet=True)
    settings = deployment.settings

    async def work() -> None:
        stop = _install_signal_handlers()
        async with open_factory(settings) as factory:
            if factory.database.is_sqlite:
                raise SettingsError(NEEDS_POSTGRESQL.format("serve"))
            bot = Application(settings, factory, [])
            _freeze_garbage_collector()
            await bot.run(stop)

    _run_async(work(), deployment, "serve")


@app.command()
def demo(
    once: Annotated[
        bool,
        typer.Option("--once", help="Play the story without waiting, print what each channel got, exit."),
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 8017,
) -> None:
    """Run all of it on embedded parts: a broker, a local Slack with a page, sample notices."""
    from bot.demo.story_player import DemoFailed, play_once, serve

    try:
        _run_async(play_once() if once else serve(port))
    except DemoFailed as error:
        typer.echo(f"gwevent: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A notice: Avro or JSON, told apart by its content.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a notice file as facts."""
    from formatters.terminal import notice_text

    notice = _decode_or_fail(file)
    if as_json:
        typer.echo(json.dumps(notice_text.to_show_json(notice), ensure_ascii=False, indent=2))
    else:
        typer.echo(notice_text.to_text(notice))


@app.command()
def preview(
    files: Annotated[list[Path], typer.Argument(help="The notices of one superevent, in any order.")],
    form: Annotated[OutputFormat, typer.Option("--format", help="What to print.")] = OutputFormat.TEXT,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Write there instead.")] = None,
) -> None:
    """Show what a channel would receive after these notices."""
    from bot.cli import notices as previewing
    from bot.cli.notices import PreviewError

    notices = [_decode_or_fail(file) for file in files]
    try:
        superevent = previewing.build_superevent(notices)
        if form is OutputFormat.PNG:
            said = previewing.write_image(superevent, files[notices.index(superevent.latest)], out)
            typer.echo(said)
            return
    except PreviewError as error:
        _fail(str(error))
    left_out = len(notices) - len(superevent.notices)
    if left_out:
        typer.echo(f"gwevent: {left_out} left out: another file has its type and time.", err=True)
    paths = dict(zip([notice.key for notice in reversed(notices)], reversed(files), strict=True))
    said = previewing.render_messages(superevent, paths, as_json=form is OutputFormat.BLOCKS)
    if out is None:
        typer.echo(said)
        return
    try:
        out.write_text(said + "\n", encoding="utf-8")
    except OSError as error:
        _fail(f"{out} can't be written: {error.strerror}.")


def _decode_or_fail(file: Path) -> Notice:
    from bot.cli.notices import PreviewError, decode_file

    try:
        return decode_file(file)
    except PreviewError as error:
        _fail(str(error))


@app.command()
def ask(
    words: Annotated[list[str], typer.Argument(help='What one would type after /gwevent, e.g. "latest".')],
) -> None:
    """Answer a slash command's text on the terminal, from the store."""
    from bot.app.factory import create_gracedb_importer, open_factory, utc_now
    from formatters.terminal import message_text

    settings = _load_settings()

    async def work() -> None:
        async with open_factory(settings, create=False) as factory:
            archive = create_gracedb_importer(settings, factory, utc_now)
            answers = factory.create_command_router(utc_now, importer=archive)
            try:
                typer.echo(message_text.render(await answers.dispatch(" ".join(words), None)))
            finally:
                if archive is not None:
                    await archive.close()

    _run_async(work())


@app.command()
def replay(
    paths: Annotated[list[Path] | None, typer.Argument(help="Notice files, or folders of them.")] = None,
    post: Annotated[bool, typer.Option("--post", help="Deliver, as if they came from the broker.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be stored.")] = False,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Try the quarantined payloads again.")
    ] = False,
) -> None:
    """Feed files through the pipeline into the store."""
    from bot.cli.replay import describe_files, replay_files, replay_quarantine

    if quarantine == bool(paths):
        _fail("Name files or folders, or --quarantine, and not both.")
    if post and dry_run:
        _fail("--post delivers and --dry-run doesn't: choose one.")
    for path in paths or []:
        if not path.exists():
            _fail(f"{path} doesn't exist.")
    if paths and dry_run:
        ok = describe_files(paths)
    else:
        settings = _load_settings()
        ok = _run_async(
            replay_quarantine(settings, post, dry_run) if not paths else replay_files(settings, paths, post)
        )
    if not ok:
        raise typer.Exit(1)


@app.command()
def backfill(
    since: Annotated[str, typer.Option("--since", help="First day, like 2023-05-01 (UTC).")],
    until: Annotated[str | None, typer.Option("--until", help="Last day; today if not named.")] = None,
    lowsig: Annotated[bool, typer.Option("--lowsig", help="Events of low significance too.")] = False,
) -> None:
    """Fill the store from GraceDB; broken off, it goes on where it was when it is run again."""
    from bot.cli.backfill import run_backfill

    first, last = _parse_day("--since", since), None if until is None else _parse_day("--until", until)
    if last is not None and last < first:
        _fail("--until lies before --since.")
    if not _run_async(run_backfill(_load_settings(), first, last, lowsig=lowsig)):
        raise typer.Exit(1)


@app.command()
def doctor(
    post: Annotated[
        str | None,
        typer.Option("--post", metavar="CHANNEL", help="Also post a TEST message in this channel (its id)."),
    ] = None,
) -> None:
    """Check all of a deployment; say what to do about each finding."""
    from bot.doctor import sample_post
    from bot.doctor.checks import run_checks
    from formatters.terminal import findings as words

    if post is not None and not re.fullmatch(r"[CG][A-Z0-9]{2,}", post):
        _fail("--post needs a channel's id, like C0123456789 (a channel's details end with it).")
    deployment = _open_deployment(quiet=False)
    settings = deployment.settings
    findings = _run_async(run_checks(settings, deployment.env_file))
    if post is not None:
        findings.append(_run_async(sample_post.post_sample(settings, post)))
    typer.echo(words.format_findings(findings))
    if any(finding.level is words.Level.FAIL for finding in findings):
        raise typer.Exit(1)


@app.command()
def new_key() -> None:
    """Make a key for GWEVENT_SECRET_KEYS."""
    from bot.slack import token_cipher

    try:
        typer.echo(token_cipher.generate_key())
    except token_cipher.InvalidKeys as error:
        _fail(str(error))


@app.command()
def rotate_keys() -> None:
    """Encrypt the stored tokens of all workspaces anew, with the first of GWEVENT_SECRET_KEYS."""
    from bot.app.factory import open_factory
    from bot.settings import SettingsError
    from bot.slack.token_cipher import InvalidKeys, TokenCipher

    settings = _load_settings()

    async def work() -> None:
        if not settings.token_keys:
            raise SettingsError("GWEVENT_SECRET_KEYS isn't set, so there is nothing to encrypt with.")
        try:
            vault = TokenCipher([key.get_secret_value() for key in settings.token_keys])
            async with open_factory(settings, create=False) as factory:
                count = await factory.installations.reencrypt_tokens(vault.rotate)
        except InvalidKeys as error:
            raise SettingsError(str(error)) from error
        typer.echo(f"{count} tokens are encrypted with the first key; the others aren't needed any more.")

    _run_async(work())


@app.command()
def migrate() -> None:
    """Bring the database to this version's tables."""
    from bot.store.database import Database

    settings = _load_settings()

    async def work() -> None:
        database = Database(settings.effective_database_url)
        try:
            await database.migrate()
        finally:
            await database.close()

    _run_async(work())
    typer.echo("The database is at this version.")


@app.command()
def export(
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Write there instead.")] = None,
) -> None:
    """Write what every channel asked for as JSON: subscriptions and sites, for `gwevent import`."""
    from bot.app.deployment import displayed_url
    from bot.app.factory import open_factory
    from bot.cli import channel_file
    from bot.settings import SettingsError

    settings = _load_settings()

    async def work() -> str:
        async with open_factory(settings, create=False) as factory:
            channels = await factory.channel_transfer.export()
            if not channels and await factory.channel_transfer.is_unused():
                # An empty file would pass for a backup.
                raise SettingsError(
                    f"The database {displayed_url(settings.effective_database_url)} was never a bot's: no notice came, no channel "
                    "asked for anything: there is nothing to export. Name the bot's settings with --env-file."
                )
            return channel_file.dumps(channels)

    said = _run_async(work())
    if out is None:
        typer.echo(said, nl=False)
        return
    try:
        out.write_text(said, encoding="utf-8")
    except OSError as error:
        _fail(f"{out} can't be written: {error.strerror}.")


@app.command("import")
def import_(file: Annotated[Path, typer.Argument(help="What gwevent export wrote.")]) -> None:
    """Put in force what `gwevent export` wrote; who has something new by it is told, once and not twice."""
    from bot.app.factory import open_factory, utc_now
    from bot.cli import channel_file
    from bot.store.channels.sites import TooManySites
    from formatters.models.observing import SITES_MAX

    try:
        channels = channel_file.loads(file.read_text("utf-8"))
    except OSError as error:
        _fail(f"{file} can't be read: {error.strerror}.")
    except UnicodeDecodeError:
        _fail(f"{file} can't be imported: it isn't text.")
    except channel_file.InvalidExportFile as error:
        _fail(f"{file} can't be imported: {error}.")
    settings = _load_settings()

    async def work() -> ImportResult:
        async with open_factory(settings) as factory:
            return await factory.channel_transfer.import_channels(channels, utc_now())

    try:
        taken = _run_async(work())
    except TooManySites:
        _fail(f"{file} can't be imported: a channel would have more than {SITES_MAX} sites.")
    typer.echo(
        f"Channels: {taken.channels}; subscriptions put in force: {taken.subscriptions}, "
        f"in force already: {taken.already_known}; sites: {taken.sites}."
    )


@app.command()
def samples(directory: Annotated[Path, typer.Argument(help="Folder to write to; made if missing.")]) -> None:
    """Write sample notices as files, each as Avro and as JSON."""
    from bot.samples import write_samples

    try:
        paths = write_samples(directory, datetime.now(UTC))
    except OSError as error:
        _fail(f"{directory} can't be written: {error.strerror}.")
    for path in paths:
        typer.echo(str(path))


def _parse_day(option: str, given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        _fail(f"{option} must be a day like 2023-05-01.")


def _load_settings() -> Settings:
    """The settings of a tool, which says on standard error where they and its data come from."""
    return _open_deployment(quiet=False).settings


def _open_deployment(*, quiet: bool) -> Deployment:
    from bot.app.deployment import open_deployment, setting_problems
    from bot.settings import SettingsError

    try:
        deployment = open_deployment(_env_file_option.get())
        said = deployment.description
    except SettingsError as error:
        _fail(str(error))
    if not quiet:
        for wrong, advice in setting_problems(deployment.env_file):
            typer.echo(f"gwevent: {wrong} {advice}", err=True)
        typer.echo(f"gwevent: {said}.", err=True)
    return deployment


def _run_async(work: Coroutine[Any, Any, T], deployment: Deployment | None = None, command: str = "") -> T:
    """Run to the end; what can be foreseen ends in one sentence.

    `bot` is given for what runs for ever, with the command's name: it has a log.
    """
    from bot import logs
    from bot.gracedb.client import GraceDbError
    from bot.settings import SettingsError
    from bot.sources.base import SourceConfigError
    from bot.store.database import InvalidDatabaseUrl, StoreUnavailable

    if deployment is None:
        logs.configure("WARNING", "console")
    else:
        from bot.app.startup import initialize_process
        from bot.runtime.threads import exit_if_any_hangs

        initialize_process(deployment, command)
        work = _with_finalizer(work, exit_if_any_hangs)
    try:
        return asyncio.run(work)
    except (SettingsError, SourceConfigError, InvalidDatabaseUrl, StoreUnavailable, GraceDbError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _with_finalizer(work: Coroutine[Any, Any, T], last: Callable[[], None]) -> T:
    try:
        return await work
    finally:
        last()


def _freeze_garbage_collector() -> None:
    """Keep the collector from what is imported by now, which stays for ever.

    Looked through again and again, it held up everything, commands among it, for 0.12 s each time.
    """
    gc.collect()
    gc.freeze()


def _install_signal_handlers() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    return stop


if __name__ == "__main__":
    main()
