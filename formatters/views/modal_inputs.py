"""Inputs of modals as Block Kit; each input block has one element with the action id INPUT_ACTION_ID.

Limits: docs.slack.dev/reference/block-kit/blocks/input-block and the pages of its elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from formatters.blockkit.message import Block

INPUT_ACTION_ID = "value"
MAX_TEXT_CHARS = 3_000
"""Maximum length of a Slack text input, and of a subscription's text."""
MAX_OPTIONS = 100
"""Most options of a select."""
MAX_OPTION_CHARS = 75
"""Longest label of an option."""
MAX_PEOPLE = 10
"""Most people that an input takes."""


def plain(text: str) -> dict[str, Any]:
    """Return a plain text object."""
    return {"type": "plain_text", "text": text, "emoji": False}


def input_block(
    name: str, label: str, element: Mapping[str, Any], *, optional: bool = True, hint: str | None = None
) -> Block:
    """Return the input block whose block id is `name`."""
    block: dict[str, Any] = {
        "type": "input",
        "block_id": name,
        "label": plain(label),
        "optional": optional,
        "element": {**element, "action_id": INPUT_ACTION_ID},
    }
    return block if hint is None else {**block, "hint": plain(hint)}


def number(*, initial: str | None, most: str | None = None) -> dict[str, Any]:
    """Return an element for a number from 0 on; `initial` is None where it is no number.

    Slack rejects an invalid initial value. What the user typed is shown by Slack anyway.
    """
    element: dict[str, Any] = {"type": "number_input", "is_decimal_allowed": True, "min_value": "0"}
    if most is not None:
        element["max_value"] = most
    return element if initial is None else {**element, "initial_value": initial}


def text(
    value: str, *, longest: int = MAX_TEXT_CHARS, is_multiline: bool = False, example: str | None = None
) -> dict[str, Any]:
    """Return an element for text of at most `longest` characters; `example` is shown while it is empty.

    Slack refuses a view whose initial value is longer, so that one is cut.
    """
    element: dict[str, Any] = {"type": "plain_text_input", "max_length": longest}
    if is_multiline:
        element["multiline"] = True
    if example is not None:
        element["placeholder"] = plain(example)
    return {**element, "initial_value": value[:longest]} if value else element


def select(
    options: Mapping[str, str], chosen: str | Sequence[str], *, nothing: str | None = None
) -> dict[str, Any]:
    """Return a select element: of one option if `chosen` is a string ("" for none), else of several.

    `nothing` is shown while none is chosen; None shows "All" or "Any".
    """
    made = {value: _option(value, label) for value, label in options.items()}
    several = not isinstance(chosen, str)
    element: dict[str, Any] = {
        "type": "multi_static_select" if several else "static_select",
        "options": list(made.values()),
        "placeholder": plain(nothing or ("All" if several else "Any")),
    }
    if several and chosen:
        element["initial_options"] = [made[value] for value in chosen]
    elif chosen and isinstance(chosen, str):
        element["initial_option"] = made[chosen]
    return element


def checkboxes(options: Mapping[str, str], chosen: Sequence[str]) -> dict[str, Any]:
    """Return a group of checkboxes."""
    made = {value: _option(value, label) for value, label in options.items()}
    element: dict[str, Any] = {"type": "checkboxes", "options": list(made.values())}
    return {**element, "initial_options": [made[value] for value in chosen]} if chosen else element


def people_select(chosen: Sequence[str]) -> dict[str, Any]:
    """Return an element to choose people, by Slack user ids."""
    element: dict[str, Any] = {
        "type": "multi_users_select",
        "placeholder": plain("Nobody"),
        "max_selected_items": MAX_PEOPLE,
    }
    return {**element, "initial_users": list(chosen)} if chosen else element


def _option(value: str, label: str) -> dict[str, Any]:
    return {"text": plain(label), "value": value}
