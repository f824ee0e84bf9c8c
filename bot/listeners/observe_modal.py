"""The modal of "I'm observing": opened for an event of a channel, and submitted as a report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck

from bot.commands.context import CommandContext
from bot.commands.errors import store_unavailable
from bot.commands.event_lookup import EventLookup, NoSuchEvent
from bot.commands.observation_dialog import ObservationDialog
from bot.commands.observation_values import ImpossibleTime
from bot.filters import FilterSyntaxError
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.store.database import StoreUnavailable
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.views import observe_modal
from formatters.views.observe_modal import ObserveForm, ObserveModalContext, View

SUBMIT_TIMEOUT_S = 2.0
"""Seconds after which a submission is acknowledged without its outcome; Slack waits 3 s for that."""
AFTER_ACKNOWLEDGEMENT_S = 0.5
"""Seconds after the acknowledgement before which the view isn't updated."""
_STILL_RUNNING = "The fields are being planned; one moment …"

log = structlog.get_logger(__name__)

NO_ERRORS: Mapping[str, str] = MappingProxyType({})
_Outcome = Message | dict[str, str]
"""The answer, or what is wrong with the inputs."""


class ObserveModal:
    """Opens the modal, and stores what is reported with it."""

    def __init__(
        self,
        dialog: ObservationDialog,
        events: EventLookup,
        clients: Mapping[str, SlackClient],
        *,
        submit_timeout_s: float = SUBMIT_TIMEOUT_S,
    ) -> None:
        """`clients` by team id."""
        self._dialog = dialog
        self._events = events
        self._clients = clients
        self._submit_timeout_s = submit_timeout_s

    async def open(self, trigger_id: str, context: CommandContext, superevent_id: str) -> Message | None:
        """Open the modal for an event; return the answer to show if Slack doesn't open it."""
        place = ObserveModalContext(channel_id=context.channel_id, superevent_id=superevent_id)
        try:
            client = get_client(self._clients, context.team_id)
            # Opened before anything is looked up: the trigger expires after 3 s.
            view_id = await client.open_view(trigger_id, observe_modal.loading_page(place, "One moment …"))
            await client.update_view(view_id, await self._build_view(place, context))
        except SlackFailure as failure:
            log.warning("modal_not_opened", reason=failure.reason)
            return helping.error_message(
                f"Slack didn't open the form ({failure.reason}). Try again, or type it:"
                f" /gwevent observe ZTF done 12 r 21.5 {superevent_id}."
            )
        return None

    async def _build_view(
        self,
        place: ObserveModalContext,
        context: CommandContext,
        form: ObserveForm | None = None,
        errors: Mapping[str, str] = NO_ERRORS,
    ) -> View:
        try:
            superevent = await self._events.get(place.superevent_id)
            choices = replace(await self._dialog.choices(superevent, context), errors=errors)
            return observe_modal.view(place, choices, form)
        except StoreUnavailable:
            return observe_modal.result_page(place, store_unavailable())
        except NoSuchEvent:
            return observe_modal.result_page(place, helping.no_such_event(place.superevent_id, []))

    async def submit(self, ack: AsyncAck, context: CommandContext, view: Mapping[str, Any]) -> None:
        """Store the report, and show the outcome in the modal; what can't be read is marked at its input."""
        place = observe_modal.parse_observe_modal_context(view["private_metadata"])
        form = observe_modal.parse_form(view["state"]["values"])
        work = asyncio.create_task(self._store(context, place, form))
        done, _ = await asyncio.wait([work], timeout=self._submit_timeout_s)
        if done:
            outcome = work.result()
            if isinstance(outcome, Message):
                await ack(response_action="update", view=observe_modal.result_page(place, outcome))
            else:
                await ack(response_action="errors", errors=outcome)
            return
        await ack(response_action="update", view=observe_modal.loading_page(place, _STILL_RUNNING))
        # Else Slack may show this after the update that follows, which may hold what they typed.
        outcome, _ = await asyncio.gather(work, asyncio.sleep(AFTER_ACKNOWLEDGEMENT_S))
        if isinstance(outcome, Message):
            await self._update_view(context.team_id, view["id"], observe_modal.result_page(place, outcome))
        else:
            again = await self._build_view(place, context, form, outcome)
            await self._update_view(context.team_id, view["id"], again)

    async def _store(
        self, context: CommandContext, place: ObserveModalContext, form: ObserveForm
    ) -> _Outcome:
        try:
            superevent = await self._events.get(place.superevent_id)
            errors = await self._dialog.errors(form, context)
            return errors or await self._dialog.report(superevent, form, context)
        except ImpossibleTime as error:
            return {"time" if form.time else "fields": str(error)}
        except FilterSyntaxError as error:
            return {"fields" if form.fields or form.status == "plan" else "status": str(error)}
        except NoSuchEvent:
            return helping.no_such_event(place.superevent_id, [])
        except StoreUnavailable:
            return store_unavailable()

    async def _update_view(self, team_id: str, view_id: str, view: View) -> None:
        try:
            await get_client(self._clients, team_id).update_view(view_id, view)
        except SlackFailure as failure:
            # Most likely it was closed; what was reported shows on the card.
            log.warning("modal_not_updated", reason=failure.reason)
