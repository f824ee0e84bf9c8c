"""The modal in which a workspace's criteria set is created or edited: its views, and parsing of its inputs.

A grade is one line, "Gold: NS distance<150", from the best down. Limits of a view:
docs.slack.dev/reference/views. Block ids are the attribute names of `CriteriaSetForm`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import MESSAGE_BLOCKS_MAX, SECTION_MAX, bold, escape, unescape
from formatters.models.criteria_set import SLUG, SLUG_MAX, TEXT_MAX, CriteriaSet, Grade
from formatters.text.filter_sentences import filter_sentence
from formatters.views import modal_inputs
from formatters.views.modal_inputs import INPUT_ACTION_ID, input_block, plain

CALLBACK_ID = "dialog.criteria"
"""Callback id of the modal."""
OPEN_ACTION = "criteria.open"
"""Action id of buttons that open the modal, followed by ".<slug>" to edit that set."""
OPEN_ACTION_PATTERN = re.compile(rf"{re.escape(OPEN_ACTION)}(?:\.({SLUG.pattern}))?")
PREVIEW_ACTION = "criteria.preview"
"""Action id of the modal's button that says in words what each grade asks."""
REMOVE_ACTION = "criteria.remove"
"""Action id of the modal's button that removes the set; its value is a serialized `SetState`."""

MAX_EDIT_BUTTONS = 6
"""Most sets that an answer offers to edit; others are edited in App Home, or by command."""

View = dict[str, Any]

_TITLE = "New criteria set"
_TITLE_EDIT = "Edit criteria set"
_LABELS = {"name": "Name", "grades": "Grades"}
_EXAMPLE = "Gold: NS distance<150 area90<50"
_SENTENCE_MAX = 1_000


@dataclass(frozen=True, slots=True)
class SetState:
    """A criteria set as a button or a modal showed it."""

    slug: str
    fingerprint: str
    """`CriteriaSet.fingerprint` then; another one now means that somebody changed it meanwhile."""

    @property
    def value(self) -> str:
        """Return it serialized as a button's value: "ntt-kilonova@0123abcd"."""
        return f"{self.slug}@{self.fingerprint}"


def parse_set_state(value: str) -> SetState:
    """Parse a button's value. Raises ValueError if no button has such a value."""
    match = re.fullmatch(rf"({SLUG.pattern})@([0-9a-f]{{8}})", value)
    if match is None:
        raise ValueError("no criteria set of a button")
    return SetState(match[1], match[2])


def state_of(set_: CriteriaSet) -> SetState:
    """Return the set's state as buttons hold it."""
    return SetState(set_.slug, set_.fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class CriteriaModalContext:
    """The place where the modal was opened, and the set that it edits; stored in the view."""

    channel_id: str
    """The channel in which it was opened; from App Home the person's conversation with gwevent."""
    from_home: bool = False
    """True if it was opened from App Home instead of the channel."""
    edited: SetState | None = None
    """The set to edit, as it was when the modal was opened; None for a new one."""
    warned_about: str | None = None
    """Fingerprint of the set about which the person was warned; submitted again, it is stored."""

    @property
    def metadata(self) -> str:
        """Return the context as JSON for a view's `private_metadata`."""
        return json.dumps(
            {
                "channel": self.channel_id,
                "home": self.from_home,
                "set": None if self.edited is None else self.edited.value,
                "warned": self.warned_about,
            }
        )


def parse_criteria_modal_context(metadata: str) -> CriteriaModalContext:
    """Parse a view's `private_metadata`. Raises ValueError if this modal didn't write it."""
    match json.loads(metadata):
        case {
            "channel": str(channel),
            "home": bool(from_home),
            "set": str() | None as edited,
            "warned": warned,
        } if re.fullmatch(r"[CDG][A-Z0-9]{1,30}", channel):
            return CriteriaModalContext(
                channel_id=channel,
                from_home=from_home,
                edited=None if edited is None else parse_set_state(edited),
                warned_about=warned if isinstance(warned, str) else None,
            )
    raise ValueError("no place of a criteria set")


@dataclass(frozen=True, slots=True, kw_only=True)
class CriteriaSetForm:
    """Values of the modal's inputs, as typed."""

    name: str = ""
    """The slug; empty when a set is edited, whose name stays."""
    grades: str = ""
    """The grades from the best down, parted by new lines or semicolons: "Gold: NS distance<150"."""


def form_from_set(set_: CriteriaSet) -> CriteriaSetForm:
    """Return the form that expresses a workspace's own set."""
    lines = (f"{one.name}: {one.filter.canonical}" for one in set_.grades if one.filter is not None)
    return CriteriaSetForm(name=set_.slug, grades="\n".join(lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class CriteriaPreview:
    """The set that results from the form, or its errors."""

    set_: CriteriaSet | None = None
    """The set of the form; None if it is invalid or wasn't evaluated."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Error sentences by the name of the input."""
    objections: Sequence[str] = ()
    """A sentence for each grade that can hardly be given."""
    changed_meanwhile: CriteriaSet | None = None
    """The set as it is now, if somebody changed it after the modal was opened and nothing was saved."""
    refusal: Message | None = None
    """Why nothing was saved, where other grades or another moment may do; its first block is shown."""


def view(place: CriteriaModalContext, entered: CriteriaSetForm, preview: CriteriaPreview) -> View:
    """Return the modal with its inputs filled in."""
    edited = place.edited
    what = "Rules with grades, for all channels of this workspace."
    if edited is not None:
        what = (
            f"{bold(escape(edited.slug))}: nothing changes until you save. Then it changes for every channel"
            " that uses the set, and is posted there."
        )
    return {
        **_modal(place),
        "callback_id": CALLBACK_ID,
        "submit": plain("Create" if edited is None else "Save"),
        "close": plain("Cancel"),
        "blocks": [
            *(() if preview.refusal is None else preview.refusal.blocks[:1]),
            # Wherever Slack scrolls after a submission, the warning is seen: here and above the buttons.
            *(_warning(preview, place) if _is_warned_about(preview, place) else ()),
            blocks.section(what),
            *(() if edited is not None else (_name_input(entered),)),
            input_block(
                "grades",
                _LABELS["grades"],
                modal_inputs.text(entered.grades, longest=TEXT_MAX, is_multiline=True, example=_EXAMPLE),
                optional=False,
                hint=(
                    "One a line, from the best down: a name, a colon, and conditions as after /gwevent"
                    " subscribe. An event gets the first that holds."
                ),
            ),
            {"type": "divider"},
            *_preview_blocks(preview, place),
        ],
    }


def _name_input(entered: CriteriaSetForm) -> Block:
    return input_block(
        "name",
        _LABELS["name"],
        modal_inputs.text(entered.name, longest=SLUG_MAX, example="ntt-kilonova"),
        optional=False,
        hint="Small letters, digits and hyphens. Channels choose the set by it; it can't be changed later.",
    )


def loading_page(place: CriteriaModalContext, said: str) -> View:
    """Return the modal's page shown while data is loaded; `said` is a plain sentence, not escaped."""
    return _message_page(place, [blocks.section(escape(said))])


def result_page(place: CriteriaModalContext, answer: Message) -> View:
    """Return the modal's last page, which shows the result."""
    return _message_page(place, answer.blocks or [blocks.section(answer.text)])


def parse_form(values: Mapping[str, Any]) -> CriteriaSetForm:
    """Parse the `state.values` of a view into a form. Unknown inputs are ignored."""

    def typed(name: str) -> str:
        found = values.get(name, {}).get(INPUT_ACTION_ID)
        # Slack escapes typed text in some places; filters contain no HTML entities.
        return unescape(str(found.get("value") or "")).strip() if isinstance(found, Mapping) else ""

    return CriteriaSetForm(name=typed("name"), grades=typed("grades"))


def errors_at_inputs(errors: Mapping[str, str], shown: Collection[str]) -> dict[str, str]:
    """Return error sentences by the block ids of inputs that are shown, as Slack requires them.

    The error of an input that isn't shown stands at the grades, which always are.
    """
    placed: dict[str, str] = {}
    for name, said in errors.items():
        at = name if name in shown else "grades"
        placed[at] = f"{placed[at]} {said}" if at in placed else said
    return placed


def with_modal_buttons(
    message: Message, sets: Iterable[CriteriaSet] = (), *, with_new: bool = True
) -> Message:
    """Return the message with a button to edit each of `sets` that isn't built in, after one for a new set.

    At most MAX_EDIT_BUTTONS sets get one, so that the answer stays short.
    """
    buttons = [blocks.button("New set", OPEN_ACTION)] if with_new else []
    own = [one for one in sets if not one.is_built_in][:MAX_EDIT_BUTTONS]
    buttons += [blocks.button(f"Edit {one.slug}", f"{OPEN_ACTION}.{one.slug}") for one in own]
    if not buttons or len(message.blocks) >= MESSAGE_BLOCKS_MAX:
        return message
    return Message(message.text, (*message.blocks, blocks.actions(*buttons)), message.mentions)


def grade_line(grade: Grade) -> str:
    """Return a grade and what it asks, in words, as escaped mrkdwn."""
    asks = (
        "decided by the published rules"
        if grade.filter is None
        else escape(filter_sentence(grade.filter), _SENTENCE_MAX)
    )
    return f"{bold(escape(grade.name))}: {asks}"


def _modal(place: CriteriaModalContext) -> View:
    title = _TITLE if place.edited is None else _TITLE_EDIT
    return {"type": "modal", "title": plain(title), "private_metadata": place.metadata}


def _message_page(place: CriteriaModalContext, shown: Sequence[Block]) -> View:
    return {**_modal(place), "close": plain("Close"), "blocks": list(shown)}


def _preview_blocks(preview: CriteriaPreview, place: CriteriaModalContext) -> list[Block]:
    shown: list[Block] = []
    if preview.changed_meanwhile is not None:
        now = form_from_set(preview.changed_meanwhile).grades.splitlines()
        shown += blocks.sections(
            [
                bold("Nothing was saved"),
                "Somebody changed the set after this form was opened. Save replaces what it is now:",
                *(escape(line, SECTION_MAX) for line in now),
            ]
        )
    if preview.errors:
        lines = [
            f"{escape(_LABELS.get(name, name))}: {escape(said)}" for name, said in preview.errors.items()
        ]
        shown.append(blocks.section(bold("Please correct"), *lines))
    elif preview.set_ is not None:
        shown += blocks.sections(map(grade_line, preview.set_.grades))
    shown += _warning(preview, place)
    buttons = [blocks.button("Say it in words", PREVIEW_ACTION)]
    if place.edited is not None:
        buttons.append(remove_button("Remove the set", place.edited, REMOVE_ACTION))
    return [*shown, blocks.actions(*buttons)]


def remove_button(label: str, shown: SetState, action_id: str) -> Block:
    """Return the button that removes a set if it is unchanged since the button was shown."""
    return blocks.button(
        label,
        action_id,
        value=shown.value,
        confirmation=f"Remove {shown.slug} for this whole workspace? It is refused while a channel uses it.",
    )


def _is_warned_about(preview: CriteriaPreview, place: CriteriaModalContext) -> bool:
    """Return whether this set was submitted and this view tells that a grade of it can never hold."""
    return (
        preview.set_ is not None
        and preview.set_.fingerprint == place.warned_about
        and bool(preview.objections)
    )


def _warning(preview: CriteriaPreview, place: CriteriaModalContext) -> list[Block]:
    if not preview.objections:
        return []
    button = "Create" if place.edited is None else "Save"
    again = (f"Press {button} again to store it as it is.",) if _is_warned_about(preview, place) else ()
    head = bold("Look again before you store this")
    return blocks.sections([head, *(escape(said) for said in (*preview.objections, *again))])
