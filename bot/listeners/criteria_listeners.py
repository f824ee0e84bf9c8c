"""Bolt listeners of the modal of criteria sets, and of the buttons that open it."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.commands.context import CommandContext
from bot.listeners.criteria_modal import CriteriaModal
from bot.listeners.home_tab import HomeTab
from bot.listeners.responses import respond_ephemerally
from bot.slack.request_team import context_team
from formatters.answers.help import error_message
from formatters.views import criteria_modal, home_tab

_OPEN_AGAIN = "Open this page again, then press the button: Slack didn't say who you are to gwevent."


def register_criteria_listeners(app: AsyncApp, modal: CriteriaModal, home: HomeTab) -> None:
    """Register the modal's listeners. They come before the listeners of any action."""

    @app.action(criteria_modal.OPEN_ACTION_PATTERN)
    async def on_button(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        asker = CommandContext(context_team(context), body["channel"]["id"], body["user"]["id"])
        match = criteria_modal.OPEN_ACTION_PATTERN.fullmatch(action["action_id"])
        failure = await modal.open(body["trigger_id"], asker, None if match is None else match[1])
        if failure is not None:
            await respond_ephemerally(respond, failure)

    @app.action(criteria_modal.PREVIEW_ACTION)
    async def on_preview(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await modal.preview(_asker(body, context), body["view"])

    @app.action(criteria_modal.REMOVE_ACTION)
    async def on_remove(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await modal.remove(_asker(body, context), body["view"], str(action.get("value")))

    @app.view(criteria_modal.CALLBACK_ID)
    async def on_submission(
        ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await modal.submit(ack, _asker(body, context), view)

    @app.action(home_tab.NEW_SET_ACTION)
    async def on_home_new(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await open_from_home(body, context, None)

    @app.action(home_tab.EDIT_SET_ACTION)
    async def on_home_edit(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await open_from_home(body, context, criteria_modal.parse_set_state(str(action.get("value"))).slug)

    @app.action(home_tab.REMOVE_SET_ACTION)
    async def on_home_remove(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        asker = await find_home_asker(body, context)
        if asker is not None:
            answer = await modal.remove_set(asker, str(action.get("value")))
            await home.publish(asker.team_id, asker.user_id, answer)

    async def open_from_home(body: dict[str, Any], context: AsyncBoltContext, slug: str | None) -> None:
        asker = await find_home_asker(body, context)
        if asker is None:
            return
        failure = await modal.open(body["trigger_id"], asker, slug, from_home=True)
        if failure is not None:
            await home.publish(asker.team_id, asker.user_id, failure)

    async def find_home_asker(body: dict[str, Any], context: AsyncBoltContext) -> CommandContext | None:
        """Return the person in App Home, in their conversation with gwevent; None if the view keeps none."""
        team_id, user_id = context_team(context), body["user"]["id"]
        channel_id = home_tab.parse_direct_channel(body["view"])
        if channel_id is None:
            await home.publish(team_id, user_id, error_message(_OPEN_AGAIN))
            return None
        home.remember_direct_channel(team_id, user_id, channel_id)
        return CommandContext(team_id, channel_id, user_id)


def _asker(body: dict[str, Any], context: AsyncBoltContext) -> CommandContext:
    """Return the person who acts in the modal, and the channel in which it was opened."""
    place = criteria_modal.parse_criteria_modal_context(body["view"]["private_metadata"])
    return CommandContext(context_team(context), place.channel_id, body["user"]["id"])
