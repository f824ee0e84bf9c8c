"""Whoever has something to do is woken, and nobody else; without the store everybody is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from bot.app.factory import Factory
from bot.delivery.due_poller import DuePoller
from bot.store.database import StoreUnavailable
from bot.store.outbox.due import DueCheck, DueWork
from tests.support.factories import NOW, Clock


class StubDueCheck(DueCheck):
    """Sees what it is told to, or meets a store in trouble."""

    def __init__(self, factory: Factory) -> None:
        super().__init__(factory.database, factory.leases)
        self.sees: DueWork | None = None

    async def due(self, now: datetime) -> DueWork:
        assert now == NOW
        if self.sees is None:
            raise StoreUnavailable("The database is locked.")
        return self.sees


@pytest.mark.parametrize(
    ("sees", "woken"),
    [
        (DueWork(deliveries=False, images=False, deferred_routing=False), []),
        (DueWork(deliveries=True, images=False, deferred_routing=False), ["deliveries"]),
        (DueWork(deliveries=False, images=True, deferred_routing=False), ["pictures"]),
        (DueWork(deliveries=False, images=False, deferred_routing=True), ["maps"]),
        (None, ["deliveries", "pictures", "maps"]),
    ],
)
async def test_only_workers_with_due_work_are_woken(
    factory: Factory, sees: DueWork | None, woken: list[str]
) -> None:
    due_check, called = StubDueCheck(factory), list[str]()
    due_check.sees = sees

    def wakes(name: str) -> Callable[[], None]:
        return lambda: called.append(name)

    lookout = DuePoller(
        due_check,
        Clock(),
        wake_deliveries=wakes("deliveries"),
        wake_images=wakes("pictures"),
        wake_deferred_routing=wakes("maps"),
    )
    await lookout.poll_due()
    assert called == woken
