"""Everything that gwevent asks the database again and again, done once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from bot.app import Rooms, utc_now
from bot.pipeline import Pipeline
from bot.slack.rendering import Renderer
from bot.sources import Origin
from bot.store.database import Database
from bot.store.ledger import Delivery, Later, Outcome, Sent
from tests.scale.house import alert

LIMIT = 50


async def everything(database: Database, teams: Collection[str]) -> None:
    """Plan a notice; claim, render and settle deliveries; ask for pictures and maps; answer."""
    rooms = Rooms(database)
    await rooms.shares.renew(teams)
    try:
        await _deliver(rooms)
        await _answer(rooms, sorted(teams)[0])
    finally:
        await rooms.shares.leave()


async def _deliver(rooms: Rooms) -> None:
    pipeline = Pipeline(rooms.store, utc_now, max_age=timedelta(days=1), draws=lambda _: True)
    for number in (8, 8):
        await pipeline.handle(alert(number), Origin("kafka", "plans", live=True))
    await rooms.ledger.recover()
    await rooms.ledger.recover_lost()
    renderer = _renderer(rooms)
    for _ in range(3):
        # Roots, then what follows them.
        claimed = await rooms.ledger.claim(utc_now(), LIMIT)
        for delivery in claimed:
            await renderer(delivery)
        await rooms.ledger.settle([(d, _outcome(d)) for d in claimed], utc_now())
        await rooms.ledger.claim(utc_now(), LIMIT, busy=_Everywhere())
    job = await rooms.pictures.next_wanted(utc_now())
    assert job is not None
    await rooms.pictures.is_newest(job)
    await rooms.pictures.uploaded(job, "F0001", "a map", utc_now())
    await rooms.pictures.of_old_mocks(utc_now() - timedelta(days=7))
    await rooms.store.purge_mock_payloads(utc_now() - timedelta(days=7))


def _outcome(delivery: Delivery) -> Outcome:
    if delivery.id % 5 == 0:
        return Later(not_before=utc_now(), reason="ratelimited")
    return Sent(ts=f"1.{delivery.id}", revision=delivery.revision)


class _Everywhere:
    def __contains__(self, place: object) -> bool:
        return True


def _renderer(rooms: Rooms) -> Renderer:
    async def permalink(_team: str, _channel: str, _ts: str) -> str | None:
        return None

    return Renderer(
        rooms.store,
        rooms.subscriptions,
        rooms.observers,
        rooms.pictures,
        rooms.mentions,
        rooms.sites,
        rooms.visibilities,
        permalink,
    )


async def _answer(rooms: Rooms, team: str) -> None:
    answers = rooms.answers(utc_now)
    for words in ("latest", "recent 5", "status", "subscriptions"):
        await answers.answer(words, None)
