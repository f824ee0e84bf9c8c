"""The Web API methods `views.*`, and views as JSON."""

from __future__ import annotations

from bot.local_slack.block_kit import block_checks
from bot.local_slack.errors import ApiError, Json, refuse_with_messages
from bot.local_slack.shared_channels import home_team_id
from bot.local_slack.web_api.arguments import MethodCall
from bot.local_slack.web_api.chat import check_files
from bot.local_slack.workspace import View, Workspace


def to_api(workspace: Workspace, view: View) -> Json:
    """Return a view as JSON, as the app and the page receive it."""
    payload = view.payload
    return {
        "id": view.id,
        "team_id": home_team_id(workspace, view.user),
        "type": payload["type"],
        "blocks": payload["blocks"],
        "private_metadata": payload.get("private_metadata", ""),
        "callback_id": payload.get("callback_id", ""),
        "external_id": view.external_id,
        "state": {"values": view.state},
        "hash": view.hash,
        "title": payload.get("title"),
        "submit": payload.get("submit"),
        "close": payload.get("close"),
        "clear_on_close": bool(payload.get("clear_on_close")),
        "notify_on_close": bool(payload.get("notify_on_close")),
        "previous_view_id": view.previous,
        "root_view_id": view.root,
        "app_id": workspace.app_id,
        "app_installed_team_id": workspace.id,
        "bot_id": workspace.bot_id,
    }


def validate_view(workspace: Workspace, view: object, kind: str) -> Json:
    """Return a view after Slack's checks. Raises ApiError `invalid_arguments`, `duplicate_external_id`…"""
    check_files(workspace, block_checks.check_view(view, kind))
    assert isinstance(view, dict)
    return view


def _view_argument(call: MethodCall, kind: str) -> Json:
    view = call.json_value("view", "invalid_arguments")
    if view is None:
        raise refuse_with_messages("invalid_arguments", ["missing required field: view"])
    return validate_view(call.workspace, view, kind)


def _check_external_id(call: MethodCall, payload: Json, itself: View | None = None) -> None:
    external_id = payload.get("external_id")
    stacks = (view for stack in call.workspace.modals.values() for view in stack)
    if external_id and any(view.external_id == external_id and view is not itself for view in stacks):
        raise ApiError("duplicate_external_id")


def _open_modal(call: MethodCall, *, on_top: bool) -> Json:
    payload = _view_argument(call, "modal")
    _check_external_id(call, payload)
    user = call.trigger_ids.redeem(call.require("trigger_id"), call.workspace.id)
    return {"view": to_api(call.workspace, call.workspace.open_view(user, payload, on_top=on_top))}


def open_view(call: MethodCall) -> Json:
    """Handle `views.open`."""
    return _open_modal(call, on_top=False)


def push(call: MethodCall) -> Json:
    """Handle `views.push`."""
    return _open_modal(call, on_top=True)


def update(call: MethodCall) -> Json:
    """Handle `views.update` of a modal or a home tab; with `hash`, only if the view has not changed since."""
    view = call.workspace.view(call.get("view_id") or None, call.get("external_id") or None)
    payload = _view_argument(call, str(view.payload["type"]))
    _check_external_id(call, payload, view)
    if call.get("hash") and call.get("hash") != view.hash:
        raise ApiError("hash_conflict")
    call.workspace.replace_view(view, payload)
    return {"view": to_api(call.workspace, view)}


def publish(call: MethodCall) -> Json:
    """Handle `views.publish`, which sets a user's home tab."""
    user = call.workspace.users.get(call.require("user_id"))
    if user is None or user.is_bot:
        raise refuse_with_messages("invalid_arguments", ["user_not_found [json-pointer:/user_id]"])
    payload = _view_argument(call, "home")
    known = call.workspace.homes.get(user.id)
    if call.get("hash") and (known is None or call.get("hash") != known.hash):
        raise ApiError("hash_conflict")
    return {"view": to_api(call.workspace, call.workspace.publish_home(user.id, payload))}
