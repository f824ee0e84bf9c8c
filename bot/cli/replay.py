"""`gwevent replay`: the command; `bot.cli.replay_job` does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.runner import fail, load_settings, run_async


def replay(
    paths: Annotated[list[Path] | None, typer.Argument(help="Notice files, or folders of them.")] = None,
    post: Annotated[bool, typer.Option("--post", help="Deliver, as if they came from the broker.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be stored.")] = False,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Try the quarantined payloads again.")
    ] = False,
) -> None:
    """Feed files through the pipeline into the store."""
    from bot.cli.replay_job import describe_files, replay_files, replay_quarantine

    if quarantine == bool(paths):
        fail("Name files or folders, or --quarantine, and not both.")
    if post and dry_run:
        fail("--post delivers and --dry-run doesn't: choose one.")
    for path in paths or []:
        if not path.exists():
            fail(f"{path} doesn't exist.")
    if paths and dry_run:
        ok = describe_files(paths)
    else:
        settings = load_settings()
        ok = run_async(
            replay_quarantine(settings, post, dry_run) if not paths else replay_files(settings, paths, post)
        )
    if not ok:
        raise typer.Exit(1)
