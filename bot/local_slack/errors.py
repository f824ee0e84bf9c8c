"""How the local Slack says no."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A JSON object."""


class ApiError(Exception):
    """A call that Slack refuses, with Slack's error name and whatever stands beside it in the answer."""

    def __init__(self, error: str, **beside: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = beside

    def body(self) -> Json:
        """The answer of the Web API: `ok` false, `error`, and the rest."""
        return {"ok": False, "error": self.error, **self.extra}


def refuse_with_messages(error: str, messages: list[str]) -> ApiError:
    """An error whose answer lists what is wrong, as Slack does for blocks and arguments.

    `messages` are sentences that end in "[json-pointer:/…]".
    """
    return ApiError(
        error,
        errors=messages,
        response_metadata={"messages": [f"[ERROR] {message}" for message in messages]},
    )


def missing_argument(name: str) -> ApiError:
    """An argument that the method needs wasn't given."""
    return ApiError(
        "invalid_arguments",
        response_metadata={"messages": [f"[ERROR] missing required field: {name}"]},
    )
