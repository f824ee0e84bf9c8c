"""The dialog of the button "Check position": opened, and answered to who pressed it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck

from bot.commands.check import CheckCommand
from bot.commands.context import CommandContext
from bot.commands.errors import store_unavailable
from bot.commands.event_lookup import NoSuchEvent
from bot.filters import FilterSyntaxError
from bot.listeners.responses import SendAnswer
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.store.database import StoreUnavailable
from formatters.answers import answer
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import BUTTON_VALUE_MAX, utf16_length
from formatters.models.notice import is_unusual_id
from formatters.views import check_modal
from formatters.views.check_modal import CheckContext

SUBMIT_TIMEOUT_S = 2.0
"""Seconds after which a submission is acknowledged without its answer; Slack waits 3 s for that."""
AFTER_ACKNOWLEDGEMENT_S = 0.5
"""Seconds after the acknowledgement before which the view isn't updated."""

log = structlog.get_logger(__name__)


class CheckModal:
    """Opens the dialog for one event, and answers as the command `check` does."""

    def __init__(
        self,
        check: CheckCommand,
        clients: Mapping[str, SlackClient],
        send_ephemeral: SendAnswer,
        *,
        submit_timeout_s: float = SUBMIT_TIMEOUT_S,
    ) -> None:
        """`clients` by team id."""
        self._check = check
        self._clients = clients
        self._send_ephemeral = send_ephemeral
        self._submit_timeout_s = submit_timeout_s

    async def open(self, trigger_id: str, asker: CommandContext, superevent_id: str) -> Message | None:
        """Open the dialog; return the answer to show if Slack doesn't open it."""
        context = CheckContext(
            channel_id=asker.channel_id, superevent_id=superevent_id, thread_ts=asker.thread_ts
        )
        try:
            await get_client(self._clients, asker.team_id).open_view(trigger_id, check_modal.view(context))
        except SlackFailure as failure:
            log.warning("modal_not_opened", reason=failure.reason)
            return helping.error_message(
                f"Slack didn't open the dialog ({failure.reason}). Try again, or type /gwevent check "
                f"{superevent_id} and the position."
            )
        return None

    async def submit(self, ack: AsyncAck, asker: CommandContext, view: Mapping[str, Any]) -> None:
        """Check the positions, and show the answer to the person alone where the button was pressed.

        What can't be read is said in the dialog, which keeps it. So is an answer that takes long, or that
        Slack doesn't show in the channel.
        """
        context = check_modal.parse_check_context(view["private_metadata"])
        typed = check_modal.parse_positions(view["state"]["values"])
        work = asyncio.create_task(self._answer(asker, context, typed))
        done, _ = await asyncio.wait([work], timeout=self._submit_timeout_s)
        if not done:
            await ack(response_action="update", view=check_modal.waiting_page(context))
            # Else Slack may show this page after the one that follows.
            (said, _), _ = await asyncio.gather(work, asyncio.sleep(AFTER_ACKNOWLEDGEMENT_S))
            await self._show_late(asker, context, view["id"], said)
            return
        said, is_shown = work.result()
        if said.is_refusal:
            await ack(response_action="errors", errors=check_modal.errors(said))
        elif is_shown:
            await ack()
        else:
            await ack(response_action="update", view=check_modal.answer_page(context, said))

    async def _answer(self, asker: CommandContext, context: CheckContext, typed: str) -> tuple[Message, bool]:
        """Return the answer, and whether the person sees it in the channel."""
        try:
            checked = await self._check.answer_about(context.superevent_id, typed)
        except FilterSyntaxError as error:
            return helping.error_message(str(error)), False
        except NoSuchEvent:
            return helping.error_message(f"gwevent doesn't know {context.superevent_id} any more."), False
        except StoreUnavailable:
            return store_unavailable(), False
        question = f"check {context.superevent_id}\n{typed}"
        # The button holds the question and asks it again, for which its event must be found in it.
        if not is_unusual_id(context.superevent_id) and utf16_length(question) <= BUTTON_VALUE_MAX:
            checked = answer.shareable(checked, question)
        return checked, await self._send_ephemeral(asker, checked, context.thread_ts)

    async def _show_late(
        self, asker: CommandContext, context: CheckContext, view_id: str, said: Message
    ) -> None:
        try:
            client = get_client(self._clients, asker.team_id)
            await client.update_view(view_id, check_modal.answer_page(context, said))
        except SlackFailure as failure:
            # Most likely it was closed; the answer stands in the channel, unless it is a refusal.
            log.warning("modal_not_updated", reason=failure.reason)
            if said.is_refusal:
                await self._send_ephemeral(asker, said, context.thread_ts)
