"""Notifies tasks of one process that an outcome was stored, so that they need not poll the store fast."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager


class OutcomeNotifier:
    """Wakes the tasks that wait for an outcome, such as that of a subscription's confirmation.

    It carries no data: a task that is woken reads the store. An outcome that another process stores is not
    notified here, so a waiting task also reads the store from time to time.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, set[asyncio.Event]] = {}

    def notify(self, subjects: Iterable[Hashable]) -> None:
        """Wake the tasks that watch one of these subjects. Call it after the commit."""
        for subject in subjects:
            for event in self._waiting.get(subject, ()):
                event.set()

    @contextmanager
    def watch(self, subject: Hashable) -> Iterator[asyncio.Event]:
        """Give an event that `notify` sets for this subject, until the block ends."""
        event = asyncio.Event()
        self._waiting.setdefault(subject, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[subject].discard(event)
            if not self._waiting[subject]:
                del self._waiting[subject]
