"""The ids that Slack gives to blocks and elements that have none."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from bot.local_slack.errors import Json


def with_block_ids(blocks: Iterable[Json]) -> list[Json]:
    """Return the blocks with a block_id each, and an action_id in each interactive element."""
    return [
        _with_action_ids(block if "block_id" in block else {**block, "block_id": _short_id()})
        for block in blocks
    ]


def _short_id() -> str:
    return secrets.token_urlsafe(4)


def _with_action_ids(block: Json) -> Json:
    match block["type"]:
        case "actions":
            return {**block, "elements": [_with_action_id(element) for element in block["elements"]]}
        case "section" if "accessory" in block:
            return {**block, "accessory": _with_action_id(block["accessory"])}
        case "input":
            return {**block, "element": _with_action_id(block["element"])}
    return block


def _with_action_id(element: Json) -> Json:
    if element["type"] == "image" or "action_id" in element:
        return element
    return {**element, "action_id": _short_id()}
