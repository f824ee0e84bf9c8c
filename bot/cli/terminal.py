"""The consoles and progress bars of commands that take a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from bot.runtime.standard_streams import TerminalConsole

# File names and reasons are printed as they are: brackets and colons in them are no markup.
stdout = TerminalConsole(highlight=False, soft_wrap=True, markup=False, emoji=False)
stderr = TerminalConsole(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


@contextmanager
def progress_bar(
    description: str, total: int | None, *more_columns: ProgressColumn
) -> Iterator[tuple[Progress, TaskID]]:
    """Show a progress bar with one task on standard error; it vanishes at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *more_columns,
    )
    with Progress(*columns, console=stderr, transient=True) as progress:
        yield progress, progress.add_task(description, total=total)


@contextmanager
def byte_progress_bar(description: str) -> Iterator[tuple[Progress, TaskID]]:
    """Show a progress bar of bytes, whose total may come later, on standard error; it vanishes at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as progress:
        yield progress, progress.add_task(description, total=None)
