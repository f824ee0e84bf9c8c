"""The events that are quiet in channels, for the messages about them."""

from __future__ import annotations

from bot.criteria.decided_grades import DecidedGrades
from bot.delivery.batch_loader import BatchLoader
from bot.delivery.render_repositories import RenderRepositories
from bot.filters.quiet import is_quiet
from bot.store.outbox.models import Delivery
from formatters.models.superevent import Superevent


class QuietEvents:
    """Judges by the channel's subscriptions of now. Methods raise StoreUnavailable."""

    def __init__(self, repositories: RenderRepositories) -> None:
        self._notices = repositories.notices
        # A fan-out asks for hundreds of channels at once.
        self._load = BatchLoader(repositories.quiet_criteria.for_channels)

    async def is_quiet(self, delivery: Delivery, superevent: Superevent) -> bool:
        """Return True if the event, as it is, is quiet in the delivery's channel."""
        criteria_list = await self._load((delivery.team_id, delivery.channel_id))
        return criteria_list is not None and is_quiet(criteria_list, superevent, DecidedGrades(superevent))

    async def is_reply_quiet(self, delivery: Delivery) -> bool:
        """Return True if a reply about a notice is quiet: the event is, and it was before the notice.

        What a channel was told loudly is corrected loudly.
        """
        criteria_list = await self._load((delivery.team_id, delivery.channel_id))
        if criteria_list is None or delivery.superevent_id is None:
            return False
        superevent = await self._notices.superevent(delivery.superevent_id)
        key = await self._notices.notice_key(delivery.subject_id)
        notice = None if superevent is None else next((n for n in superevent.notices if n.key == key), None)
        if superevent is None or notice is None:
            return False
        previous = superevent.previous_notice(notice)
        states = [superevent, *([] if previous is None else [superevent.up_to(previous)])]
        return all(is_quiet(criteria_list, state, DecidedGrades(state)) for state in states)
