"""Rare or hypothetical responses of Slack: undocumented error names, rejected parts, malformed bodies."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Literal

from aiohttp import web

from bot.local_slack.errors import Json

MessagePart = Literal[
    "file", "broadcast", "buttons", "metadata", "blocks", "thread", "everybody", "mention", "long text"
]
Oddity = Literal["null ts", "no ts", "array", "string", "html", "null", "no error"]

_SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "xu", "za"]


def random_error_name(chance: random.Random) -> str:
    """Return an error name that is in no list and names no part of a message, as Slack may add one."""
    words = ("".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(2, 4))) for _ in range(3))
    return "_".join(words)


LONG_TEXT_BYTES = 1_500
"""More than these UTF-8 bytes are a long text."""

_PARTS: Mapping[MessagePart, Callable[[Json], bool]] = {
    "file": lambda args: any(block.get("type") == "image" for block in _blocks(args)),
    "broadcast": lambda args: bool(args.get("reply_broadcast")),
    "buttons": lambda args: any(b.get("type") == "actions" or "accessory" in b for b in _blocks(args)),
    "metadata": lambda args: bool(args.get("metadata")),
    "blocks": lambda args: bool(_blocks(args)),
    "thread": lambda args: bool(args.get("thread_ts")),
    "everybody": lambda args: any(
        word in _searchable_text(args) for word in ("<!here>", "<!channel>", "<!everyone>")
    ),
    "mention": lambda args: any(word in _searchable_text(args) for word in ("<@", "<!subteam^")),
    "long text": lambda args: len(str(args.get("text") or "").encode()) > LONG_TEXT_BYTES,
}


def has_part(args: Json, part: MessagePart) -> bool:
    """Return True if the message of a call has the part."""
    return _PARTS[part](args)


def _blocks(args: Json) -> list[Json]:
    found = args.get("blocks")
    return [block for block in found if isinstance(block, dict)] if isinstance(found, list) else []


def _searchable_text(args: Json) -> str:
    return f"{args.get('text')} {_blocks(args)}"


def odd_response(oddity: Oddity, body: Json) -> web.Response:
    """Return the response to an executed call in an unusual form, which reveals little about the result."""
    if oddity == "html":
        page = "<!DOCTYPE html><html><body>ok</body></html>"
        return web.Response(text=page, content_type="text/html")
    bare: dict[str, Any] = {key: value for key, value in body.items() if key not in ("ts", "message")}
    said: Mapping[Oddity, object] = {
        "null ts": {**bare, "ts": None},
        "no ts": bare,
        "array": [body],
        "string": "ok",
        "null": None,
        "no error": {"ok": False},
    }
    return web.json_response(said[oddity])
