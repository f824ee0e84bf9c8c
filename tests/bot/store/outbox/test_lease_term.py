"""How long a worker believes itself alive, by its own clock: no longer than the others believe it.

What the database does is held by `test_leases.py`, on PostgreSQL; here one stands in that agrees to all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from bot.store.database import Database
from bot.store.outbox.leases import LEASE_DURATION, WorkerLeases
from tests.support.factories import NOW, TEAM

LEASE_S = LEASE_DURATION.total_seconds()


class AgreeingDatabase:
    """Takes every statement; each takes `takes_s` seconds."""

    is_sqlite = False

    def __init__(self) -> None:
        self.elapsed_s, self.takes_s = 100.0, 0.0
        self.rowcount = 1

    @asynccontextmanager
    async def independent_transaction(self) -> AsyncIterator[AgreeingDatabase]:
        yield self

    async def execute(self, *_: object) -> AgreeingDatabase:
        self.elapsed_s += self.takes_s
        return self

    def scalar_one(self) -> object:
        return NOW

    def scalars(self) -> list[str]:
        return ["this worker"]

    def all(self) -> list[Any]:
        return []


@pytest.mark.parametrize("takes_s", [0.0, 0.1])
@pytest.mark.essential
async def test_a_lease_counts_from_before_its_heartbeat_and_once(takes_s: float) -> None:
    database = AgreeingDatabase()
    leases = WorkerLeases(cast(Database, database), elapsed=lambda: database.elapsed_s)

    def beliefs() -> tuple[bool, bool]:
        return leases.is_alive, leases.is_claim_valid(leases.worker_id)

    assert beliefs() == (False, False)
    for _ in range(2):
        began, database.takes_s = database.elapsed_s, takes_s
        await leases.heartbeat({TEAM})
        database.elapsed_s = began + LEASE_S - 0.01
        assert beliefs() == (True, True)
        assert not leases.is_claim_valid("another worker's id")
        database.elapsed_s = began + LEASE_S
        assert beliefs() == (False, False)
