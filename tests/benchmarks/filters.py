"""How long filters take: routing 10,000 subscriptions, and `test` over 10,000 superevents.

Run: python -m tests.benchmarks.filters
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, update

from bot.app.factory import Factory, utc_now
from bot.filters import extract_attributes, parse_stored_criteria
from bot.routing.planner import plan
from bot.routing.state import RoutingState
from bot.store import schema
from bot.store.database import Database
from bot.store.events.search import EventSearch
from formatters.models.notice import Notice
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent
from formatters.terminal import message_text
from tests.support.factories import MAX_AGE, NOW, TEAM, decoded_notice

COUNT = 10_000


def timed(work: Callable[[], object], times: int = 5) -> float:
    """The best of some runs, seconds."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def routing() -> None:
    """Plan one notice for 10,000 channels, each with a filter of its own of four conditions."""
    words = [
        f"CBC BNS>{random.random():.4f} distance<{random.randint(1, 3000)} area90<{random.randint(1, 9000)}"
        f" far<1/{random.randint(1, 99)}month"
        for _ in range(COUNT)
    ]
    began = time.perf_counter()
    asked = [
        Subscription(
            id=n,
            number=n,
            team_id=TEAM,
            channel_id=f"C{n}",
            criteria=parse_stored_criteria(text),
            created_by="U1",
            created_at=NOW,
        )
        for n, text in enumerate(words)
    ]
    print(f"parsing {COUNT:,} filters, once: {time.perf_counter() - began:.2f} s")
    notice = decoded_notice()
    superevent = Superevent.from_notices([notice])
    state = RoutingState(superevent=superevent, notice=notice, subscriptions=asked)
    took = timed(lambda: plan(state, live=True, now=NOW, max_age=MAX_AGE))
    print(f"routing {COUNT:,} filters: {took * 1000:.0f} ms")


async def search(path: Path) -> None:
    """Ask what would have matched, of 10,000 superevents."""
    database = Database(f"sqlite+aiosqlite:///{path}")
    await database.migrate()
    factory = Factory(database)
    notices = [_event(number) for number in range(COUNT)]
    async with database.exclusive_transaction() as connection:
        await connection.execute(insert(schema.superevents), [_row(notice) for notice in notices])
        await connection.execute(
            insert(schema.notices),
            [
                {
                    "superevent_id": notice.superevent_id,
                    "alert_type": notice.alert_type,
                    "time_created": notice.time_created,
                    "received_at": NOW,
                    "origin": "benchmark",
                    "facts": notice.to_json(),
                }
                for notice in notices
            ],
        )
    answers = factory.create_command_router(utc_now)
    for words in ("CBC BNS>0.5", "CBC (BNS or NSBH) far<1/yr not V1", "CBC BNS>0.9995"):
        best = float("inf")
        for _ in range(3):
            began = time.perf_counter()
            answer = await answers.dispatch(f"test {words}", None)
            best = min(best, time.perf_counter() - began)
        print(f"test {words}: {best:.2f} s: {message_text.render(answer).splitlines()[0]}")
    async with database.exclusive_transaction() as connection:
        await connection.execute(update(schema.superevents).values(traits=None, traits_revision=None))
    began = time.perf_counter()
    await EventSearch(database).refresh_stale_attributes()
    print(f"computing the attributes, at the start of a newer version: {time.perf_counter() - began:.1f} s")
    await database.close()


def _event(number: int) -> Notice:
    share = random.random()
    return decoded_notice(
        f"S{(NOW - timedelta(hours=number)):%y%m%d}{_letters(number)}",
        minutes=-60.0 * number,
        far=10 ** random.uniform(-14, -6),
        classification={"BNS": share, "NSBH": 1 - share, "BBH": 0.0, "Terrestrial": 0.0},
    )


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + number // 26**place % 26) for place in (2, 1, 0))


def _row(notice: Notice) -> dict[str, object]:
    traits = extract_attributes(Superevent.from_notices([notice]))
    assert traits is not None
    return {
        "superevent_id": notice.superevent_id,
        "category": notice.category.value,
        "revision": 1,
        "group_name": "CBC",
        "event_time": notice.time_created,
        "traits": traits.to_json(),
        "traits_revision": 1,
    }


if __name__ == "__main__":
    random.seed(1)
    routing()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(search(Path(folder) / "benchmark.sqlite"))
