"""The methods `auth.test` and `users.*`."""

from __future__ import annotations

from bot.local_slack.errors import Json
from bot.local_slack.web_api.arguments import MethodCall
from bot.local_slack.workspace import User


def auth_test(call: MethodCall) -> Json:
    """Handle `auth.test`."""
    workspace = call.workspace
    return {
        "url": f"{call.base_url}/",
        "team": workspace.name,
        "user": workspace.bot.name,
        "team_id": workspace.id,
        "user_id": workspace.bot.id,
        "bot_id": workspace.bot_id,
        "is_enterprise_install": False,
    }


def _user_json(call: MethodCall, user: User) -> Json:
    return {
        "id": user.id,
        "team_id": user.team or call.workspace.id,
        "name": user.name,
        "deleted": user.deactivated,
        "real_name": user.real_name,
        "tz": "Etc/UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": {"real_name": user.real_name, "display_name": user.name},
        "is_admin": user.is_admin,
        "is_owner": False,
        "is_bot": user.is_bot,
        "is_app_user": False,
    }


def info(call: MethodCall) -> Json:
    """Handle `users.info`. Without the argument Slack answers that it doesn't find the user."""
    return {"user": _user_json(call, call.workspace.user(call.get("user")))}


def list_users(call: MethodCall) -> Json:
    """Handle `users.list`."""
    page, cursor = call.page(list(call.workspace.users.values()), call.number("limit", 1000, 1000))
    return {
        "members": [_user_json(call, user) for user in page],
        "response_metadata": {"next_cursor": cursor},
    }
