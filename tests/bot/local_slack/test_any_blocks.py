"""Whatever an app sends is taken or refused; nothing breaks the local Slack."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.local_slack.block_kit import block_checks, elements
from bot.local_slack.errors import ApiError
from bot.local_slack.server import LocalSlack
from bot.local_slack.workspace import Draft

KEYS = sorted(
    {
        *("type", "text", "fields", "accessory", "elements", "element", "label", "rows", "column_settings"),
        *(
            "action_id",
            "block_id",
            "options",
            "option_groups",
            "value",
            "url",
            "confirm",
            "image_url",
            "slack_file",
        ),
        *(
            "alt_text",
            "title",
            "style",
            "placeholder",
            "initial_option",
            "initial_options",
            "id",
            "min_length",
            "max_selected_items",
        ),
        *("max_length", "hint", "description", "initial_value", "is_decimal_allowed", "max_value"),
    }
)
TYPES = sorted(
    {
        *block_checks.IN_MESSAGE,
        *block_checks.IN_MODAL,
        *elements.IN_INPUT,
        *elements.IN_SECTION,
        "plain_text",
        "mrkdwn",
    }
)
TYPES += ["raw_text", "raw_number", "rich_text_section", "rich_text_list", "text", "link", "bullet"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(TYPES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(
            lambda kind, rest: {**rest, "type": kind},
            st.sampled_from(TYPES),
            st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
        )
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=25,
)


def plain(text: str) -> Any:
    return {"type": "plain_text", "text": text}


OPTION = {"text": plain("CBC"), "value": "cbc"}
MODAL = {
    "type": "modal",
    "title": plain("Subscribe"),
    "submit": plain("Save"),
    "callback_id": "subscribe",
    "blocks": [
        {"type": "header", "text": plain("words")},
        {
            "type": "section",
            "fields": [plain("words")],
            "accessory": {"type": "overflow", "options": [OPTION]},
        },
        {"type": "context", "elements": [plain("words")]},
        {"type": "image", "slack_file": {"id": "F012345678"}, "alt_text": "map", "title": plain("Map")},
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": "go",
                    "text": plain("Go"),
                    "url": "https://a.org",
                    "value": "1",
                },
                {"type": "static_select", "option_groups": [{"label": plain("all"), "options": [OPTION]}]},
            ],
        },
        {
            "type": "input",
            "label": plain("Words"),
            "element": {"type": "plain_text_input", "action_id": "words", "max_length": 9},
        },
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}],
        },
    ],
}
MESSAGE = [
    *MODAL["blocks"],
    {
        "type": "table",
        "rows": [[{"type": "raw_text", "text": "1"}, {"type": "raw_number", "value": 1, "text": "1"}]],
        "column_settings": [{"align": "right"}],
    },
    {"type": "markdown", "text": "words"},
]


def json_paths(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything inside of a thing."""
    inside = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    return [path, *(each for key, item in inside for each in json_paths(item, (*path, key)))]


def replace_at(thing: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    copy = dict(thing) if isinstance(thing, dict) else list(thing)
    copy[path[0]] = replace_at(thing[path[0]], path[1:], other)
    return copy


def mutated(thing: Any) -> Any:
    return st.builds(replace_at, st.just(thing), st.sampled_from(json_paths(thing)), VALUES)


WORKSPACE = LocalSlack().workspace
CHANNEL = WORKSPACE.add_channel("gw-cbc").id


@given(st.lists(VALUES, max_size=4) | VALUES | mutated(MESSAGE))
def test_any_blocks(blocks: Any) -> None:
    try:
        block_checks.check_message(blocks)
    except ApiError as refusal:
        assert json.dumps(refusal.body())
    else:
        WORKSPACE.post(Draft(CHANNEL, WORKSPACE.bot.id, "x", tuple(blocks)))


@given(VALUES | mutated(MODAL))
def test_any_view(view: Any) -> None:
    for kind in ("modal", "home"):
        try:
            block_checks.check_view(view, kind)
        except ApiError as refusal:
            assert refusal.error in ("invalid_arguments", "view_too_large")
        else:
            WORKSPACE.open_view("U1", view, on_top=False)


def test_unmutated_blocks_are_valid() -> None:
    block_checks.check_message(MESSAGE)
    block_checks.check_view(MODAL, "modal")


def golden_messages() -> list[Path]:
    return sorted((Path(__file__).resolve().parents[2] / "formatters" / "golden").glob("*.json"))


@pytest.mark.parametrize("path", golden_messages(), ids=lambda path: path.stem)
def test_golden_messages_are_valid(path: Path) -> None:
    message = json.loads(path.read_text())
    if message.get("type") in ("modal", "home"):
        block_checks.check_view(message, message["type"])
        return
    block_checks.check_message(message["blocks"])
    assert 0 < len(message["text"]) <= block_checks.MAX_UPDATE_TEXT
