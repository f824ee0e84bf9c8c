"""A claim whose commit gets no answer, and is made later by a database that was frozen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app.factory import Factory
from bot.store import schema
from bot.store.database import StoreUnavailable
from bot.store.outbox.models import DeliveryState
from tests.support.factories import NOW, TEAM, decoded_notice, record_notices, subscribe

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def claim_without_an_answer(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claim what is due; the transaction fails before its commit."""
    shared = factory.database.shared_transaction

    @asynccontextmanager
    async def unanswered() -> AsyncIterator[AsyncConnection]:
        async with shared() as connection:
            yield connection
            raise StoreUnavailable("The database said nothing.")

    with monkeypatch.context() as patched:
        patched.setattr(factory.database, "shared_transaction", unanswered)
        with pytest.raises(StoreUnavailable):
            await factory.outbox.claim(NOW, 10)


@pytest.mark.parametrize("claims_meanwhile", [0, 1, 3])
async def test_the_late_commit_of_a_claim_keeps_no_alert_back(
    claims_meanwhile: int, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await factory.leases.heartbeat({TEAM})
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    await claim_without_an_answer(factory, monkeypatch)
    for _ in range(claims_meanwhile):
        # Until then its transaction keeps the row from being claimed.
        assert await factory.outbox.claim(NOW, 10, busy_channels={(TEAM, "C1")}) == []
    deliveries = schema.deliveries
    late = update(deliveries).values(state=DeliveryState.SENDING.value, claimed_by=factory.leases.worker_id)
    async with factory.database.independent_transaction() as connection:
        await connection.execute(late)
    [delivery] = await factory.outbox.claim(NOW, 10)
    assert (delivery.channel_id, delivery.maybe_sent) == ("C1", False)
    assert await factory.outbox.claim(NOW, 10) == [], "what is being sent isn't put back"
