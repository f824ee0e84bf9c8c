"""The Events API: delivers a workspace's changes to the app as events."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from bot.local_slack.errors import Json
from bot.local_slack.messages import to_api
from bot.local_slack.shared_channels import event_teams
from bot.local_slack.transport.delivery import RequestDelivery
from bot.local_slack.workspace import Change, Channel, Workspace

RETRY_DELAYS_S = (0.5, 60.0, 300.0)
"""Seconds before each repetition of an event that was not acknowledged."""


def events_for_change(change: Change, workspace: Workspace) -> list[Json]:
    """Return the events of a change, for an app that is subscribed to all of them.

    The app receives a channel's events only if its bot is a member.
    """
    channel, bot = change.channel, workspace.bot.id
    if channel is None:
        return []
    now = workspace.new_ts()
    member = bot in channel.members
    kind = "group" if channel.private else "channel"
    match change.type:
        case "message" if member and change.message is not None:
            message = to_api(change.message)
            event = {**message, "channel": channel.id, "event_ts": change.message.ts}
            events = [{**event, "channel_type": "im" if channel.is_im else kind}]
            if change.message.bot_id is None and f"<@{bot}>" in change.message.text and not channel.is_im:
                events.append({**event, "type": "app_mention"})
            return events
        case "message_changed" | "message_deleted" if member and change.message is not None:
            message = to_api(change.message)
            previous = "message" if change.type == "message_changed" else "previous_message"
            return [
                {
                    "type": "message",
                    "subtype": change.type,
                    "hidden": True,
                    previous: message,
                    "channel": channel.id,
                    "channel_type": "im" if channel.is_im else kind,
                    "ts": now,
                    "event_ts": now,
                }
            ]
        case "channel_archive" | "channel_unarchive" if member:
            verb = change.type.removeprefix("channel_")
            return [
                {
                    "type": f"{kind}_{verb}",
                    "channel": channel.id,
                    "user": _other_member(channel, bot),
                    "event_ts": now,
                }
            ]
        case "channel_id_changed" if member:
            return [
                {
                    "type": "channel_id_changed",
                    "old_channel_id": change.old_id,
                    "new_channel_id": channel.id,
                    "event_ts": now,
                }
            ]
        case "member_joined" if member and change.user is not None:
            return [
                {
                    **_membership_event("member_joined_channel", channel, change.user, workspace),
                    "event_ts": now,
                }
            ]
        case "member_left" if change.user == bot:
            return [
                {
                    "type": f"{kind}_left",
                    "channel": channel.id,
                    "actor_id": _other_member(channel, bot),
                    "event_ts": now,
                }
            ]
        case "member_left" if member and change.user is not None:
            return [
                {**_membership_event("member_left_channel", channel, change.user, workspace), "event_ts": now}
            ]
    return []


def _other_member(channel: Channel, bot: str) -> str:
    return next((user for user in sorted(channel.members) if user != bot), "")


def _membership_event(kind: str, channel: Channel, user: str, workspace: Workspace) -> Json:
    return {
        "type": kind,
        "user": user,
        "channel": channel.id,
        "channel_type": "G" if channel.private else "C",
        "team": workspace.id,
    }


def subscription_name(event: Json) -> str:
    """Return the name with which an app subscribes to an event: "message.channels", "app_mention"…"""
    if event["type"] != "message":
        return str(event["type"])
    return {"channel": "message.channels", "group": "message.groups", "im": "message.im"}[
        event["channel_type"]
    ]


class EventsApi:
    """A sender of events to the app, which repeats those that are not acknowledged."""

    def __init__(
        self,
        delivery: RequestDelivery,
        subscribed: Collection[str],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.subscribed = set(subscribed)
        self.retry_delays_s = RETRY_DELAYS_S
        self._delivery = delivery
        self._spawn = start

    def watch(self, workspace: Workspace) -> None:
        """Start turning a workspace's changes into events."""

        def listener(change: Change) -> None:
            for event in events_for_change(change, workspace):
                self.emit(workspace, event)

        workspace.listeners.append(listener)

    def emit(self, workspace: Workspace, event: Json) -> None:
        """Deliver an event if the app is installed in the workspace and subscribed to the event."""
        if workspace.bot_token and subscription_name(event) in self.subscribed:
            self._spawn(self._deliver(_envelope(workspace, event)))

    async def _deliver(self, payload: Json) -> None:
        reason: str | None = None
        for attempt, wait in enumerate((*self.retry_delays_s, None)):
            envelope = await self._delivery.deliver("events_api", payload, retry=attempt, reason=reason)
            if envelope.outcome == "acknowledged" or wait is None:
                return
            reason = "timeout" if envelope.outcome == "operation_timeout" else "connection_failed"
            await asyncio.sleep(wait)


def _envelope(workspace: Workspace, event: Json) -> Json:
    return {
        "token": "sandbox",
        **event_teams(workspace, event),
        "context_enterprise_id": None,
        "api_app_id": workspace.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{secrets.token_hex(5).upper()}",
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": workspace.id,
                "user_id": workspace.bot.id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
    }
