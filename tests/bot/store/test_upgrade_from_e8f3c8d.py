"""A database written by commit e8f3c8d, with work in flight, is migrated and goes on.

`data/e8f3c8d.json` was made by that commit's own pipeline, repositories and delivery worker against its local
Slack, on SQLite at that commit's newest migration (`revision`). Two events were posted in three channels.
Then the process died: Slack had taken one root of S261122d that was not recorded ("sending"), and may or may
not have taken another (doubtful; it had not). A new process took in an update of the first event, a notice
with a small sky map, a mock, two unreadable payloads, a circular, a subscription that waits for its
confirmation, a site, an observer and an incident, and posted nothing of it. `tables` holds the rows as SQLite
stored them (bytes as base64), `slack` the messages that stood in Slack.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Boolean, Connection, DateTime, LargeBinary, MetaData, Table, inspect, text

from bot.delivery.image_drawer import ImageDrawer
from bot.delivery.image_worker import ImageWorker
from bot.skymap_service.image_process import ImageProcess
from bot.store.database import Database
from bot.store.tables_version import alembic_config
from formatters.models.superevent import Superevent
from formatters.skymap_image import DrawnPicture
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import MAX_AGE, Clock, decoded_notice
from tests.support.postgres import Databases, with_driver

DATA = Path(__file__).parent / "data" / "e8f3c8d.json"
PNG = b"\x89PNG\r\n\x1a\n"

pytestmark = pytest.mark.backends("sqlite", "postgresql")


@pytest.fixture
def clock() -> Clock:
    """A clock that stands where the old process stopped."""
    return Clock(datetime.fromisoformat(json.loads(DATA.read_text("utf-8"))["now"]))


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database without tables."""
    if backend == "sqlite":
        path = tmp_path / "old.sqlite"
        path.touch()
        return f"sqlite+aiosqlite:///{path}"
    postgres: Databases = request.getfixturevalue("postgres")
    return with_driver(postgres.create())


class InstantImageProcess(ImageProcess):
    """An image process that draws nothing."""

    async def draw(
        self, superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None = None
    ) -> DrawnPicture:
        assert gw_map is not None
        return DrawnPicture(PNG, f"Sky map of {superevent.superevent_id}")


def bind_value(value: Any, table: Table, column: str) -> Any:
    """Return a value of the data file as the column's type wants it."""
    kind = table.c[column].type
    if value is None:
        return None
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value["base64"])
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return bool(value) if isinstance(kind, Boolean) else value


def insert_rows(connection: Connection, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Insert the rows of the data file; on PostgreSQL, let the sequences go on after them."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.sorted_tables:
        rows = tables.get(table.name, [])
        if not rows:
            continue
        connection.execute(
            table.insert(),
            [{name: bind_value(value, table, name) for name, value in row.items()} for row in rows],
        )
        has_sequence = any(
            str(column.get("default")).startswith("nextval")
            for column in inspect(connection).get_columns(table.name)
        )
        if connection.dialect.name == "postgresql" and has_sequence:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), MAX(id)) FROM {table.name}"
                )
            )


async def load_old_database(harness: DeliveryHarness, slack_client: AsyncWebClient) -> dict[str, Any]:
    """Put the old messages into Slack and the old rows into the database, then migrate it.

    Slack gives each message a new `ts`; the rows follow it. Return the data file's content.
    """
    raw = DATA.read_text("utf-8")
    old_channels: list[str] = json.loads(raw)["channels"]
    for name in range(len(old_channels)):
        channel = harness.local_slack.add_channel(f"gw-{name}")
        raw = raw.replace(old_channels[name], f"<channel {name}>").replace(f"<channel {name}>", channel)
    for message in json.loads(raw)["slack"]:
        old_ts = message.pop("ts")
        posted = await slack_client.api_call("chat.postMessage", json=message)
        raw = raw.replace(old_ts, posted["ts"])
    data: dict[str, Any] = json.loads(raw)
    database = harness.factory.database
    await database._run_migration(lambda c: command.upgrade(alembic_config(c), data["revision"]))
    async with database.exclusive_transaction() as connection:
        await connection.run_sync(partial(insert_rows, tables=data["tables"]))
    await database.migrate()
    await database.check_migrations()
    return data


async def count_rows(database: Database, tables: list[str]) -> dict[str, int]:
    async with database.read_transaction() as connection:
        return {
            table: (await connection.execute(text(f"SELECT COUNT(*) FROM {table}"))).scalar_one()
            for table in tables
        }


@pytest.mark.slow
async def test_work_in_flight_is_delivered_once_and_threads_go_on(
    stopped_harness: DeliveryHarness, slack_client: AsyncWebClient, clock: Clock
) -> None:
    harness, factory = stopped_harness, stopped_harness.factory
    data = await load_old_database(harness, slack_client)
    channels: list[str] = data["channels"]
    tables: dict[str, list[dict[str, Any]]] = data["tables"]
    assert await count_rows(factory.database, list(tables)) == {name: len(tables[name]) for name in tables}
    already_posted = len(harness.calls("chat.postMessage"))

    team = harness.local_slack.team_id
    numbers = [[s.number for s in await factory.subscriptions.for_channel(team, each)] for each in channels]
    assert numbers == [[1, 2], [1], [1], [1], [], []]

    harness.local_slack.grant("channels:history")
    harness.start()
    router = factory.create_deferred_routing_worker(clock, MAX_AGE, harness.wakeups)
    assert await factory.deferred_routing.pending_superevents() == ["S261122b"]
    await router.process_pending()
    assert await factory.deferred_routing.pending_superevents() == []
    drawer = ImageDrawer(factory.notices, InstantImageProcess())
    images = ImageWorker(factory.images, {team: harness.client}, drawer, clock, harness.wakeups)
    drawing = asyncio.create_task(images.run())
    try:
        async with asyncio.timeout(60):
            while (await factory.outbox_statistics.counts()).waiting or not any(
                "image" in [block["type"] for block in message["blocks"]]
                for message in harness.local_slack.messages(channels[3])
            ):
                harness.advance(seconds=1)
                images.wake()
                await asyncio.sleep(0.05)
    finally:
        drawing.cancel()
        await asyncio.gather(drawing, return_exceptions=True)
        await images.close()

    rows = await harness.rows()
    assert {row.state for row in rows} == {"sent"}
    assert {row["slot"] for row in tables["deliveries"]} <= {row.slot for row in rows}
    # Everything in flight was posted once; the root that Slack had taken was found, not posted again.
    in_flight = [row for row in rows if row.kind != "edit"]
    posted = [call for call in harness.calls("chat.postMessage") if call.outcome == "ok"]
    by_delivery = Counter(call.args["metadata"]["event_payload"]["delivery_id"] for call in posted)
    assert {number for number, count in by_delivery.items() if count > 1} == set()
    assert len(posted) == len(in_flight)
    assert len(posted) - already_posted == len(in_flight) - len(data["slack"])
    assert max(Counter((row.channel_id, row.ts) for row in in_flight).values()) == 1
    found = next(row for row in rows if row.channel_id == channels[1] and row.slot == "root:S261122d")
    assert found.ts in {message["ts"] for message in harness.local_slack.messages(channels[1])}
    observed = harness.local_slack.messages(channels[0])[0]
    assert "<@U2>" in json.dumps(observed["blocks"]), "the edit that was owed shows the observer"
    confirmed = await factory.subscriptions.for_channel(team, channels[4])
    assert [(s.number, s.criteria.canonical) for s in confirmed] == [(1, "CBC far<1/month")]

    calls = []
    while (call := await factory.webhook_outbox.claim(clock())) is not None:
        await factory.webhook_outbox.mark_sent(call, clock())
        calls.append(call.id)
    assert sorted(calls) == [row["id"] for row in tables["webhook_calls"]]

    # A further notice of each event continues its threads, and opens none where one stands.
    roots = {(row.channel_id, row.slot): row.ts for row in rows if row.kind == "root"}
    for name in ("S261122a", "S261122b", "S261122d"):
        await harness.record_notices(decoded_notice(name, "UPDATE", minutes=10, far=1e-12))
    await harness.wait_until_delivered()
    replies = harness.calls("chat.postMessage")[len(posted) :]
    assert {
        (call.args["channel"], call.args["thread_ts"]) for call in replies if call.args.get("thread_ts")
    } >= {
        (channel, roots[channel, f"root:{name}"])
        for channel in channels[:3]
        for name in ("S261122a", "S261122b", "S261122d")
    }
    after = await harness.rows(kind="root")
    assert {key: ts for key, ts in ((((r.channel_id, r.slot)), r.ts) for r in after) if key in roots} == roots
    assert {row.state for row in await harness.rows()} == {"sent"}
    await factory.database.close()
