"""Bolt listeners of the button "I'm observing" and of the modal that it opens."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.commands.context import CommandContext
from bot.listeners.observe_modal import ObserveModal
from bot.listeners.responses import respond_ephemerally
from bot.slack.request_team import context_team
from formatters.posts.event_buttons import TOGGLE_OBSERVER_ACTION
from formatters.views import observe_modal


def register_observe_listeners(app: AsyncApp, modal: ObserveModal) -> None:
    """Register the modal's listeners. They come before the listeners of any action."""

    @app.action(TOGGLE_OBSERVER_ACTION)
    async def on_button(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        asker = CommandContext(context_team(context), body["channel"]["id"], body["user"]["id"])
        failure = await modal.open(body["trigger_id"], asker, str(action.get("value") or ""))
        if failure is not None:
            await respond_ephemerally(respond, failure)

    @app.view(observe_modal.CALLBACK_ID)
    async def on_submission(
        ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        place = observe_modal.parse_observe_modal_context(view["private_metadata"])
        asker = CommandContext(context_team(context), place.channel_id, body["user"]["id"])
        await modal.submit(ack, asker, view)
