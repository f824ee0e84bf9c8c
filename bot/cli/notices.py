"""Commands that read notices or the store and print: show, preview, ask, samples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.runner import fail, load_settings, run_async, write_output

if TYPE_CHECKING:
    from formatters.models.notice import Notice


class OutputFormat(StrEnum):
    """The formats in which `preview` prints a message."""

    TEXT = "text"
    BLOCKS = "blocks"
    PNG = "png"


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


def preview(
    files: Annotated[list[Path], typer.Argument(help="The notices of one superevent, in any order.")],
    form: Annotated[OutputFormat, typer.Option("--format", help="What to print.")] = OutputFormat.TEXT,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Write there instead.")] = None,
) -> None:
    """Show what a channel would receive after these notices."""
    from bot.cli.preview import PreviewError, build_superevent, render_messages, write_image

    notices = [_decode_or_fail(file) for file in files]
    try:
        superevent = build_superevent(notices)
        if form is OutputFormat.PNG:
            typer.echo(write_image(superevent, files[notices.index(superevent.latest)], out))
            return
    except PreviewError as error:
        fail(str(error))
    left_out = len(notices) - len(superevent.notices)
    if left_out:
        typer.echo(f"gwevent: {left_out} left out: another file has its type and time.", err=True)
    paths = dict(zip([notice.key for notice in reversed(notices)], reversed(files), strict=True))
    text = render_messages(superevent, paths, as_json=form is OutputFormat.BLOCKS)
    write_output(text + "\n", out)


def ask(
    words: Annotated[list[str], typer.Argument(help='What one would type after /gwevent, e.g. "latest".')],
) -> None:
    """Answer a slash command's text on the terminal, from the store. Exit status 1: there is no answer."""
    from bot.app.factory import open_factory, utc_now
    from bot.app.gracedb_importer import create_gracedb_importer
    from formatters.terminal import message_text

    settings = load_settings()

    async def work() -> bool:
        async with open_factory(settings, create=False) as factory:
            importer = create_gracedb_importer(settings, factory, utc_now)
            router = factory.create_command_router(utc_now, importer=importer)
            try:
                answer = await router.dispatch(" ".join(words), None)
                typer.echo(message_text.render(answer))
                return answer.is_refusal
            finally:
                if importer is not None:
                    await importer.close()

    if run_async(work()):
        raise typer.Exit(1)


def samples(directory: Annotated[Path, typer.Argument(help="Folder to write to; made if missing.")]) -> None:
    """Write sample notices as files, each as Avro and as JSON."""
    from bot.samples import write_samples

    try:
        paths = write_samples(directory, datetime.now(UTC))
    except OSError as error:
        fail(f"{directory} can't be written: {error.strerror}.")
    for path in paths:
        typer.echo(str(path))


def _decode_or_fail(file: Path) -> Notice:
    from bot.cli.preview import PreviewError, decode_file

    try:
        return decode_file(file)
    except PreviewError as error:
        fail(str(error))
