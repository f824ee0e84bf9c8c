"""Slack messages as plain text for a terminal, without mark-up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from formatters.blockkit.blocks import fit_lines
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import SECTION_MAX, TEXT_MAX, escape, replace_nbsp, unescape

_LINK = re.compile(r"<(?P<url>https?://[^|>]+)(?:\|(?P<label>[^>]*))?>")
_DATE = re.compile(r"<!date\^[^|>]*\|(?P<fallback>[^>]*)>")
_MENTION = re.compile(r"<(?P<kind>[@#!])(?P<id>[^|>]+)(?:\|(?P<label>[^>]*))?>")
_MARKS = re.compile(r"(?<!\w)(?P<mark>[*_~`])(?P<text>[^\n]+?)(?P=mark)(?!\w)")


def render(message: Message) -> str:
    """Return the message's blocks as lines of plain text; without blocks, its notification text."""
    paragraphs = [text for text in map(_block_text, message.blocks) if text]
    return replace_nbsp("\n".join(paragraphs) if paragraphs else strip_mrkdwn(message.text))


def notification_text(message: Message) -> str:
    """Return the notification text as plain text."""
    return replace_nbsp(strip_mrkdwn(message.text))


def fallback_text(message: Message) -> str:
    """Return the message as one escaped mrkdwn text, to post without blocks after Slack refused them.

    Buttons without an address are dropped, because text cannot be pressed. The message's mentions still
    notify.
    """
    pressless = replace(message, blocks=tuple(map(_without_buttons, message.blocks)))
    text = fit_lines((escape(line, SECTION_MAX) for line in render(pressless).splitlines()), TEXT_MAX)
    for mention in message.mentions:
        shown = re.escape(escape(strip_mrkdwn(mention)))
        text = re.sub(rf"(?<![\w<]){shown}(?!\w)", mention.replace("\\", r"\\"), text, count=1)
    return text


def _without_buttons(block: Block) -> Block:
    if block["type"] != "actions":
        return block
    kept = []
    for item in block["elements"]:
        if item["type"] == "overflow":
            kept.append({**item, "options": [option for option in item["options"] if "url" in option]})
        elif "url" in item:
            kept.append(item)
    return {**block, "elements": kept}


def strip_mrkdwn(text: str) -> str:
    """Return mrkdwn as plain text: formatting removed, links as "label (url)", entities unescaped."""
    text = _LINK.sub(lambda m: f"{m['label']} ({m['url']})" if m["label"] else m["url"], text)
    text = _DATE.sub(lambda m: m["fallback"], text)
    text = _MENTION.sub(_mention, text)
    return unescape(_MARKS.sub(lambda m: m["text"], text))


def _mention(match: re.Match[str]) -> str:
    label: str | None = match["label"]
    if label:
        return label if match["kind"] == "!" else f"{match['kind']}{label}"
    return f"@{match['id']}" if match["kind"] == "!" else f"{match['kind']}{match['id']}"


def _object_text(item: Mapping[str, Any]) -> str:
    text = str(item["text"])
    return strip_mrkdwn(text) if item["type"] == "mrkdwn" else text


def _block_text(block: Block) -> str:
    return "\n".join(_block_lines(block))


def _block_lines(block: Block) -> Iterator[str]:
    match block["type"]:
        case "header":
            title = _object_text(block["text"])
            yield title
            yield "═" * len(title)
        case "section":
            if "text" in block:
                yield _object_text(block["text"])
            yield from (_object_text(field) for field in block.get("fields", ()))
        case "context":
            yield from (_object_text(item) for item in block["elements"] if "text" in item)
        case "actions":
            pressed = [
                button
                for item in block["elements"]
                for button in (item["options"] if item["type"] == "overflow" else [item])
                if "text" in button
            ]
            yield " · ".join(map(_button, pressed))
        case "image":
            yield f"[picture: {block['alt_text']}]"
        case "table":
            yield from _table([[str(cell["text"]) for cell in row] for row in block["rows"]])
        case "rich_text":
            for element in block["elements"]:
                yield "".join(str(part["text"]) for part in element["elements"])
        case "divider":
            yield "─" * 40


def _table(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        # Separate cells by a bar, because fallback texts are not shown in a fixed-width font.
        yield " │ ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _button(item: Mapping[str, Any]) -> str:
    label = _object_text(item["text"])
    return f"{label}: {item['url']}" if "url" in item else f"[{label}]"
