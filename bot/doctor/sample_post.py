"""`gwevent doctor --post`: posts a sample notice in a channel, from a temporary database.

The whole path is tested (decoding, routing, outbox, message, Slack, image), and the deployment's own
database, from which `/gwevent latest` answers, does not contain the sample.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp

from bot.app.factory import open_factory, utc_now
from bot.delivery.image_drawer import ImageDrawer
from bot.delivery.image_worker import ImageWorker
from bot.doctor.slack_remedies import remedy
from bot.filters import parse_criteria
from bot.ingest.pipeline import IngestRules, Pipeline
from bot.runtime.wakeups import Wakeups
from bot.samples import Record, bbh, superevent_id, to_avro
from bot.settings import Settings
from bot.skymap_service.image_process import ImageProcess
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure, failure_from_code
from bot.sources.base import Origin
from bot.store.outbox.models import DeadLettered, Delivered, Delivery, DeliveryKind, Outcome, Retry
from formatters.terminal.findings import Finding, Level

FINDING_NAME = "Sample"
POST_TIMEOUT_S = 30.0
IMAGE_TIMEOUT_S = 60.0
"""Longest wait in seconds, including the start of the drawing process."""


def sample_notice(now: datetime) -> Record:
    """Return a notice of a test event, without links, whose pipeline name marks it as a sample."""
    record = bbh(now)[0]
    event = {**record["event"], "pipeline": "a sample of gwevent doctor"}
    return {**record, "superevent_id": superevent_id(now, "sample", "T"), "urls": {}, "event": event}


async def post_sample(settings: Settings, channel: str) -> Finding:
    """Post the sample in a channel (by id) and return a finding; problems found don't raise."""
    if settings.slack_bot_token is None:
        return _failure("SLACK_BOT_TOKEN isn't set.", "Set it, then try again.")
    token = settings.slack_bot_token.get_secret_value()
    with tempfile.TemporaryDirectory(prefix="gwevent-doctor-") as folder:
        own = settings.model_copy(update={"database_url": f"sqlite:///{Path(folder) / 'sample.sqlite'}"})
        async with aiohttp.ClientSession() as session:
            client = SlackClient(token, settings.slack_api_url, session)
            try:
                identity = await client.identify()
            except SlackFailure as failure:
                return _failure(f"Slack can't be used ({failure.reason}).", "See the findings above.")
            return await _deliver(own, client, identity.team_id, channel)


async def _deliver(settings: Settings, client: SlackClient, team: str, channel: str) -> Finding:
    outcomes: list[tuple[Delivery, Outcome]] = []
    changed = asyncio.Event()

    def on_recorded(recorded: Sequence[tuple[Delivery, Outcome]]) -> None:
        outcomes.extend(recorded)
        changed.set()

    # Images are served over HTTP only from the deployment's own database.
    draws = settings.public_url is None and client.has_scope("files:write")
    async with open_factory(settings) as factory:
        await factory.subscriptions.add_confirmed(
            team, channel, parse_criteria("all test lowsig"), "doctor", utc_now()
        )
        wakeups = Wakeups()
        worker = factory.create_delivery_worker(
            {team: client}, utc_now, wakeups=wakeups, on_recorded=on_recorded
        )
        drawer = ImageDrawer(factory.notices, ImageProcess())
        pictures = ImageWorker(factory.images, {team: client}, drawer, utc_now, wakeups)
        pipeline = Pipeline(
            factory.ingest_stores,
            utc_now,
            wakeups,
            IngestRules(max_age=timedelta(days=1), should_draw=lambda _: draws),
        )
        await pipeline.handle(to_avro(sample_notice(utc_now())), Origin("doctor", "sample", live=True))
        tasks = [asyncio.create_task(worker.run()), asyncio.create_task(pictures.run())]
        try:
            await _wait_until(lambda: _is_finished(outcomes, DeliveryKind.ROOT), changed, POST_TIMEOUT_S)
            if draws and isinstance(_last_outcome(outcomes, DeliveryKind.ROOT), Delivered):
                await _wait_until(lambda: _has_image(outcomes), changed, IMAGE_TIMEOUT_S)
        finally:
            await worker.stop()
            await pictures.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return _finding_from_outcomes(outcomes, channel, draws)


def _finding_from_outcomes(
    outcomes: Sequence[tuple[Delivery, Outcome]], channel: str, draws: bool
) -> Finding:
    match _last_outcome(outcomes, DeliveryKind.ROOT):
        case Delivered():
            tries = sum(delivery.kind is DeliveryKind.ROOT for delivery, _ in outcomes)
            result = f"A TEST message stands in {channel}" + (f", after {tries} tries" if tries > 1 else "")
            if draws and not _has_image(outcomes):
                advice = "Is files:write granted? The words come without it all the same."
                return Finding(FINDING_NAME, Level.WARN, f"{result}; its picture doesn't.", advice)
            return Finding(
                FINDING_NAME, Level.OK, f"{result}{', with its picture' if draws else ''}. Delete it at will."
            )
        case DeadLettered(reason=reason):
            advice = remedy(failure_from_code(reason, None), "chat.postMessage")
            return _failure(f"Slack refuses it in {channel}: {reason}.", advice)
        case Retry(reason=reason):
            return _failure(f"It wasn't posted within {POST_TIMEOUT_S:.0f} s: {reason}.", "Try again later.")
        case None:
            return _failure(f"Slack didn't answer within {POST_TIMEOUT_S:.0f} s.", "Try again later.")


def _failure(found: str, advice: str) -> Finding:
    return Finding(FINDING_NAME, Level.FAIL, found, advice)


def _last_outcome(outcomes: Sequence[tuple[Delivery, Outcome]], kind: DeliveryKind) -> Outcome | None:
    return next((outcome for delivery, outcome in reversed(outcomes) if delivery.kind is kind), None)


def _is_finished(outcomes: Sequence[tuple[Delivery, Outcome]], kind: DeliveryKind) -> bool:
    return isinstance(_last_outcome(outcomes, kind), Delivered | DeadLettered)


def _has_image(outcomes: Sequence[tuple[Delivery, Outcome]]) -> bool:
    return any(isinstance(outcome, Delivered) and outcome.image_id is not None for _, outcome in outcomes)


async def _wait_until(true: Callable[[], bool], changed: asyncio.Event, within_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not true():
                changed.clear()
                await changed.wait()
