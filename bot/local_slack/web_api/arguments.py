"""The arguments of a Web API call: JSON, form or query; nested values may be JSON strings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.local_slack.errors import ApiError, Json, missing_argument
from bot.local_slack.trigger_ids import TriggerIds
from bot.local_slack.workspace import File, Workspace


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A call of a Web API method: its arguments and the objects that a method may use."""

    method: str
    args: Json
    workspace: Workspace
    trigger_ids: TriggerIds
    base_url: str
    """URL of the local Slack, without a slash at the end."""
    settle_file: Callable[[Workspace, File], None]
    """Makes a completed file ready, at once or later."""

    def get(self, name: str) -> str:
        """Return a string argument; empty if it is missing."""
        value = self.args.get(name)
        if value is None:
            return ""
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
        raise ApiError(
            "invalid_arguments",
            response_metadata={"messages": [f"[ERROR] must provide a string [json-pointer:/{name}]"]},
        )

    def require(self, name: str) -> str:
        """Return a required string argument. Raises ApiError if it is missing."""
        value = self.get(name)
        if not value:
            raise missing_argument(name)
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean argument; False if it is missing."""
        return self.args.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, most: int) -> int:
        """Return an integer argument from 1 to `most`. Raises ApiError `invalid_limit` for other values."""
        value = self.get(name) or str(default)
        if not value.isdigit() or not 1 <= int(value) <= most:
            raise ApiError("invalid_limit")
        return int(value)

    def json_value(self, name: str, wrong: str) -> Any:
        """Return a nested argument; None if it is missing. Raises ApiError with the error `wrong`."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            raise ApiError(wrong) from None

    def require_scope(self, scope: str) -> None:
        """Raise ApiError `missing_scope`, with needed and provided scopes, if the token lacks the scope."""
        if scope not in self.workspace.scopes:
            raise ApiError("missing_scope", needed=scope, provided=",".join(sorted(self.workspace.scopes)))

    def page(self, things: list[Any], limit: int) -> tuple[list[Any], str]:
        """Return one page of a list and the cursor of the next page. Raises ApiError `invalid_cursor`."""
        cursor = self.get("cursor")
        if cursor and not (cursor.startswith("next:") and cursor[5:].isdigit()):
            raise ApiError("invalid_cursor")
        start = int(cursor[5:]) if cursor else 0
        end = start + limit
        return things[start:end], f"next:{end}" if end < len(things) else ""
