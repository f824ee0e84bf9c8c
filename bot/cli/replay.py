"""Files and quarantined payloads, fed through the one way in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.alerts.circular import is_circular, read_circular
from bot.alerts.decode import UndecodablePayload, decode
from bot.app.factory import Factory, open_factory, utc_now
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.runtime.standard_streams import TerminalConsole
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.sources.base import Origin, SourceConfigError
from bot.sources.files import file_origin, read_notice_files
from bot.store.events.notices import QuarantinedPayload

# Names of files and reasons go out as they are: brackets and colons in them are no markup.
_out = TerminalConsole(highlight=False, soft_wrap=True, markup=False, emoji=False)
_err = TerminalConsole(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def describe_files(paths: Sequence[Path]) -> bool:
    """Decode files and say what each holds; nothing is stored. Return whether all could be read."""
    good = True
    for path, body in read_notice_files(paths, _print_skipped):
        try:
            notice = decode(body)
        except UndecodablePayload as error:
            _err.print(f"{path}: {error.reason}")
            good = False
            continue
        said = (
            f"{path}: {notice.superevent_id} {notice.alert_type} {notice.time_created:%Y-%m-%d %H:%M:%S} UTC"
        )
        _out.print(
            said if notice.map_problem is None else f"{said}; the map can't be read: {notice.map_problem}"
        )
    return good


async def replay_files(settings: Settings, paths: Sequence[Path], post: bool) -> bool:
    """Feed files into the store; with `post` they may open root messages, and are delivered.

    Return whether none went to quarantine and all that was planned was delivered.
    """
    async with open_factory(settings) as factory:
        token = await _delivery_token(settings, factory) if post else None
        counts: Counter[IngestResult] = Counter()
        pipeline = Pipeline(
            factory.notices, utc_now, max_age=settings.max_age, should_draw=settings.should_draw
        )
        with _progress_bar(_count_files(paths)) as advance:

            def skipped(path: Path, reason: str) -> None:
                _print_skipped(path, reason)
                advance()

            for path, body in read_notice_files(paths, skipped):
                counts[await pipeline.handle(body, file_origin(path, live=post))] += 1
                advance()
        _out.print(", ".join(f"{counts[handled]} {handled.value}" for handled in IngestResult))
        delivered = await _deliver(settings, factory, token) if post else True
        return delivered and not counts[IngestResult.QUARANTINED]


async def replay_quarantine(settings: Settings, post: bool, dry_run: bool) -> bool:
    """Try the quarantined payloads again; those that can be handled now leave the quarantine.

    Return whether all could. `dry_run` only says what each would be read as.
    """
    async with open_factory(settings, create=False) as factory:
        token = await _delivery_token(settings, factory) if post and not dry_run else None
        pipeline = Pipeline(
            factory.notices,
            utc_now,
            max_age=settings.max_age,
            should_draw=settings.should_draw,
            circulars=factory.circulars,
        )
        after, released, kept = 0, 0, 0
        while (payload := await factory.notices.next_quarantined(after)) is not None:
            after = payload.id
            if dry_run:
                told = await asyncio.to_thread(_describe_quarantined, payload)
                _out.print(f"{payload.origin}: {told}")
                continue
            handled = await pipeline.handle(payload.body, Origin("quarantine", payload.origin, live=post))
            if handled is IngestResult.QUARANTINED:
                again = await factory.notices.get_quarantined(payload.id)
                reason = payload.reason if again is None else again.reason
                _out.print(f"{payload.origin}: still not handled: {reason}")
                kept += 1
                continue
            await factory.notices.release_from_quarantine(payload.id)
            _out.print(f"{payload.origin}: {handled.value}")
            released += 1
        if not dry_run:
            _out.print(f"{released} released, {kept} kept")
        delivered = await _deliver(settings, factory, token) if post and not dry_run else True
        return delivered and not kept


def _describe_quarantined(payload: QuarantinedPayload) -> str:
    try:
        if is_circular(payload.body):
            return f"readable as circular {read_circular(payload.body).number}"
        notice = decode(payload.body)
    except UndecodablePayload as error:
        return f"still not readable: {error.reason}"
    # Whether it can be stored too only trying tells.
    return f"readable as {notice.superevent_id} {notice.alert_type}; it was kept because: {payload.reason}"


async def _delivery_token(settings: Settings, factory: Factory) -> str | None:
    """The token to deliver with; None where a gwevent that runs on this database delivers.

    Many workspaces have theirs in the store, which only such a one opens: there too it is None.
    Asked for before anything is stored: a notice stored as live is news that somebody must deliver.
    """
    running = not factory.database.acquire_instance_lock() or await factory.leases.has_other_workers()
    token = None if running else settings.slack_access().bot_token
    return None if token is None else token.get_secret_value()


async def _deliver(settings: Settings, factory: Factory, token: str | None) -> bool:
    """Deliver what the ledger holds, unless a running bot does; True once nothing waits."""
    if token is None:
        _out.print("A gwevent that runs on this database delivers them.")
        return True
    async with aiohttp.ClientSession() as session:
        client = SlackClient(token, settings.slack_api_url, session)
        try:
            identity = await client.identify()
        except SlackFailure as failure:
            raise SourceConfigError(
                f"Slack can't be used ({failure.reason}); what was planned waits in the store."
            ) from failure
        await factory.create_deferred_routing_worker(utc_now, settings.max_age).process_pending()
        worker = factory.create_delivery_worker({identity.team_id: client}, utc_now)
        running = asyncio.create_task(worker.run())
        before = (await factory.outbox.counts(identity.team_id)).dead
        while (counts := await factory.outbox.counts(identity.team_id)).waiting and not running.done():
            await asyncio.wait([running], timeout=0.2)
        await worker.stop()
        await running
    dead = counts.dead - before
    _out.print("All delivered." if not dead else f"Delivered, save {dead} that Slack refused for good.")
    return dead == 0


def _print_skipped(path: Path, reason: str) -> None:
    _err.print(f"{path}: skipped, {reason}")


def _count_files(paths: Sequence[Path]) -> int:
    found = (inside for path in paths for inside in (path.rglob("*") if path.is_dir() else [path]))
    return sum(1 for path in found if path.is_file())


@contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True) as progress:
        task = progress.add_task("replay", total=total)
        yield lambda: progress.advance(task)
