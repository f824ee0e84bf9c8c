"""Bolt listeners of App Home."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bot.commands.context import CommandContext
from bot.commands.subscription_service import SubscriptionService
from bot.listeners.home_tab import HomeTab
from bot.listeners.subscription_modal import SubscriptionModal
from bot.slack.request_team import context_team
from formatters.views import home_tab


def register_home_listeners(
    app: AsyncApp, service: SubscriptionService, home: HomeTab, modal: SubscriptionModal
) -> None:
    """Register the listeners of the home tab and its buttons."""

    @app.event("app_home_opened")
    async def on_opened(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        # The app's Messages tab sends this event too.
        if event.get("tab") == "home":
            home.remember_direct_channel(context_team(context), event["user"], event.get("channel"))
            await home.publish(context_team(context), event["user"])

    @app.action(home_tab.NEW_ACTION)
    async def on_new(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await open_modal(body, action, context)

    @app.action(home_tab.EDIT_ACTION)
    async def on_edit(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await open_modal(body, action, context)

    @app.action(home_tab.PAUSE_ACTION)
    async def on_pause(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        asker, number, _ = _parse_subscription_button(home, body, action, context)
        await home.change(asker, partial(service.pause, asker, number))

    @app.action(home_tab.RESUME_ACTION)
    async def on_resume(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        asker, number, _ = _parse_subscription_button(home, body, action, context)
        await home.change(asker, partial(service.resume, asker, number))

    @app.action(home_tab.END_ACTION)
    async def on_end(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        asker, number, fingerprint = _parse_subscription_button(home, body, action, context)
        fingerprints = {} if fingerprint is None else {number: fingerprint}
        await home.change(asker, partial(service.remove, asker, [number], fingerprints))

    async def open_modal(body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext) -> None:
        asker, target = _parse_button(home, body, action, context)
        failure = await modal.open(body["trigger_id"], asker, target.number, from_home=True)
        if failure is not None:
            await home.publish(asker.team_id, asker.user_id, failure)


def _parse_button(
    home: HomeTab, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
) -> tuple[CommandContext, home_tab.HomeAction]:
    target = home_tab.parse_action(str(action.get("value")))
    # Another process may have published this view; what it keeps must stay in the next.
    direct_channel = home_tab.parse_direct_channel(body["view"])
    home.remember_direct_channel(context_team(context), body["user"]["id"], direct_channel)
    return CommandContext(context_team(context), target.channel_id, body["user"]["id"]), target


def _parse_subscription_button(
    home: HomeTab, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
) -> tuple[CommandContext, int, str | None]:
    """Return who pressed the button and where it acts, the subscription's number and its fingerprint."""
    asker, target = _parse_button(home, body, action, context)
    if target.number is None:
        raise ValueError("the value of a subscription's button holds no number")
    return asker, target.number, target.fingerprint
