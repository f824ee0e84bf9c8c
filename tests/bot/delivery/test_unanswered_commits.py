"""The connection to the database ends while a commit is under way: nobody knows whether it was made."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from bot.store.database import Database, StoreUnavailable
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import decoded_notice

pytestmark = pytest.mark.backends("sqlite", "postgresql")

CHANNELS = 3
EVENTS = 4


class LostAnswers:
    """Lets some transactions of a worker fail: before their commit, or when the database has made it."""

    def __init__(self, database: Database, seed: int) -> None:
        self._rng = random.Random(seed)
        self._shared = database.shared_transaction
        self.left = 12
        """The number of transactions that fail still."""
        self.made = 0
        """The number of commits that were made and got no answer."""

    @asynccontextmanager
    async def shared_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Replace the database's method."""
        way = self._rng.choice(("answered", "cut before", "cut after")) if self.left else "answered"
        async with self._shared() as connection:
            yield connection
            if way == "cut before":
                self.left -= 1
                raise StoreUnavailable("The connection ended before the commit.")
        if way == "cut after":
            self.left -= 1
            self.made += 1
            raise StoreUnavailable("The connection ended after the commit.")


@pytest.mark.parametrize("seed", range(4))
async def test_each_alert_is_posted_once_whichever_answers_are_lost(
    seed: int, stopped_harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, database = stopped_harness, stopped_harness.factory.database
    channels = await harness.create_subscribed_channels(CHANNELS)
    harness.start()
    await harness.run_rounds()
    answers = LostAnswers(database, seed)
    monkeypatch.setattr(database, "shared_transaction", answers.shared_transaction)
    with capture_logs() as logged:
        await harness.record_notices(
            *(decoded_notice(f"S26112{number}a", "INITIAL", far=1e-12) for number in range(EVENTS))
        )

        async def quiet() -> bool:
            harness.advance(seconds=1)
            return answers.left == 0 and not (await harness.factory.outbox_statistics.counts()).waiting

        await harness.wait_until(quiet)
    assert answers.made, "no commit was made without an answer"
    for channel in channels:
        told = Counter(harness.texts(channel))
        assert len(told) == EVENTS and set(told.values()) == {1}, told
    assert {row.state for row in await harness.rows()} == {"sent"}
    assert not [line for line in logged if line["event"] == "outcome_discarded"], "no lease was lost"
