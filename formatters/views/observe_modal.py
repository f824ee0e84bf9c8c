"""The modal of "I'm observing" as Block Kit: which telescope, planned or done, which fields, how deep."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text, unescape
from formatters.models.notice import ID_MAX
from formatters.views import modal_inputs
from formatters.views.modal_inputs import INPUT_ACTION_ID, MAX_OPTION_CHARS, MAX_OPTIONS, input_block, plain

View = dict[str, Any]

CALLBACK_ID = "observe.modal"
"""Slack callback id of the modal."""
NO_TELESCOPE = "none"
"""The value of the choice "without a telescope"; no instrument's value, which begin with "=", is equal."""
_TITLE = "I'm observing"
_STATUSES = {
    "observing": "Observing; fields not said",
    "plan": "Planned",
    "done": "Done",
    "cancel": "Cancelled",
}
_LABELS = {
    "instrument": "Telescope",
    "other": "Another telescope",
    "status": "What",
    "fields": "Fields",
    "band": "Band",
    "depth": "Limiting magnitude (AB)",
    "time": "When (UTC)",
    "note": "Note",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveModalContext:
    """The channel and event that the modal is about; stored in the view."""

    channel_id: str
    superevent_id: str

    @property
    def metadata(self) -> str:
        """Return the context as JSON for a view's `private_metadata`."""
        return json.dumps({"channel": self.channel_id, "event": self.superevent_id})


def parse_observe_modal_context(metadata: str) -> ObserveModalContext:
    """Parse a view's `private_metadata`. Raises ValueError if this modal didn't write it."""
    match json.loads(metadata):
        case {"channel": str(channel), "event": str(event)} if (
            re.fullmatch(r"[CDG][A-Z0-9]{1,30}", channel) and 0 < len(event) <= ID_MAX
        ):
            return ObserveModalContext(channel_id=channel, superevent_id=event)
    raise ValueError("no place of an observation")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveForm:
    """Values of the modal's inputs, as typed."""

    instrument: str | None = None
    """The chosen instrument's name; None without a telescope."""
    other: str = ""
    status: str = "observing"
    fields: str = ""
    band: str = ""
    depth: str = ""
    time: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveChoices:
    """The options that the modal offers."""

    title: str
    """The event with its marks; not escaped."""
    own: Sequence[str] = ()
    """The instruments at the channel's sites."""
    others: Sequence[str] = ()
    """Further instruments that gwevent knows."""
    chosen: str | None = None
    """The instrument that is chosen at first; None without a telescope."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Sentences by the name of the input, where the modal is shown again."""


def view(place: ObserveModalContext, choices: ObserveChoices, entered: ObserveForm | None = None) -> View:
    """Return the modal with its inputs; `entered` are their values where it is shown again."""
    offered = dict.fromkeys([*choices.own, *choices.others])
    labels = {name: plain_text(name, MAX_OPTION_CHARS) for name in offered}
    # Slack refuses an option without a label.
    names = [name for name in offered if labels[name].strip()][: MAX_OPTIONS - 1]
    chosen = choices.chosen if entered is None else entered.instrument
    form = ObserveForm() if entered is None else entered
    options = {
        **{_value(name): labels[name] for name in names},
        NO_TELESCOPE: "Without a telescope",
    }
    said = [
        f"{bold(escape(_LABELS.get(name, name)))}: {escape(text)}" for name, text in choices.errors.items()
    ]
    problems: list[Block] = blocks.sections([bold("Please correct"), *said]) if said else []
    return {
        **_modal(place),
        "callback_id": CALLBACK_ID,
        "submit": plain("Save"),
        "close": plain("Cancel"),
        "blocks": [
            blocks.section(
                f"{bold(escape(choices.title))}: everybody of this channel sees it on the event's card."
            ),
            *problems,
            input_block(
                "instrument",
                _LABELS["instrument"],
                modal_inputs.select(options, _value(chosen) if chosen in names else NO_TELESCOPE),
                optional=False,
            ),
            input_block(
                "status", _LABELS["status"], modal_inputs.select(_STATUSES, form.status), optional=False
            ),
            input_block(
                "fields",
                _LABELS["fields"],
                modal_inputs.text(form.fields, is_multiline=True, example="12"),
                hint=(
                    "Planned: 12, 90 minutes or until dawn, as after plan. Done: 12, 1-12, 3,5,7 or all of"
                    " its plan. Or RA and Dec, one field on each line."
                ),
            ),
            input_block("band", _LABELS["band"], modal_inputs.text(form.band, longest=32, example="r")),
            input_block("depth", _LABELS["depth"], modal_inputs.text(form.depth, longest=20, example="21.5")),
            input_block(
                "time",
                _LABELS["time"],
                modal_inputs.text(form.time, longest=40, example="03:20"),
                hint=(
                    "Begin of the first exposure. Without it, done fields keep the times of the plan once all"
                    " are over."
                ),
            ),
            input_block(
                "note",
                _LABELS["note"],
                modal_inputs.text(form.note, longest=200, example="clouds"),
            ),
            input_block(
                "other",
                _LABELS["other"],
                modal_inputs.text(form.other, longest=40),
                hint="Only for one that isn't in the list above.",
            ),
        ],
    }


def loading_page(place: ObserveModalContext, said: str) -> View:
    """Return the modal's page shown while something is awaited; `said` is plain, not escaped."""
    return _page(place, [blocks.section(escape(said))])


def result_page(place: ObserveModalContext, answer: Message) -> View:
    """Return the modal's last page, which shows the answer; a table and a picture stay in messages."""
    shown = [block for block in answer.blocks if block["type"] in ("header", "section", "context")]
    return _page(place, shown or [blocks.section(answer.text)])


def parse_form(values: Mapping[str, Any]) -> ObserveForm:
    """Parse the `state.values` of a view into a form. Unknown inputs are ignored."""

    def found(name: str) -> Mapping[str, Any]:
        element = values.get(name, {}).get(INPUT_ACTION_ID)
        return element if isinstance(element, Mapping) else {}

    def typed(name: str) -> str:
        return unescape(str(found(name).get("value") or "")).strip()

    def chosen(name: str) -> str:
        return str((found(name).get("selected_option") or {}).get("value") or "")

    instrument = chosen("instrument")
    return ObserveForm(
        instrument=instrument[1:] if instrument.startswith("=") else None,
        other=typed("other"),
        status=chosen("status") or "observing",
        fields=typed("fields"),
        band=typed("band"),
        depth=typed("depth"),
        time=typed("time"),
        note=typed("note"),
    )


def _value(name: str | None) -> str:
    return NO_TELESCOPE if name is None else f"={name}"[:MAX_OPTION_CHARS]


def _modal(place: ObserveModalContext) -> View:
    return {"type": "modal", "title": plain(_TITLE), "private_metadata": place.metadata}


def _page(place: ObserveModalContext, shown: Sequence[Block]) -> View:
    return {**_modal(place), "close": plain("Close"), "blocks": list(shown)}
