"""The dialog of the button "Check position": opened, and answered to who pressed it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck

from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.commands.typed_events import find_typed_events
from bot.listeners.responses import SendEphemeral
from bot.runtime.typed_text import normalize_typed_text
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from formatters.answers import help as helping
from formatters.blockkit.message import Message
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
        router: CommandRouter,
        clients: Mapping[str, SlackClient],
        send_ephemeral: SendEphemeral,
        *,
        submit_timeout_s: float = SUBMIT_TIMEOUT_S,
    ) -> None:
        """`clients` by team id."""
        self._router = router
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
            (answer, _), _ = await asyncio.gather(work, asyncio.sleep(AFTER_ACKNOWLEDGEMENT_S))
            await self._show_late(asker, context, view["id"], answer)
            return
        answer, is_shown = work.result()
        if answer.is_refusal:
            await ack(response_action="errors", errors=check_modal.errors(answer))
        elif is_shown:
            await ack()
        else:
            await ack(response_action="update", view=check_modal.answer_page(context, answer))

    async def _answer(self, asker: CommandContext, context: CheckContext, typed: str) -> tuple[Message, bool]:
        """Return the answer, and whether the person sees it in the channel."""
        named = find_typed_events(normalize_typed_text(typed))
        others = [one.text for one in named if one.superevent_id not in (None, context.superevent_id)]
        if others:
            return helping.error_message(
                f"Here positions are compared with {context.superevent_id} only: leave {others[0]} out."
            ), False
        answer = await self._router.dispatch(f"check {context.superevent_id}\n{typed}", asker)
        if answer.is_refusal:
            return answer, False
        return answer, await self._send_ephemeral(asker, answer, context.thread_ts)

    async def _show_late(
        self, asker: CommandContext, context: CheckContext, view_id: str, answer: Message
    ) -> None:
        try:
            client = get_client(self._clients, asker.team_id)
            await client.update_view(view_id, check_modal.answer_page(context, answer))
        except SlackFailure as failure:
            # Most likely it was closed; the answer stands in the channel, unless it is a refusal.
            log.info("modal_not_updated", reason=failure.reason)
            if answer.is_refusal:
                await self._send_ephemeral(asker, answer, context.thread_ts)
