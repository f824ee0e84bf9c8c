"""The button "I'm observing" of an alert card."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from bot.runtime.wakeups import Wakeups
from bot.store.channels.observers import ObserverRepository

log = structlog.get_logger(__name__)


class ObserverButton:
    """Adds a user to an alert card's list of observers, or removes them."""

    def __init__(
        self, observers: ObserverRepository, clock: Callable[[], datetime], wakeups: Wakeups
    ) -> None:
        self._observers = observers
        self._clock = clock
        self._wakeups = wakeups

    async def toggle(self, team_id: str, channel_id: str, superevent_id: str, user_id: str) -> None:
        """Add or remove the user, and have the alert card edited. Raises StoreUnavailable."""
        now = self._clock()
        observes = await self._observers.toggle(team_id, channel_id, superevent_id, user_id, now)
        log.info("observer_toggled", superevent_id=superevent_id, channel=channel_id, observes=observes)
        self._wakeups.deliveries.set()
