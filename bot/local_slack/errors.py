"""The error responses of the local Slack."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A JSON object."""


class ApiError(Exception):
    """A rejected call, with Slack's error name and further fields of the response."""

    def __init__(self, error: str, **beside: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = beside

    def body(self) -> Json:
        """Return the JSON of the response: `ok` false, `error`, and the further fields."""
        return {"ok": False, "error": self.error, **self.extra}


def refuse_with_messages(error: str, messages: list[str]) -> ApiError:
    """Return an error whose response lists the mistakes, as Slack does for blocks and arguments.

    `messages` are sentences that end with "[json-pointer:/…]".
    """
    return ApiError(
        error,
        errors=messages,
        response_metadata={"messages": [f"[ERROR] {message}" for message in messages]},
    )


def missing_argument(name: str) -> ApiError:
    """Return the error for a missing required argument."""
    return ApiError(
        "invalid_arguments",
        response_metadata={"messages": [f"[ERROR] missing required field: {name}"]},
    )
