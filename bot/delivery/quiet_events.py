"""Which events are quiet in which channels, for the messages about them."""

from __future__ import annotations

from bot.criteria.decided_grades import DecidedGrades
from bot.delivery.batch_loader import BatchLoader
from bot.filters.quiet import is_quiet
from bot.store.channels.quiet_criteria import QuietCriteriaRepository
from bot.store.outbox.models import Delivery
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent


class QuietEvents:
    """Judges by the channel's subscriptions of now. Methods raise StoreUnavailable."""

    def __init__(self, repository: QuietCriteriaRepository) -> None:
        # A fan-out asks for hundreds of channels at once.
        self._load = BatchLoader(repository.for_channels)

    async def may_be_quiet(self, delivery: Delivery) -> bool:
        """Return True if a subscription of the delivery's channel says which events are quiet."""
        return await self._load((delivery.team_id, delivery.channel_id)) is not None

    async def is_quiet(self, delivery: Delivery, superevent: Superevent) -> bool:
        """Return True if the event, as it is, is quiet in the delivery's channel."""
        criteria_list = await self._load((delivery.team_id, delivery.channel_id))
        return criteria_list is not None and is_quiet(criteria_list, superevent, DecidedGrades(superevent))

    async def is_reply_quiet(self, delivery: Delivery, superevent: Superevent, notice: Notice) -> bool:
        """Return True if a reply about a notice is quiet: the event is, and it was before the notice.

        What a channel was told loudly is corrected loudly.
        """
        if not await self.is_quiet(delivery, superevent):
            return False
        previous = superevent.previous_notice(notice)
        return previous is None or await self.is_quiet(delivery, superevent.up_to(previous))
