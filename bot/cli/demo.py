"""`gwevent demo`: play the story on embedded parts."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.runner import run_async, run_until_signalled


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
        run_async(play_once() if once else run_until_signalled(serve(port)))
    except DemoFailed as error:
        typer.echo(f"gwevent: {error}", err=True)
        raise typer.Exit(1) from None
