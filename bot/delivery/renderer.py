"""Render a delivery into a message, from the newest state of its subject.

The outbox holds intents, not words: what a message says is decided when it is sent. So an alert that waited
shows what is known by then, and what was overtaken isn't posted at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from bot.delivery.announcement_renderer import AnnouncementRenderer
from bot.delivery.channel_grades import ChannelGrades, Grading
from bot.delivery.drill_renderer import DrillRenderer
from bot.delivery.escalation_renderer import EscalationRenderer
from bot.delivery.event_states import CACHE_SIZE, EventStates
from bot.delivery.follow_up_renderer import FollowUpRenderer
from bot.delivery.follow_up_services import FollowUpServices
from bot.delivery.mute_renderer import MuteRenderer
from bot.delivery.quiet_events import QuietEvents
from bot.delivery.render_repositories import RenderRepositories
from bot.delivery.rendered_message import RenderedMessage
from bot.delivery.root_renderer import RootRenderer
from bot.delivery.thread_renderer import GetPermalink, ThreadRenderer
from bot.runtime.single_flight import SingleFlight
from bot.skymap_service.observability import ObservabilityService
from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.posts import circular_link, incident, unreadable_notice


class Renderer:
    """Renders deliveries of every kind."""

    def __init__(
        self,
        repositories: RenderRepositories,
        observability: ObservabilityService,
        grading: Grading,
        follow_ups: FollowUpServices,
        get_permalink: GetPermalink,
        public_url: str | None = None,
    ) -> None:
        """`public_url` is the address at which the bot serves images itself, without a slash at its end."""
        event_states = EventStates(repositories.notices)
        grades = ChannelGrades(repositories.criteria_sets, grading)
        self._quiet_events = QuietEvents(repositories)
        self._roots = RootRenderer(
            repositories,
            event_states,
            observability,
            grades,
            self._quiet_events.is_quiet,
            follow_ups.coverage,
            public_url,
        )
        self._threads = ThreadRenderer(repositories, event_states, grades, get_permalink)
        self._announcements = AnnouncementRenderer(repositories)
        self._drills = DrillRenderer(repositories.drills)
        self._escalations = EscalationRenderer(repositories.escalations, event_states, grades, get_permalink)
        self._mutes = MuteRenderer(repositories.mutes, event_states)
        self._follow_ups = FollowUpRenderer(repositories, event_states, follow_ups)
        self._repositories = repositories
        self._unreadable_notices: SingleFlight[tuple[DeliveryKind, int], RenderedMessage | None] = (
            SingleFlight(CACHE_SIZE)
        )

    async def __call__(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the message; None if there is nothing to post any more. Raises StoreUnavailable."""
        if await self._mutes.holds_back(delivery):
            return None
        return await RENDERERS[delivery.kind](self, delivery)

    async def _render_root(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._roots.render(delivery)

    async def _render_reply(self, delivery: Delivery) -> RenderedMessage | None:
        rendered = await self._threads.render_reply(delivery)
        if rendered is None or not rendered.broadcast:
            return rendered
        return replace(rendered, broadcast=not await self._quiet_events.is_reply_quiet(delivery))

    async def _render_mention(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._threads.render_mention(delivery)

    async def _render_drill(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._drills.render_step(delivery)

    async def _render_drill_end(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._drills.render_end(delivery)

    async def _render_mute(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._mutes.render(delivery)

    async def _render_escalation(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._escalations.render(delivery)

    async def _render_confirmation(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._announcements.confirmation(delivery)

    async def _render_change(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._announcements.change(delivery)

    async def _render_welcome(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._announcements.welcome(delivery)

    async def _render_circular(self, delivery: Delivery) -> RenderedMessage | None:
        circular = await self._repositories.circulars.get(delivery.subject_id)
        return None if circular is None else RenderedMessage(message=circular_link.message(circular))

    async def _render_follow_up(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._follow_ups.render(delivery)

    async def _render_retraction_circular(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._follow_ups.render_retraction_circular(delivery)

    async def _render_unreadable_notice(self, delivery: Delivery) -> RenderedMessage | None:
        async def render() -> RenderedMessage | None:
            payload = await self._repositories.quarantine.get(delivery.subject_id)
            if payload is None:
                return None
            if delivery.kind is DeliveryKind.QUARANTINE_REPORT:
                return RenderedMessage(
                    message=unreadable_notice.quarantine_report(
                        payload.superevent_id,
                        payload.reason,
                        payload.origin,
                        is_of_stream=payload.stream is not None,
                    )
                )
            assert payload.superevent_id is not None, "this message is planned for known ids only"
            return RenderedMessage(message=unreadable_notice.message(payload.superevent_id, payload.reason))

        return await self._unreadable_notices.get((delivery.kind, delivery.subject_id), render)

    async def _render_incident(self, delivery: Delivery) -> RenderedMessage | None:
        # Not cached: the incident may be resolved by now.
        found = await self._repositories.incidents.get(delivery.subject_id)
        if found is None:
            return None
        is_resolved = delivery.kind is DeliveryKind.INCIDENT_RESOLVED
        return RenderedMessage(message=incident.resolved(found) if is_resolved else incident.opened(found))

    async def _render_mention_refused(self, delivery: Delivery) -> RenderedMessage | None:
        return await self._announcements.mention_refused(delivery)

    async def _render_first_real_event(self, delivery: Delivery) -> RenderedMessage | None:
        key = await self._repositories.notices.notice_key(delivery.subject_id)
        if key is None:
            return None
        superevent_id, alert_type, *_ = key
        previous = await self._repositories.notices.previous_real_event_time(superevent_id)
        return RenderedMessage(message=incident.first_real_event(superevent_id, alert_type, previous))


RENDERERS: Mapping[DeliveryKind, Callable[[Renderer, Delivery], Awaitable[RenderedMessage | None]]] = {
    DeliveryKind.ROOT: Renderer._render_root,
    DeliveryKind.EDIT: Renderer._render_root,
    DeliveryKind.REPLY: Renderer._render_reply,
    DeliveryKind.MENTION: Renderer._render_mention,
    DeliveryKind.CONFIRMATION: Renderer._render_confirmation,
    DeliveryKind.CHANGE: Renderer._render_change,
    DeliveryKind.WELCOME: Renderer._render_welcome,
    DeliveryKind.CIRCULAR: Renderer._render_circular,
    DeliveryKind.FOLLOW_UP: Renderer._render_follow_up,
    DeliveryKind.FOLLOW_UP_EDIT: Renderer._render_follow_up,
    DeliveryKind.RETRACTION_CIRCULAR: Renderer._render_retraction_circular,
    DeliveryKind.UNREADABLE_NOTICE: Renderer._render_unreadable_notice,
    DeliveryKind.QUARANTINE_REPORT: Renderer._render_unreadable_notice,
    DeliveryKind.INCIDENT_OPENED: Renderer._render_incident,
    DeliveryKind.INCIDENT_RESOLVED: Renderer._render_incident,
    DeliveryKind.MENTION_REFUSED: Renderer._render_mention_refused,
    DeliveryKind.FIRST_REAL_EVENT: Renderer._render_first_real_event,
    DeliveryKind.MUTE: Renderer._render_mute,
    DeliveryKind.ESCALATION: Renderer._render_escalation,
    DeliveryKind.DRILL: Renderer._render_drill,
    DeliveryKind.DRILL_END: Renderer._render_drill_end,
}
"""The method that renders each kind. A test holds that every kind has one."""
