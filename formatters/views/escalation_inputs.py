"""Inputs of the subscription modal: which events are quiet, and who is next if nobody takes an event."""

from __future__ import annotations

from formatters.blockkit.message import Block
from formatters.views import modal_inputs
from formatters.views.modal_inputs import input_block
from formatters.views.subscription_form import SubscriptionForm

QUIET = {"bbh": "Quiet BBH (50 % or more)"}
"""The option of the checkbox."""
LABELS = {
    "quiet": "Quiet events",
    "next_after": "… after so many minutes",
    "next_people": "If nobody presses “I have it”, mention next …",
    "webhook_after": "If nobody does, call the operators' webhook after so many minutes",
}
_MAX_MINUTES = "720"


def quiet_block(entered: SubscriptionForm) -> Block:
    """Return the checkbox for binary black holes, of which an observing run brings hundreds."""
    return input_block(
        "quiet",
        LABELS["quiet"],
        modal_inputs.checkboxes(QUIET, ["bbh"] * entered.quiet),
        hint="Posted and kept up to date, but a push has only the header, unless another signal coincides.",
    )


def escalation_blocks(entered: SubscriptionForm, *, has_webhook: bool) -> list[Block]:
    """Return the inputs of the next step, and of the webhook's where the workspace may call it."""
    shown = [
        input_block("next_people", LABELS["next_people"], modal_inputs.people_select(entered.next_people)),
        input_block(
            "next_after",
            LABELS["next_after"],
            _minutes(entered.next_after),
            hint="Counted from the first mention, real events only. More steps, or a group:"
            " /gwevent help escalate",
        ),
    ]
    # What is stored is shown, even if the operators no longer allow it.
    if has_webhook or entered.webhook_after:
        shown.append(input_block("webhook_after", LABELS["webhook_after"], _minutes(entered.webhook_after)))
    return shown


def _minutes(entered: str) -> dict[str, object]:
    return modal_inputs.number(initial=entered if entered.isdecimal() else None, most=_MAX_MINUTES)
