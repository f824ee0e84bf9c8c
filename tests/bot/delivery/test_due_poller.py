"""Whoever has something to do is woken, and nobody else; without the store everybody is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from bot.app.factory import Rooms
from bot.delivery.due_poller import Lookout
from bot.store.database import StoreUnavailable
from bot.store.outbox.due import Due, Glance
from tests.support.factories import NOW, Clock


class Seen(Glance):
    """Sees what it is told to, or meets a store in trouble."""

    def __init__(self, rooms: Rooms) -> None:
        super().__init__(rooms.database, rooms.shares)
        self.sees: Due | None = None

    async def due(self, now: datetime) -> Due:
        assert now == NOW
        if self.sees is None:
            raise StoreUnavailable("The database is locked.")
        return self.sees


@pytest.mark.parametrize(
    ("sees", "woken"),
    [
        (Due(deliveries=False, pictures=False, maps=False), []),
        (Due(deliveries=True, pictures=False, maps=False), ["deliveries"]),
        (Due(deliveries=False, pictures=True, maps=False), ["pictures"]),
        (Due(deliveries=False, pictures=False, maps=True), ["maps"]),
        (None, ["deliveries", "pictures", "maps"]),
    ],
)
async def test_who_is_woken(rooms: Rooms, sees: Due | None, woken: list[str]) -> None:
    glance, called = Seen(rooms), list[str]()
    glance.sees = sees

    def wakes(name: str) -> Callable[[], None]:
        return lambda: called.append(name)

    lookout = Lookout(
        glance, Clock(), deliveries=wakes("deliveries"), pictures=wakes("pictures"), maps=wakes("maps")
    )
    await lookout.look()
    assert called == woken
