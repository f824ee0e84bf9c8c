"""The modal in which a subscription is created or edited: its views, and parsing of its inputs.

The first screen has what most channels ask for; the rest comes with the button *More conditions*, or at once
where a subscription uses it. Limits of a view: docs.slack.dev/reference/views. Block ids are the attribute
names of `SubscriptionForm`, and "classes".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from formatters.answers import help as helping
from formatters.answers import subscription_messages
from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import (
    ACTIONS_MAX,
    BUTTON_VALUE_MAX,
    MESSAGE_BLOCKS_MAX,
    bold,
    escape,
    sanitize_line,
    truncate,
    unescape,
    utf16_length,
)
from formatters.models.criteria_set import CriteriaSet
from formatters.models.subscription import Criteria, Subscription, number_with_fingerprint
from formatters.text import vocabulary
from formatters.text.criteria_text import describe
from formatters.views import criteria_set_select, escalation_inputs, modal_inputs, subscription_form
from formatters.views.modal_inputs import INPUT_ACTION_ID, input_block, plain
from formatters.views.subscription_form import SubscriptionForm

CALLBACK_ID = "dialog.subscription"
"""Callback id of the modal."""
OPEN_ACTION = "dialog.open"
"""Action id of buttons that open the modal, followed by ".<number>" to edit that subscription."""
OPEN_ACTION_PATTERN = re.compile(rf"{re.escape(OPEN_ACTION)}(?:\.(\d{{1,18}}))?")
END_ACTION = "subscription.end"
"""Action id of buttons that end the subscriptions in their value, with ".<number>" if it is only one."""
END_ACTION_PATTERN = re.compile(rf"{re.escape(END_ACTION)}(?:\.\d{{1,18}})?")
PREVIEW_ACTION = "dialog.preview"
"""Action id of the modal's button that shows the criteria and tests them with past events."""
MORE_ACTION = "dialog.more"
"""Action id of the modal's button that shows all inputs."""

View = dict[str, Any]

_TITLE = "Subscribe"
_TITLE_EDIT = "Edit subscription"
_GROUPS = {"all": "Every group", "CBC": "CBC (mergers)", "Burst": "Burst"}
_CLASSES = {
    "BNS": "BNS: two neutron stars",
    "NSBH": "NSBH: neutron star and black hole",
    "BBH": "BBH: two black holes",
}
_COMPARED = {"least": "at least the number", "more": "above the number"}
_UNITS = {"yr": "years", "month": "months", "week": "weeks", "day": "days", "h": "hours"}
_SWITCHES = {
    "mock": "Mocks (about one every hour)",
    "test": "Tests",
    "lowsig": "Low-significance alerts (several a day)",
    "circulars": "GCN Circulars about them, in the thread",
    "icecube": "IceCube's neutrino searches, in the thread",
    "guano": "Swift BAT's searches (GUANO), in the thread",
    "nearby": "Bursts and neutrinos near in time and sky, in the thread",
}
_BROADCASTS = {"<!here>": "@here (skips people who are away)", "<!channel>": "@channel (notifies everybody)"}
_WHEN = {
    "only_ns": "Only if NS: if light may be expected",
    "mock": "For mocks too",
    "test": "For tests too",
}
_EXTERNAL = {"external": "Only with an external coincidence (GRB, neutrino …)"}
_LABELS = {
    "BNS": "BNS, %",
    "NSBH": "NSBH, %",
    "BBH": "BBH, %",
    "NS": "BNS + NSBH, %",
    "remnant": "HasRemnant × (1 − Terrestrial), %",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalContext:
    """The channel and the subscription that the modal is about; stored in the view."""

    channel_id: str
    number: int | None = None
    """Number of the subscription to edit; None for a new one."""
    from_home: bool = False
    """True if the modal was opened from the App Home tab instead of the channel."""
    has_more: bool = False
    """True if all inputs are shown, not only those of the first screen."""
    warned_about: str | None = None
    """Fingerprint of criteria about which the person was warned; submitted again, they are stored."""

    @property
    def metadata(self) -> str:
        """Return the context as JSON for a view's `private_metadata`."""
        return json.dumps(
            {
                "channel": self.channel_id,
                "number": self.number,
                "home": self.from_home,
                "more": self.has_more,
                "warned": self.warned_about,
            }
        )


def parse_modal_context(metadata: str) -> ModalContext:
    """Parse a view's `private_metadata`. Raises ValueError if this modal didn't write it."""
    parsed = json.loads(metadata)
    match parsed:
        case {"channel": str(channel), "number": int() | None as number, "home": bool(home)} if re.fullmatch(
            r"[CDG][A-Z0-9]{1,30}", channel
        ):
            # A modal that was open while gwevent was updated has neither of the two.
            warned = parsed.get("warned")
            return ModalContext(
                channel_id=channel,
                number=number,
                from_home=home,
                has_more=parsed.get("more", True) is True,
                warned_about=warned if isinstance(warned, str) else None,
            )
    raise ValueError("no place of a subscription")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The criteria that result from the form, or its errors, with an optional test on past events."""

    criteria: Criteria | None = None
    """Criteria of the form; None if they are invalid or weren't evaluated."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Error sentences by the name of the input."""
    backtest: Message | None = None
    """Past events that the criteria match; None if they weren't tested."""
    is_stored: bool = False
    """True if `criteria` are those stored, rather than those of the current inputs."""
    is_backtesting: bool = False
    """True while the test with past events is running."""
    contradiction: str | None = None
    """Sentence that the criteria can never hold; None if they can."""


def view(
    place: ModalContext,
    entered: SubscriptionForm,
    preview: Preview,
    sets: Iterable[CriteriaSet] = (),
    *,
    has_webhook: bool = True,
) -> View:
    """Return the modal with its inputs filled in: all of them if `place` says so or the form uses others.

    `sets` are the criteria sets that can be chosen, the built-in ones too. `has_webhook` is False where the
    workspace may not call the operators' webhook.
    """
    place = replace(place, has_more=place.has_more or not subscription_form.is_simple(entered))
    what = f"Alerts for <#{place.channel_id}>."
    if place.number is not None:
        what = f"Subscription {place.number} of <#{place.channel_id}>. Nothing changes until you save."
    classes = _class_percents(entered) if place.has_more else [_classes(entered)]
    return {
        **_modal(_TITLE if place.number is None else _TITLE_EDIT, place),
        "callback_id": CALLBACK_ID,
        "submit": plain("Subscribe" if place.number is None else "Save"),
        "close": plain("Cancel"),
        "blocks": [
            # Wherever Slack scrolls after a submission, the warning is seen: here and above the buttons.
            *(_warning(preview, place) if _is_warned_about(preview, place) else ()),
            blocks.section(f"{what} Empty fields set no condition."),
            input_block("group", "Group", modal_inputs.select(_GROUPS, entered.group), optional=False),
            *classes,
            _number("distance", "Mean distance below, Mpc", entered.distance),
            _number("area90", "90 % area below, deg²", entered.area90),
            *criteria_set_select.input_blocks(entered.criteria_sets, sets),
            input_block(
                "broadcasts",
                "Mention everybody",
                modal_inputs.checkboxes(_BROADCASTS, entered.broadcasts),
                hint="Once for each event, again for each upgrade, and if the event is retracted after that.",
            ),
            input_block("people", "Mention people", modal_inputs.people_select(entered.people)),
            escalation_inputs.quiet_block(entered),
            *(_further_inputs(entered, has_webhook=has_webhook) if place.has_more else ()),
            {"type": "divider"},
            *_preview_blocks(preview, place),
        ],
    }


def _classes(entered: SubscriptionForm) -> Block:
    return input_block(
        "classes",
        "Class, with 50 % or more",
        modal_inputs.checkboxes(
            _CLASSES, [name for name in subscription_form.CLASSES if name in entered.percents]
        ),
        hint="One of them is enough. None chosen: every class. Other numbers: More conditions.",
    )


def _class_percents(entered: SubscriptionForm) -> list[Block]:
    return [
        input_block(
            "compared",
            "Each probability must be",
            modal_inputs.select(_COMPARED, "more" if entered.more_than else "least"),
            optional=False,
            hint="Any one of BNS, NSBH and BBH is enough; BNS + NSBH and HasRemnant must match as well.",
        ),
        *(
            _number(name, _LABELS[name], entered.percents.get(name, ""))
            for name in subscription_form.PROBABILITIES
        ),
    ]


def _further_inputs(entered: SubscriptionForm, *, has_webhook: bool) -> list[Block]:
    return [
        input_block("when", "When to mention", modal_inputs.checkboxes(_WHEN, entered.when)),
        *escalation_inputs.escalation_blocks(entered, has_webhook=has_webhook),
        blocks.section(bold("Rate, detectors and kinds of alerts")),
        _number("far", "False-alarm rate below 1 per …", entered.far),
        input_block(
            "far_unit", "… unit of time", modal_inputs.select(_UNITS, entered.far_unit), optional=False
        ),
        input_block(
            "instruments",
            "Detectors",
            modal_inputs.select(
                {count: f"{count} or more" for count in subscription_form.INSTRUMENTS},
                entered.instruments,
            ),
        ),
        input_block(
            "external",
            "Coincidence",
            modal_inputs.checkboxes(_EXTERNAL, ["external"] * entered.external),
        ),
        input_block(
            "types",
            "Alert types (none chosen: all)",
            modal_inputs.select(
                {t: vocabulary.alert_type_label(t) for t in subscription_form.TYPES}, entered.types
            ),
        ),
        input_block("switches", "Also send", modal_inputs.checkboxes(_SWITCHES, entered.switches)),
        input_block(
            "words",
            "Further conditions, in words",
            modal_inputs.text(entered.words),
            hint="As after /gwevent subscribe: not V1, near 197.45 -23.38 5deg, notify @here if BNS",
        ),
    ]


def loading_page(place: ModalContext, said: str) -> View:
    """Return the modal's page shown while data is loaded; `said` is a plain sentence, not escaped."""
    return _message_page(place, [blocks.section(escape(said))])


def result_page(place: ModalContext, answer: Message) -> View:
    """Return the modal's last page, which shows the result."""
    return _message_page(place, answer.blocks or [blocks.section(answer.text)])


def parse_form(values: Mapping[str, Any]) -> SubscriptionForm:
    """Parse the `state.values` of a view into a form. Unknown options and inputs are ignored."""

    def one(name: str) -> Mapping[str, Any]:
        found = values.get(name, {}).get(INPUT_ACTION_ID)
        return found if isinstance(found, Mapping) else {}

    def typed(name: str) -> str:
        # Slack escapes typed text in some places; filters contain no HTML entities.
        return unescape(str(one(name).get("value") or "")).strip()

    def selected(name: str, known: Iterable[str], usual: str = "") -> str:
        value = (one(name).get("selected_option") or {}).get("value")
        return value if value in tuple(known) else usual

    def several(name: str, known: Iterable[str]) -> tuple[str, ...]:
        chosen = [option.get("value") for option in one(name).get("selected_options") or ()]
        return tuple(value for value in known if value in chosen)

    def people(name: str) -> tuple[str, ...]:
        chosen = one(name).get("selected_users") or ()
        return tuple(str(person) for person in chosen if re.fullmatch(r"[UW][A-Z0-9]+", str(person)))

    percents = dict.fromkeys(several("classes", subscription_form.CLASSES), subscription_form.CLASS_PERCENT)
    percents |= {name: text for name in subscription_form.PROBABILITIES if (text := typed(name))}
    return SubscriptionForm(
        group=selected("group", _GROUPS, "all"),
        percents=percents,
        more_than=selected("compared", _COMPARED) == "more",
        far=typed("far"),
        far_unit=selected("far_unit", _UNITS, "yr"),
        distance=typed("distance"),
        area90=typed("area90"),
        instruments=selected("instruments", subscription_form.INSTRUMENTS),
        external=bool(several("external", _EXTERNAL)),
        types=several("types", subscription_form.TYPES),
        switches=several("switches", _SWITCHES),
        broadcasts=several("broadcasts", _BROADCASTS),
        people=people("people"),
        when=several("when", _WHEN),
        quiet=bool(several("quiet", escalation_inputs.QUIET)),
        next_after=typed("next_after"),
        next_people=people("next_people"),
        webhook_after=typed("webhook_after"),
        criteria_sets=criteria_set_select.chosen_sets(one(criteria_set_select.NAME)),
        words=typed("words"),
    )


def errors_at_inputs(errors: Mapping[str, str], shown: Collection[str]) -> dict[str, str]:
    """Return error sentences by the block ids of inputs that are shown, as Slack requires them.

    The error of an input that isn't shown stands at the first of `shown`, with the input's name.
    """
    first = next(iter(shown))
    placed: dict[str, str] = {}
    for name, said in errors.items():
        at, words = (name, said) if name in shown else (first, f"{_input_label(name)}: {said}")
        placed[at] = f"{placed[at]} {words}" if at in placed else words
    return placed


def input_names(shown: Mapping[str, Any]) -> list[str]:
    """Return the block ids of a view's inputs, in their order."""
    return [str(block["block_id"]) for block in shown.get("blocks", ()) if block.get("type") == "input"]


def criteria_fingerprint(criteria: Criteria) -> str:
    """Return sixteen hexadecimal digits that differ for different criteria."""
    return hashlib.sha256(criteria.canonical.encode()).hexdigest()[:16]


def with_modal_button(message: Message, subscriptions: Sequence[Subscription] = ()) -> Message:
    """Return the message with buttons that open the modal and, for each subscription, end it."""
    buttons = [blocks.button("Open the form", OPEN_ACTION)]
    for s in subscriptions:
        buttons += [blocks.button(f"Edit {s.number}", f"{OPEN_ACTION}.{s.number}"), end_button(s)]
    rows = [blocks.actions(*buttons[at : at + ACTIONS_MAX]) for at in range(0, len(buttons), ACTIONS_MAX)]
    room = MESSAGE_BLOCKS_MAX - len(message.blocks)
    return Message(message.text, (*message.blocks, *rows[:room]), message.mentions)


def end_button(ended: Subscription, value: str | None = None) -> Block:
    """Return the button that ends a subscription if it is unchanged since the button was shown."""
    number = ended.number
    what = truncate(sanitize_line(ended.criteria.canonical_without_mentions), 60)
    return blocks.button(
        f"End {number}",
        f"{END_ACTION}.{number}",
        value=value or number_with_fingerprint(ended),
        confirmation=f"End {number}, {what}? gwevent posts this in the channel.",
    )


def confirm_unsubscribe(subscriptions: Sequence[Subscription]) -> Message:
    """Return the request to confirm ending subscriptions, with a button for each and one for all."""
    message = subscription_messages.confirm_unsubscribe(subscriptions)
    buttons = [end_button(s) for s in subscriptions]
    value = " ".join(map(number_with_fingerprint, subscriptions))
    # If the value can't hold all numbers, leave the button out: it would end fewer than its label promises.
    if len(subscriptions) > 1 and utf16_length(value) <= BUTTON_VALUE_MAX:
        asks = f"End all {len(subscriptions)}? gwevent posts this in the channel."
        buttons.insert(
            0, blocks.button(f"End all {len(subscriptions)}", END_ACTION, value=value, confirmation=asks)
        )
    rows = [blocks.actions(*buttons[at : at + ACTIONS_MAX]) for at in range(0, len(buttons), ACTIONS_MAX)]
    room = MESSAGE_BLOCKS_MAX - len(message.blocks)
    return Message(message.text, (*message.blocks, *rows[:room]), message.mentions)


def modal_button(subscriptions: Sequence[Subscription]) -> Message:
    """Return the answer to `dialog` where Slack can't open a modal directly, as in a thread."""
    return with_modal_button(helping.error_message("Open the form to choose a subscription:"), subscriptions)


def _modal(title: str, context: ModalContext) -> View:
    return {"type": "modal", "title": plain(title), "private_metadata": context.metadata}


def _message_page(context: ModalContext, shown: Sequence[Block]) -> View:
    title = _TITLE if context.number is None else _TITLE_EDIT
    return {**_modal(title, context), "close": plain("Close"), "blocks": list(shown)}


def _preview_blocks(preview: Preview, place: ModalContext) -> list[Block]:
    shown: list[Block] = []
    if preview.errors:
        lines = [f"{escape(_input_label(name))}: {escape(said)}" for name, said in preview.errors.items()]
        shown.append(blocks.section(bold("Please correct"), *lines))
    elif preview.criteria is not None:
        so_far = "Current: " if preview.is_stored else ""
        shown.append(blocks.section(f"{so_far}{bold(preview.criteria.mrkdwn)}", *describe(preview.criteria)))
    shown += _warning(preview, place)
    buttons = [blocks.button("Preview and test with past events", PREVIEW_ACTION)]
    if not place.has_more:
        buttons.insert(0, blocks.button("More conditions", MORE_ACTION))
    tested = () if preview.backtest is None else preview.backtest.blocks
    if preview.is_backtesting:
        tested = (blocks.context("Checking the sky maps of past events …"),)
    return [*shown, blocks.actions(*buttons), *tested]


def _is_warned_about(preview: Preview, place: ModalContext) -> bool:
    """Return whether these criteria were submitted and this view tells that they can never hold."""
    is_warned_about = preview.criteria and criteria_fingerprint(preview.criteria) == place.warned_about
    return bool(is_warned_about) and preview.contradiction is not None


def _warning(preview: Preview, place: ModalContext) -> list[Block]:
    if preview.contradiction is None:
        return []
    button = "Subscribe" if place.number is None else "Save"
    again = f" Press {button} again to store it as it is." if _is_warned_about(preview, place) else ""
    return [blocks.section(bold("Nothing would ever come"), escape(preview.contradiction + again))]


def _input_label(name: str) -> str:
    """Return the label of an input."""
    own = {"words": "Further conditions", "far": "False-alarm rate", "when": "When to mention"}
    first_screen = {"distance": "Mean distance", "area90": "90 % area", "criteria_sets": "Criteria sets"}
    return own.get(name) or first_screen.get(name) or escalation_inputs.LABELS.get(name, name)


def _number(name: str, label: str, value: str) -> Block:
    most = "100" if name in subscription_form.PROBABILITIES else None
    initial = value if subscription_form.is_number(value) else None
    return input_block(name, label, modal_inputs.number(initial=initial, most=most))
