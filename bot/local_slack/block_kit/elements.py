"""Checks of block elements: buttons, selects and inputs, and the blocks in which each is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from bot.local_slack.block_kit.checks import (
    ANY_TEXT,
    MAX_ID_LENGTH,
    PLAIN_TEXT,
    ValidationErrors,
    check_image_source,
    check_items,
    check_keys,
    check_string,
    check_text,
    check_url,
)
from bot.local_slack.errors import Json


def check_confirm(found: ValidationErrors, confirm: object, at: str) -> None:
    """Check a confirmation dialog: title, text, and the labels of its two buttons."""
    if not isinstance(confirm, dict):
        found.add("must provide an object", at)
    elif check_keys(found, confirm, at, ("title", "text"), ("confirm", "deny", "style")):
        check_text(found, confirm["title"], f"{at}/title", 100, PLAIN_TEXT)
        check_text(found, confirm["text"], f"{at}/text", 300)
        for key in ("confirm", "deny"):
            if key in confirm:
                check_text(found, confirm[key], f"{at}/{key}", 30, PLAIN_TEXT)


def _option(
    found: ValidationErrors,
    option: object,
    at: str,
    types: Collection[str] = PLAIN_TEXT,
    *,
    may_link: bool = False,
) -> None:
    """Check an option; only those of an overflow menu may have a `url`."""
    allowed = ("description", "url") if may_link else ("description",)
    if not isinstance(option, dict):
        found.add("must provide an object", at)
    elif check_keys(found, option, at, ("text", "value"), allowed):
        if "url" in option:
            check_url(found, option["url"], f"{at}/url")
        check_text(found, option["text"], f"{at}/text", 75, types)
        check_string(found, option["value"], f"{at}/value", 150)
        if "description" in option:
            check_text(found, option["description"], f"{at}/description", 75, types)


def _options(
    found: ValidationErrors,
    element: Json,
    at: str,
    most: int,
    types: Collection[str] = PLAIN_TEXT,
    *,
    may_link: bool = False,
) -> None:
    options = check_items(found, element.get("options"), f"{at}/options", most)
    values = [option.get("value") for option in options if isinstance(option, dict)]
    if len(set(map(str, values))) != len(values):
        found.add("option values must be unique", f"{at}/options")
    for number, option in enumerate(options):
        _option(found, option, f"{at}/options/{number}", types, may_link=may_link)
    _initial_choices(found, element, at, options)


def _initial_choices(found: ValidationErrors, element: Json, at: str, options: list[Any]) -> None:
    """Check that what is chosen at first equals options, each once, and no more than may be chosen."""
    if "initial_option" in element and element["initial_option"] not in options:
        found.add("must be one of the options", f"{at}/initial_option")
    if "initial_options" not in element:
        return
    most = element.get("max_selected_items", len(options))
    is_count = isinstance(most, int) and not isinstance(most, bool) and most > 0
    initial = check_items(
        found, element["initial_options"], f"{at}/initial_options", most if is_count else len(options)
    )
    for number, option in enumerate(initial):
        if option not in options:
            found.add("must be one of the options", f"{at}/initial_options/{number}")
        elif option in initial[:number]:
            found.add("must be unique", f"{at}/initial_options/{number}")


def check_placeholder(found: ValidationErrors, element: Json, at: str) -> None:
    """Check the placeholder text of an empty input."""
    if "placeholder" in element:
        check_text(found, element["placeholder"], f"{at}/placeholder", 150, PLAIN_TEXT)


def _button(found: ValidationErrors, element: Json, at: str) -> None:
    if not check_keys(found, element, at, ("text",), _BUTTON):
        return
    check_text(found, element["text"], f"{at}/text", 75, PLAIN_TEXT)
    if "value" in element:
        check_string(found, element["value"], f"{at}/value", 2000)
    if "url" in element:
        check_url(found, element["url"], f"{at}/url")
    if "style" in element and element["style"] not in ("primary", "danger"):
        found.add("must be one of primary, danger", f"{at}/style")
    if "accessibility_label" in element:
        check_string(found, element["accessibility_label"], f"{at}/accessibility_label", 75)


_BUTTON = ("action_id", "value", "url", "style", "confirm", "accessibility_label")


def _static_select(found: ValidationErrors, element: Json, at: str) -> None:
    if "option_groups" in element:
        if "options" in element:
            found.add("must provide either options or option_groups", at)
        offered: list[Any] = []
        for number, group in enumerate(
            check_items(found, element["option_groups"], f"{at}/option_groups", 100)
        ):
            here = f"{at}/option_groups/{number}"
            if isinstance(group, dict) and check_keys(found, group, here, ("label", "options"), ()):
                check_text(found, group["label"], f"{here}/label", 75, PLAIN_TEXT)
                _options(found, group, here, 100)
                offered += group["options"] if isinstance(group["options"], list) else []
        _initial_choices(found, element, at, offered)
    else:
        _options(found, element, at, 100)
    check_keys(found, element, at, (), (*_select_keys(element), "options", "option_groups"))
    _max_selected_items(found, element, at)
    check_placeholder(found, element, at)


_SELECT = ("action_id", "placeholder", "confirm", "focus_on_load")


def _is_multiple(element: Json) -> bool:
    return str(element.get("type")).startswith("multi_")


def _select_keys(element: Json) -> tuple[str, ...]:
    """Return the keys that this select may have: one choice at first, or several and their number."""
    return (
        (*_SELECT, "initial_options", "max_selected_items")
        if _is_multiple(element)
        else (*_SELECT, "initial_option")
    )


def _max_selected_items(found: ValidationErrors, element: Json, at: str) -> None:
    most = element.get("max_selected_items", 1)
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        found.add("must be greater than 0", f"{at}/max_selected_items")


def _people_select(found: ValidationErrors, element: Json, at: str) -> None:
    allowed = (*_SELECT, *_INITIALS, "filter", "response_url_enabled")
    check_keys(found, element, at, (), (*allowed, "max_selected_items") if _is_multiple(element) else allowed)
    _max_selected_items(found, element, at)
    check_placeholder(found, element, at)


_INITIALS = (
    "initial_user",
    "initial_users",
    "initial_channel",
    "initial_channels",
    "initial_conversation",
    "initial_conversations",
    "default_to_current_conversation",
)


def _overflow(found: ValidationErrors, element: Json, at: str) -> None:
    """Check an overflow menu: 1 to 5 options, as Slack's pages and its SDK say; two once were the least."""
    check_keys(found, element, at, ("options",), ("action_id", "confirm"))
    _options(found, element, at, 5, may_link=True)


def _choices(found: ValidationErrors, element: Json, at: str) -> None:
    initial = "initial_options" if element.get("type") == "checkboxes" else "initial_option"
    allowed = ("action_id", "confirm", "focus_on_load", initial)
    check_keys(found, element, at, ("options",), allowed)
    _options(found, element, at, 10, ANY_TEXT)


def _picker(found: ValidationErrors, element: Json, at: str) -> None:
    allowed = (*_SELECT, "initial_date", "initial_time", "initial_date_time", "timezone")
    check_keys(found, element, at, (), allowed)
    check_placeholder(found, element, at)
    if "initial_date" in element and not re.fullmatch(r"\d{4}-\d\d-\d\d", str(element["initial_date"])):
        found.add("must be a date of the form YYYY-MM-DD", f"{at}/initial_date")
    if "initial_time" in element and not re.fullmatch(r"\d\d:\d\d", str(element["initial_time"])):
        found.add("must be a time of the form HH:mm", f"{at}/initial_time")


def _plain_text_input(found: ValidationErrors, element: Json, at: str) -> None:
    check_keys(found, element, at, (), (*_INPUT, "multiline", "min_length", "max_length"))
    check_placeholder(found, element, at)
    for key, least in (("min_length", 0), ("max_length", 1)):
        value = element.get(key, least)
        if not isinstance(value, int) or not least <= value <= 3000:
            found.add(f"must be between {least} and 3000", f"{at}/{key}")
    if "initial_value" in element:
        longest = element.get("max_length", 3000)
        check_string(
            found,
            element["initial_value"],
            f"{at}/initial_value",
            longest if isinstance(longest, int) else 3000,
            0,
        )


_INPUT = ("action_id", "placeholder", "initial_value", "focus_on_load", "dispatch_action_config")


def _number_input(found: ValidationErrors, element: Json, at: str) -> None:
    check_keys(found, element, at, ("is_decimal_allowed",), (*_INPUT, "min_value", "max_value"))
    check_placeholder(found, element, at)
    for key in ("min_value", "max_value", "initial_value"):
        if key in element and not isinstance(element[key], str):
            found.add("must provide a string", f"{at}/{key}")


def _line_input(found: ValidationErrors, element: Json, at: str) -> None:
    check_keys(found, element, at, (), _INPUT)
    check_placeholder(found, element, at)


def check_image(found: ValidationErrors, element: Json, at: str) -> None:
    """Check an image element, which may be part of a section or context block."""
    if check_keys(found, element, at, ("alt_text",), ("image_url", "slack_file")):
        check_string(found, element["alt_text"], f"{at}/alt_text", 2000)
        check_image_source(found, element, at)


Check = Callable[[ValidationErrors, Json, str], None]
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
    "image": check_image,
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


def check_element(
    found: ValidationErrors, element: object, at: str, kinds: Mapping[str, Check], seen: set[str]
) -> None:
    """Check an element of one of the kinds allowed in its place; `seen` has the action_ids of its block."""
    if not isinstance(element, dict):
        found.add("must provide an object", at)
        return
    check = kinds.get(str(element.get("type")))
    if check is None:
        found.add(f"unsupported type: {element.get('type')}", f"{at}/type")
        return
    check(found, element, at)
    if "confirm" in element:
        check_confirm(found, element["confirm"], f"{at}/confirm")
    action_id = element.get("action_id")
    if action_id is not None and check_string(found, action_id, f"{at}/action_id", MAX_ID_LENGTH):
        if action_id in seen:
            found.add(f"action_id {action_id!r} already exists", f"{at}/action_id")
        seen.add(action_id)
