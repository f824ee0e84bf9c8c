"""Wake-ups between the workers of one process: finding work sets an event, the worker for it clears it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wakeups:
    """One event for each polling worker. Workers poll too, so a lost wake-up only costs time."""

    deliveries: asyncio.Event = field(default_factory=asyncio.Event)
    """Rows of the outbox may be due."""
    images: asyncio.Event = field(default_factory=asyncio.Event)
    """Sky-map images may be wanted."""
    deferred_routing: asyncio.Event = field(default_factory=asyncio.Event)
    """Notices may wait for queries of their sky maps."""
    webhook: asyncio.Event = field(default_factory=asyncio.Event)
    """Calls of the operators' webhook may be due."""
    escalations: asyncio.Event = field(default_factory=asyncio.Event)
    """Steps may be due of escalations: who is next, since nobody has an event."""

    def intents_planned(self) -> None:
        """Wake the workers that carry out what a plan may hold: posts, edits, images, calls, steps."""
        self.deliveries.set()
        self.images.set()
        self.webhook.set()
        self.escalations.set()

    def notice_stored(self) -> None:
        """Wake every worker that a new notice can give work to."""
        self.intents_planned()
        self.deferred_routing.set()
