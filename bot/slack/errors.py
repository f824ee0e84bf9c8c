"""The ways in which a call to Slack fails, and the error codes of Slack that mean each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.store.outbox.models import CHANNEL_ERRORS, RATE_LIMIT_ERRORS

if TYPE_CHECKING:
    from bot.slack.message_parts import DroppedPart


class SlackFailure(Exception):
    """A failed call; `reason` is Slack's error code or a phrase of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details: tuple[str, ...] = ()
        """Slack's explanations, if it gives any; they end in "[json-pointer:/…]"."""
        self.dropped: tuple[DroppedPart, ...] = ()
        """The parts that were dropped before this failure, if it matters."""


class RateLimited(SlackFailure):
    """Not done because of a rate limit; try again after `retry_after` seconds."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ChannelUnavailable(SlackFailure):
    """Nothing can be posted in this channel until a person changes that."""


class WorkspaceUnavailable(SlackFailure):
    """The token is refused until a person changes that."""


class RootOutOfReach(SlackFailure):
    """The message to edit or reply to is deleted, or can't be edited."""


class Rejected(SlackFailure):
    """Slack refuses this text, and would refuse it again; a shorter one it may take."""


class Unlisted(SlackFailure):
    """Slack refused the call with an error code that stands in no list; nothing was done.

    It may be accepted without some part (`bot.slack.degradation`), or later.
    """


class Unavailable(SlackFailure):
    """Slack can't be reached; nothing was done."""


class OutcomeUnknown(SlackFailure):
    """No usable answer came: the call may have been done."""


class FileNotReady(SlackFailure):
    """The message shows a file that Slack hasn't processed yet; nothing was posted."""


ROOT_DELETED = frozenset({"message_not_found", "thread_not_found", "cant_update_message"})
"""Somebody deleted the root. Slack puts a placeholder for one with replies, which can't be updated."""

ROOT_NOT_EDITABLE = frozenset({"edit_window_closed"})
"""The root is there, but can't be edited any more."""

WORKSPACE_ERRORS = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "no_permission",
        "missing_scope",
        "org_login_required",
        "team_added_to_org",
        "access_denied",
        "two_factor_setup_required",
        "accesslimited",
        "not_allowed_token_type",
        "ekm_access_denied_workspace",
    }
)
"""Errors about the token (https://docs.slack.dev/reference/methods/chat.postMessage).

Two of them are temporary; all are tried again.
"""

PERMISSION_ERRORS = frozenset({"missing_scope", "no_permission", "access_denied", "not_allowed_token_type"})
"""Errors about the token that may concern one method only."""

SERVER_ERRORS = frozenset(
    {"fatal_error", "internal_error", "service_unavailable", "request_timeout", "team_not_found"}
)

MESSAGE_ERRORS = frozenset({"msg_too_long", "no_text"})
"""Errors about the text, which is the same at the next attempt."""


def failure_from_code(reason: str, retry_after: float | None) -> SlackFailure:
    """Return the failure that an error code of Slack's means; an unknown code is `Unlisted`, not final."""
    if reason in RATE_LIMIT_ERRORS:
        return RateLimited(reason, 30.0 if retry_after is None else retry_after)
    if reason == "is_inactive":
        # `chat.update` returns it where `chat.postMessage` returns `is_archived`.
        return ChannelUnavailable("is_archived")
    if reason in CHANNEL_ERRORS:
        return ChannelUnavailable(reason)
    if reason in WORKSPACE_ERRORS:
        return WorkspaceUnavailable(reason)
    if reason in SERVER_ERRORS:
        # Slack's own page on `fatal_error` and `internal_error`: some of the work may have been done.
        return OutcomeUnknown(reason)
    if reason in ROOT_DELETED | ROOT_NOT_EDITABLE:
        return RootOutOfReach(reason)
    return Rejected(reason) if reason in MESSAGE_ERRORS else Unlisted(reason)
