"""Actions of users in the page, and the resulting deliveries to the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.local_slack.app_manifest import AppConfig, SlashCommand
from bot.local_slack.block_kit.interaction import (
    SELECTION_KEYS,
    action_payload,
    missing_inputs,
)
from bot.local_slack.errors import ApiError, Json
from bot.local_slack.messages import Message, to_api, to_page
from bot.local_slack.shared_channels import home_team_id
from bot.local_slack.text_escaping import encode_command_text, encode_message_text
from bot.local_slack.transport.delivery import RequestDelivery
from bot.local_slack.transport.events import EventsApi
from bot.local_slack.transport.response_urls import ResponseUrl, ResponseUrls
from bot.local_slack.transport.socket_mode import Envelope
from bot.local_slack.trigger_ids import TriggerIds
from bot.local_slack.web_api import views
from bot.local_slack.workspace import SLACKBOT, Channel, Draft, View, Workspace


class WaitFor(Protocol):
    """A function that waits until a predicate returns a true value, and returns that."""

    def __call__(self, predicate: Callable[[], Any], timeout: float) -> Awaitable[Any]: ...  # noqa: D102


@dataclass(slots=True)
class ActionResult:
    """The result of a user's action."""

    ok: bool
    error: str | None = None
    """"operation_timeout", "dispatch_failed", "invalid_command" or another error."""
    errors: dict[str, str] = field(default_factory=dict)
    """The errors in a submitted dialog: block_id → message."""
    envelope: Envelope | None = None
    """The delivery to the app, with its acknowledgement and the time until that."""
    response_url: ResponseUrl | None = None
    message: Message | None = None
    """The message that the user posted."""
    wait: WaitFor | None = None

    @property
    def answers(self) -> list[Json]:
        """The app's answers so far, by acknowledgement or response URL, as the page receives them."""
        return (
            [] if self.response_url is None else [to_page(message) for message in self.response_url.messages]
        )

    @property
    def ephemerals(self) -> list[Json]:
        """The answers that only the user sees."""
        return [message for message in self.answers if message["ephemeral"]]

    @property
    def acked_after(self) -> float | None:
        """Seconds until the app's acknowledgement; None without one."""
        return None if self.envelope is None else self.envelope.acked_after

    async def wait_for_answer(self, timeout: float = 5.0) -> Json:  # noqa: ASYNC109
        """Wait for the first answer and return it. Raises TimeoutError after `timeout` seconds."""
        assert self.wait is not None
        shown: list[Json] = await self.wait(lambda: self.answers, timeout)
        return shown[0]

    def to_json(self) -> Json:
        """Return the result as JSON for the page and the control API."""
        body: Json = {"ok": self.ok, "shown": self.answers, "acked_after": self.acked_after}
        if self.error is not None:
            body["error"] = self.error
        if self.errors:
            body["errors"] = self.errors
        if self.message is not None:
            body["message"] = to_page(self.message)
        return body


class UserActions:
    """The actions that users can take on the page."""

    def __init__(
        self,
        config: AppConfig,
        *,
        delivery: RequestDelivery,
        trigger_ids: TriggerIds,
        response_urls: ResponseUrls,
        events: EventsApi,
        wait: WaitFor,
    ) -> None:
        self._config = config
        self._delivery = delivery
        self._trigger_ids = trigger_ids
        self._response_urls = response_urls
        self._events = events
        self._wait = wait

    async def say(
        self, workspace: Workspace, user_id: str, channel_id: str, text: str, thread_ts: str | None = None
    ) -> ActionResult:
        """Post a text in a channel or a thread; one that starts with "/" is a slash command."""
        channel = self._channel_for_typing(workspace, user_id, channel_id)
        if not text.strip():
            raise ApiError("no_text")
        if text.startswith("/"):
            command, _, words = text.partition(" ")
            return await self.command(workspace, user_id, channel_id, command, words, thread_ts)
        if thread_ts is not None:
            workspace.thread_root(channel, thread_ts)
        words = encode_message_text(text, _people(workspace), _channels(workspace, user_id))
        message = workspace.post(Draft(channel.id, user_id, words, thread_ts=thread_ts))
        bot = workspace.bot
        if f"<@{bot.id}>" in words and bot.id not in channel.members:
            notice = f"You mentioned <@{bot.id}>, but they're not in this channel."
            workspace.post_ephemeral(Draft(channel.id, SLACKBOT, notice, thread_ts=thread_ts), user_id)
        return ActionResult(True, message=message, wait=self._wait)

    async def command(
        self,
        workspace: Workspace,
        user_id: str,
        channel_id: str,
        command: str,
        text: str,
        thread_ts: str | None = None,
    ) -> ActionResult:
        """Send a slash command."""
        channel = self._channel_for_typing(workspace, user_id, channel_id)
        known = next((known for known in self._config.commands if known.command == command), None)
        if not workspace.bot_token:
            known = None
        if thread_ts is not None:
            return self._post_slackbot_error(
                workspace, channel, user_id, "not_in_thread", _IN_THREAD.format(command), thread_ts
            )
        if known is None:
            return self._post_slackbot_error(
                workspace, channel, user_id, "invalid_command", _UNKNOWN.format(command)
            )
        response_url = self._response_urls.create(workspace.id, channel.id, user_id)
        payload = self._command_payload(workspace, channel, user_id, known, text, response_url)
        envelope = await self._delivery.deliver("slash_commands", payload, takes_answer=True)
        if envelope.outcome != "acknowledged":
            assert envelope.outcome is not None
            words = f"`{command}` failed with the error `{envelope.outcome}`"
            done = self._post_slackbot_error(workspace, channel, user_id, envelope.outcome, words)
            done.envelope, done.response_url = envelope, response_url
            return done
        if envelope.answer:
            self._response_urls.apply_answer(response_url, envelope.answer)
        return ActionResult(True, envelope=envelope, response_url=response_url, wait=self._wait)

    def _command_payload(
        self,
        workspace: Workspace,
        channel: Channel,
        user_id: str,
        command: SlashCommand,
        text: str,
        response_url: ResponseUrl,
    ) -> Json:
        people, channels = _people(workspace), _channels(workspace, user_id)
        return {
            "token": "sandbox",
            "team_id": home_team_id(workspace, user_id),
            "team_domain": workspace.domain,
            "channel_id": channel.id,
            "channel_name": _channel_name(channel),
            "user_id": user_id,
            "user_name": workspace.users[user_id].name,
            "command": command.command,
            "text": encode_command_text(text.strip(), people, channels, should_escape=command.should_escape),
            "api_app_id": workspace.app_id,
            "is_enterprise_install": "false",
            "response_url": response_url.url,
            "trigger_id": self._trigger_ids.create(workspace.id, user_id),
        }

    def _post_slackbot_error(
        self,
        workspace: Workspace,
        channel: Channel,
        user_id: str,
        error: str,
        words: str,
        thread_ts: str | None = None,
    ) -> ActionResult:
        workspace.post_ephemeral(Draft(channel.id, SLACKBOT, words, thread_ts=thread_ts), user_id)
        return ActionResult(False, error, wait=self._wait)

    async def press(
        self,
        workspace: Workspace,
        user_id: str,
        channel_id: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: str | None = None,
        chosen: Json | None = None,
    ) -> ActionResult:
        """Press a button of a message, or choose from its select.

        `value` tells buttons of one action_id apart, or names the option of a select; `chosen` are keys
        such as `selected_option`. Raises ApiError: `message_not_found`, `no_such_action`.
        """
        channel = self._channel_for_typing(workspace, user_id, channel_id, archived=True)
        message = channel.ephemerals.get(ts)
        if message is None or message.seen_by != user_id:
            message = workspace.message(channel, ts)
        action = action_payload(
            message.blocks, action_id, block_id, value, chosen or {}, action_ts=workspace.new_ts()
        )
        selection = {key: item for key, item in action.items() if key == "type" or key in SELECTION_KEYS}
        if len(selection) > 1:
            message.chosen.setdefault(action["block_id"], {})[action_id] = selection
        response_url = self._response_urls.create(workspace.id, channel.id, user_id, message)
        payload = self._interaction_payload(workspace, user_id, "block_actions") | {
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": channel.id,
                "is_ephemeral": message.ephemeral,
                **({"thread_ts": message.thread_ts} if message.thread_ts is not None else {}),
            },
            "channel": {"id": channel.id, "name": _channel_name(channel)},
            "state": {"values": message.chosen},
            "response_url": response_url.url,
            "actions": [action],
        }
        if not message.ephemeral:
            payload["message"] = to_api(message)
        envelope = await self._delivery.deliver("interactive", payload)
        return self._action_result(envelope, response_url)

    async def view_action(
        self,
        workspace: Workspace,
        user_id: str,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: str | None = None,
        chosen: Json | None = None,
        state: Json | None = None,
    ) -> ActionResult:
        """Press a button of a modal or home tab, or change an input that dispatches at once."""
        view = self._view(workspace, user_id, view_id)
        view.state = _values(state) or view.state
        action = action_payload(
            view.payload["blocks"], action_id, block_id, value, chosen or {}, action_ts=workspace.new_ts()
        )
        payload = self._interaction_payload(workspace, user_id, "block_actions") | {
            "container": {"type": "view", "view_id": view.id},
            "view": views.to_api(workspace, view),
            "actions": [action],
        }
        return self._action_result(await self._delivery.deliver("interactive", payload), None)

    async def submit(
        self, workspace: Workspace, user_id: str, view_id: str, state: Json | None = None
    ) -> ActionResult:
        """Submit a dialog with its input; `state` is {"values": {block_id: {action_id: {…}}}}.

        Raises ApiError `not_found`.
        """
        view = self._view(workspace, user_id, view_id)
        view.state = _values(state) or view.state
        missing = missing_inputs(view.payload["blocks"], view.state)
        if missing:
            return ActionResult(False, "incomplete", missing, wait=self._wait)
        payload = self._interaction_payload(workspace, user_id, "view_submission") | {
            "view": views.to_api(workspace, view),
            "response_urls": [],
        }
        envelope = await self._delivery.deliver("interactive", payload, takes_answer=True)
        done = self._action_result(envelope, None)
        if not done.ok:
            return done
        answer = envelope.answer or {}
        match answer.get("response_action"):
            case None:
                workspace.close_view(user_id)
            case "clear":
                workspace.close_view(user_id, every=True)
            case "update":
                workspace.replace_view(view, views.validate_view(workspace, answer.get("view"), "modal"))
            case "push":
                payload = views.validate_view(workspace, answer.get("view"), "modal")
                workspace.open_view(user_id, payload, on_top=True)
            case "errors":
                errors = answer.get("errors")
                inputs = {block["block_id"] for block in view.payload["blocks"] if block["type"] == "input"}
                if not isinstance(errors, dict) or not errors or not errors.keys() <= inputs:
                    return ActionResult(False, "invalid_response_action", envelope=envelope, wait=self._wait)
                return ActionResult(False, "errors", errors, envelope=envelope, wait=self._wait)
            case _:
                return ActionResult(False, "invalid_response_action", envelope=envelope, wait=self._wait)
        return done

    async def close(self, workspace: Workspace, user_id: str, view_id: str) -> ActionResult:
        """Close a dialog; the app is notified if it requested that."""
        view = self._view(workspace, user_id, view_id)
        workspace.close_view(user_id, every=bool(view.payload.get("clear_on_close")))
        if not view.payload.get("notify_on_close"):
            return ActionResult(True, wait=self._wait)
        payload = self._interaction_payload(workspace, user_id, "view_closed")
        del payload["trigger_id"]
        payload |= {"view": views.to_api(workspace, view), "is_cleared": False}
        return self._action_result(await self._delivery.deliver("interactive", payload), None)

    def open_home(self, workspace: Workspace, user_id: str) -> ActionResult:
        """Open the app's home tab."""
        channel = workspace.open_direct(workspace.user(user_id).id)
        event: Json = {
            "type": "app_home_opened",
            "user": user_id,
            "channel": channel.id,
            "tab": "home",
            "event_ts": workspace.new_ts(),
        }
        home = workspace.homes.get(user_id)
        if home is not None:
            event["view"] = views.to_api(workspace, home)
        self._events.emit(workspace, event)
        return ActionResult(True, wait=self._wait)

    def _action_result(self, envelope: Envelope, response_url: ResponseUrl | None) -> ActionResult:
        ok = envelope.outcome == "acknowledged"
        error = None if ok else envelope.outcome
        return ActionResult(ok, error, envelope=envelope, response_url=response_url, wait=self._wait)

    def _interaction_payload(self, workspace: Workspace, user_id: str, kind: str) -> Json:
        name, team = workspace.users[user_id].name, home_team_id(workspace, user_id)
        return {
            "type": kind,
            "user": {"id": user_id, "username": name, "name": name, "team_id": team},
            "api_app_id": workspace.app_id,
            "token": "sandbox",
            "trigger_id": self._trigger_ids.create(workspace.id, user_id),
            # The user's own workspace, which in a shared channel may be another one.
            "team": {"id": team, "domain": workspace.domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _channel_for_typing(
        self, workspace: Workspace, user_id: str, channel_id: str, *, archived: bool = False
    ) -> Channel:
        """Return the channel if the user may post there."""
        channel = workspace.visible_channel(channel_id, workspace.user(user_id).id)
        if user_id not in channel.members:
            raise ApiError("not_in_channel")
        if channel.archived and not archived:
            raise ApiError("is_archived")
        return channel

    def _view(self, workspace: Workspace, user_id: str, view_id: str) -> View:
        view = workspace.view(view_id)
        if view.user != user_id:
            raise ApiError("not_found")
        return view


_UNKNOWN = (
    "`{}` is not a valid command. In Slack, all messages that start with the “/” character are interpreted "
    "as commands. If you are trying to send a message and not run a command, try preceding the “/” with an "
    "empty space."
)
_IN_THREAD = "`{}` is not supported in threads. Sorry!"


def _people(workspace: Workspace) -> dict[str, str]:
    return {user.name: user.id for user in workspace.users.values()}


def _channels(workspace: Workspace, user_id: str) -> dict[str, str]:
    return {
        channel.name: channel.id
        for channel in workspace.channels.values()
        if not channel.is_im and (not channel.private or user_id in channel.members)
    }


def _channel_name(channel: Channel) -> str:
    """Return the channel's name for payloads; Slack hides those of private channels."""
    if channel.is_im:
        return "directmessage"
    return "privategroup" if channel.private else channel.name


def _values(state: Json | None) -> Json:
    if state is None:
        return {}
    values = state.get("values", state)
    return values if isinstance(values, dict) else {}
