"""The dialog of the button "Check position": positions are pasted, and compared with one event's maps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import escape, unescape
from formatters.terminal import message_text
from formatters.views import modal_inputs
from formatters.views.modal_inputs import INPUT_ACTION_ID, input_block, plain

CALLBACK_ID = "dialog.check"
"""Callback id of the dialog."""
POSITIONS = "positions"
"""Block id of the dialog's only input."""
_EXAMPLE = "13h09m48s -23d22m53s\nAT2026abc 197.45 -23.381 40 Mpc"
_HINT = (
    "ICRS, one position a line. A name may stand before it, and a distance (40 Mpc or z=0.0098) after it. "
    "Names alone aren't looked up."
)

View = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """The place where the dialog was opened, and the event that it is about; stored in the view."""

    channel_id: str
    superevent_id: str
    thread_ts: str | None = None
    """The thread in which its button was pressed; None for a message of the channel itself."""

    @property
    def metadata(self) -> str:
        """Return the context as JSON for a view's `private_metadata`."""
        return json.dumps({"channel": self.channel_id, "event": self.superevent_id, "thread": self.thread_ts})


def parse_check_context(metadata: str) -> CheckContext:
    """Parse a view's `private_metadata`. Raises ValueError if this dialog didn't write it."""
    match json.loads(metadata):
        case {
            "channel": str(channel),
            "event": str(superevent_id),
            "thread": str() | None as thread_ts,
        } if re.fullmatch(r"[CDG][A-Z0-9]{1,30}", channel):
            return CheckContext(channel_id=channel, superevent_id=superevent_id, thread_ts=thread_ts)
    raise ValueError("no context of the dialog that checks positions")


def view(context: CheckContext) -> View:
    """Return the dialog."""
    asked = blocks.section(
        escape(f"Where do these positions lie in the sky maps of {context.superevent_id}?")
    )
    element = modal_inputs.text("", is_multiline=True, example=_EXAMPLE)
    return {
        **_frame(context),
        "callback_id": CALLBACK_ID,
        "submit": plain("Check"),
        "close": plain("Cancel"),
        "blocks": [asked, input_block(POSITIONS, "Positions", element, optional=False, hint=_HINT)],
    }


def waiting_page(context: CheckContext) -> View:
    """Return the page shown while the maps are read for longer than Slack waits for an answer."""
    said = blocks.section("The sky maps are being read; the answer comes here.")
    return {**_frame(context), "close": plain("Close"), "blocks": [said]}


def answer_page(context: CheckContext, answer: Message) -> View:
    """Return the page that shows the answer, without the buttons, which work below messages only."""
    shown = [block for block in answer.blocks if block["type"] != "actions"]
    return {
        **_frame(context),
        "close": plain("Close"),
        "blocks": shown or [blocks.section(answer.text)],
    }


def parse_positions(values: Mapping[str, Any]) -> str:
    """Return the typed positions, from the `state.values` of a view."""
    found = values.get(POSITIONS, {}).get(INPUT_ACTION_ID)
    return unescape(str(found.get("value") or "")).strip() if isinstance(found, Mapping) else ""


def errors(refusal: Message) -> dict[str, str]:
    """Return why the positions can't be checked, at the input, which keeps what was typed."""
    return {POSITIONS: message_text.notification_text(refusal)}


def _frame(context: CheckContext) -> View:
    return {"type": "modal", "title": plain("Check position"), "private_metadata": context.metadata}
