"""What a call to Slack can come to, and which of Slack's words means which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.store.outbox.models import RATE_LIMIT_ERRORS

if TYPE_CHECKING:
    from bot.slack.degradation import DroppedPart


class SlackFailure(Exception):
    """A call that didn't do what was asked; `reason` is Slack's own word or one of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details: tuple[str, ...] = ()
        """Slack's sentences about what is wrong, where it gives any; they end in "[json-pointer:/…]"."""
        self.dropped: tuple[DroppedPart, ...] = ()
        """What the message had lost on the way by then, where it is worth knowing."""


class RateLimited(SlackFailure):
    """Not done; to be tried again after `retry_after` seconds."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ChannelUnavailable(SlackFailure):
    """Nothing can be posted in this channel until somebody changes that."""


class WorkspaceUnavailable(SlackFailure):
    """The token is no longer good for anything until somebody changes that."""


class RootOutOfReach(SlackFailure):
    """The message that is to be edited or replied to is gone, or fixed."""


class Rejected(SlackFailure):
    """Slack won't take these words, now or ever."""


class Unlisted(SlackFailure):
    """Slack refused it with a word that ends nothing by what is known here; nothing was done.

    Without some part of it it may be taken (`bot.slack.degradation`), or later.
    """


class Unavailable(SlackFailure):
    """Slack is in trouble, or can't be reached; it did nothing."""


class OutcomeUnknown(SlackFailure):
    """No answer came: it may have been done."""


class FileNotReady(SlackFailure):
    """The message has a file that Slack can't show yet; nothing was posted."""


ROOT_DELETED = frozenset({"message_not_found", "thread_not_found", "cant_update_message"})
"""Somebody deleted the root message. What stands in place of one with replies isn't ours to update."""

ROOT_NOT_EDITABLE = frozenset({"edit_window_closed"})
"""The root stands, and can't be edited any more."""

CHANNEL_ERRORS = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "ekm_access_denied",
        "messages_tab_disabled",
    }
)
"""https://docs.slack.dev/reference/methods/chat.postMessage, errors about the place."""

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
"""The same page, errors about the token. Two of them pass by themselves; all are tried again."""

PERMISSION_ERRORS = frozenset({"missing_scope", "no_permission", "access_denied", "not_allowed_token_type"})
"""Those of them that may be about one method, and not about the token."""

SERVER_ERRORS = frozenset(
    {"fatal_error", "internal_error", "service_unavailable", "request_timeout", "team_not_found"}
)

MESSAGE_ERRORS = frozenset({"msg_too_long", "no_text"})
"""Errors about the words themselves, which are the same at the next attempt."""


def failure_from_code(reason: str, retry_after: float | None) -> SlackFailure:
    """The failure that Slack's word stands for; what stands in no list is `Unlisted`, and isn't final."""
    if reason in RATE_LIMIT_ERRORS:
        return RateLimited(reason, 30.0 if retry_after is None else retry_after)
    if reason == "is_inactive":
        # What `chat.update` says where `chat.postMessage` says `is_archived`: one problem, one word.
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
