"""Render the messages of drills from what is so when they are sent."""

from __future__ import annotations

from bot.delivery.rendered_message import RenderedMessage
from bot.store.channels.drills import DrillRepository
from bot.store.outbox.models import Delivery
from formatters.models.escalation_report import StepState
from formatters.posts import drill


class DrillRenderer:
    """Renders the steps of drills, and how long they took."""

    def __init__(self, drills: DrillRepository) -> None:
        self._drills = drills

    async def render_step(self, delivery: Delivery) -> RenderedMessage | None:
        """Return a step's message; None if the drill is over. Raises StoreUnavailable."""
        found = await self._drills.of_step(delivery.subject_id)
        if found is None or found.is_closed:
            return None
        reported = next(one for one in found.report.steps if one.id == delivery.subject_id)
        if reported.state is not StepState.TAKEN:
            return None
        call = found.called if reported.step.webhook else None
        if call is not None and call.at is not None:
            return None
        return RenderedMessage(message=drill.step_message(found.report, reported, call))

    async def render_end(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the last message; None if the drill was purged. Raises StoreUnavailable."""
        found = await self._drills.get(delivery.subject_id)
        return None if found is None else RenderedMessage(message=drill.end_message(found))
