"""The poller wakes the workers that have something due; if the store is unavailable, all of them."""

from __future__ import annotations

from datetime import datetime

import pytest

from bot.app.factory import Factory
from bot.delivery.due_poller import DuePoller
from bot.runtime.wakeups import Wakeups
from bot.store.database import StoreUnavailable
from bot.store.outbox.due import DueCheck, DueWork
from tests.support.factories import NOW, Clock


class StubDueCheck(DueCheck):
    """Returns what a test sets, or raises StoreUnavailable if it sets None."""

    def __init__(self, factory: Factory) -> None:
        super().__init__(factory.database, factory.leases)
        self.sees: DueWork | None = None

    async def check(self, now: datetime) -> DueWork:
        assert now == NOW
        if self.sees is None:
            raise StoreUnavailable("The database is locked.")
        return self.sees


@pytest.mark.parametrize(
    ("sees", "woken"),
    [
        (DueWork(deliveries=False, images=False, deferred_routing=False), []),
        (DueWork(deliveries=True, images=False, deferred_routing=False), ["deliveries"]),
        (DueWork(deliveries=False, images=True, deferred_routing=False), ["images"]),
        (DueWork(deliveries=False, images=False, deferred_routing=True), ["deferred_routing"]),
        (None, ["deliveries", "images", "deferred_routing"]),
    ],
)
async def test_only_workers_with_due_work_are_woken(
    factory: Factory, sees: DueWork | None, woken: list[str]
) -> None:
    due_check, wakeups = StubDueCheck(factory), Wakeups()
    due_check.sees = sees
    await DuePoller(due_check, Clock(), wakeups).poll_due()
    names = ("deliveries", "images", "deferred_routing", "webhook")
    assert [name for name in names if getattr(wakeups, name).is_set()] == woken
