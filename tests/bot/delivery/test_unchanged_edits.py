"""An edit to what a message shows already isn't sent, unless it is in doubt what it shows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.delivery.rendered_message import RenderedMessage
from bot.monitoring.metrics import Metrics
from bot.store import schema
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.blockkit.message import Message
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import decoded_notice

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgresql")]

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)
POST, EDIT = "chat.postMessage", "chat.update"
KINDS = (DeliveryKind.FOLLOW_UP, DeliveryKind.FOLLOW_UP_EDIT)


class Threads:
    """Threads with a root and a Follow-up reply, whose words the test sets."""

    def __init__(self, harness: DeliveryHarness) -> None:
        self.harness = harness
        self.words = "Follow-up: one message"

    def install(self) -> None:
        sender = self.harness.worker.sender
        render = sender.render

        async def rendered(delivery: Delivery) -> RenderedMessage | None:
            if delivery.kind not in KINDS:
                return await render(delivery)
            block = {"type": "section", "text": {"type": "mrkdwn", "text": self.words}}
            return RenderedMessage(message=Message(text=self.words, blocks=(block,)))

        sender.render = rendered

    async def open(self) -> str:
        (channel,) = await self.harness.create_subscribed_channels(words="CBC circulars")
        await self.harness.record_notices(FIRST)
        await self.finish()
        return channel

    async def change_root(self) -> None:
        """Something changes that the root may show."""
        async with self.harness.factory.database.exclusive_transaction() as connection:
            await mark_threads_stale(connection, await self._channels(connection), self.harness.clock())
        await self.finish()

    async def change_reply(self) -> None:
        """Something changes that the Follow-up reply may show."""
        async with self.harness.factory.database.exclusive_transaction() as connection:
            await request_follow_ups(connection, await self._channels(connection), self.harness.clock())
        await self.finish()

    async def _channels(self, connection: Any) -> dict[int, tuple[str, str]]:
        rows = (await connection.execute(select(schema.threads))).all()
        return {row.id: (row.team_id, row.channel_id) for row in rows}

    async def finish(self) -> None:
        """Advance the clock until no delivery is waiting."""
        for _ in range(60):
            await self.harness.run_rounds()
            if not (await self.harness.factory.outbox_statistics.counts()).waiting:
                return
            self.harness.advance(seconds=70)
        raise AssertionError(f"it waits for ever: {await self.harness.rows(state='pending')}")

    @property
    def edits(self) -> int:
        return len(self.harness.calls(EDIT))


@pytest.fixture
async def threads(harness: DeliveryHarness) -> Threads:
    made = Threads(harness)
    made.install()
    return made


async def revisions(harness: DeliveryHarness) -> list[tuple[int, int | None]]:
    found = []
    async with harness.factory.database.read_transaction() as connection:
        for table in (schema.threads, schema.follow_ups):
            query = select(table.c.wanted_revision, table.c.shown_revision)
            found += [(row[0], row[1]) for row in (await connection.execute(query)).all()]
    return found


async def test_an_equal_edit_of_a_root_counts_as_sent_without_a_call(threads: Threads) -> None:
    await threads.open()
    for _ in range(3):
        await threads.change_root()
    assert threads.edits == 0
    assert all(wanted == shown for wanted, shown in await revisions(threads.harness))
    assert [row.state for row in await threads.harness.rows(kind="edit")] == ["sent"]
    await threads.harness.record_notices(SECOND)
    await threads.finish()
    assert threads.edits == 1


async def test_an_equal_edit_of_a_reply_counts_as_sent_without_a_call(threads: Threads) -> None:
    await threads.open()
    await threads.change_reply()
    await threads.change_reply()
    assert threads.edits == 0
    threads.words = "Follow-up: two messages"
    await threads.change_reply()
    assert threads.edits == 1
    await threads.change_reply()
    assert threads.edits == 1
    assert all(wanted == shown for wanted, shown in await revisions(threads.harness))


async def test_after_a_restart_nothing_is_known(threads: Threads) -> None:
    await threads.open()
    await threads.change_root()
    await threads.harness.restart()
    threads.install()
    await threads.change_root()
    await threads.change_root()
    assert threads.edits == 1


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"drop": "before"}, {"oddity": "html"}])
async def test_after_an_edit_without_an_answer_an_equal_one_is_sent(
    threads: Threads, fault: dict[str, Any]
) -> None:
    await threads.open()
    await threads.change_reply()
    threads.harness.local_slack.fail(EDIT, times=1, **fault)
    threads.words = "Follow-up: withdrawn again"

    async def doubtful() -> bool:
        return any(row.doubtful for row in await threads.harness.rows(kind="follow_up_edit"))

    async with threads.harness.factory.database.exclusive_transaction() as connection:
        channels = await threads._channels(connection)
        await request_follow_ups(connection, channels, threads.harness.clock())
    threads.harness.advance(seconds=6)
    await threads.harness.wait_until(doubtful)
    threads.words = "Follow-up: one message"
    await threads.finish()
    texts = [text for text in threads.harness.texts(channels[next(iter(channels))][1]) if "Follow" in text]
    assert texts == ["Follow-up: one message"]
    assert threads.edits == 2


async def test_what_another_worker_edited_is_edited_back(threads: Threads) -> None:
    channel = await threads.open()
    await threads.change_root()
    root = threads.harness.local_slack.messages(channel)[0]
    await threads.harness.client.edit(channel, root["ts"], Message(text="what another worker showed"))
    async with threads.harness.factory.database.exclusive_transaction() as connection:
        bumped = {"wanted_revision": 7, "shown_revision": 7}
        await connection.execute(update(schema.threads).values(bumped))
    await threads.change_root()
    assert threads.harness.texts(channel)[0] == root["text"]


async def test_what_another_worker_edited_to_the_same_revision_is_edited_back(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sent one edit: this one's lease had run out, and the other was asked for different words."""
    channel = await threads.open()
    await threads.change_root()
    root = threads.harness.local_slack.messages(channel)[0]
    await threads.harness.client.edit(channel, root["ts"], Message(text="what another worker showed"))
    worker = threads.harness.worker

    async def heartbeat(workspaces: Collection[str]) -> frozenset[str]:
        return frozenset(workspaces)

    monkeypatch.setattr(worker._outbox.leases, "heartbeat", heartbeat)
    await worker._heartbeat()
    monkeypatch.undo()
    await threads.change_root()
    assert threads.harness.texts(channel)[0] == root["text"]


async def test_a_message_that_lost_a_part_is_edited_each_time(threads: Threads) -> None:
    """Slack says what it refuses: it isn't known when it stops refusing it."""
    channel = await threads.open()
    threads.words = "Follow-up: two messages"
    threads.harness.local_slack.fail(POST, error="invalid_blocks", having=("blocks",), times=None)
    await threads.change_reply()
    threads.harness.local_slack.faults.clear()
    await threads.change_reply()
    [reply] = [m for m in threads.harness.local_slack.messages(channel) if m["text"] == threads.words]
    assert reply["blocks"]


async def test_edits_that_are_not_sent_are_counted(threads: Threads) -> None:
    metrics = Metrics()
    writer = threads.harness.worker._outcome_writer
    writer._on_recorded = lambda outcomes: metrics.count_outcomes(outcomes, threads.harness.clock())
    await threads.open()
    await threads.change_root()
    await threads.change_reply()
    await threads.change_reply()
    counts = {
        kind: metrics.registry.get_sample_value("gwevent_unchanged_edits_total", {"kind": kind})
        for kind in ("edit", "follow_up_edit")
    }
    assert counts == {"edit": 1.0, "follow_up_edit": 1.0}
