"""What in a message would notify somebody, or send a reader where nobody said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from formatters.blockkit.message import Message

_PING = re.compile(r"<!(?:channel|here|everyone|group|subteam)\b[^>]*>?|<[@#][A-Z0-9][^>]*>?", re.IGNORECASE)
_MARK_UP = re.compile(r"<([^>]*)>?")
_KNOWN = re.compile(r"!date\^\d+\^[^<>]*|https?://[^\s<>|]+\|[^<>]+|https?://[^\s<>|]+")


def find_mentions(message: Message) -> list[str]:
    """Every mention in a message's mark-up, and all mark-up that is neither a web link nor a date."""
    found = []
    for text in _formatted(message):
        found += _PING.findall(text)
        found += [inner for inner in _MARK_UP.findall(text) if not _KNOWN.fullmatch(inner)]
    return found


def _formatted(message: Message) -> Iterator[str]:
    """The texts in which Slack reads mark-up: the notification's, and those of kind mrkdwn."""
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
