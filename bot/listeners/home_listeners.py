"""App Home's Bolt listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bot.commands.router import CommandContext, CommandRouter
from bot.slack.request_team import context_team
from formatters.views import home_tab

if TYPE_CHECKING:
    from bot.listeners.subscription_modal import SubscriptionModal
from bot.listeners.home_tab import HomeTab


def register_home_listeners(
    app: AsyncApp, router: CommandRouter, home: HomeTab, modal: SubscriptionModal
) -> None:
    """Register the listeners of the home tab."""

    @app.event("app_home_opened")
    async def on_opened(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        # The tab with the messages is "opened" too.
        if event.get("tab") == "home":
            await home.publish(context_team(context), event["user"])

    @app.action(home_tab.NEW_ACTION)
    async def on_new(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await opened(context_team(context), body, action)

    @app.action(home_tab.EDIT_ACTION)
    async def on_edit(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await opened(context_team(context), body, action)

    @app.action(home_tab.PAUSE_ACTION)
    async def on_pause(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await told(context_team(context), body, action, "pause")

    @app.action(home_tab.RESUME_ACTION)
    async def on_resume(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await told(context_team(context), body, action, "resume")

    @app.action(home_tab.END_ACTION)
    async def on_end(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await told(context_team(context), body, action, "unsubscribe")

    async def opened(team: str, body: dict[str, Any], action: dict[str, Any]) -> None:
        asker, target = _parse_button(team, body, action)
        complaint = await modal.open(body["trigger_id"], asker, target.number, from_home=True)
        if complaint is not None:
            await home.publish(asker.team_id, asker.user_id, complaint)

    async def told(team: str, body: dict[str, Any], action: dict[str, Any], command: str) -> None:
        asker, target = _parse_button(team, body, action)
        which = f"{target.number}" if target.fingerprint is None else f"{target.number}@{target.fingerprint}"
        refused = await home.check_permission(asker)
        said = refused or await router.dispatch(f"{command} {which}", asker)
        await home.publish(asker.team_id, asker.user_id, said)


def _parse_button(
    team: str, body: dict[str, Any], action: dict[str, Any]
) -> tuple[CommandContext, home_tab.HomeAction]:
    target = home_tab.parse_action(str(action.get("value")))
    return CommandContext(team, target.channel_id, body["user"]["id"]), target
