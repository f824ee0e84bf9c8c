"""`gwevent backfill`: the store filled from GraceDB, with a progress bar."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bot.app.factory import create_gracedb_importer, open_factory, utc_now
from bot.gracedb.backfill import REQUEST_INTERVAL_S, Backfill
from bot.gracedb.backfill import Progress as Filled
from bot.gracedb.client import GraceDbError
from bot.runtime.standard_streams import TerminalConsole
from bot.settings import Settings, SettingsError

_out = TerminalConsole(highlight=False, soft_wrap=True, markup=False, emoji=False)
_err = TerminalConsole(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


async def run_backfill(settings: Settings, since: date, until: date | None, *, lowsig: bool) -> bool:
    """Store what GraceDB has of that time; return whether all that it lists could be read.

    Raises SettingsError where GraceDB is switched off, GraceDbError where it can't be asked any more;
    what was stored until then stays.
    """
    async with open_factory(settings) as factory:
        archive = create_gracedb_importer(settings, factory, utc_now, pace_s=REQUEST_INTERVAL_S)
        if archive is None:
            raise SettingsError("GWEVENT_GRACEDB_URL is off, so there is nothing to fill the store from.")
        filled = Filled()
        try:
            with _progress_bar() as show:

                def tell(progress: Filled) -> None:
                    nonlocal filled
                    filled = progress
                    show(progress)

                filled = await Backfill(archive, factory.gracedb_lookups, utc_now).run(
                    since, until, lowsig=lowsig, on_progress=tell
                )
        except (GraceDbError, asyncio.CancelledError):
            if filled.processed:
                _err.print(f"{_summarize(filled)}; run it again to go on.")
            raise
        finally:
            await archive.close()
    _out.print(f"{_summarize(filled)}.")
    return not filled.unreadable


def _summarize(filled: Filled) -> str:
    said = [
        f"{filled.processed} of {filled.total} superevents",
        f"{filled.imported} looked up",
        f"{filled.notices} notices new",
        f"{filled.already_known} known before",
    ]
    if filled.skipped_low_significance:
        said.append(f"{filled.skipped_low_significance} of low significance passed over")
    if filled.unreadable:
        said.append(f"{filled.unreadable} that GraceDB doesn't give")
    return ", ".join(said)


@contextmanager
def _progress_bar() -> Iterator[Callable[[Filled], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err, transient=True) as progress:
        task = progress.add_task("backfill", total=None)

        def show(filled: Filled) -> None:
            said = f"backfill {filled.current} {filled.problem}".strip()
            progress.update(task, description=said, completed=filled.processed, total=filled.total or None)

        yield show
