"""What Block Kit accepts, checked as strictly as Slack does or stricter.

Limits: https://docs.slack.dev/reference/block-kit and `spec/limits.json` of nicklambourne/slackblocks. What
the local Slack doesn't know is refused; `blocks.validate` is the only authority.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bot.sandbox.refusal import Json, RefusedError, refuse_with_messages

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_CHARACTERS = 11_300
"""All text of a message's blocks. Undocumented: refused at about 13,200 characters (slackapi/bolt-js#2509)
and at 11,341 already (slackapi/bolt-js#2867)."""
POST_TEXT = 40_000
UPDATE_TEXT = 4_000
MARKDOWN = 12_000
ID_LENGTH = 255
VIEW_BYTES = 250_000
_FILE_ID = re.compile(r"F[A-Z0-9]{8,}")

PLAIN = ("plain_text",)
EITHER = ("plain_text", "mrkdwn")


@dataclass(slots=True)
class Findings:
    """What one walk over blocks found."""

    errors: list[str] = field(default_factory=list)
    characters: int = 0
    markdown: int = 0
    block_ids: set[str] = field(default_factory=set)
    files: list[tuple[str, Json]] = field(default_factory=list)
    """Each `slack_file` with its JSON pointer, for the caller to look up."""
    tables: int = 0
    charts: int = 0

    def wrong(self, sentence: str, at: str) -> None:
        """Note an error at a JSON pointer."""
        self.errors.append(f"{sentence} [json-pointer:{at}]")


def _keys(found: Findings, thing: Json, at: str, required: Collection[str], allowed: Collection[str]) -> bool:
    """Whether the keys are right; notes each that is missing or unknown."""
    right = True
    for key in required:
        if thing.get(key) is None:
            found.wrong(f"missing required field: {key}", at)
            right = False
    for key in thing:
        if key not in allowed and key not in required and key not in ("type", "block_id"):
            found.wrong(f"invalid additional property: {key}", at)
            right = False
    return right


def _string(found: Findings, value: object, at: str, longest: int, shortest: int = 1) -> bool:
    if not isinstance(value, str):
        found.wrong("must provide a string", at)
        return False
    if len(value) > longest:
        found.wrong(f"must be less than {longest + 1} characters", at)
        return False
    if len(value) < shortest:
        found.wrong(f"must be more than {shortest - 1} characters", at)
        return False
    return True


def _text(found: Findings, text: object, at: str, longest: int, types: Collection[str] = EITHER) -> None:
    if not isinstance(text, dict):
        found.wrong("must provide an object", at)
        return
    kind = text.get("type")
    if kind not in types:
        found.wrong(f"unsupported type: {kind}", f"{at}/type")
        return
    extra = "emoji" if kind == "plain_text" else "verbatim"
    for key in text:
        if key not in ("type", "text", extra):
            found.wrong(f"invalid additional property: {key}", at)
    words = text.get("text")
    if _string(found, words, f"{at}/text", longest):
        found.characters += len(words)  # type: ignore[arg-type]


def _items(found: Findings, items: object, at: str, most: int, least: int = 1) -> list[Any]:
    if not isinstance(items, list):
        found.wrong("must provide an array", at)
        return []
    if len(items) > most:
        found.wrong(f"no more than {most} items allowed", at)
    if len(items) < least:
        found.wrong(f"no less than {least} items allowed", at)
    return items


def _number(found: Findings, value: object, at: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        found.wrong("must provide a number", at)


def _url(found: Findings, url: object, at: str, longest: int = 3000) -> None:
    if _string(found, url, at, longest) and not re.match(r"https?://[^\s/]+", str(url)):
        found.wrong("must be a valid URL", at)


def _fetched_url(found: Findings, url: object, at: str) -> None:
    """A URL that Slack itself downloads: it must be reachable from outside."""
    if not _string(found, url, at, 3000):
        return
    parts = urlsplit(str(url))
    host = parts.hostname or ""
    try:
        inside = not ipaddress.ip_address(host).is_global
    except ValueError:
        inside = host == "localhost" or "." not in host
    if parts.scheme not in ("http", "https") or inside:
        found.wrong("downloading image failed", at)


def _confirm(found: Findings, confirm: object, at: str) -> None:
    if not isinstance(confirm, dict):
        found.wrong("must provide an object", at)
    elif _keys(found, confirm, at, ("title", "text"), ("confirm", "deny", "style")):
        _text(found, confirm["title"], f"{at}/title", 100, PLAIN)
        _text(found, confirm["text"], f"{at}/text", 300)
        for key in ("confirm", "deny"):
            if key in confirm:
                _text(found, confirm[key], f"{at}/{key}", 30, PLAIN)


def _option(found: Findings, option: object, at: str, types: Collection[str] = PLAIN) -> None:
    if not isinstance(option, dict):
        found.wrong("must provide an object", at)
    elif _keys(found, option, at, ("text", "value"), ("description", "url")):
        _text(found, option["text"], f"{at}/text", 75, types)
        _string(found, option["value"], f"{at}/value", 150)
        if "description" in option:
            _text(found, option["description"], f"{at}/description", 75, types)


def _options(found: Findings, element: Json, at: str, most: int, types: Collection[str] = PLAIN) -> None:
    options = _items(found, element.get("options"), f"{at}/options", most)
    values = [option.get("value") for option in options if isinstance(option, dict)]
    if len(set(map(str, values))) != len(values):
        found.wrong("option values must be unique", f"{at}/options")
    for number, option in enumerate(options):
        _option(found, option, f"{at}/options/{number}", types)
    if "initial_option" in element and element["initial_option"] not in options:
        found.wrong("must be one of the options", f"{at}/initial_option")
    for number, option in enumerate(element.get("initial_options") or ()):
        if option not in options:
            found.wrong("must be one of the options", f"{at}/initial_options/{number}")


def _placeholder(found: Findings, element: Json, at: str) -> None:
    if "placeholder" in element:
        _text(found, element["placeholder"], f"{at}/placeholder", 150, PLAIN)


def _image_source(found: Findings, image: Json, at: str) -> None:
    if ("image_url" in image) == ("slack_file" in image):
        found.wrong("must provide either image_url or slack_file", at)
    elif "image_url" in image:
        _fetched_url(found, image["image_url"], f"{at}/image_url")
    else:
        file = image["slack_file"]
        if not isinstance(file, dict) or len(file) != 1 or not file.keys() <= {"id", "url"}:
            found.wrong("must provide either id or url", f"{at}/slack_file")
        elif "id" in file and not (isinstance(file["id"], str) and _FILE_ID.fullmatch(file["id"])):
            found.wrong("must match pattern ^F[A-Z0-9]{8,}$", f"{at}/slack_file/id")
        else:
            found.files.append((f"{at}/slack_file/{next(iter(file))}", file))


# Elements. Each takes the findings, the element and its JSON pointer.


def _button(found: Findings, element: Json, at: str) -> None:
    if not _keys(found, element, at, ("text",), _BUTTON):
        return
    _text(found, element["text"], f"{at}/text", 75, PLAIN)
    if "value" in element:
        _string(found, element["value"], f"{at}/value", 2000)
    if "url" in element:
        _url(found, element["url"], f"{at}/url")
    if "style" in element and element["style"] not in ("primary", "danger"):
        found.wrong("must be one of primary, danger", f"{at}/style")
    if "accessibility_label" in element:
        _string(found, element["accessibility_label"], f"{at}/accessibility_label", 75)


_BUTTON = ("action_id", "value", "url", "style", "confirm", "accessibility_label")


def _static_select(found: Findings, element: Json, at: str) -> None:
    if "option_groups" in element:
        if "options" in element:
            found.wrong("must provide either options or option_groups", at)
        for number, group in enumerate(_items(found, element["option_groups"], f"{at}/option_groups", 100)):
            here = f"{at}/option_groups/{number}"
            if isinstance(group, dict) and _keys(found, group, here, ("label", "options"), ()):
                _text(found, group["label"], f"{here}/label", 75, PLAIN)
                _options(found, group, here, 100)
    else:
        _options(found, element, at, 100)
    _keys(found, element, at, (), (*_SELECT, "options", "option_groups", "initial_option", "initial_options"))
    _placeholder(found, element, at)


_SELECT = ("action_id", "placeholder", "confirm", "focus_on_load", "max_selected_items")


def _people_select(found: Findings, element: Json, at: str) -> None:
    _keys(found, element, at, (), (*_SELECT, *_INITIALS, "filter", "response_url_enabled"))
    _placeholder(found, element, at)


_INITIALS = (
    "initial_user",
    "initial_users",
    "initial_channel",
    "initial_channels",
    "initial_conversation",
    "initial_conversations",
    "default_to_current_conversation",
)


def _overflow(found: Findings, element: Json, at: str) -> None:
    _keys(found, element, at, ("options",), ("action_id", "confirm"))
    _options(found, element, at, 5)


def _choices(found: Findings, element: Json, at: str) -> None:
    allowed = ("action_id", "confirm", "focus_on_load", "initial_option", "initial_options")
    _keys(found, element, at, ("options",), allowed)
    _options(found, element, at, 10, EITHER)


def _picker(found: Findings, element: Json, at: str) -> None:
    allowed = (*_SELECT, "initial_date", "initial_time", "initial_date_time", "timezone")
    _keys(found, element, at, (), allowed)
    _placeholder(found, element, at)
    if "initial_date" in element and not re.fullmatch(r"\d{4}-\d\d-\d\d", str(element["initial_date"])):
        found.wrong("must be a date of the form YYYY-MM-DD", f"{at}/initial_date")
    if "initial_time" in element and not re.fullmatch(r"\d\d:\d\d", str(element["initial_time"])):
        found.wrong("must be a time of the form HH:mm", f"{at}/initial_time")


def _plain_text_input(found: Findings, element: Json, at: str) -> None:
    _keys(found, element, at, (), (*_INPUT, "multiline", "min_length", "max_length"))
    _placeholder(found, element, at)
    if "initial_value" in element:
        _string(found, element["initial_value"], f"{at}/initial_value", 3000, 0)
    for key, least in (("min_length", 0), ("max_length", 1)):
        value = element.get(key, least)
        if not isinstance(value, int) or not least <= value <= 3000:
            found.wrong(f"must be between {least} and 3000", f"{at}/{key}")


_INPUT = ("action_id", "placeholder", "initial_value", "focus_on_load", "dispatch_action_config")


def _number_input(found: Findings, element: Json, at: str) -> None:
    _keys(found, element, at, ("is_decimal_allowed",), (*_INPUT, "min_value", "max_value"))
    _placeholder(found, element, at)
    for key in ("min_value", "max_value", "initial_value"):
        if key in element and not isinstance(element[key], str):
            found.wrong("must provide a string", f"{at}/{key}")


def _line_input(found: Findings, element: Json, at: str) -> None:
    _keys(found, element, at, (), _INPUT)
    _placeholder(found, element, at)


def _image_element(found: Findings, element: Json, at: str) -> None:
    if _keys(found, element, at, ("alt_text",), ("image_url", "slack_file")):
        _string(found, element["alt_text"], f"{at}/alt_text", 2000)
        _image_source(found, element, at)


Check = Callable[[Findings, Json, str], None]
_SINGLE_SELECTS: dict[str, Check] = {
    "static_select": _static_select,
    "users_select": _people_select,
    "channels_select": _people_select,
    "conversations_select": _people_select,
}
_MULTI_SELECTS = {f"multi_{kind}": check for kind, check in _SINGLE_SELECTS.items()}
_CHOICES: dict[str, Check] = {"checkboxes": _choices, "radio_buttons": _choices}
_PICKERS: dict[str, Check] = {"datepicker": _picker, "timepicker": _picker}
IN_ACTIONS: Mapping[str, Check] = {
    "button": _button,
    "overflow": _overflow,
    "datetimepicker": _picker,
    **_SINGLE_SELECTS,
    **_CHOICES,
    **_PICKERS,
}
IN_SECTION: Mapping[str, Check] = {
    "button": _button,
    "overflow": _overflow,
    "image": _image_element,
    **_SINGLE_SELECTS,
    **_MULTI_SELECTS,
    **_CHOICES,
    **_PICKERS,
}
IN_INPUT: Mapping[str, Check] = {
    "plain_text_input": _plain_text_input,
    "email_text_input": _line_input,
    "url_text_input": _line_input,
    "number_input": _number_input,
    "datetimepicker": _picker,
    **_SINGLE_SELECTS,
    **_MULTI_SELECTS,
    **_CHOICES,
    **_PICKERS,
}


def _element(found: Findings, element: object, at: str, kinds: Mapping[str, Check], seen: set[str]) -> None:
    if not isinstance(element, dict):
        found.wrong("must provide an object", at)
        return
    check = kinds.get(str(element.get("type")))
    if check is None:
        found.wrong(f"unsupported type: {element.get('type')}", f"{at}/type")
        return
    check(found, element, at)
    if "confirm" in element:
        _confirm(found, element["confirm"], f"{at}/confirm")
    action_id = element.get("action_id")
    if action_id is not None and _string(found, action_id, f"{at}/action_id", ID_LENGTH):
        if action_id in seen:
            found.wrong(f"action_id {action_id!r} already exists", f"{at}/action_id")
        seen.add(action_id)


# Blocks.


def _section(found: Findings, block: Json, at: str) -> None:
    _keys(found, block, at, (), ("text", "fields", "accessory", "expand"))
    if "text" not in block and "fields" not in block:
        found.wrong("missing required field: text", at)
    if "text" in block:
        _text(found, block["text"], f"{at}/text", 3000)
    if "fields" in block:
        for number, item in enumerate(_items(found, block["fields"], f"{at}/fields", 10)):
            _text(found, item, f"{at}/fields/{number}", 2000)
    if "accessory" in block:
        _element(found, block["accessory"], f"{at}/accessory", IN_SECTION, set())


def _header(found: Findings, block: Json, at: str) -> None:
    if _keys(found, block, at, ("text",), ()):
        _text(found, block["text"], f"{at}/text", 150, PLAIN)


def _divider(found: Findings, block: Json, at: str) -> None:
    _keys(found, block, at, (), ())


def _context(found: Findings, block: Json, at: str) -> None:
    if not _keys(found, block, at, ("elements",), ()):
        return
    for number, element in enumerate(_items(found, block["elements"], f"{at}/elements", 10)):
        here = f"{at}/elements/{number}"
        if isinstance(element, dict) and element.get("type") == "image":
            _image_element(found, element, here)
        else:
            _text(found, element, here, 3000)


def _actions(found: Findings, block: Json, at: str) -> None:
    if not _keys(found, block, at, ("elements",), ()):
        return
    seen: set[str] = set()
    for number, element in enumerate(_items(found, block["elements"], f"{at}/elements", 25)):
        _element(found, element, f"{at}/elements/{number}", IN_ACTIONS, seen)


def _image(found: Findings, block: Json, at: str) -> None:
    if not _keys(found, block, at, ("alt_text",), ("image_url", "slack_file", "title")):
        return
    _string(found, block["alt_text"], f"{at}/alt_text", 2000)
    if "title" in block:
        _text(found, block["title"], f"{at}/title", 2000, PLAIN)
    _image_source(found, block, at)


def _input(found: Findings, block: Json, at: str) -> None:
    if not _keys(found, block, at, ("label", "element"), ("hint", "optional", "dispatch_action")):
        return
    _text(found, block["label"], f"{at}/label", 2000, PLAIN)
    if "hint" in block:
        _text(found, block["hint"], f"{at}/hint", 2000, PLAIN)
    _element(found, block["element"], f"{at}/element", IN_INPUT, set())


def _markdown(found: Findings, block: Json, at: str) -> None:
    if _keys(found, block, at, ("text",), ()) and _string(found, block["text"], f"{at}/text", MARKDOWN):
        found.markdown += len(block["text"])
        if found.markdown > MARKDOWN:
            found.wrong(f"all markdown blocks must be less than {MARKDOWN + 1} characters", at)


def _cell(found: Findings, cell: object, at: str) -> None:
    if not isinstance(cell, dict):
        found.wrong("must provide an object", at)
        return
    match cell.get("type"):
        case "raw_text":
            if _keys(found, cell, at, ("text",), ()) and _string(found, cell["text"], f"{at}/text", 3000):
                found.characters += len(cell["text"])
        case "raw_number":
            if _keys(found, cell, at, ("value", "text"), ()):
                _number(found, cell["value"], f"{at}/value")
                _string(found, cell["text"], f"{at}/text", 3000)
                found.characters += len(str(cell["text"]))
        case "rich_text":
            _rich_text(found, cell, at)
        case kind:
            found.wrong(f"unsupported type: {kind}", f"{at}/type")


def _table(found: Findings, block: Json, at: str) -> None:
    found.tables += 1
    if found.tables > 1:
        found.wrong("only_one_table_allowed", at)
    if not _keys(found, block, at, ("rows",), ("column_settings",)):
        return
    for number, row in enumerate(_items(found, block["rows"], f"{at}/rows", 100)):
        for column, cell in enumerate(_items(found, row, f"{at}/rows/{number}", 20)):
            _cell(found, cell, f"{at}/rows/{number}/{column}")
    for number, setting in enumerate(block.get("column_settings") or ()):
        here = f"{at}/column_settings/{number}"
        if number >= 20:
            found.wrong("no more than 20 items allowed", f"{at}/column_settings")
            break
        if setting is None:
            continue
        if not isinstance(setting, dict) or not setting.keys() <= {"align", "is_wrapped"}:
            found.wrong("invalid column setting", here)
        elif setting.get("align", "left") not in ("left", "center", "right"):
            found.wrong("must be one of left, center, right", f"{here}/align")


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


def _rich_inline(found: Findings, parts: object, at: str) -> None:
    for number, part in enumerate(_items(found, parts, at, 10_000, 0)):
        here = f"{at}/{number}"
        required = _RICH_INLINE.get(str(part.get("type"))) if isinstance(part, dict) else None
        if required is None:
            found.wrong("unsupported type", here)
            continue
        for key in required:
            if not part.get(key):
                found.wrong(f"missing required field: {key}", here)
        found.characters += len(str(part.get("text") or ""))
        if part["type"] == "link" and part.get("url"):
            _url(found, part["url"], f"{here}/url")


def _rich_text(found: Findings, block: Json, at: str) -> None:
    if not _keys(found, block, at, ("elements",), ()):
        return
    for number, element in enumerate(_items(found, block["elements"], f"{at}/elements", 10_000)):
        here = f"{at}/elements/{number}"
        match element.get("type") if isinstance(element, dict) else None:
            case "rich_text_section" | "rich_text_quote" | "rich_text_preformatted":
                _rich_inline(found, element.get("elements"), f"{here}/elements")
            case "rich_text_list":
                if element.get("style") not in ("bullet", "ordered"):
                    found.wrong("must be one of bullet, ordered", f"{here}/style")
                for line, item in enumerate(
                    _items(found, element.get("elements"), f"{here}/elements", 10_000)
                ):
                    inner = item.get("elements") if isinstance(item, dict) else None
                    _rich_inline(found, inner, f"{here}/elements/{line}/elements")
            case kind:
                found.wrong(f"unsupported type: {kind}", here)


def _alert(found: Findings, block: Json, at: str) -> None:
    if _keys(found, block, at, ("text",), ("level",)):
        _text(found, block["text"], f"{at}/text", 200)


_IN_EVERY: Mapping[str, Check] = {
    "section": _section,
    "divider": _divider,
    "image": _image,
    "actions": _actions,
    "context": _context,
    "header": _header,
    "input": _input,
    "rich_text": _rich_text,
}
MESSAGE: Mapping[str, Check] = {**_IN_EVERY, "table": _table, "markdown": _markdown}
MODAL: Mapping[str, Check] = {**_IN_EVERY, "alert": _alert}
HOME: Mapping[str, Check] = _IN_EVERY


def _blocks(blocks: object, at: str, kinds: Mapping[str, Check], most: int, least: int) -> Findings:
    found = Findings()
    for number, block in enumerate(_items(found, blocks, at, most, least)):
        here = f"{at}/{number}"
        if not isinstance(block, dict):
            found.wrong("must provide an object", here)
            continue
        check = kinds.get(str(block.get("type")))
        if check is None:
            found.wrong(f"unsupported type: {block.get('type')}", f"{here}/type")
            continue
        check(found, block, here)
        block_id = block.get("block_id")
        if block_id is not None and _string(found, block_id, f"{here}/block_id", ID_LENGTH):
            if block_id in found.block_ids:
                found.wrong(f"block_id {block_id!r} already exists", f"{here}/block_id")
            found.block_ids.add(block_id)
    return found


def check_message(blocks: object) -> Findings:
    """Check the blocks of a message.

    Raises RefusedError: `invalid_blocks_format` (no array), `invalid_blocks` with what is wrong where, or
    `msg_blocks_too_long`.
    """
    if not isinstance(blocks, list):
        raise RefusedError("invalid_blocks_format")
    found = _blocks(blocks, "/blocks", MESSAGE, MESSAGE_BLOCKS, 0)
    if found.errors:
        raise refuse_with_messages("invalid_blocks", found.errors)
    if found.characters > MESSAGE_CHARACTERS:
        raise RefusedError("msg_blocks_too_long")
    return found


def check_view(view: object, kind: str) -> Findings:
    """Check a view of the kind "modal" or "home".

    Raises RefusedError: `invalid_arguments` with what is wrong where, or `view_too_large`.
    """
    if not isinstance(view, dict):
        raise refuse_with_messages("invalid_arguments", ["must provide an object [json-pointer:/view]"])
    if view.get("type") != kind:
        raise refuse_with_messages("invalid_arguments", [f"must be {kind} [json-pointer:/view/type]"])
    found = _blocks(view.get("blocks"), "/view/blocks", MODAL if kind == "modal" else HOME, VIEW_BLOCKS, 1)
    allowed = ("blocks", "private_metadata", "callback_id", "external_id")
    modal_only = ("title", "submit", "close", "clear_on_close", "notify_on_close", "submit_disabled")
    _keys(found, view, "/view", (), (*allowed, *modal_only) if kind == "modal" else allowed)
    for key, longest in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        if key in view:
            _string(found, view[key], f"/view/{key}", longest, 0)
    if kind == "modal":
        if "title" not in view:
            found.wrong("missing required field: title", "/view")
        for key in ("title", "submit", "close"):
            if key in view:
                _text(found, view[key], f"/view/{key}", 24, PLAIN)
        inputs = any(
            isinstance(block, dict) and block.get("type") == "input" for block in view.get("blocks") or ()
        )
        if inputs and "submit" not in view:
            found.wrong("missing required field: submit", "/view")
    if found.errors:
        raise refuse_with_messages("invalid_arguments", found.errors)
    if len(str(view)) > VIEW_BYTES:
        raise RefusedError("view_too_large")
    return found


def check_metadata(metadata: object) -> Json:
    """Check a message's metadata: `event_type` and `event_payload`.

    Slack publishes no size; 8,000 characters is this program's own, on the safe side. Raises RefusedError:
    `invalid_metadata_format`, `metadata_too_large`.
    """
    if not isinstance(metadata, dict) or not metadata.keys() <= {"event_type", "event_payload"}:
        raise RefusedError("invalid_metadata_format")
    if metadata:
        kind, payload = metadata.get("event_type"), metadata.get("event_payload")
        if not isinstance(kind, str) or not 0 < len(kind) <= 255 or not isinstance(payload, dict):
            raise RefusedError("invalid_metadata_format")
        if len(str(payload)) > 8_000:
            raise RefusedError("metadata_too_large")
    return metadata
