"""Block Kit blocks as plain dicts, each within Slack's limits (docs.slack.dev/reference/block-kit)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from formatters.blockkit import mrkdwn
from formatters.blockkit.message import Block, Message


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: Slack does not turn bare names and addresses into links or mentions.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": mrkdwn.plain_text(text, limit), "emoji": False}


def fit_lines(lines: Iterable[str], limit: int) -> str:
    """Join escaped lines, dropping whole lines from the end to stay within `limit` UTF-16 units.

    Dropped lines are replaced by "…". Only a first line that is too long by itself is truncated.
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
    """Return a header block; `text` is plain text, not escaped."""
    return {"type": "header", "text": _plain(text, mrkdwn.HEADER_MAX)}


def section(*lines: str, accessory: Block | None = None) -> Block:
    """Return a section block of at least one line of escaped mrkdwn."""
    block: dict[str, Any] = {"type": "section", "text": _mrkdwn(fit_lines(lines, mrkdwn.SECTION_MAX))}
    return block if accessory is None else {**block, "accessory": accessory}


def sections(lines: Iterable[str]) -> list[Block]:
    """Return as few section blocks as hold all lines of escaped mrkdwn, none of them truncated by others."""
    packed: list[list[str]] = []
    for line in lines:
        if packed and mrkdwn.utf16_length("\n".join([*packed[-1], line])) <= mrkdwn.SECTION_MAX:
            packed[-1].append(line)
        else:
            packed.append([line])
    return [section(*some) for some in packed]


def context(*texts: str) -> Block:
    """Return a context block (small print) of up to ten texts of escaped mrkdwn."""
    elements = [
        _mrkdwn(fit_lines([text], mrkdwn.CONTEXT_TEXT_MAX)) for text in texts[: mrkdwn.CONTEXT_ELEMENTS_MAX]
    ]
    return {"type": "context", "elements": elements}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Block:
    """Return a table block; the cells are plain text, not escaped. A message may have only one table.

    Rows beyond Slack's limit are dropped. Numbers are text cells too, because they carry their units.
    """
    lines = [header, *rows][: mrkdwn.TABLE_ROWS_MAX]
    cells = [
        [{"type": "raw_text", "text": mrkdwn.plain_text(cell, mrkdwn.CELL_MAX) or "–"} for cell in line]
        for line in lines
    ]
    return {"type": "table", "rows": cells}


def code(text: str) -> Block:
    """Return a block of preformatted text, unchanged; the caller limits its length."""
    words = {"type": "text", "text": text}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [words]}]}


def button(
    text: str,
    action_id: str,
    *,
    url: str | None = None,
    value: str | None = None,
    confirmation: str | None = None,
    is_primary: bool = False,
) -> Block:
    """Return a button; with `url` (checked by `mrkdwn.web_url`) it opens a page.

    `confirmation` is a question in plain text that Slack asks before it sends the action. A primary button is
    green, and the one thing that is asked for.
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
    if is_primary:
        element["style"] = "primary"
    if confirmation is not None:
        element["confirm"] = {
            "title": _plain("Are you sure?", 100),
            "text": _plain(confirmation, mrkdwn.CONFIRM_TEXT_MAX),
            "confirm": _plain("Yes", 30),
            "deny": _plain("No", 30),
        }
    return element


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuOption:
    """One line of an overflow menu."""

    text: str
    """Plain text, not escaped."""
    value: str
    """The value that the app is sent when it is chosen; different from the others of its menu."""
    url: str | None = None
    """The page that it opens, checked by `mrkdwn.web_url`."""


def overflow(action_id: str, options: Sequence[MenuOption]) -> Block:
    """Return an overflow menu ("…").

    Raises ValueError unless Slack takes that many options, and values of that length.
    """
    if not mrkdwn.OVERFLOW_MIN <= len(options) <= mrkdwn.OVERFLOW_MAX:
        raise ValueError(f"An overflow menu can't have {len(options)} options.")
    if any(mrkdwn.utf16_length(option.value) > mrkdwn.OPTION_VALUE_MAX for option in options):
        raise ValueError("A value of an overflow menu is too long, and a part of it would be another.")
    return {
        "type": "overflow",
        "action_id": action_id,
        "options": [
            {
                "text": _plain(option.text, mrkdwn.OPTION_TEXT_MAX),
                "value": option.value,
                **({} if option.url is None else {"url": option.url}),
            }
            for option in options
        ],
    }


def image(alt_text: str, *, file_id: str | None = None, url: str | None = None) -> Block:
    """Return an image block of a file in Slack or a web address; `alt_text` is not escaped.

    Raises ValueError unless exactly one of `file_id` and `url` is given.
    """
    if (file_id is None) == (url is None):
        raise ValueError("A picture is a file or an address, one of the two.")
    source: dict[str, Any] = {"slack_file": {"id": file_id}} if url is None else {"image_url": url}
    return {"type": "image", "alt_text": mrkdwn.plain_text(alt_text, mrkdwn.ALT_TEXT_MAX), **source}


def actions(*elements: Block) -> Block:
    """Return a row of at least one button or menu."""
    return {"type": "actions", "elements": list(elements[: mrkdwn.ACTIONS_MAX])}


def message(text: str, *blocks: Block, mentions: tuple[str, ...] = (), is_refusal: bool = False) -> Message:
    """Return a message; `text` is escaped mrkdwn. Its no-break spaces are replaced, as notifications need."""
    return Message(
        fit_lines([mrkdwn.replace_nbsp(text)], mrkdwn.TEXT_MAX), tuple(blocks), mentions, is_refusal
    )
