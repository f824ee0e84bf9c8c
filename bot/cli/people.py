"""`gwevent audit` and `gwevent forget-person`: who did what, and how somebody is forgotten."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.runner import fail, load_settings, run_async

if TYPE_CHECKING:
    from datetime import datetime

    from bot.store.audit import Audit
    from bot.store.personal_data import Forgetting


def audit(
    channel: Annotated[str | None, typer.Option("--channel", help="Slack's id of a channel.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Slack's id of a person.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="A date, 7d, O4a … as in questions; UTC.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List who did what to channels, events and workspaces, drills and installations too; newest first."""
    from bot.app.factory import open_factory, utc_now
    from bot.store.audit import MAX_ENTRIES, AuditLog, AuditQuery
    from bot.store.personal_data import USER_ID
    from formatters.terminal import audit_text

    # A name would find nothing, as if nothing had been done.
    if channel is not None and re.fullmatch(r"[CDG][A-Z0-9]+", channel) is None:
        fail(f'--channel: "{channel[:40]}" is no channel\'s id, as C0123456789 (in its details).')
    if user is not None and USER_ID.fullmatch(user) is None:
        fail(f'--user: "{user[:40]}" is no person\'s id, as U0123456789 (in their profile).')
    query = AuditQuery(
        channel_id=channel, user_id=user, since=None if since is None else _since(since, utc_now())
    )
    settings = load_settings()

    async def work() -> Audit:
        async with open_factory(settings, create=False) as factory:
            return await AuditLog(factory.database).entries(query)

    found = run_async(work())
    if as_json:
        for entry in found.entries:
            typer.echo(json.dumps(audit_text.to_json(entry), ensure_ascii=True))
    elif found.entries:
        typer.echo(audit_text.to_table(found.entries))
    else:
        typer.echo("Nothing is recorded of that.")
    if found.is_cut:
        typer.echo(f"gwevent: only the newest {MAX_ENTRIES:,}; --since and --channel ask for less.", err=True)


def forget_person(
    user: Annotated[str, typer.Argument(help="Slack's id of the person: U0123456789.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only say what would be done.")] = False,
) -> None:
    """Delete a person's rows and take them out of what stays. Says what it would do, unless --yes."""
    from bot.app.factory import open_factory, utc_now
    from bot.store.personal_data import PERSON_COLUMNS, PersonalData
    from formatters.terminal import forgetting_text

    settings = load_settings()

    async def work() -> Forgetting:
        async with open_factory(settings, create=False) as factory:
            return await PersonalData(factory.database).forget(user, utc_now(), dry_run=not yes)

    try:
        done = run_async(work())
    except ValueError:
        fail(f"\"{user[:40]}\" isn't Slack's id of a person: it begins with U or W, as in U0123456789.")
    rows = [
        (one.because, one.treatment.value, done.rows[one.name])
        for one in PERSON_COLUMNS
        if one.name in done.rows
    ]
    rules = [(f"{r.team_id} {r.channel_id} subscription {r.number}", r.problem) for r in done.rules]
    typer.echo(forgetting_text.summary(user, rows, rules, done.cards, is_dry_run=not yes))


def _since(text: str, now: datetime) -> datetime:
    from bot.filters import FilterSyntaxError
    from bot.filters.periods import extract_period
    from bot.filters.tokens import tokenize
    from bot.runtime.typed_text import normalize_typed_text

    typed = normalize_typed_text(text)
    if not typed.casefold().startswith("since"):
        typed = f"since {typed}"
    try:
        period, rest = extract_period(tokenize(typed), now)
    except FilterSyntaxError as error:
        fail(f"--since: {error}")
    if rest or period.since is None or period.until is not None:
        fail(f'--since: "{text[:40]}" isn\'t a date: 2026-11-28, 7d, yesterday or O4a.')
    return period.since
