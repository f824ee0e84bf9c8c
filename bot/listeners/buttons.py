"""Bolt listeners of the buttons below messages and answers."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond

from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.commands.subscription_answers import answer_change
from bot.commands.subscription_service import SubscriptionService
from bot.commands.subscriptions import parse_numbers
from bot.listeners.responses import message_body, respond_ephemerally
from bot.slack.request_team import context_team
from formatters.answers.answer import SHARE_ACTION
from formatters.blockkit.mrkdwn import unescape
from formatters.views.subscription_modal import END_ACTION_PATTERN


def register_buttons(
    app: AsyncApp,
    router: CommandRouter,
    subscription_service: SubscriptionService,
) -> None:
    """Register the listeners of buttons, and last the one that acknowledges all other actions."""

    @app.action(SHARE_ACTION)
    async def on_share(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        channel = body.get("channel") or {}
        asker = CommandContext(context_team(context), str(channel.get("id", "")), body["user"]["id"])
        # The button holds the question as it was typed: asking again gives the newest state.
        message = await router.dispatch(unescape(str(action.get("value") or "")), asker, shared=True)
        await respond(**message_body(message), response_type="in_channel", thread_ts=_thread_ts(body))

    @app.action(END_ACTION_PATTERN)
    async def on_end(
        ack: AsyncAck,
        respond: AsyncRespond,
        body: dict[str, Any],
        action: dict[str, Any],
        context: AsyncBoltContext,
    ) -> None:
        await ack()
        asker = CommandContext(context_team(context), body["channel"]["id"], body["user"]["id"])
        # The button holds the subscriptions' numbers, and their states when it was shown.
        numbered = parse_numbers(str(action.get("value") or ""))
        if numbered is None:
            raise ValueError("the value of an End button holds no subscription numbers")
        message = await answer_change(partial(subscription_service.remove, asker, *numbered))
        await respond_ephemerally(respond, message, _thread_ts(body))

    @app.action(re.compile(r".*"))
    async def on_other_action(ack: AsyncAck) -> None:
        # A button with a URL opens it by itself, but Slack still wants an acknowledgement.
        await ack()


def _thread_ts(body: dict[str, Any]) -> str | None:
    """Return the thread in which a button was pressed."""
    return (body.get("container") or {}).get("thread_ts")
