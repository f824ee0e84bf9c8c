"""Everything that gwevent asks the database again and again, done once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from bot.app import Rooms, utc_now
from bot.settings import Settings
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
        await _answer(rooms)
    finally:
        await rooms.shares.leave()


async def _deliver(rooms: Rooms) -> None:
    pipeline = rooms.pipeline(Settings.model_validate({"mock_pictures": True}), utc_now)
    for number in (8, 8):
        await pipeline.handle(alert(number), Origin("kafka", "plans", live=True))
    await rooms.ledger.recover()
    await rooms.ledger.recover_lost()
    render = rooms.worker({}, utc_now)._render
    for _ in range(3):
        # Roots, then what follows them.
        claimed = await rooms.ledger.claim(utc_now(), LIMIT)
        for delivery in claimed:
            await render(delivery)
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


async def _answer(rooms: Rooms) -> None:
    answers = rooms.answers(utc_now)
    for words in ("latest", "recent 5", "status", "subscriptions"):
        await answers.answer(words, None)
    await rooms.ledger.overdue(utc_now(), posts=timedelta(minutes=1), edits=timedelta(minutes=10))
    await rooms.ledger.by_state()
    await rooms.store.last_received()
    await rooms.undecided.waiting()
    await rooms.circulars.count()
