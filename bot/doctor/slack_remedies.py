"""Remedies for calls that Slack refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.slack.errors import OutcomeUnknown, RateLimited, SlackFailure, Unavailable
from bot.store.outbox.models import CHANNEL_ERRORS

SCOPE_ERRORS = frozenset({"missing_scope", "no_permission", "not_allowed_token_type"})
SCOPE_OF_METHOD: Mapping[str, str] = {
    "chat": "chat:write",
    "conversations.history": "channels:history (groups:history in a private channel)",
    "conversations.replies": "channels:history (groups:history in a private channel)",
    "conversations.info": "channels:read (groups:read for a private channel)",
    "conversations.members": "channels:read (groups:read in a private channel)",
    "files": "files:write",
}
"""A method, or the part of its name before the dot -> the scope that it needs (docs.slack.dev/reference)."""
TOKEN_ERRORS = frozenset({"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"})
_NO_UPLOADS = "ask its owners, or set GWEVENT_PUBLIC_URL, from which Slack fetches the pictures."
REMEDIES: Mapping[str, str] = {
    **dict.fromkeys(TOKEN_ERRORS, "Install the app again (OAuth & Permissions) and copy the new bot token."),
    **dict.fromkeys(
        ("channel_not_found", "not_in_channel"),
        "Is it the channel's id? In a private channel, /invite @gwevent first.",
    ),
    **dict.fromkeys(
        ("team_added_to_org", "org_login_required"),
        "The workspace is being moved into an organization: try again when that is done.",
    ),
    "is_archived": "Unarchive the channel, or choose another.",
    "edit_window_closed": "The workspace ends editing after a time: ask its owners, since cards are edited.",
    "message_limit_exceeded": "The workspace has sent as many messages as its plan allows: try again later.",
    "file_uploads_disabled": f"The workspace lets no files be uploaded: {_NO_UPLOADS}",
    "file_upload_size_restricted": f"The workspace limits the size of files: {_NO_UPLOADS}",
    "storage_limit_reached": f"The workspace has no room for files: {_NO_UPLOADS}",
    "user_not_in_channel": "Only apps seem to be in the channel: join it, then try again.",
}
"""Remedies by the errors of Slack's that a person can end; any other is for an issue."""
REPORT_IT = (
    "If the next run says the same, file an issue with this and what --live CHANNEL --record FILE keeps."
)


def remedy(failure: SlackFailure, method: str = "", answer: Mapping[str, Any] | None = None) -> str:
    """Return the remedy for a refused call of `method`; `answer` is Slack's, if there was one."""
    reason = failure.reason
    if reason in SCOPE_ERRORS:
        needed = (answer or {}).get("needed")
        known = SCOPE_OF_METHOD.get(method) or SCOPE_OF_METHOD.get(method.partition(".")[0], "its scope")
        scope = needed if isinstance(needed, str) and needed else known
        return f"Add {scope} to the app's manifest and install the app again."
    if reason in REMEDIES:
        return REMEDIES[reason]
    if reason in CHANNEL_ERRORS or reason.startswith("restricted_action"):
        return "The workspace's owners don't let the bot post here: choose another channel, or ask them."
    if isinstance(failure, RateLimited):
        return f"Try again in {failure.retry_after:.0f} s, and not beside a busy bot."
    if reason == "unknown_method" or reason.startswith("HTTP 404"):
        return "What answers there doesn't know this call: is GWEVENT_SLACK_API_URL Slack's own?"
    if isinstance(failure, Unavailable | OutcomeUnknown):
        return "Try again; check the network, a proxy and GWEVENT_SLACK_API_URL."
    return REPORT_IT
