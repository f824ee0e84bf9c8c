"""Execute once every query that gwevent repeats in operation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bot.app.factory import Factory, utc_now
from bot.commands.context import CommandContext
from bot.delivery.rendered_message import RenderedMessage
from bot.filters import parse_criteria
from bot.ingest.pipeline import IngestResult
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.sources.base import Origin
from bot.store.channels.change_log import ChangeAuthor
from bot.store.database import Database
from bot.store.outbox.claiming import MAX_PLACES_BY_ORDER
from bot.store.outbox.models import DeadLettered, Delivered, Delivery, DeliveryKind, Outcome, Retry
from tests.scale.fan_out import Team, channel_refs, event_id, event_notices

DAY = timedelta(days=1)
LIMIT = 50


async def run_all_queries(database: Database, teams: Mapping[str, Team]) -> None:
    """Plan an event's notices, claim and settle deliveries, query images and maps, answer commands."""
    factory = Factory(database)
    await factory.leases.heartbeat(teams)
    try:
        await _deliver(factory)
        await _answer(factory, *channel_refs(teams)[0])
    finally:
        await factory.leases.release_all()


async def _deliver(factory: Factory) -> None:
    pipeline = factory.create_pipeline(Settings.model_validate({"mock_pictures": True}), utc_now, Wakeups())
    origin = Origin("hopskotch", "plans", live=True)
    await factory.outbox.requeue_stalled()
    await factory.outbox.requeue_stalled_of_dead_workers()
    for body in [*event_notices(8), b"nonsense"]:
        assert await pipeline.handle(body, origin) is not IngestResult.DUPLICATE
        # Root messages, then the deliveries that wait for them.
        for _ in range(2):
            await _deliver_round(factory)
        job = await factory.images.next_wanted(utc_now())
        if job is not None:
            await factory.images.is_newest(job)
            await factory.images.record_upload(job, f"F{job.id}", "a map", utc_now())
    await factory.images.list_old_mocks(utc_now() - timedelta(days=7))
    await factory.notices.purge_mock_payloads(utc_now() - timedelta(days=7))


async def _deliver_round(factory: Factory) -> None:
    render = factory.create_delivery_worker({}, utc_now).sender.render
    claimed = await factory.outbox.claim(utc_now(), LIMIT)
    words = {delivery.id: await render(delivery) for delivery in claimed}
    outcomes = [(d, _outcome(d, words[d.id])) for d in claimed]
    await factory.outbox.record_outcomes(outcomes, utc_now())
    # The state in which a claim reads all channels, because too many places were given by order alone.
    factory.outbox._claim_query._fair_share.placed_by_order = MAX_PLACES_BY_ORDER
    await factory.outbox.claim(utc_now(), LIMIT, busy_channels=_EveryChannel())
    for delivery, outcome in outcomes:
        if isinstance(outcome, DeadLettered):
            await factory.outbox.requeue_channel(
                delivery.team_id, delivery.channel_id, utc_now() - DAY, utc_now()
            )


def _outcome(delivery: Delivery, words: RenderedMessage | None) -> Outcome:
    match delivery.id % 10:
        case 1:
            return Retry(not_before=utc_now(), reason="ratelimited")
        case 2:
            return DeadLettered(reason="is_archived", channel_problem="is_archived")
        case 3 if delivery.kind is DeliveryKind.EDIT:
            return DeadLettered(reason="message_not_found", root_deleted=True)
        case 4 if delivery.kind is DeliveryKind.EDIT:
            return DeadLettered(reason="edit_window_closed", root_uneditable=True)
    picture = None if words is None else words.picture_id
    return Delivered(ts=f"1.{delivery.id}", revision=delivery.target_revision, image_id=picture)


class _EveryChannel:
    def __contains__(self, place: object) -> bool:
        assert isinstance(place, tuple)
        return bool(place[1] != "*")


async def _answer(factory: Factory, team: str, channel: str) -> None:
    here = CommandContext(team_id=team, channel_id=channel, user_id="U1")
    answers = factory.create_command_router(utc_now)
    for words in ("latest", "recent 5", "status", "subscribe BBH", "subscriptions", "unsubscribe all"):
        await answers.dispatch(words, here)
    asked, _ = await factory.subscriptions.request(team, channel, parse_criteria("Burst"), "U1", utc_now())
    await factory.subscriptions.end(team, channel, [asked.number], ChangeAuthor("U1", utc_now()))
    await factory.subscriptions.request_status(asked)
    await factory.observers.toggle(team, channel, event_id(8), "U1", utc_now())
    await factory.outbox_statistics.count_overdue(
        utc_now(), posts=timedelta(minutes=1), edits=timedelta(minutes=10)
    )
    await factory.outbox_statistics.count_by_state()
    await factory.notices.last_received()
    await factory.deferred_routing.pending_superevents()
    await factory.related_messages.for_event(event_id(8))
