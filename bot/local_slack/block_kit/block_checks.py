"""Checks of messages, views and metadata against Block Kit's rules, at least as strict as Slack's.

Limits: https://docs.slack.dev/reference/block-kit and `spec/limits.json` of nicklambourne/slackblocks.
Anything that the local Slack does not know is rejected; only Slack's `blocks.validate` is authoritative.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.local_slack.block_kit.checks import (
    MAX_ID_LENGTH,
    PLAIN_TEXT,
    ValidationErrors,
    check_image_source,
    check_items,
    check_keys,
    check_number,
    check_string,
    check_text,
    check_url,
)
from bot.local_slack.block_kit.elements import (
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    Check,
    check_element,
    check_image,
)
from bot.local_slack.errors import ApiError, Json, refuse_with_messages

MAX_MESSAGE_BLOCKS = 50
MAX_VIEW_BLOCKS = 100
MAX_MESSAGE_CHARACTERS = 11_300
"""Most characters in all text of a message's blocks.

Slack does not document this limit; it rejected about 13,200 characters (slackapi/bolt-js#2509), and 11,341
(slackapi/bolt-js#2867)."""
MAX_POST_TEXT = 40_000
MAX_UPDATE_TEXT = 4_000
MAX_MARKDOWN = 12_000
MAX_VIEW_BYTES = 250_000


def _section(found: ValidationErrors, block: Json, at: str) -> None:
    check_keys(found, block, at, (), ("text", "fields", "accessory", "expand"))
    if "text" not in block and "fields" not in block:
        found.add("missing required field: text", at)
    if "text" in block:
        check_text(found, block["text"], f"{at}/text", 3000)
    if "fields" in block:
        for number, item in enumerate(check_items(found, block["fields"], f"{at}/fields", 10)):
            check_text(found, item, f"{at}/fields/{number}", 2000)
    if "accessory" in block:
        check_element(found, block["accessory"], f"{at}/accessory", IN_SECTION, set())


def _header(found: ValidationErrors, block: Json, at: str) -> None:
    if check_keys(found, block, at, ("text",), ()):
        check_text(found, block["text"], f"{at}/text", 150, PLAIN_TEXT)


def _divider(found: ValidationErrors, block: Json, at: str) -> None:
    check_keys(found, block, at, (), ())


def _context(found: ValidationErrors, block: Json, at: str) -> None:
    if not check_keys(found, block, at, ("elements",), ()):
        return
    for number, element in enumerate(check_items(found, block["elements"], f"{at}/elements", 10)):
        here = f"{at}/elements/{number}"
        if isinstance(element, dict) and element.get("type") == "image":
            check_image(found, element, here)
        else:
            check_text(found, element, here, 3000)


def _actions(found: ValidationErrors, block: Json, at: str) -> None:
    if not check_keys(found, block, at, ("elements",), ()):
        return
    seen: set[str] = set()
    for number, element in enumerate(check_items(found, block["elements"], f"{at}/elements", 25)):
        check_element(found, element, f"{at}/elements/{number}", IN_ACTIONS, seen)


def _image(found: ValidationErrors, block: Json, at: str) -> None:
    if not check_keys(found, block, at, ("alt_text",), ("image_url", "slack_file", "title")):
        return
    check_string(found, block["alt_text"], f"{at}/alt_text", 2000)
    if "title" in block:
        check_text(found, block["title"], f"{at}/title", 2000, PLAIN_TEXT)
    check_image_source(found, block, at)


def _input(found: ValidationErrors, block: Json, at: str) -> None:
    if not check_keys(found, block, at, ("label", "element"), ("hint", "optional", "dispatch_action")):
        return
    check_text(found, block["label"], f"{at}/label", 2000, PLAIN_TEXT)
    if "hint" in block:
        check_text(found, block["hint"], f"{at}/hint", 2000, PLAIN_TEXT)
    check_element(found, block["element"], f"{at}/element", IN_INPUT, set())


def _markdown(found: ValidationErrors, block: Json, at: str) -> None:
    if check_keys(found, block, at, ("text",), ()) and check_string(
        found, block["text"], f"{at}/text", MAX_MARKDOWN
    ):
        found.markdown += len(block["text"])
        if found.markdown > MAX_MARKDOWN:
            found.add(f"all markdown blocks must be less than {MAX_MARKDOWN + 1} characters", at)


def _cell(found: ValidationErrors, cell: object, at: str) -> None:
    if not isinstance(cell, dict):
        found.add("must provide an object", at)
        return
    match cell.get("type"):
        case "raw_text":
            if check_keys(found, cell, at, ("text",), ()) and check_string(
                found, cell["text"], f"{at}/text", 3000
            ):
                found.characters += len(cell["text"])
        case "raw_number":
            if check_keys(found, cell, at, ("value", "text"), ()):
                check_number(found, cell["value"], f"{at}/value")
                check_string(found, cell["text"], f"{at}/text", 3000)
                found.characters += len(str(cell["text"]))
        case "rich_text":
            _rich_text(found, cell, at)
        case kind:
            found.add(f"unsupported type: {kind}", f"{at}/type")


def _table(found: ValidationErrors, block: Json, at: str) -> None:
    found.tables += 1
    if found.tables > 1:
        found.add("only_one_table_allowed", at)
    if not check_keys(found, block, at, ("rows",), ("column_settings",)):
        return
    for number, row in enumerate(check_items(found, block["rows"], f"{at}/rows", 100)):
        for column, cell in enumerate(check_items(found, row, f"{at}/rows/{number}", 20)):
            _cell(found, cell, f"{at}/rows/{number}/{column}")
    for number, setting in enumerate(block.get("column_settings") or ()):
        here = f"{at}/column_settings/{number}"
        if number >= 20:
            found.add("no more than 20 items allowed", f"{at}/column_settings")
            break
        if setting is None:
            continue
        if not isinstance(setting, dict) or not setting.keys() <= {"align", "is_wrapped"}:
            found.add("invalid column setting", here)
        elif setting.get("align", "left") not in ("left", "center", "right"):
            found.add("must be one of left, center, right", f"{here}/align")


_RICH_INLINE: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "link": ("url",),
    "user": ("user_id",),
    "usergroup": ("usergroup_id",),
    "channel": ("channel_id",),
    "emoji": ("name",),
    "broadcast": ("range",),
    "date": ("timestamp", "format"),
    "color": ("value",),
}


def _rich_inline(found: ValidationErrors, parts: object, at: str) -> None:
    for number, part in enumerate(check_items(found, parts, at, 10_000, 0)):
        here = f"{at}/{number}"
        required = _RICH_INLINE.get(str(part.get("type"))) if isinstance(part, dict) else None
        if required is None:
            found.add("unsupported type", here)
            continue
        for key in required:
            if not part.get(key):
                found.add(f"missing required field: {key}", here)
        found.characters += len(str(part.get("text") or ""))
        if part["type"] == "link" and part.get("url"):
            check_url(found, part["url"], f"{here}/url")


def _rich_text(found: ValidationErrors, block: Json, at: str) -> None:
    if not check_keys(found, block, at, ("elements",), ()):
        return
    for number, element in enumerate(check_items(found, block["elements"], f"{at}/elements", 10_000)):
        here = f"{at}/elements/{number}"
        match element.get("type") if isinstance(element, dict) else None:
            case "rich_text_section" | "rich_text_quote" | "rich_text_preformatted":
                _rich_inline(found, element.get("elements"), f"{here}/elements")
            case "rich_text_list":
                if element.get("style") not in ("bullet", "ordered"):
                    found.add("must be one of bullet, ordered", f"{here}/style")
                for line, item in enumerate(
                    check_items(found, element.get("elements"), f"{here}/elements", 10_000)
                ):
                    inner = item.get("elements") if isinstance(item, dict) else None
                    _rich_inline(found, inner, f"{here}/elements/{line}/elements")
            case kind:
                found.add(f"unsupported type: {kind}", here)


def _alert(found: ValidationErrors, block: Json, at: str) -> None:
    if check_keys(found, block, at, ("text",), ("level",)):
        check_text(found, block["text"], f"{at}/text", 200)


_IN_EVERY_SURFACE: Mapping[str, Check] = {
    "section": _section,
    "divider": _divider,
    "image": _image,
    "actions": _actions,
    "context": _context,
    "header": _header,
    "input": _input,
    "rich_text": _rich_text,
}
IN_MESSAGE: Mapping[str, Check] = {**_IN_EVERY_SURFACE, "table": _table, "markdown": _markdown}
IN_MODAL: Mapping[str, Check] = {**_IN_EVERY_SURFACE, "alert": _alert}
IN_HOME: Mapping[str, Check] = _IN_EVERY_SURFACE


def _blocks(blocks: object, at: str, kinds: Mapping[str, Check], most: int, least: int) -> ValidationErrors:
    found = ValidationErrors()
    for number, block in enumerate(check_items(found, blocks, at, most, least)):
        here = f"{at}/{number}"
        if not isinstance(block, dict):
            found.add("must provide an object", here)
            continue
        check = kinds.get(str(block.get("type")))
        if check is None:
            found.add(f"unsupported type: {block.get('type')}", f"{here}/type")
            continue
        check(found, block, here)
        block_id = block.get("block_id")
        if block_id is not None and check_string(found, block_id, f"{here}/block_id", MAX_ID_LENGTH):
            if block_id in found.block_ids:
                found.add(f"block_id {block_id!r} already exists", f"{here}/block_id")
            found.block_ids.add(block_id)
    return found


def check_message(blocks: object) -> ValidationErrors:
    """Check the blocks of a message.

    Raises ApiError: `invalid_blocks_format` (not an array), `invalid_blocks` with a list of the mistakes, or
    `msg_blocks_too_long`.
    """
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    found = _blocks(blocks, "/blocks", IN_MESSAGE, MAX_MESSAGE_BLOCKS, 0)
    if found.errors:
        raise refuse_with_messages("invalid_blocks", found.errors)
    if found.characters > MAX_MESSAGE_CHARACTERS:
        raise ApiError("msg_blocks_too_long")
    return found


def check_view(view: object, kind: str) -> ValidationErrors:
    """Check a view of the kind "modal" or "home".

    Raises ApiError: `invalid_arguments` with a list of the mistakes, or `view_too_large`.
    """
    if not isinstance(view, dict):
        raise refuse_with_messages("invalid_arguments", ["must provide an object [json-pointer:/view]"])
    if view.get("type") != kind:
        raise refuse_with_messages("invalid_arguments", [f"must be {kind} [json-pointer:/view/type]"])
    found = _blocks(
        view.get("blocks"), "/view/blocks", IN_MODAL if kind == "modal" else IN_HOME, MAX_VIEW_BLOCKS, 1
    )
    allowed = ("blocks", "private_metadata", "callback_id", "external_id")
    modal_only = ("title", "submit", "close", "clear_on_close", "notify_on_close", "submit_disabled")
    check_keys(found, view, "/view", (), (*allowed, *modal_only) if kind == "modal" else allowed)
    for key, longest in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        if key in view:
            check_string(found, view[key], f"/view/{key}", longest, 0)
    if kind == "modal":
        if "title" not in view:
            found.add("missing required field: title", "/view")
        for key in ("title", "submit", "close"):
            if key in view:
                check_text(found, view[key], f"/view/{key}", 24, PLAIN_TEXT)
        blocks = view.get("blocks")
        inputs = isinstance(blocks, list) and any(
            isinstance(block, dict) and block.get("type") == "input" for block in blocks
        )
        if inputs and "submit" not in view:
            found.add("missing required field: submit", "/view")
    if found.errors:
        raise refuse_with_messages("invalid_arguments", found.errors)
    if len(str(view)) > MAX_VIEW_BYTES:
        raise ApiError("view_too_large")
    return found


def check_metadata(metadata: object) -> Json:
    """Check a message's metadata: `event_type` and `event_payload`.

    Slack documents no size; the limit of 8,000 characters is this program's own, chosen to be safe. Raises
    ApiError: `invalid_metadata_format`, `metadata_too_large`.
    """
    if not isinstance(metadata, dict) or not metadata.keys() <= {"event_type", "event_payload"}:
        raise ApiError("invalid_metadata_format")
    if metadata:
        kind, payload = metadata.get("event_type"), metadata.get("event_payload")
        if not isinstance(kind, str) or not 0 < len(kind) <= 255 or not isinstance(payload, dict):
            raise ApiError("invalid_metadata_format")
        if len(str(payload)) > 8_000:
            raise ApiError("metadata_too_large")
    return metadata
