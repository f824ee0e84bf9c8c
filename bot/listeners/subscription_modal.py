"""The subscription modal: opened, previewed, and submitted to the subscription service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck

from bot.commands.context import CommandContext
from bot.commands.errors import store_unavailable
from bot.commands.search import SearchCommands
from bot.commands.subscription_answers import answer_change, answer_for
from bot.commands.subscription_service import SubscriptionService
from bot.filters import find_contradiction
from bot.filters.form_parser import InvalidForm, criteria_from_form
from bot.filters.quiet import without_idle_quiet
from bot.listeners.channel_membership import STORE_UNAVAILABLE, ChannelMembership
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.store.database import StoreUnavailable
from formatters.answers import help as helping
from formatters.answers import subscription_messages
from formatters.blockkit.message import Message
from formatters.models.filter import map_queries
from formatters.models.subscription import Criteria, Subscription
from formatters.views import subscription_modal
from formatters.views.subscription_form import NEW_FORM, SubscriptionForm, form_from_criteria, same_criteria
from formatters.views.subscription_modal import ModalContext, Preview

SUBMIT_TIMEOUT_S = 2.0
"""Seconds after which a submission is acknowledged without its outcome; Slack waits 3 s for that."""
_STILL_RUNNING = "This takes longer than usual; /gwevent subscriptions shows when it is done."

OnSaved = Callable[[CommandContext], Awaitable[None]]
"""Called after a submission, with the person and the channel that it was for."""

FindContradiction = Callable[[Criteria], str | None]
"""Returns a sentence on why criteria can never hold; None if they can."""

log = structlog.get_logger(__name__)


class SubscriptionModal:
    """Opens the modal, previews what is entered in it, and makes the subscription or changes it."""

    def __init__(
        self,
        service: SubscriptionService,
        search_commands: SearchCommands,
        membership: ChannelMembership,
        clients: Mapping[str, SlackClient],
        on_saved: OnSaved,
        *,
        find_contradiction: FindContradiction = find_contradiction,
        submit_timeout_s: float = SUBMIT_TIMEOUT_S,
    ) -> None:
        """`on_saved` is called after a submission from App Home; `clients` by team id."""
        self._find_contradiction = find_contradiction
        self._service = service
        self._search_commands = search_commands
        self._membership = membership
        self._clients = clients
        self._on_saved = on_saved
        self._submit_timeout_s = submit_timeout_s

    async def open(
        self, trigger_id: str, context: CommandContext, number: int | None = None, *, from_home: bool = False
    ) -> Message | None:
        """Open the modal for a new subscription, or for the channel's one with this number.

        `from_home` says that the person may be outside the channel, so that their membership is checked.
        Return the answer to show if Slack doesn't open the modal.
        """
        modal_context = ModalContext(channel_id=context.channel_id, number=number, from_home=from_home)
        try:
            client = get_client(self._clients, context.team_id)
            if number is None and not from_home:
                await client.open_view(
                    trigger_id, await self._form_view(context, modal_context, NEW_FORM, Preview())
                )
                return None
            # Opened before anything that may take long: the trigger expires after 3 s.
            view_id = await client.open_view(
                trigger_id, subscription_modal.loading_page(modal_context, "One moment …")
            )
            await client.update_view(view_id, await self._build_view(modal_context, context))
        except SlackFailure as failure:
            log.warning("modal_not_opened", reason=failure.reason)
            return helping.error_message(f"Slack didn't open the form ({failure.reason}). Try again.")
        return None

    async def _build_view(
        self, modal_context: ModalContext, context: CommandContext
    ) -> subscription_modal.View:
        """Return the modal filled with the subscription, or a page that says why there is none."""
        refusal = await self._check_membership(modal_context, context)
        if refusal is not None:
            return subscription_modal.result_page(modal_context, refusal)
        if modal_context.number is None:
            return await self._form_view(context, modal_context, NEW_FORM, Preview())
        try:
            found = await self._service.find(context, modal_context.number)
        except StoreUnavailable:
            return subscription_modal.result_page(modal_context, helping.error_message(STORE_UNAVAILABLE))
        if not isinstance(found, Subscription):
            return subscription_modal.result_page(modal_context, answer_for(found))
        return await self._form_view(
            context,
            modal_context,
            form_from_criteria(found.criteria),
            Preview(criteria=found.criteria, is_stored=True),
        )

    async def _form_view(
        self, context: CommandContext, modal_context: ModalContext, form: SubscriptionForm, preview: Preview
    ) -> subscription_modal.View:
        """Return the modal with its inputs, the criteria sets that can be chosen among them."""
        sets = await self._service.choosable_sets(context.team_id)
        has_webhook = self._service.may_call_webhook(context.team_id)
        return subscription_modal.view(modal_context, form, preview, sets, has_webhook=has_webhook)

    async def _parse(
        self, context: CommandContext, modal_context: ModalContext, form: SubscriptionForm
    ) -> Criteria:
        """Return the criteria that were entered. Raises InvalidForm.

        Of a new subscription that never brings a quiet event, the tick which every new form has is left out.
        """
        try:
            parse = await self._service.criteria_parser(context, form.words)
        except StoreUnavailable:
            raise InvalidForm({"words": STORE_UNAVAILABLE}) from None
        criteria = criteria_from_form(form, parse)
        if modal_context.number is not None or not form.quiet:
            return criteria
        return await asyncio.to_thread(without_idle_quiet, criteria)

    async def show_more(self, context: CommandContext, view: Mapping[str, Any]) -> None:
        """Show all inputs, with what was entered so far."""
        modal_context = subscription_modal.parse_modal_context(view["private_metadata"])
        form = subscription_modal.parse_form(view["state"]["values"])
        shown = await self._form_view(context, replace(modal_context, has_more=True), form, Preview())
        await self._update_view(context.team_id, view["id"], shown)

    async def preview(self, context: CommandContext, view: Mapping[str, Any]) -> None:
        """Show the meaning of the entered criteria, and the past events that fit them."""
        modal_context = subscription_modal.parse_modal_context(view["private_metadata"])
        form = subscription_modal.parse_form(view["state"]["values"])

        async def show(preview: Preview) -> None:
            shown = await self._form_view(context, modal_context, form, preview)
            await self._update_view(context.team_id, view["id"], shown)

        try:
            criteria = await self._parse(context, modal_context, form)
        except InvalidForm as error:
            await show(Preview(errors=error.errors))
            return
        contradiction = await asyncio.to_thread(self._find_contradiction, criteria)
        if map_queries(criteria.filter):
            # Queries of sky maps take seconds, so the meaning is shown before them.
            await show(Preview(criteria=criteria, contradiction=contradiction, is_backtesting=True))
        try:
            backtest = await self._search_commands.backtest(criteria, context)
        except StoreUnavailable:
            backtest = store_unavailable()
        await show(Preview(criteria=criteria, contradiction=contradiction, backtest=backtest))

    async def submit(
        self, ack: AsyncAck, context: CommandContext, modal_context: ModalContext, view: Mapping[str, Any]
    ) -> None:
        """Make or change the subscription, and show the outcome in the modal.

        Inputs that are invalid are marked in it, each with its error. Criteria that can never hold are stored
        when they are submitted again, after the modal has said so.
        """
        form = subscription_modal.parse_form(view["state"]["values"])
        try:
            criteria = await self._parse(context, modal_context, form)
        except InvalidForm as error:
            shown = subscription_modal.input_names(view)
            await ack(
                response_action="errors", errors=subscription_modal.errors_at_inputs(error.errors, shown)
            )
            return
        contradiction = await asyncio.to_thread(self._find_contradiction, criteria)
        warned_about = subscription_modal.criteria_fingerprint(criteria)
        if contradiction is not None and modal_context.warned_about != warned_about:
            warning = await self._form_view(
                context,
                replace(modal_context, warned_about=warned_about),
                form,
                Preview(criteria=criteria, contradiction=contradiction),
            )
            await ack(response_action="update", view=warning)
            return
        work = asyncio.create_task(self._submit(context, modal_context, criteria))
        done, _ = await asyncio.wait([work], timeout=self._submit_timeout_s)
        if done:
            await ack(
                response_action="update", view=subscription_modal.result_page(modal_context, work.result())
            )
        else:
            # Worded so that it stays true if Slack shows it after the update that follows.
            await ack(
                response_action="update", view=subscription_modal.loading_page(modal_context, _STILL_RUNNING)
            )
            await self._update_view(
                context.team_id, view["id"], subscription_modal.result_page(modal_context, await work)
            )
        if modal_context.from_home:
            await self._on_saved(context)

    async def _submit(
        self, context: CommandContext, modal_context: ModalContext, criteria: Criteria
    ) -> Message:
        refusal = await self._check_membership(modal_context, context)
        return refusal or await self._save(context, modal_context.number, criteria)

    async def _check_membership(self, modal_context: ModalContext, context: CommandContext) -> Message | None:
        return await self._membership.check(context) if modal_context.from_home else None

    async def _save(self, context: CommandContext, number: int | None, criteria: Criteria) -> Message:
        # What can never hold was said before: whoever submits it again insists on it.
        if number is None:
            return await answer_change(partial(self._service.subscribe, context, criteria, anyway=True))
        try:
            found = await self._service.find(context, number)
        except StoreUnavailable:
            return helping.error_message(STORE_UNAVAILABLE)
        if isinstance(found, Subscription) and same_criteria(found.criteria, criteria):
            return subscription_messages.unchanged(found)
        return await answer_change(partial(self._service.edit, context, number, criteria, anyway=True))

    async def _update_view(self, team_id: str, view_id: str, view: subscription_modal.View) -> None:
        try:
            await get_client(self._clients, team_id).update_view(view_id, view)
        except SlackFailure as failure:
            # Most likely it was closed; the outcome is posted in the channel too.
            log.warning("modal_not_updated", reason=failure.reason)
