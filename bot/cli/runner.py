"""Shared by all commands: settings, errors as one sentence, the event loop, and signals.

Heavy modules are imported inside the functions of `bot.cli`, so that `gwevent --help` answers at once.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from bot.app.deployment import Deployment
    from bot.settings import Settings

T = TypeVar("T")

env_file_option: ContextVar[Path | None] = ContextVar("env_file_option", default=None)
"""The settings file given with `--env-file`."""


def fail(sentence: str) -> NoReturn:
    """Print one sentence on standard error and exit with status 2."""
    typer.echo(f"gwevent: {sentence}", err=True)
    raise typer.Exit(2)


def load_settings() -> Settings:
    """Return the settings for a one-off command; their origin is printed on standard error."""
    return load_deployment(quiet=False).settings


def load_deployment(*, quiet: bool) -> Deployment:
    """Read the settings file and the environment; exit with one sentence if they are invalid.

    Unless `quiet`, print unknown settings and which settings file and database are used: a service logs these
    itself (`bot.app.startup`).
    """
    from bot.app.deployment import open_deployment, setting_problems
    from bot.settings import SettingsError

    try:
        deployment = open_deployment(env_file_option.get())
        description = deployment.description
    except SettingsError as error:
        fail(str(error))
    if not quiet:
        for problem, advice in setting_problems(deployment.env_file):
            typer.echo(f"gwevent: {problem} {advice}", err=True)
        typer.echo(f"gwevent: {description}.", err=True)
    return deployment


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a one-off command to its end; expected errors exit with one sentence. Only warnings are logged."""
    from bot import logs

    logs.configure("WARNING", "console")
    return _run(work)


def run_service(work: Coroutine[Any, Any, None], deployment: Deployment, command: str) -> None:
    """Run the long-lived process `command`, with a log; expected errors exit with one sentence."""
    from bot import logs
    from bot.app.startup import initialize_process
    from bot.runtime.threads import exit_if_any_hangs

    def finalize() -> None:
        # Before the sentence that says why it ends.
        logs.flush()
        exit_if_any_hangs()

    initialize_process(deployment, command)
    _run(_with_finalizer(work, finalize))


def _run(work: Coroutine[Any, Any, T]) -> T:
    from bot.gracedb.client import GraceDbError
    from bot.settings import SettingsError
    from bot.sources.base import SourceConfigError
    from bot.store.database import InvalidDatabaseUrl, StoreUnavailable

    try:
        return asyncio.run(work)
    except (SettingsError, SourceConfigError, InvalidDatabaseUrl, StoreUnavailable, GraceDbError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _with_finalizer(work: Coroutine[Any, Any, T], finalize: Callable[[], None]) -> T:
    try:
        return await work
    finally:
        finalize()


def write_output(text: str, out: Path | None) -> None:
    """Print `text`, or write it to the file `out`; exit with one sentence if the file can't be written."""
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{out} can't be written: {error.strerror}.")


def install_signal_handlers() -> asyncio.Event:
    """Return an event that SIGTERM, SIGINT and SIGHUP set; SIGHUP unless it is ignored, as under `nohup`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, stop.set)
    return stop


async def run_until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, or cancel it at the first signal and wait until it has cleaned up."""
    stop = install_signal_handlers()
    running, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if running.done():
        running.result()
        return
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
