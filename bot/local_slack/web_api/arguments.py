"""Arguments of a Web API call: JSON, form or query; nested values may come as JSON strings."""

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
    """One call of a Web API method, with what a method may use."""

    method: str
    args: Json
    workspace: Workspace
    trigger_ids: TriggerIds
    base_url: str
    """Of the sandbox, without a slash at the end."""
    settle_file: Callable[[Workspace, File], None]
    """Makes a completed file ready, sooner or later."""

    def get(self, name: str) -> str:
        """A string, empty where it wasn't given."""
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
        """A string that must be there."""
        value = self.get(name)
        if not value:
            raise missing_argument(name)
        return value

    def flag(self, name: str) -> bool:
        """A boolean, False where it wasn't given."""
        return self.args.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of at least 1. Raises ApiError `invalid_limit` otherwise or beyond `most`."""
        value = self.get(name) or str(default)
        if not value.isdigit() or not 1 <= int(value) <= most:
            raise ApiError("invalid_limit")
        return int(value)

    def json_value(self, name: str, wrong: str) -> Any:
        """A nested value, None where it wasn't given. Raises ApiError with the error `wrong`."""
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
        """Raises ApiError `missing_scope`, with what is needed and provided, where the token lacks it."""
        if scope not in self.workspace.scopes:
            raise ApiError("missing_scope", needed=scope, provided=",".join(sorted(self.workspace.scopes)))

    def page(self, things: list[Any], limit: int) -> tuple[list[Any], str]:
        """A page of a list and the cursor of the next. Raises ApiError `invalid_cursor`."""
        cursor = self.get("cursor")
        if cursor and not (cursor.startswith("next:") and cursor[5:].isdigit()):
            raise ApiError("invalid_cursor")
        start = int(cursor[5:]) if cursor else 0
        end = start + limit
        return things[start:end], f"next:{end}" if end < len(things) else ""
