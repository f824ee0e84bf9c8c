"""Every block that Slack refuses is refused here, with its error name and place."""

from typing import Any

import pytest

from bot.local_slack.block_kit import block_checks
from bot.local_slack.errors import ApiError

Json = dict[str, Any]


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(**more: Any) -> Json:
    return {"type": "section", "text": mrkdwn("words"), **more}


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain("Press"), "action_id": "press", **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def option(value: str, text: str = "words") -> Json:
    return {"text": plain(text), "value": value}


def table(rows: int, columns: int) -> Json:
    cell = {"type": "raw_text", "text": "1"}
    return {"type": "table", "rows": [[cell] * columns] * rows}


GOOD: list[list[Json]] = [
    [{"type": "header", "text": plain("x" * 150)}],
    [section(text=mrkdwn("x" * 3000))],
    [{"type": "section", "fields": [mrkdwn("x" * 1000)] * 10}],
    [{"type": "context", "elements": [mrkdwn("words")] * 10}],
    [actions(*(button(action_id=f"a{n}") for n in range(25)))],
    [{"type": "divider"}] * 50,
    [{"type": "image", "image_url": "https://example.org/a.png", "alt_text": "a map"}],
    [{"type": "image", "slack_file": {"id": "F012345678"}, "alt_text": "a map", "title": plain("Map")}],
    [table(100, 3)],
    [
        {
            "type": "table",
            "rows": [[{"type": "raw_number", "value": 1, "text": "1"}]],
            "column_settings": [None],
        }
    ],
    [{"type": "markdown", "text": "**bold**"}],
    [section(accessory={"type": "static_select", "action_id": "s", "options": [option("a"), option("b")]})],
    [actions({"type": "overflow", "action_id": "o", "options": [option("a")]})],
    [actions({"type": "overflow", "options": [option(str(n)) | {"url": "https://a.org"} for n in range(5)]})],
    [actions(button(url="https://gracedb.ligo.org/", style="danger", value="x" * 2000))],
    [
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "words"}]},
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "elements": [
                        {"type": "rich_text_section", "elements": [{"type": "link", "url": "https://a.org"}]}
                    ],
                },
            ],
        }
    ],
]


@pytest.mark.parametrize("blocks", GOOD, ids=lambda blocks: blocks[0]["type"])
def test_good_blocks_pass(blocks: list[Json]) -> None:
    assert block_checks.check_message(blocks).errors == []


BAD: list[tuple[list[Json], str]] = [
    ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    ([{"type": "hologram"}], "unsupported type: hologram [json-pointer:/blocks/0/type]"),
    ([{"type": "alert", "text": mrkdwn("only in dialogs")}], "unsupported type: alert"),
    ([{"text": mrkdwn("no type")}], "unsupported type: None"),
    (
        [{"type": "header", "text": plain("x" * 151)}],
        "less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    (
        [{"type": "header", "text": mrkdwn("x")}],
        "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]",
    ),
    ([{"type": "header"}], "missing required field: text"),
    ([section(text=mrkdwn("x" * 3001))], "less than 3001 characters"),
    ([section(text=mrkdwn(""))], "more than 0 characters"),
    ([{"type": "section"}], "missing required field: text"),
    ([{"type": "section", "fields": [mrkdwn("x")] * 11}], "no more than 10 items"),
    ([{"type": "section", "fields": [mrkdwn("x" * 2001)]}], "/blocks/0/fields/0/text"),
    ([{"type": "section", "fields": []}], "no less than 1 items"),
    ([section(colour="red")], "invalid additional property: colour"),
    ([section(text={**mrkdwn("x"), "emoji": True})], "invalid additional property: emoji"),
    ([{"type": "context", "elements": [mrkdwn("x")] * 11}], "no more than 10 items"),
    ([{"type": "context", "elements": [button()]}], "unsupported type: button"),
    ([actions(*(button(action_id=f"a{n}") for n in range(26)))], "no more than 25 items"),
    ([actions(button(), button())], "action_id 'press' already exists"),
    ([actions(button(text=plain("x" * 76)))], "less than 76 characters"),
    ([actions(button(text=mrkdwn("x")))], "unsupported type: mrkdwn"),
    ([actions(button(value="x" * 2001))], "less than 2001 characters"),
    ([actions(button(url="x" * 10))], "must be a valid URL"),
    ([actions(button(url="https://a.org/" + "x" * 3000))], "less than 3001 characters"),
    ([actions(button(action_id="x" * 256))], "less than 256 characters"),
    ([actions(button(style="green"))], "must be one of primary, danger"),
    ([actions({"type": "plain_text_input", "action_id": "x"})], "unsupported type: plain_text_input"),
    ([actions(button(confirm={"title": plain("x")}))], "missing required field: text"),
    ([section(block_id="a"), section(block_id="a")], "block_id 'a' already exists"),
    ([section(block_id="x" * 256)], "less than 256 characters"),
    ([actions({"type": "overflow", "options": [option(str(n)) for n in range(6)]})], "no more than 5 items"),
    ([actions({"type": "overflow", "options": []})], "no less than 1 items"),
    ([actions({"type": "overflow", "options": [option("a", "x" * 76)]})], "less than 76 characters"),
    ([actions({"type": "overflow", "options": [option("x" * 151)]})], "less than 151 characters"),
    ([actions({"type": "overflow", "options": [option("a"), option("a")]})], "must be unique"),
    (
        [actions({"type": "overflow", "options": [option("a") | {"text": mrkdwn("*a*")}]})],
        "unsupported type: mrkdwn",
    ),
    (
        [actions({"type": "overflow", "options": [option("a") | {"url": "https://a.org/" + "x" * 3000}]})],
        "less than 3001 characters",
    ),
    (
        [actions({"type": "overflow", "options": [option("a") | {"url": "gracedb"}]})],
        "must be a valid URL [json-pointer:/blocks/0/elements/0/options/0/url]",
    ),
    (
        [actions({"type": "static_select", "options": [option("a") | {"url": "https://a.org"}]})],
        "invalid additional property: url",
    ),
    (
        [actions({"type": "static_select", "options": [option(str(n)) for n in range(101)]})],
        "no more than 100",
    ),
    ([actions({"type": "static_select", "options": [option("a", "x" * 76)]})], "less than 76 characters"),
    ([actions({"type": "static_select", "options": [option("a"), option("a")]})], "must be unique"),
    (
        [actions({"type": "static_select"})],
        "must provide an array [json-pointer:/blocks/0/elements/0/options]",
    ),
    ([{"type": "image", "image_url": "https://example.org/a.png"}], "missing required field: alt_text"),
    ([{"type": "image", "alt_text": "a map"}], "must provide either image_url or slack_file"),
    ([{"type": "image", "alt_text": "a", "image_url": "http://127.0.0.1/a.png"}], "downloading image failed"),
    (
        [
            {
                "type": "image",
                "alt_text": "a",
                "image_url": "https://a.org/x",
                "slack_file": {"id": "F012345678"},
            }
        ],
        "either",
    ),
    ([{"type": "image", "alt_text": "a", "slack_file": {"id": "F1"}}], "must match pattern"),
    (
        [{"type": "image", "alt_text": "a", "slack_file": {"id": "F012345678", "url": "https://a.org"}}],
        "either id or url",
    ),
    ([{"type": "image", "alt_text": "x" * 2001, "slack_file": {"id": "F012345678"}}], "less than 2001"),
    ([table(101, 1)], "no more than 100 items"),
    ([table(1, 21)], "no more than 20 items"),
    ([table(1, 1), table(1, 1)], "only_one_table_allowed"),
    ([{"type": "table", "rows": [[{"type": "raw_number", "value": 1}]]}], "missing required field: text"),
    (
        [{"type": "markdown", "text": "x" * 7000}, {"type": "markdown", "text": "x" * 7000}],
        "all markdown blocks",
    ),
    ([{"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}], "unsupported type: text"),
    ([{"type": "input", "label": plain("x")}], "missing required field: element"),
]


def multiple(**more: Any) -> Json:
    return section(accessory={"type": "multi_static_select", "options": [option("a"), option("b")], **more})


@pytest.mark.parametrize(
    "block",
    [
        multiple(initial_options=[option("b"), option("a")], max_selected_items=2),
        multiple(options=[option(str(n), "x" * 75) for n in range(100)]),
        multiple(options=[option("x" * 150)]),
        actions({"type": "checkboxes", "options": [option("a")], "initial_options": [option("a")]}),
        actions({"type": "radio_buttons", "options": [option("a")], "initial_option": option("a")}),
        section(
            accessory={
                "type": "multi_static_select",
                "option_groups": [{"label": plain("all"), "options": [option("a")]}],
                "initial_options": [option("a")],
            }
        ),
    ],
)
def test_choices_that_slack_takes_pass(block: Json) -> None:
    block_checks.check_message([block])


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        (multiple(options=[option(str(n)) for n in range(101)]), "no more than 100 items"),
        (multiple(options=[]), "no less than 1 items"),
        (multiple(options=[option("a", "x" * 76)]), "less than 76 characters"),
        (multiple(options=[option("x" * 151)]), "less than 151 characters"),
        (multiple(initial_options=[]), "no less than 1 items"),
        (multiple(initial_options=[option("c")]), "must be one of the options"),
        (multiple(initial_options=[option("a", "other words")]), "must be one of the options"),
        (multiple(initial_options=[option("a"), option("a")]), "must be unique"),
        (multiple(initial_options=[option("a"), option("b")], max_selected_items=1), "no more than 1 items"),
        (multiple(max_selected_items=0), "must be greater than 0"),
        (multiple(initial_option=option("a")), "invalid additional property: initial_option"),
        (
            section(
                accessory={
                    "type": "static_select",
                    "options": [option("a")],
                    "initial_options": [option("a")],
                }
            ),
            "invalid additional property: initial_options",
        ),
        (
            section(
                accessory={
                    "type": "multi_static_select",
                    "option_groups": [{"label": plain("all"), "options": [option("a")]}],
                    "initial_options": [option("b")],
                }
            ),
            "must be one of the options",
        ),
        (
            actions({"type": "checkboxes", "options": [option(str(n)) for n in range(11)]}),
            "no more than 10 items",
        ),
        (
            actions({"type": "radio_buttons", "options": [option("a")], "initial_options": [option("a")]}),
            "invalid additional property: initial_options",
        ),
    ],
)
def test_choices_that_slack_refuses_are_refused(block: Json, sentence: str) -> None:
    with pytest.raises(ApiError) as refused:
        block_checks.check_message([block])
    assert any(sentence in error for error in refused.value.extra["errors"]), refused.value.extra


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "sentence"), BAD, ids=[sentence for _, sentence in BAD])
def test_bad_blocks_are_refused_with_their_place(blocks: list[Json], sentence: str) -> None:
    with pytest.raises(ApiError) as refused:
        block_checks.check_message(blocks)
    assert refused.value.error == "invalid_blocks"
    assert any(sentence in error for error in refused.value.extra["errors"]), refused.value.extra
    assert refused.value.extra["response_metadata"]["messages"][0].startswith("[ERROR] ")


def test_all_block_errors_are_reported_together() -> None:
    with pytest.raises(ApiError) as refused:
        block_checks.check_message([{"type": "header"}, {"type": "section"}, {"type": "nothing"}])
    assert len(refused.value.extra["errors"]) == 3


def test_too_much_text_in_all_has_a_name_of_its_own() -> None:
    block_checks.check_message([section(text=mrkdwn("x" * 2800))] * 4)
    with pytest.raises(ApiError, match="msg_blocks_too_long"):
        block_checks.check_message([section(text=mrkdwn("x" * 2900))] * 4)


def test_blocks_that_are_no_array() -> None:
    with pytest.raises(ApiError, match="invalid_blocks_format"):
        block_checks.check_message({"type": "divider"})


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain("Subscribe"), "blocks": list(blocks), **more}


INPUT = {
    "type": "input",
    "label": plain("Channel"),
    "element": {"type": "channels_select", "action_id": "channel", "placeholder": plain("Choose")},
}


def test_good_views_pass() -> None:
    block_checks.check_view(modal(INPUT, submit=plain("Save")), "modal")
    block_checks.check_view(modal(*[section()] * 100), "modal")
    block_checks.check_view({"type": "home", "blocks": [section()]}, "home")


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        (modal(*[section()] * 101), "no more than 100 items allowed [json-pointer:/view/blocks]"),
        (modal(), "no less than 1 items"),
        (modal(section(), title=plain("x" * 25)), "less than 25 characters [json-pointer:/view/title/text]"),
        (modal(section(), title=mrkdwn("x")), "unsupported type: mrkdwn"),
        (modal(INPUT), "missing required field: submit"),
        (modal(section(), private_metadata="x" * 3001), "less than 3001"),
        (modal(section(), callback_id="x" * 256), "less than 256"),
        (modal(table(1, 1)), "unsupported type: table"),
        (
            modal(
                {
                    "type": "input",
                    "label": plain("Name"),
                    "element": {"type": "plain_text_input", "max_length": 3, "initial_value": "four"},
                },
                submit=plain("Save"),
            ),
            "less than 4 characters",
        ),
        ({"type": "modal", "blocks": [section()]}, "missing required field: title"),
        ({"type": "modal", "title": plain("x")}, "must provide an array"),
        ({"type": "home", "blocks": [section()]}, "must be modal"),
        ("words", "must provide an object"),
    ],
)
def test_bad_views_are_refused(view: object, sentence: str) -> None:
    with pytest.raises(ApiError) as refused:
        block_checks.check_view(view, "modal")
    assert refused.value.error == "invalid_arguments"
    assert any(sentence in error for error in refused.value.extra["errors"]), refused.value.extra


def test_a_view_may_not_weigh_too_much() -> None:
    blocks = [section(text=mrkdwn("x" * 3000)) for _ in range(90)]
    with pytest.raises(ApiError, match="view_too_large"):
        block_checks.check_view(modal(*blocks), "modal")


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ("words", "invalid_metadata_format"),
        ({"event_type": "delivery"}, "invalid_metadata_format"),
        ({"event_type": "", "event_payload": {}}, "invalid_metadata_format"),
        ({"event_type": "delivery", "event_payload": {}, "more": 1}, "invalid_metadata_format"),
        ({"event_type": "delivery", "event_payload": {"x": "x" * 8000}}, "metadata_too_large"),
    ],
)
def test_bad_metadata(metadata: object, error: str) -> None:
    with pytest.raises(ApiError, match=error):
        block_checks.check_metadata(metadata)
