"""The modal's Bolt listeners."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.commands.router import CommandContext
from bot.listeners.subscription_modal import SubscriptionModal
from bot.slack.request_team import context_team
from formatters.blockkit.message import Message
from formatters.views import subscription_modal

_MODAL_COMMAND = re.compile(r"dialog(?:\s+#?(\d{1,18}))?", re.IGNORECASE)


async def _is_modal_command(command: dict[str, Any]) -> bool:
    return _MODAL_COMMAND.fullmatch((command.get("text") or "").strip()) is not None


def register_modal_listeners(app: AsyncApp, modal: SubscriptionModal) -> None:
    """Register the listeners of the dialog; before those that take any command and any action."""

    @app.command("/gwevent", matchers=[_is_modal_command])
    async def on_command(
        ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        asker = CommandContext(context_team(context), command["channel_id"], command["user_id"])
        match = _MODAL_COMMAND.fullmatch(command["text"].strip())
        assert match is not None, "the matcher saw to it"
        await _respond_if_failed(
            respond, await modal.open(command["trigger_id"], asker, _parse_number(match[1]))
        )

    @app.action(subscription_modal.OPEN_ACTION_PATTERN)
    async def on_button(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        asker = CommandContext(context_team(context), body["channel"]["id"], body["user"]["id"])
        match = subscription_modal.OPEN_ACTION_PATTERN.fullmatch(action["action_id"])
        number = None if match is None else _parse_number(match[1])
        await _respond_if_failed(respond, await modal.open(body["trigger_id"], asker, number))

    @app.action(subscription_modal.PREVIEW_ACTION)
    async def on_preview(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await modal.preview(context_team(context), body["view"])

    @app.view(subscription_modal.CALLBACK_ID)
    async def on_submission(
        ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        place = subscription_modal.parse_modal_context(view["private_metadata"])
        await modal.submit(
            ack, CommandContext(context_team(context), place.channel_id, body["user"]["id"]), place, view
        )


async def _respond_if_failed(respond: AsyncRespond, complaint: Message | None) -> None:
    if complaint is not None:
        blocks = [dict(block) for block in complaint.blocks]
        await respond(text=complaint.text, blocks=blocks, response_type="ephemeral", replace_original=False)


def _parse_number(digits: str | None) -> int | None:
    return None if digits is None else int(digits)
