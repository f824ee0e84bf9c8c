"""What people do in Slack: slash commands, mentions, buttons. Thin: acknowledge, ask, answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.commands.router import CommandContext, CommandRouter
from bot.listeners import home_listeners, modal_listeners
from bot.listeners.home_tab import HomeTab
from bot.listeners.subscription_modal import SubscriptionModal
from bot.slack.request_team import context_team
from formatters.answers.answer import SHARE_ACTION, contains_file, without_files
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import unescape
from formatters.posts.alert_card import TOGGLE_OBSERVER_ACTION
from formatters.views.subscription_modal import END_ACTION_PATTERN

log = structlog.get_logger(__name__)

MAX_COMMAND_CHARS = 2_100
"""Characters of a question that a button asks: what its value may have, and a command."""

RequeueChannel = Callable[[str, str], Awaitable[None]]
ToggleObserver = Callable[[str, str, str, str], Awaitable[None]]
OnChannelMoved = Callable[[str, str, str], Awaitable[None]]
SendEphemeral = Callable[[CommandContext, Message, str | None], Awaitable[bool]]
"""(who asked, the answer, thread or None) -> whether it could be shown to them alone, files in it too."""


def register_listeners(
    app: AsyncApp,
    router: CommandRouter,
    requeue_channel: RequeueChannel,
    toggle_observer: ToggleObserver,
    home: HomeTab,
    modal: SubscriptionModal,
    send_ephemeral: SendEphemeral | None = None,
    *,
    on_channel_moved: OnChannelMoved | None = None,
) -> None:
    """Register every listener.

    `revive(team, channel)` is called when a channel comes within reach again; `observe(team, channel,
    superevent, user)` when somebody presses "I'm observing"; `show` shows an answer that holds a file;
    `moved(team, old, new)` is called when Slack gives a channel another id, and doesn't fail.
    """
    modal_listeners.register_modal_listeners(app, modal)
    home_listeners.register_home_listeners(app, router, home, modal)

    @app.command("/gwevent")
    async def on_command(
        ack: AsyncAck, respond: AsyncRespond, command: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        # Slack waits 3 s for this and nothing else, so it comes before anything that can be slow.
        await ack()
        asker = CommandContext(context_team(context), command["channel_id"], command["user_id"])
        message = await router.dispatch(unescape(command.get("text") or ""), asker)
        if send_ephemeral is not None and contains_file(message):
            # Nobody has shown that Slack takes files where slash commands are answered.
            if await send_ephemeral(asker, message, None):
                return
            message = without_files(message)
        await respond(**_message_body(message), response_type="ephemeral")

    @app.event("app_mention")
    async def on_mention(
        ack: AsyncAck, client: AsyncWebClient, event: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        if "user" not in event:
            # Another app mentioned us: there is nobody to show an answer to.
            return
        asker = CommandContext(context_team(context), event["channel"], event["user"])
        # Ourselves only: whoever else is named may be the one to notify.
        text = re.sub(rf"<@{context.bot_user_id}(\|[^>]*)?>", " ", event.get("text") or "")
        message = await router.dispatch(unescape(text), asker)
        # Slash commands don't work inside threads; there people mention, and there they are answered.
        thread_ts = event.get("thread_ts")
        if send_ephemeral is not None and contains_file(message):
            await send_ephemeral(asker, message, thread_ts)
            return
        await client.chat_postEphemeral(
            channel=event["channel"], user=event["user"], thread_ts=thread_ts, **_message_body(message)
        )

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
        # Asked again, not copied: what is posted is the newest state.
        message = await router.dispatch(unescape(str(action.get("value") or "")), asker, shared=True)
        container = body.get("container") or {}
        await respond(
            **_message_body(message), response_type="in_channel", thread_ts=container.get("thread_ts")
        )

    @app.action(TOGGLE_OBSERVER_ACTION)
    async def on_observe(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        await toggle_observer(
            context_team(context), body["channel"]["id"], str(action["value"]), body["user"]["id"]
        )

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
        # The button names what it ends, and what that was when it was shown.
        message = await router.dispatch(
            f"unsubscribe {action.get('value') or ''}", asker, max_length=MAX_COMMAND_CHARS
        )
        await respond(
            **_message_body(message),
            response_type="ephemeral",
            replace_original=False,
            # Who asked in a thread looks there.
            thread_ts=(body.get("container") or {}).get("thread_ts"),
        )

    @app.action(re.compile(r".*"))
    async def on_other_action(ack: AsyncAck) -> None:
        # A button with an address opens it by itself, and still wants to be acknowledged.
        await ack()

    @app.event("member_joined_channel")
    async def on_joined(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        if event.get("user") == context.bot_user_id:
            await requeue_channel(context_team(context), event["channel"])

    @app.event("channel_unarchive")
    async def on_unarchived(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await requeue_channel(context_team(context), event["channel"])

    @app.event("group_unarchive")
    async def on_private_unarchived(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        await requeue_channel(context_team(context), event["channel"])

    @app.event("channel_id_changed")
    async def on_moved(ack: AsyncAck, event: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        if on_channel_moved is not None:
            await on_channel_moved(
                context_team(context), str(event["old_channel_id"]), str(event["new_channel_id"])
            )

    @app.event(re.compile(r".*"))
    async def on_other_event(ack: AsyncAck) -> None:
        # What isn't acknowledged comes again, and too much of it ends the subscription to events.
        await ack()

    @app.error
    async def on_error(error: Exception, body: dict[str, Any]) -> None:
        # Bolt's last guard: what a listener didn't foresee is logged, without what people wrote.
        log.error("listener_failed", type=body.get("type"), command=body.get("command"), exc_info=error)


def _message_body(message: Message) -> dict[str, Any]:
    return {"text": message.text, "blocks": [dict(block) for block in message.blocks]}
