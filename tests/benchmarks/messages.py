"""1,000 circulars at once for 500 channels, and a notice among them.

Run it: python tests/benchmarks/messages.py.

The circulars are about no event, about one that nobody follows, or about one with a thread in each channel.
Measured are a circular, a repeat of one, and a notice beside the others, against a notice alone. On SQLite.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bot import logs
from bot.app.factory import Factory
from bot.filters import parse_criteria
from bot.ingest.pipeline import Pipeline
from bot.samples import circular, to_avro
from bot.sources.base import Origin
from bot.store.database import Database
from formatters.models.related_message import Stream
from tests.support.factories import NOW, REAL, TEAM, Clock, create_pipeline, notice_record

CHANNELS = 500
MESSAGES = 1_000
NOTICES = 9
AIM_MESSAGE_MS = 30.0
AIM_DELAY_MS = 250.0
"""More than this a notice may not wait for the circulars."""
CIRCULARS = Origin("hopskotch", "gcn.circulars[0]@1", live=True, stream=Stream.CIRCULARS.value)
ALERTS = Origin("hopskotch", "igwn.gwalert[0]@1", live=True)
ABOUT = {"no event": "", "an event without a thread": "S200101a", "an event with 500 threads": REAL}


def messages(superevent_id: str) -> list[bytes]:
    """Return the circulars."""
    title = "Identification of a GW candidate" if superevent_id else "GRB 261122B: optical afterglow"
    return [
        circular(superevent_id, created=NOW, number=1_000 + number, title=title) for number in range(MESSAGES)
    ]


async def milliseconds(way_in: Pipeline, body: bytes, origin: Origin) -> float:
    """Return the time from the bytes to the commit, ms."""
    began = time.perf_counter()
    await way_in.handle(body, origin)
    return 1e3 * (time.perf_counter() - began)


async def handle_all(way_in: Pipeline, bodies: list[bytes]) -> list[float]:
    """Return the time of each circular, one after the other, ms."""
    return [await milliseconds(way_in, body, CIRCULARS) for body in bodies]


async def measure(folder: Path, kind: str, superevent_id: str) -> bool:
    """Print a row; return True if it is within the aims."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'gwevent.sqlite'}")
    await database.migrate()
    factory = Factory(database)
    for number in range(CHANNELS):
        criteria = parse_criteria("all circulars")
        await factory.subscriptions.add_confirmed(TEAM, f"C{number}", criteria, "U1", NOW)
    way_in = create_pipeline(factory, Clock())
    await way_in.handle(to_avro(notice_record()), ALERTS)
    updates = [to_avro(notice_record("S261122b", minutes=minute)) for minute in range(2 * NOTICES)]
    alone = [await milliseconds(way_in, body, ALERTS) for body in updates[:NOTICES]]
    flood = asyncio.create_task(handle_all(way_in, messages(superevent_id)))
    beside = []
    for body in updates[NOTICES:]:
        await asyncio.sleep(0.05)
        beside.append(await milliseconds(way_in, body, ALERTS))
    each = statistics.median(await flood)
    again = statistics.median(await handle_all(way_in, messages(superevent_id)))
    await database.close()
    quiet, busy = statistics.median(alone), statistics.median(beside)
    print(
        f"{kind}: a circular {each:.1f} ms, a repeat {again:.1f} ms;"
        f" a notice {quiet:.0f} ms, among circulars {busy:.0f} ms"
    )
    return each <= AIM_MESSAGE_MS and busy - quiet <= AIM_DELAY_MS


async def main() -> int:
    """Measure each kind; return the exit status."""
    logs.configure("CRITICAL", "json")
    good = []
    for kind, superevent_id in ABOUT.items():
        with tempfile.TemporaryDirectory() as folder:
            good.append(await measure(Path(folder), kind, superevent_id))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
