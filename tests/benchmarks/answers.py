"""`latest` and an id, from a store of 100,000 notices. Run it: ./tests/run --bench answers.

The store is a SQLite file with 25,000 superevents of four notices each, in their real size. Measured is the
question to the answer's blocks, without Slack, against one read of one row of the same file.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from bot.alerts.decode import notice_from_record
from bot.app.factory import Factory, open_factory
from bot.samples import bns
from bot.settings import Settings
from bot.store import schema

EVENTS = 25_000
EACH = 4
ROUNDS = 200
AIM_MS = 20.0
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def superevent_id(number: int) -> str:
    """An id of its own for each; three in four are mocks, as in life more are."""
    day, nth = divmod(number, 26)
    letters = chr(97 + nth)
    return f"{'M' if number % 4 else ''}S{NOW - timedelta(days=day):%y%m%d}{letters}"


async def fill(factory: Factory) -> None:
    template = [notice_from_record(record).to_json() for record in bns(NOW)[:EACH]]
    facts: list[dict[str, Any]] = [json.loads(one) if isinstance(one, str) else dict(one) for one in template]
    for start in range(0, EVENTS, 1_000):
        events: list[dict[str, object]] = []
        notices: list[dict[str, object]] = []
        for number in range(start, start + 1_000):
            name = superevent_id(number)
            time = NOW - timedelta(days=number // 26, minutes=number % 26)
            category = "mock" if number % 4 else "real"
            events.append(
                {
                    "superevent_id": name,
                    "category": category,
                    "revision": EACH,
                    "group_name": "CBC",
                    "event_time": time,
                }
            )
            for nth, one in enumerate(facts):
                created = time + timedelta(minutes=nth)
                notices.append(
                    {
                        "superevent_id": name,
                        "alert_type": one["alert_type"],
                        "time_created": created,
                        "received_at": created,
                        "origin": "hopskotch:benchmark",
                        "facts": json.dumps(
                            one | {"superevent_id": name, "time_created": created.isoformat()}
                        ),
                    }
                )
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(insert(schema.superevents), events)
            await connection.execute(insert(schema.notices), notices)


async def milliseconds(work: Callable[[], Awaitable[object]]) -> list[float]:
    times = []
    for number in range(ROUNDS + 10):
        before = time.perf_counter()
        await work()
        if number >= 10:
            times.append(1000 * (time.perf_counter() - before))
    return times


async def measure(folder: Path) -> dict[str, list[float]]:
    settings = Settings.model_validate({"database_url": f"sqlite:///{folder / 'gwevent.sqlite'}"})
    async with open_factory(settings) as factory:
        await fill(factory)
        # What `latest` and `events` search by, as a running process computes it for rows of an older version.
        await factory.event_search.refresh_stale_attributes()
        assert await factory.notices.last_received() is not None
        answers = factory.create_command_router(lambda: NOW)

        async def one_row() -> object:
            async with factory.database.read_transaction() as connection:
                return (await connection.execute(text("SELECT facts FROM notices WHERE id = 5000"))).scalar()

        async def said(question: str, expected: str) -> None:
            assert expected in (await answers.dispatch(question, None)).text

        await said("latest", superevent_id(0))
        await said(superevent_id(12_345), superevent_id(12_345))
        found = {"one row of the same file": await milliseconds(one_row)}
        for question in (
            "latest",
            "latest only mock",
            superevent_id(12_345),
            "events 5",
            "status",
            "S991231zz",
        ):
            found[f"/gwevent {question}"] = await milliseconds(lambda q=question: answers.dispatch(q, None))  # type: ignore[misc]
        return found


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="gwevent-benchmark-") as folder:
        found = asyncio.run(measure(Path(folder)))
    print(f"Answers from a store of {EVENTS * EACH:,} notices, {ROUNDS} times each (ms)")
    print(f"{'':<34}{'median':>9}{'99 %':>9}")
    for name, times in found.items():
        late = statistics.quantiles(times, n=100, method="inclusive")[98]
        print(f"{name:<34}{statistics.median(times):>9.1f}{late:>9.1f}")
    print(f"aim: latest and an id within {AIM_MS:.0f} ms")


if __name__ == "__main__":
    main()
