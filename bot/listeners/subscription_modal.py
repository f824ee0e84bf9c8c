"""The subscription dialog: opened at once, for Slack gives 3 s; previewed; submitted as by a command."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck

from bot.commands.router import CommandContext, CommandRouter
from bot.filters.form_parser import InvalidForm, criteria_from_form
from bot.listeners.home_tab import STORE_UNAVAILABLE, HomeTab
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import StoreUnavailable
from formatters.answers import help as helping
from formatters.answers import subscription_messages
from formatters.blockkit.message import Message
from formatters.models.filter import map_queries
from formatters.models.subscription import Criteria, Subscription
from formatters.views import subscription_modal
from formatters.views.subscription_form import SubscriptionForm, form_from_criteria, same_criteria
from formatters.views.subscription_modal import ModalContext, Preview

MAX_COMMAND_CHARS = 4_000
"""Characters of what the dialog asks for in words; the grammar's own limit is lower."""
SUBMIT_TIMEOUT_S = 2.0
"""How long a submission waits for its outcome; Slack waits 3 s for the answer to it."""
_STILL_RUNNING = "This takes longer than usual; /gwevent subscriptions shows when it is done."

log = structlog.get_logger(__name__)


class SubscriptionModal:
    """Opens the dialog and does what is entered in it."""

    def __init__(
        self,
        router: CommandRouter,
        subscriptions: SubscriptionRepository,
        clients: Mapping[str, SlackClient],
        home: HomeTab,
        *,
        submit_timeout_s: float = SUBMIT_TIMEOUT_S,
    ) -> None:
        self._router = router
        self._subscriptions = subscriptions
        self._clients = clients
        self._home_tab = home
        self._submit_timeout_s = submit_timeout_s

    async def open(
        self, trigger_id: str, asker: CommandContext, number: int | None = None, *, from_home: bool = False
    ) -> Message | None:
        """Open it for a new subscription of a channel, or for one of its own; what to say if that fails.

        `home` says that the asker isn't in the channel at this moment, so that Slack must be asked whether
        they may.
        """
        place = ModalContext(channel_id=asker.channel_id, number=number, from_home=from_home)
        try:
            client = get_client(self._clients, asker.team_id)
            if number is None and not from_home:
                await client.open_view(
                    trigger_id, subscription_modal.view(place, SubscriptionForm(), Preview())
                )
                return None
            # Before anything is looked up: the trigger doesn't wait for a store.
            view_id = await client.open_view(
                trigger_id, subscription_modal.loading_page(place, "One moment …")
            )
            await client.update_view(view_id, await self._build_view(place, asker))
        except SlackFailure as failure:
            log.warning("dialog_not_opened", reason=failure.reason)
            return helping.error_message(f"Slack didn't open the dialog ({failure.reason}). Try again.")
        return None

    async def _build_view(
        self, modal_context: ModalContext, asker: CommandContext
    ) -> subscription_modal.View:
        """The dialog for what is there already, or a page that says why there is none."""
        refused = await self._home_tab.check_permission(asker) if modal_context.from_home else None
        if refused is not None:
            return subscription_modal.result_page(modal_context, refused)
        if modal_context.number is None:
            return subscription_modal.view(modal_context, SubscriptionForm(), Preview())
        try:
            here = await self._subscriptions.for_channel(asker.team_id, asker.channel_id)
            former = await self._subscriptions.get_by_former_number(
                asker.team_id, asker.channel_id, modal_context.number
            )
        except StoreUnavailable:
            return subscription_modal.result_page(modal_context, helping.error_message(STORE_UNAVAILABLE))
        found = _find_by_number(here, modal_context.number)
        if found is None and former is not None:
            return subscription_modal.result_page(
                modal_context, subscription_messages.renumbered(modal_context.number, former)
            )
        if found is None:
            return subscription_modal.result_page(
                modal_context, subscription_messages.no_such_number(str(modal_context.number), here)
            )
        return subscription_modal.view(
            modal_context,
            form_from_criteria(found.criteria),
            Preview(criteria=found.criteria, is_stored=True),
        )

    def parse_criteria(self, view: Mapping[str, Any]) -> Criteria:
        """What was entered. Raises InvalidForm."""
        return criteria_from_form(
            subscription_modal.parse_form(view["state"]["values"]), self._router.parse_criteria
        )

    async def preview(self, team_id: str, view: Mapping[str, Any]) -> None:
        """Show what the form means and what of the past it would have brought."""
        place = subscription_modal.parse_modal_context(view["private_metadata"])
        form = subscription_modal.parse_form(view["state"]["values"])

        async def show(preview: Preview) -> None:
            await self._update_view(team_id, view["id"], subscription_modal.view(place, form, preview))

        try:
            criteria = self.parse_criteria(view)
        except InvalidForm as error:
            await show(Preview(errors=error.errors))
            return
        if map_queries(criteria.filter):
            # Maps take seconds, words don't.
            await show(Preview(criteria=criteria, is_backtesting=True))
        tested = await self._router.dispatch(
            f"test {criteria.canonical_without_mentions}", None, max_length=MAX_COMMAND_CHARS
        )
        await show(Preview(criteria=criteria, backtest=tested))

    async def submit(
        self, ack: AsyncAck, asker: CommandContext, modal_context: ModalContext, view: Mapping[str, Any]
    ) -> None:
        """Do what was submitted, as the command in the channel does, and say there what became of it.

        Words that can't be read are said at their inputs.
        """
        try:
            criteria = self.parse_criteria(view)
        except InvalidForm as error:
            await ack(response_action="errors", errors=error.errors)
            return
        work = asyncio.create_task(self._submit(asker, modal_context, criteria))
        done, _ = await asyncio.wait([work], timeout=self._submit_timeout_s)
        if done:
            await ack(
                response_action="update", view=subscription_modal.result_page(modal_context, work.result())
            )
        else:
            # True also if Slack should take this for newer than the update that follows.
            await ack(
                response_action="update", view=subscription_modal.loading_page(modal_context, _STILL_RUNNING)
            )
            await self._update_view(
                asker.team_id, view["id"], subscription_modal.result_page(modal_context, await work)
            )
        if modal_context.from_home:
            await self._home_tab.publish(asker.team_id, asker.user_id)

    async def _submit(
        self, asker: CommandContext, modal_context: ModalContext, criteria: Criteria
    ) -> Message:
        refused = await self._home_tab.check_permission(asker) if modal_context.from_home else None
        return refused or await self._save(asker, modal_context, criteria)

    async def _save(self, asker: CommandContext, modal_context: ModalContext, criteria: Criteria) -> Message:
        if modal_context.number is None:
            return await self._router.dispatch(
                f"subscribe {criteria.canonical}", asker, max_length=MAX_COMMAND_CHARS
            )
        try:
            here = await self._subscriptions.for_channel(asker.team_id, asker.channel_id)
        except StoreUnavailable:
            return helping.error_message(STORE_UNAVAILABLE)
        found = _find_by_number(here, modal_context.number)
        if found is not None and same_criteria(found.criteria, criteria):
            return subscription_messages.unchanged(found)
        return await self._router.dispatch(
            f"edit {modal_context.number} {criteria.canonical}", asker, max_length=MAX_COMMAND_CHARS
        )

    async def _update_view(self, team_id: str, view_id: str, view: subscription_modal.View) -> None:
        try:
            await get_client(self._clients, team_id).update_view(view_id, view)
        except SlackFailure as failure:
            # Closed meanwhile, most likely; the channel's own post tells the rest.
            log.warning("dialog_not_updated", reason=failure.reason)


def _find_by_number(subscriptions: list[Subscription], number: int) -> Subscription | None:
    return next((s for s in subscriptions if s.number == number), None)
