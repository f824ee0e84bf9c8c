"""`gwevent backfill`: the command; `bot.cli.backfill_job` does the work."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from bot.cli.runner import fail, load_settings, run_async


def backfill(
    since: Annotated[str, typer.Option("--since", help="First day, like 2023-05-01 (UTC).")],
    until: Annotated[str | None, typer.Option("--until", help="Last day; today if not named.")] = None,
    lowsig: Annotated[bool, typer.Option("--lowsig", help="Events of low significance too.")] = False,
) -> None:
    """Fill the store from GraceDB; run again after an interruption, it continues."""
    from bot.cli.backfill_job import run_backfill

    first, last = _parse_day("--since", since), None if until is None else _parse_day("--until", until)
    if last is not None and last < first:
        fail("--until lies before --since.")
    if not run_async(run_backfill(load_settings(), first, last, lowsig=lowsig)):
        raise typer.Exit(1)


def _parse_day(option: str, given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        fail(f"{option} must be a day like 2023-05-01.")
