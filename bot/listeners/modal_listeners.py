"""Bolt listeners of the subscription modal."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.commands.context import CommandContext
from bot.listeners.responses import respond_ephemerally
from bot.listeners.subscription_modal import SubscriptionModal
from bot.slack.request_team import context_team
from formatters.views import subscription_modal

_MODAL_COMMAND = re.compile(r"dialog(?:\s+#?(\d{1,18}))?", re.IGNORECASE)


async def _is_modal_command(command: dict[str, Any]) -> bool:
    return _MODAL_COMMAND.fullmatch((command.get("text") or "").strip()) is not None


def register_modal_listeners(app: AsyncApp, modal: SubscriptionModal) -> None:
    """Register the modal's listeners. They come before the listeners of any command and any action."""

    @app.command("/gwevent", matchers=[_is_modal_command])
    async def on_command(
        ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        asker = CommandContext(context_team(context), command["channel_id"], command["user_id"])
        match = _MODAL_COMMAND.fullmatch(command["text"].strip())
        assert match is not None, "the matcher saw to it"
        await open_modal(respond, command["trigger_id"], asker, match[1])

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
        await open_modal(respond, body["trigger_id"], asker, None if match is None else match[1])

    @app.action(subscription_modal.PREVIEW_ACTION)
    async def on_preview(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await modal.preview(_asker(body, context), body["view"])

    @app.action(subscription_modal.MORE_ACTION)
    async def on_more(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await modal.show_more(_asker(body, context), body["view"])

    @app.view(subscription_modal.CALLBACK_ID)
    async def on_submission(
        ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        modal_context = subscription_modal.parse_modal_context(view["private_metadata"])
        await modal.submit(ack, _asker(body, context), modal_context, view)

    async def open_modal(
        respond: AsyncRespond, trigger_id: str, asker: CommandContext, number: str | None
    ) -> None:
        failure = await modal.open(trigger_id, asker, None if number is None else int(number))
        if failure is not None:
            await respond_ephemerally(respond, failure)


def _asker(body: dict[str, Any], context: AsyncBoltContext) -> CommandContext:
    """Return the person who acts in the modal, and the channel that it is about."""
    modal_context = subscription_modal.parse_modal_context(body["view"]["private_metadata"])
    return CommandContext(context_team(context), modal_context.channel_id, body["user"]["id"])
