"""What Slack makes of a text that a person types, before an app gets it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MENTION = re.compile(r"(?<![\w@/])@([\w.-]*\w)")
_CHANNEL = re.compile(r"(?<![\w#&/])#([\w-]+)")
_URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\]'\"]")


def escape(text: str) -> str:
    """`&`, `<` and `>` as entities, the only three that Slack escapes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def encode_message_text(text: str, users: Mapping[str, str], channels: Mapping[str, str]) -> str:
    """A typed message as events carry it: entities, `<@U…>`, `<#C…|>`, `<https://…>`.

    `users` and `channels` map names to ids.
    """
    escaped = _URL.sub(lambda m: f"<{m[0]}>", escape(text))
    escaped = _MENTION.sub(lambda m: f"<@{users[m[1]]}>" if m[1] in users else m[0], escaped)
    return _CHANNEL.sub(lambda m: f"<#{channels[m[1]]}|>" if m[1] in channels else m[0], escaped)


def encode_command_text(
    text: str, users: Mapping[str, str], channels: Mapping[str, str], *, should_escape: bool
) -> str:
    """The words after a slash command as the app gets them: `<@U…|name>` and `<#C…|name>` where the
    manifest says `should_escape`.
    """
    escaped = escape(text)
    if not should_escape:
        return escaped
    escaped = _MENTION.sub(lambda m: f"<@{users[m[1]]}|{m[1]}>" if m[1] in users else m[0], escaped)
    return _CHANNEL.sub(lambda m: f"<#{channels[m[1]]}|{m[1]}>" if m[1] in channels else m[0], escaped)
