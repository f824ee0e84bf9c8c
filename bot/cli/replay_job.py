"""Feed notice files and quarantined payloads through the pipeline, as if they came from a broker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from bot.alerts.decode import UndecodablePayload, decode
from bot.app.factory import Factory, open_factory, utc_now
from bot.cli import terminal
from bot.ingest.decoding import Decoded, Unread, UnreadableMessage, decode_payload
from bot.ingest.pipeline import IngestResult, IngestRules, Pipeline
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.sources.base import Origin, SourceConfigError
from bot.sources.files import file_origin, read_notice_files
from bot.store.events.quarantine import QuarantinedPayload
from formatters.models.nearby_alert import NearbyAlert
from formatters.models.notice import Notice
from formatters.models.related_message import RelatedMessage


def describe_files(paths: Sequence[Path]) -> bool:
    """Decode files and print what each holds, without storing anything; return True if all could be read."""
    good = True
    for path, body in read_notice_files(paths, _print_skipped):
        try:
            decoded = decode_payload(body, None, utc_now(), decode)
        except (UndecodablePayload, UnreadableMessage) as error:
            terminal.stderr.print(f"{path}: {error}")
            good = False
            continue
        terminal.stdout.print(f"{path}: {_describe(decoded)}")
    return good


def _describe(decoded: Decoded) -> str:
    match decoded:
        case Notice():
            time = f"{decoded.time_created:%Y-%m-%d %H:%M:%S} UTC"
            line = f"{decoded.superevent_id} {decoded.alert_type} {time}"
            problem = decoded.map_problem
            return line if problem is None else f"{line}; the map can't be read: {problem}"
        case RelatedMessage():
            about = ", ".join(decoded.superevent_ids) or "no event"
            return f"{decoded.stream} {decoded.key} about {about}: {decoded.kind}"
        case NearbyAlert():
            return f"{decoded.label} {decoded.name} {decoded.trigger_time:%Y-%m-%d %H:%M:%S} UTC"
        case Unread():
            return f"a message of {decoded.stream} that gwevent has no use for"


async def replay_files(settings: Settings, paths: Sequence[Path], post: bool) -> bool:
    """Feed files into the store; with `post` they count as live notices, and their messages are delivered.

    Return True if none went to quarantine and every planned delivery was made.
    """
    async with open_factory(settings) as factory:
        token = await _delivery_token(settings, factory) if post else None
        counts: Counter[IngestResult] = Counter()
        pipeline = Pipeline(
            factory.ingest_stores,
            utc_now,
            Wakeups(),
            IngestRules(max_age=settings.max_age, should_draw=settings.should_draw),
        )
        with terminal.progress_bar("replay", _count_files(paths)) as (bar, task):

            def on_skipped(path: Path, reason: str) -> None:
                _print_skipped(path, reason)
                bar.advance(task)

            for path, body in read_notice_files(paths, on_skipped):
                counts[await pipeline.handle(body, file_origin(path, live=post))] += 1
                bar.advance(task)
        terminal.stdout.print(_describe_counts(counts))
        delivered = await _deliver(settings, factory, token) if post else True
        return delivered and not sum(count for handled, count in counts.items() if handled.is_quarantined)


def _describe_counts(counts: Counter[IngestResult]) -> str:
    """Describe how many payloads of each kind there were: notices always, messages if there were any."""
    shown = [handled for handled in IngestResult if handled.is_about_notice or counts[handled]]
    return ", ".join(f"{counts[handled]} {handled.value.replace('_', ' ')}" for handled in shown)


async def replay_quarantine(settings: Settings, post: bool, dry_run: bool) -> bool:
    """Handle the quarantined payloads again; those that succeed leave the quarantine.

    Return True if all succeeded. `dry_run` only prints what each would be decoded as.
    """
    async with open_factory(settings, create=False) as factory:
        token = await _delivery_token(settings, factory) if post and not dry_run else None
        pipeline = Pipeline(
            factory.ingest_stores,
            utc_now,
            Wakeups(),
            IngestRules(max_age=settings.max_age, should_draw=settings.should_draw),
        )
        after, released, kept = 0, 0, 0
        while (payload := await factory.quarantine.next(after)) is not None:
            after = payload.id
            if dry_run:
                description = await asyncio.to_thread(_describe_quarantined, payload)
                terminal.stdout.print(f"{payload.origin}: {description}")
                continue
            origin = Origin("quarantine", payload.origin, live=post, stream=payload.stream)
            handled = await pipeline.handle(payload.body, origin)
            if handled.is_quarantined:
                again = await factory.quarantine.get(payload.id)
                reason = payload.reason if again is None else again.reason
                terminal.stdout.print(f"{payload.origin}: still not handled: {reason}")
                kept += 1
                continue
            await factory.quarantine.release(payload.id)
            terminal.stdout.print(f"{payload.origin}: {handled.value}")
            released += 1
        if not dry_run:
            terminal.stdout.print(f"{released} released, {kept} kept")
        delivered = await _deliver(settings, factory, token) if post and not dry_run else True
        return delivered and not kept


def _describe_quarantined(payload: QuarantinedPayload) -> str:
    try:
        decoded = decode_payload(payload.body, payload.stream, payload.received_at, decode)
    except (UndecodablePayload, UnreadableMessage) as error:
        return f"still not readable: {error}"
    if not isinstance(decoded, Notice):
        return f"readable as {_describe(decoded)}"
    # Only a real attempt shows whether it can be stored too.
    return f"readable as {decoded.superevent_id} {decoded.alert_type}; it was kept because: {payload.reason}"


async def _delivery_token(settings: Settings, factory: Factory) -> str | None:
    """Return the bot token to deliver with; None if a gwevent that runs on this database delivers.

    With many workspaces the tokens are in the store, and only a running gwevent decrypts them: None too.
    Called before anything is stored, because a notice stored as live must be delivered. Raises SettingsError
    if no token is configured.
    """
    running = not factory.database.acquire_instance_lock() or await factory.leases.has_other_workers()
    token = None if running else settings.slack_access().bot_token
    return None if token is None else token.get_secret_value()


async def _deliver(settings: Settings, factory: Factory, token: str | None) -> bool:
    """Deliver the outbox unless a running bot does; return False if Slack refused a delivery for good."""
    if token is None:
        terminal.stdout.print("A gwevent that runs on this database delivers them.")
        return True
    async with aiohttp.ClientSession() as session:
        client = SlackClient(token, settings.slack_api_url, session)
        try:
            identity = await client.identify()
        except SlackFailure as failure:
            raise SourceConfigError(
                f"Slack can't be used ({failure.reason}); what was planned waits in the store."
            ) from failure
        await factory.create_deferred_routing_worker(utc_now, settings.max_age, Wakeups()).process_pending()
        worker = factory.create_delivery_worker({identity.team_id: client}, utc_now)
        running = asyncio.create_task(worker.run())
        before = (await factory.outbox_statistics.counts(identity.team_id)).dead
        while (
            counts := await factory.outbox_statistics.counts(identity.team_id)
        ).waiting and not running.done():
            await asyncio.wait([running], timeout=0.2)
        await worker.stop()
        await running
    dead = counts.dead - before
    terminal.stdout.print(
        "All delivered." if not dead else f"Delivered, save {dead} that Slack refused for good."
    )
    return dead == 0


def _print_skipped(path: Path, reason: str) -> None:
    terminal.stderr.print(f"{path}: skipped, {reason}")


def _count_files(paths: Sequence[Path]) -> int:
    found = (inside for path in paths for inside in (path.rglob("*") if path.is_dir() else [path]))
    return sum(1 for path in found if path.is_file())
