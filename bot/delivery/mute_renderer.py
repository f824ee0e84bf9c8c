"""Render what a mute brings into a thread, and hold back what it ends."""

from __future__ import annotations

from bot.delivery.batch_loader import BatchLoader
from bot.delivery.event_states import EventStates, render_or_fallback
from bot.delivery.rendered_message import RenderedMessage
from bot.routing.mutes import can_be_muted
from bot.store.channels.mutes import MuteRepository
from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.posts import mute

HELD_BACK_KINDS = frozenset(
    {DeliveryKind.REPLY, DeliveryKind.CIRCULAR, DeliveryKind.FOLLOW_UP, DeliveryKind.FOLLOW_UP_EDIT}
)
"""Kinds that aren't sent into the thread of an event that is muted in the channel."""


class MuteRenderer:
    """Renders the replies about mutes, and knows what isn't sent because of one."""

    def __init__(self, mutes: MuteRepository, event_states: EventStates) -> None:
        self._mutes = mutes
        self._event_states = event_states
        # A fan-out renders hundreds of replies at once.
        self._load_mute = BatchLoader(mutes.for_threads)

    async def holds_back(self, delivery: Delivery) -> bool:
        """Return whether a delivery isn't to be sent, because its event was muted in the channel.

        Asked when its turn comes, whatever brought it into the outbox: it may have waited there, or have been
        given up and brought back. Raises StoreUnavailable.
        """
        if delivery.kind not in HELD_BACK_KINDS or delivery.thread_id is None:
            return False
        if await self._load_mute(delivery.thread_id) is None:
            return False
        found = await self._event_states.latest(delivery)
        return found is None or can_be_muted(found[0])

    async def render(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the reply about a mute or its end; None if what it is about isn't stored any more.

        Raises StoreUnavailable.
        """
        found = await self._event_states.latest(delivery)
        said = await self._mutes.announcement(delivery.subject_id)
        if found is None or said is None:
            return None
        superevent, _ = found
        if said.is_muted:
            message = render_or_fallback(superevent, lambda: mute.muted(superevent, said.user_id, said.at))
            return RenderedMessage(message=message)
        missed = None
        if (since := said.muted_since) is not None:
            came = [n.received for n in superevent.notices if n.live and n.received is not None]
            missed = sum(since < time <= said.at for time in came)
        return RenderedMessage(
            message=render_or_fallback(
                superevent, lambda: mute.unmuted(superevent, said.user_id, said.at, missed)
            )
        )
