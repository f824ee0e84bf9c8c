"""What stands in a channel of the local Slack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


def roots(messages: Sequence[Json], containing: str = "") -> list[Json]:
    """Return the messages that are in no thread and not deleted, and that contain a text."""
    return [
        message
        for message in messages
        if not message["thread_ts"] and not message.get("deleted") and containing in message_text(message)
    ]


def replies(messages: Sequence[Json], root: Json) -> list[Json]:
    """Return the messages in the thread of a root, without the root."""
    return [message for message in messages if message["thread_ts"] == root["ts"]]


def message_text(message: Json) -> str:
    """Return the fallback text and the texts of all blocks, one a line, with plain spaces."""
    texts = [message["text"], *_block_texts(message.get("blocks") or [])]
    return "\n".join(texts).replace("\u00a0", " ")


def _block_texts(node: object) -> list[str]:
    if isinstance(node, list):
        return [text for item in node for text in _block_texts(item)]
    if not isinstance(node, dict):
        return []
    own = [node["text"]] if isinstance(node.get("text"), str) else []
    return own + [text for value in node.values() for text in _block_texts(value)]
