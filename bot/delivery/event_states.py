"""Load a superevent for rendering once, however many channels it goes to."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from bot.runtime.single_flight import SingleFlight
from bot.store.events.notices import NoticeRepository
from bot.store.outbox.models import Delivery
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.posts import unreadable_notice

CACHE_SIZE = 256
"""Results kept by each cache of rendering; one alert needs one for each view, not for each channel."""

log = structlog.get_logger(__name__)


class EventStates:
    """Superevents by id and revision."""

    def __init__(self, notices: NoticeRepository) -> None:
        self._notices = notices
        self._states: SingleFlight[tuple[str, int | None], tuple[Superevent, int | None] | None] = (
            SingleFlight(CACHE_SIZE)
        )

    async def latest(self, delivery: Delivery) -> tuple[Superevent, int | None] | None:
        """Return a delivery's superevent, and the id of the notice whose map an image would show.

        The id is None if the event was retracted or has no map. Return None if the superevent isn't stored
        any more. Raises StoreUnavailable.
        """
        superevent_id = delivery.superevent_id
        assert superevent_id is not None
        return await self._states.get(
            (superevent_id, delivery.superevent_revision), lambda: self._load(superevent_id)
        )

    async def _load(self, superevent_id: str) -> tuple[Superevent, int | None] | None:
        found = await self._notices.superevent_with_notice_ids(superevent_id)
        if found is None:
            return None
        superevent, notice_ids = found
        notice = None if superevent.is_retracted else superevent.latest_with_event
        if notice is None or notice.best_localization is None:
            return superevent, None
        return superevent, notice_ids[notice.key]


def render_or_fallback(superevent: Superevent, *renders: Callable[[], Message]) -> Message:
    """Return the result of the first of `renders` that doesn't raise, such as a card without its grades.

    If all raise, return a message that says so: every alert reaches people.
    """
    for render in renders:
        try:
            return render()
        except Exception:
            log.exception("unexpected_error", subsystem="rendering", superevent_id=superevent.superevent_id)
    return unreadable_notice.message(
        superevent.superevent_id, "gwevent met a fault of its own.", superevent.latest.urls.get("gracedb")
    )
