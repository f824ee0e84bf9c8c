"""The event that a question is about."""

from __future__ import annotations

from bot.store.store import Store
from formatters.notice import Category
from formatters.superevent import Superevent


class NoSuchEvent(LookupError):
    """Nothing was received of the event that was asked about."""

    def __init__(self, superevent_id: str) -> None:
        super().__init__(superevent_id)
        self.superevent_id = superevent_id


async def named_or_newest(store: Store, superevent_id: str | None) -> tuple[Superevent | None, str | None]:
    """The event of this id, else the newest real one, else the newest mock with a sentence that says so.

    None where nothing was received at all. Raises NoSuchEvent, StoreUnavailable.
    """
    if superevent_id is not None:
        superevent = await store.superevent(superevent_id)
        if superevent is None:
            raise NoSuchEvent(superevent_id)
        return superevent, None
    real = await store.newest(category=Category.REAL)
    if real:
        return real[0], f"No event was named; {real[0].superevent_id} is the newest."
    mock = await store.newest(category=Category.MOCK)
    if mock:
        return mock[0], f"No real event was received yet; {mock[0].superevent_id} is the newest mock."
    return None, None
