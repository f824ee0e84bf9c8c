"""Wake-ups between the workers of one process: finding work sets an event, the worker for it clears it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

HEAD_START_S = 0.05
"""Seconds that deliveries get before pictures, calls and steps are woken, in which an alert's post goes out.

Pictures, calls and steps take longer anyway, and would take the processor from the post meanwhile.
"""


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
        """Wake the workers that carry out what a plan may hold: posts, edits, images, calls, steps.

        Call it in the event loop. All but the deliveries wait for `HEAD_START_S`.
        """
        self.deliveries.set()
        later = asyncio.get_running_loop().call_later
        for event in (self.images, self.webhook, self.escalations):
            later(HEAD_START_S, event.set)

    def notice_stored(self, *, is_deferred: bool = True) -> None:
        """Wake every worker that a new notice can give work to.

        With `is_deferred` it may wait for queries of its sky map, and so may posts about it.
        """
        self.intents_planned()
        if is_deferred:
            self.deferred_routing.set()
