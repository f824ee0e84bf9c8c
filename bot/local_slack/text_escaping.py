"""Encode text that a person types as Slack does before an app receives it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MENTION = re.compile(r"(?<![\w@/])@([\w.-]*\w)")
_CHANNEL = re.compile(r"(?<![\w#&/])#([\w-]+)")
_URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\]'\"]")


def escape(text: str) -> str:
    """Replace `&`, `<` and `>` by entities, the only characters that Slack escapes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def encode_message_text(text: str, users: Mapping[str, str], channels: Mapping[str, str]) -> str:
    """Encode a typed message as events contain it: entities, `<@U…>`, `<#C…|>`, `<https://…>`.

    `users` and `channels` map names to ids.
    """
    escaped = _URL.sub(lambda m: f"<{m[0]}>", escape(text))
    escaped = _MENTION.sub(lambda m: f"<@{users[m[1]]}>" if m[1] in users else m[0], escaped)
    return _CHANNEL.sub(lambda m: f"<#{channels[m[1]]}|>" if m[1] in channels else m[0], escaped)


def encode_command_text(
    text: str, users: Mapping[str, str], channels: Mapping[str, str], *, should_escape: bool
) -> str:
    """Encode a slash command's arguments as the app receives them.

    Users and channels become `<@U…|name>` and `<#C…|name>` if the manifest sets `should_escape`.
    """
    escaped = escape(text)
    if not should_escape:
        return escaped
    escaped = _MENTION.sub(lambda m: f"<@{users[m[1]]}|{m[1]}>" if m[1] in users else m[0], escaped)
    return _CHANNEL.sub(lambda m: f"<#{channels[m[1]]}|{m[1]}>" if m[1] in channels else m[0], escaped)
