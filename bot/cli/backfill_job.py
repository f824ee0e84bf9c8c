"""Fill the store from GraceDB, with a progress bar."""

from __future__ import annotations

import asyncio
from datetime import date

from rich.progress import TimeRemainingColumn

from bot.app.factory import open_factory, utc_now
from bot.app.gracedb_importer import create_gracedb_importer
from bot.cli import terminal
from bot.gracedb.backfill import REQUEST_INTERVAL_S, Backfill, Progress
from bot.gracedb.client import GraceDbError
from bot.settings import Settings, SettingsError


async def run_backfill(settings: Settings, since: date, until: date | None, *, lowsig: bool) -> bool:
    """Store the superevents that GraceDB lists for these days; return True if all of them could be read.

    Raises SettingsError if GraceDB is switched off, and GraceDbError if it stops answering; what was stored
    until then stays.
    """
    async with open_factory(settings) as factory:
        importer = create_gracedb_importer(settings, factory, utc_now, pace_s=REQUEST_INTERVAL_S)
        if importer is None:
            raise SettingsError("GWEVENT_GRACEDB_URL is off, so there is nothing to fill the store from.")
        progress = Progress()
        try:
            with terminal.progress_bar("backfill", None, TimeRemainingColumn()) as (bar, task):

                def on_progress(new: Progress) -> None:
                    nonlocal progress
                    progress = new
                    bar.update(
                        task,
                        description=f"backfill {new.current} {new.problem}".strip(),
                        completed=new.processed,
                        total=new.total or None,
                    )

                progress = await Backfill(importer, factory.gracedb_lookups, utc_now).run(
                    since, until, lowsig=lowsig, on_progress=on_progress
                )
        except (GraceDbError, asyncio.CancelledError):
            if progress.processed:
                terminal.stderr.print(f"{_summarize(progress)}; run it again to go on.")
            raise
        finally:
            await importer.close()
    terminal.stdout.print(f"{_summarize(progress)}.")
    return not progress.unreadable


def _summarize(progress: Progress) -> str:
    parts = [
        f"{progress.processed} of {progress.total} superevents",
        f"{progress.imported} looked up",
        f"{progress.notices} notices new",
        f"{progress.already_known} known before",
    ]
    if progress.skipped_low_significance:
        parts.append(f"{progress.skipped_low_significance} of low significance passed over")
    if progress.unreadable:
        parts.append(f"{progress.unreadable} that GraceDB doesn't give")
    return ", ".join(parts)
