"""The interactive elements of blocks: what an app is sent when a person uses one, and checks of inputs."""

from __future__ import annotations

from collections.abc import Iterator

from bot.local_slack.errors import ApiError, Json

SELECTION_KEYS = frozenset(
    {
        "selected_option",
        "selected_options",
        "selected_user",
        "selected_users",
        "selected_channel",
        "selected_channels",
        "selected_conversation",
        "selected_conversations",
        "selected_date",
        "selected_time",
        "selected_date_time",
    }
)
"""The keys in which an element carries what was selected."""


def interactive_elements(blocks: list[Json]) -> Iterator[tuple[str, Json]]:
    """Yield (block_id, element) for each interactive element."""
    for block in blocks:
        match block["type"]:
            case "actions":
                for element in block["elements"]:
                    yield block["block_id"], element
            case "section" if "accessory" in block:
                yield block["block_id"], block["accessory"]
            case "input":
                yield block["block_id"], block["element"]


def action_payload(
    blocks: list[Json],
    action_id: str,
    block_id: str | None,
    value: str | None,
    chosen: Json,
    *,
    action_ts: str,
) -> Json:
    """Return the entry of `actions` for the element that was used. Raises ApiError `no_such_action`."""
    for its_block, element in interactive_elements(blocks):
        if element.get("action_id") != action_id or block_id not in (None, its_block):
            continue
        action: Json = {
            "type": element["type"],
            "action_id": action_id,
            "block_id": its_block,
            "action_ts": action_ts,
        }
        if element["type"] == "button":
            if value is not None and element.get("value") != value:
                continue
            return action | {key: element[key] for key in ("text", "value", "style", "url") if key in element}
        option = next((o for o in element.get("options", ()) if o.get("value") == value), None)
        if element["type"] == "overflow":
            named = value if value is not None else (chosen.get("selected_option") or {}).get("value")
            picked = next((one for one in element["options"] if one["value"] == named), None)
            if picked is None:
                # Nothing but its options can be chosen.
                break
            return action | {"selected_option": picked}
        if value is not None and option is not None:
            action["selected_option"] = option
        elif value is not None:
            action["value"] = value
        return action | {key: chosen[key] for key in chosen if key in SELECTION_KEYS}
    raise ApiError("no_such_action")


def missing_inputs(blocks: list[Json], values: Json) -> dict[str, str]:
    """Return block_id → error for the inputs that Slack's client rejects before it submits."""
    wrong: dict[str, str] = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        given = values.get(block["block_id"], {}).get(element["action_id"], {})
        filled = [item for key, item in given.items() if key != "type" and item not in (None, "", [])]
        if not filled:
            if not block.get("optional"):
                wrong[block["block_id"]] = "Please complete this required field."
            continue
        most = element.get("max_selected_items")
        if most is not None and any(isinstance(item, list) and len(item) > most for item in filled):
            wrong[block["block_id"]] = f"Please choose at most {most}."
        words = given.get("value")
        if isinstance(words, str) and len(words) > element.get("max_length", 3000):
            wrong[block["block_id"]] = f"Please shorten this to {element['max_length']} characters or less."
        if isinstance(words, str) and len(words) < element.get("min_length", 0):
            wrong[block["block_id"]] = f"Please use at least {element['min_length']} characters."
    return wrong
