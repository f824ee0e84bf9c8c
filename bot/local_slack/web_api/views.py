"""The methods `views.*`, and a view's face."""

from __future__ import annotations

from bot.local_slack.block_kit import block_checks
from bot.local_slack.errors import ApiError, Json, refuse_with_messages
from bot.local_slack.shared_channels import team_of_person
from bot.local_slack.web_api.arguments import Call
from bot.local_slack.web_api.chat import check_files
from bot.local_slack.workspace import View, Workspace


def to_api(workspace: Workspace, view: View) -> Json:
    """A view as Slack gives it, to the app and to the page."""
    payload = view.payload
    return {
        "id": view.id,
        "team_id": team_of_person(workspace, view.user),
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


def checked(workspace: Workspace, view: object, kind: str) -> Json:
    """A view that Slack would take. Raises ApiError `invalid_arguments`, `duplicate_external_id`…"""
    check_files(workspace, block_checks.check_view(view, kind))
    assert isinstance(view, dict)
    return view


def _given(call: Call, kind: str) -> Json:
    view = call.structure("view", "invalid_arguments")
    if view is None:
        raise refuse_with_messages("invalid_arguments", ["missing required field: view"])
    return checked(call.workspace, view, kind)


def _unique(call: Call, payload: Json, itself: View | None = None) -> None:
    external_id = payload.get("external_id")
    stacks = (view for stack in call.workspace.modals.values() for view in stack)
    if external_id and any(view.external_id == external_id and view is not itself for view in stacks):
        raise ApiError("duplicate_external_id")


def _opened(call: Call, *, on_top: bool) -> Json:
    payload = _given(call, "modal")
    _unique(call, payload)
    user = call.triggers.exchange(call.need("trigger_id"), call.workspace.id)
    return {"view": to_api(call.workspace, call.workspace.open_view(user, payload, on_top=on_top))}


def open_view(call: Call) -> Json:
    """`views.open`."""
    return _opened(call, on_top=False)


def push(call: Call) -> Json:
    """`views.push`."""
    return _opened(call, on_top=True)


def update(call: Call) -> Json:
    """`views.update` of a modal or a home tab; with `hash` only if nothing changed since."""
    view = call.workspace.view(call.get("view_id") or None, call.get("external_id") or None)
    payload = _given(call, str(view.payload["type"]))
    _unique(call, payload, view)
    if call.get("hash") and call.get("hash") != view.hash:
        raise ApiError("hash_conflict")
    call.workspace.replace_view(view, payload)
    return {"view": to_api(call.workspace, view)}


def publish(call: Call) -> Json:
    """`views.publish`: a person's home tab."""
    user = call.workspace.users.get(call.need("user_id"))
    if user is None or user.is_bot:
        raise refuse_with_messages("invalid_arguments", ["user_not_found [json-pointer:/user_id]"])
    payload = _given(call, "home")
    known = call.workspace.homes.get(user.id)
    if call.get("hash") and (known is None or call.get("hash") != known.hash):
        raise ApiError("hash_conflict")
    return {"view": to_api(call.workspace, call.workspace.publish_home(user.id, payload))}
