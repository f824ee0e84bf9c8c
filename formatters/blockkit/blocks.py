"""Block Kit blocks as plain dicts, each within Slack's limits (docs.slack.dev/reference/block-kit)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from formatters.blockkit import mrkdwn
from formatters.blockkit.message import Block, Message


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: Slack leaves bare names and addresses alone and links only what says so.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": mrkdwn.plain_text(text, limit), "emoji": False}


def fit_lines(lines: Iterable[str], limit: int) -> str:
    """Join escaped lines as far as they fit; whole lines fall off the end, which an ellipsis tells.

    Only a first line that is too long by itself is cut.
    """
    every = list(lines)
    whole = "\n".join(every)
    if mrkdwn.utf16_length(whole) <= limit:
        return whole
    kept: list[str] = []
    left = limit - mrkdwn.utf16_length("…")
    for line in every:
        left -= mrkdwn.utf16_length(line) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join([*kept, "…"]) if kept else mrkdwn.truncate_escaped(whole, limit)


def header(text: str) -> Block:
    """A header; `text` not escaped, no mark-up."""
    return {"type": "header", "text": _plain(text, mrkdwn.HEADER_MAX)}


def section(*lines: str, accessory: Block | None = None) -> Block:
    """A section of lines in mrkdwn, escaped already; at least one."""
    block: dict[str, Any] = {"type": "section", "text": _mrkdwn(fit_lines(lines, mrkdwn.SECTION_MAX))}
    return block if accessory is None else {**block, "accessory": accessory}


def context(*texts: str) -> Block:
    """Small print: up to ten texts in mrkdwn, escaped already."""
    elements = [
        _mrkdwn(fit_lines([text], mrkdwn.CONTEXT_TEXT_MAX)) for text in texts[: mrkdwn.CONTEXT_ELEMENTS_MAX]
    ]
    return {"type": "context", "elements": elements}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Block:
    """A table, at most one in a message; words not escaped, no mark-up. Rows beyond Slack's limit fall off.

    Numbers are words too: with their units they are to be read, and Slack's own number cells have none.
    """
    lines = [header, *rows][: mrkdwn.TABLE_ROWS_MAX]
    cells = [
        [{"type": "raw_text", "text": mrkdwn.plain_text(cell, mrkdwn.CELL_MAX) or "–"} for cell in line]
        for line in lines
    ]
    return {"type": "table", "rows": cells}


def code(text: str) -> Block:
    """Lines for programs, as they are; the caller sees to their number."""
    words = {"type": "text", "text": text}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [words]}]}


def button(
    text: str,
    action_id: str,
    *,
    url: str | None = None,
    value: str | None = None,
    confirmation: str | None = None,
) -> Block:
    """A button; with `url` (checked by `mrkdwn.web_url`) it opens a page.

    `asks` is the question, no mark-up, that Slack puts before it counts as pressed.
    """
    element: dict[str, Any] = {
        "type": "button",
        "text": _plain(text, mrkdwn.BUTTON_TEXT_MAX),
        "action_id": action_id,
    }
    if url is not None:
        element["url"] = url
    if value is not None:
        element["value"] = mrkdwn.truncate(value, mrkdwn.BUTTON_VALUE_MAX)
    if confirmation is not None:
        element["confirm"] = {
            "title": _plain("Are you sure?", 100),
            "text": _plain(confirmation, mrkdwn.CONFIRM_TEXT_MAX),
            "confirm": _plain("Yes", 30),
            "deny": _plain("No", 30),
        }
    return element


def image(alt_text: str, *, file_id: str | None = None, url: str | None = None) -> Block:
    """A picture: a file in Slack, or an address; `alt_text` not escaped. Exactly one of the two is given."""
    if (file_id is None) == (url is None):
        raise ValueError("A picture is a file or an address, one of the two.")
    source: dict[str, Any] = {"slack_file": {"id": file_id}} if url is None else {"image_url": url}
    return {"type": "image", "alt_text": mrkdwn.plain_text(alt_text, mrkdwn.ALT_TEXT_MAX), **source}


def actions(*elements: Block) -> Block:
    """A row of buttons, at least one."""
    return {"type": "actions", "elements": list(elements[: mrkdwn.ACTIONS_MAX])}


def message(text: str, *blocks: Block, mentions: tuple[str, ...] = ()) -> Message:
    """A message; `text` escaped already. No-break spaces go from it: notifications are plain."""
    return Message(fit_lines([mrkdwn.replace_nbsp(text)], mrkdwn.TEXT_MAX), tuple(blocks), mentions)
