"""Render the messages of an escalation's steps: who is next, since nobody has the event."""

from __future__ import annotations

from bot.criteria.decided_grades import DecidedGrades
from bot.delivery.channel_grades import ChannelGrades
from bot.delivery.event_states import EventStates, render_or_fallback
from bot.delivery.rendered_message import RenderedMessage
from bot.delivery.thread_renderer import GetPermalink, unless_it_fails
from bot.filters import CriteriaEvaluator
from bot.routing.escalation import wanted_targets
from bot.store.events.escalations import EscalationRepository
from bot.store.outbox.models import Delivery
from formatters.blockkit.message import Message
from formatters.models.escalation import WEBHOOK, EscalationEnd
from formatters.posts import escalation
from formatters.text import grade_lines


class EscalationRenderer:
    """Renders steps from what is so when they are sent: who has the event, what the rules still say."""

    def __init__(
        self,
        escalations: EscalationRepository,
        event_states: EventStates,
        grades: ChannelGrades,
        get_permalink: GetPermalink,
    ) -> None:
        self._escalations = escalations
        self._event_states = event_states
        self._grades = grades
        self._get_permalink = get_permalink

    async def render(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the step's message; None if somebody has the event, or its reason is over.

        Raises StoreUnavailable.
        """
        taken = await self._escalations.taken_step(delivery.subject_id)
        found = await self._event_states.latest(delivery)
        if taken is None or found is None or taken.is_closed or taken.end is EscalationEnd.ACKNOWLEDGED:
            return None
        superevent, _ = found
        evaluator = CriteriaEvaluator(superevent, DecidedGrades(superevent))
        wanted = wanted_targets(taken.criteria_list, evaluator)
        targets = tuple(target for target in taken.step.targets if target in wanted)
        if superevent.is_retracted or not (WEBHOOK in wanted if taken.step.webhook else targets):
            return None
        if taken.step.webhook and taken.call is not None and taken.call.at is not None:
            # Whoever is behind the webhook has heard of it after all.
            return None
        assert delivery.root_ts is not None, "the outbox hands out steps beside posted roots only"
        sets = await self._grades.sets((delivery.team_id, delivery.channel_id))
        outcomes = self._grades.at_once(sets, superevent).outcomes
        grade = unless_it_fails(lambda: grade_lines.push_grade(outcomes), None, superevent)
        root = await self._get_permalink(delivery.team_id, delivery.channel_id, delivery.root_ts)

        def render() -> Message:
            if taken.step.webhook:
                return escalation.webhook_refused(superevent, taken.taken_at, root, taken.call)
            return escalation.step_message(superevent, targets, taken.taken_at, root, grade)

        return RenderedMessage(message=render_or_fallback(superevent, render))
