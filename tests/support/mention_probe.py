"""Find mark-up in a message that would notify people or hide a link's target."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from formatters.blockkit.message import Message

_PING = re.compile(r"<!(?:channel|here|everyone|group|subteam)\b[^>]*>?|<[@#][A-Z0-9][^>]*>?", re.IGNORECASE)
_MARK_UP = re.compile(r"<([^>]*)>?")
_KNOWN = re.compile(r"!date\^\d+\^[^<>]*|https?://[^\s<>|]+\|[^<>]+|https?://[^\s<>|]+")


def find_mentions(message: Message) -> list[str]:
    """Return every mention in a message, and all other mark-up that is neither a web link nor a date."""
    found = []
    for text in _formatted(message):
        found += _PING.findall(text)
        found += [inner for inner in _MARK_UP.findall(text) if not _KNOWN.fullmatch(inner)]
    return found


def _formatted(message: Message) -> Iterator[str]:
    """Return the texts in which Slack interprets mark-up: the notification text and all of type mrkdwn."""
    yield message.text
    waiting: list[Any] = list(message.blocks)
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "mrkdwn":
                yield node["text"]
            waiting += node.values()
        elif isinstance(node, list | tuple):
            waiting += node
