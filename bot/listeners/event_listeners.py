"""Bolt listeners of the buttons and the menu below an event's card."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.listeners.check_modal import CheckModal
from bot.listeners.event_buttons import EventButtons
from bot.listeners.responses import respond_ephemerally
from bot.slack.request_team import context_team
from formatters.blockkit.message import Message
from formatters.posts.event_buttons import (
    ACKNOWLEDGE_ACTION,
    CHECK_ACTION,
    MENU_ACTION,
    MenuVerb,
    parse_menu_choice,
)
from formatters.views import check_modal
from formatters.views.check_modal import parse_check_context


def register_event_listeners(
    app: AsyncApp, router: CommandRouter, buttons: EventButtons, modal: CheckModal
) -> None:
    """Register the listeners. They come before the listener of any action."""

    async def history(asker: CommandContext, superevent_id: str) -> Message:
        return await router.dispatch(f"{superevent_id} history", asker)

    menu: Mapping[MenuVerb, Callable[[CommandContext, str], Awaitable[Message]]] = {
        MenuVerb.HISTORY: history,
        MenuVerb.MUTE: buttons.mute,
        MenuVerb.UNMUTE: buttons.unmute,
        MenuVerb.HAND_BACK: buttons.hand_back,
    }

    @app.action(ACKNOWLEDGE_ACTION)
    async def on_acknowledge(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        asker = _asker(body, context)
        answer = await buttons.acknowledge(asker, str(action["value"]))
        await respond_ephemerally(respond, answer, asker.thread_ts)

    @app.action(CHECK_ACTION)
    async def on_check(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        asker = _asker(body, context)
        failure = await modal.open(body["trigger_id"], asker, str(action["value"]))
        if failure is not None:
            await respond_ephemerally(respond, failure, asker.thread_ts)

    @app.view(check_modal.CALLBACK_ID)
    async def on_check_submission(
        ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        place = parse_check_context(view["private_metadata"])
        asker = CommandContext(context_team(context), place.channel_id, body["user"]["id"], place.thread_ts)
        await modal.submit(ack, asker, view)

    @app.action(MENU_ACTION)
    async def on_menu(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        chosen = parse_menu_choice(str((action.get("selected_option") or {}).get("value") or ""))
        if chosen is None:
            # A page's link opens it by itself.
            return
        asker = _asker(body, context)
        answer = await menu[chosen.verb](asker, chosen.superevent_id)
        await respond_ephemerally(respond, answer, asker.thread_ts)


def _asker(body: dict[str, Any], context: AsyncBoltContext) -> CommandContext:
    """Return who pressed a button, and where: in a thread only if the message itself is a reply."""
    container = body.get("container") or {}
    thread_ts = container.get("thread_ts")
    if thread_ts == container.get("message_ts"):
        # The card in the channel; an answer in its thread might not be seen.
        thread_ts = None
    return CommandContext(context_team(context), body["channel"]["id"], body["user"]["id"], thread_ts)
