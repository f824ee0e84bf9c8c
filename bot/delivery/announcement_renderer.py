"""Render what a channel is told about itself: that it is subscribed, what somebody changed, a welcome."""

from __future__ import annotations

from bot.delivery.render_repositories import RenderRepositories
from bot.delivery.rendered_message import RenderedMessage
from bot.store.outbox.models import Delivery
from formatters.answers import subscription_messages
from formatters.posts import subscription_change, welcome


class AnnouncementRenderer:
    """Renders announcements. Methods raise StoreUnavailable."""

    def __init__(self, repositories: RenderRepositories) -> None:
        self._subscriptions = repositories.subscriptions
        self._refused_mentions = repositories.refused_mentions

    async def confirmation(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the post that puts a subscription in force; None if it is gone."""
        subscription = await self._subscriptions.get(delivery.subject_id)
        if subscription is None:
            return None
        return RenderedMessage(message=subscription_messages.confirmation(subscription))

    async def change(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the message about a change and its author; None if there is nothing to announce any more."""
        changes = await self._subscriptions.changes_to_announce(delivery.id)
        if changes is None:
            return None
        return RenderedMessage(message=subscription_change.subscription_change(*changes))

    async def welcome(self, _: Delivery) -> RenderedMessage | None:
        """Return the first message to who installed the app."""
        return RenderedMessage(message=welcome.message())

    async def mention_refused(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the post about targets that Slack refuses to mention; None if it refuses none any more."""
        refused = await self._refused_mentions.for_refusal(delivery.subject_id)
        return RenderedMessage(message=subscription_messages.mention_refused(refused)) if refused else None
