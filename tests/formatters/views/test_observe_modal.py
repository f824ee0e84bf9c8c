"""The modal of "I'm observing": its views within Slack's limits, and what comes back from its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.local_slack.block_kit import block_checks
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.views import observe_modal
from formatters.views.observe_modal import ObserveChoices, ObserveForm, ObserveModalContext

View = dict[str, Any]
PLACE = ObserveModalContext(channel_id="C1", superevent_id="S261122a")
CHOICES = ObserveChoices(
    title="MOCK S261122a", own=("ZTF", "Paranal"), others=("DECam", "BlackGEM"), chosen="ZTF"
)


def checked(view: View) -> View:
    block_checks.check_view(view, "modal")
    return view


def state(view: View) -> View:
    """Return the state that Slack sends of a modal in which nothing was changed."""
    return {
        block["block_id"]: {
            "value": {
                "value": block["element"].get("initial_value"),
                "selected_option": block["element"].get("initial_option"),
            }
        }
        for block in view["blocks"]
        if block["type"] == "input"
    }


def test_views(golden: Callable[[str, Message | View], None]) -> None:
    golden("view-observe", checked(observe_modal.view(PLACE, CHOICES)))
    form = ObserveForm(instrument=None, status="done", fields="12", band="r", depth="two")
    wrong = ObserveChoices(title="S261122a", errors={"depth": "“two” is no magnitude."})
    golden("view-observe-again", checked(observe_modal.view(PLACE, wrong, form)))
    checked(observe_modal.loading_page(PLACE, "One <moment> …"))
    checked(observe_modal.result_page(PLACE, helping.error_message("No.")))


def test_the_place_survives_the_view() -> None:
    assert observe_modal.parse_observe_modal_context(PLACE.metadata) == PLACE
    for metadata in ("{}", '{"channel": "x", "event": "S1"}', '{"channel": "C1", "event": ""}', "[]"):
        with pytest.raises(ValueError, match="no place"):
            observe_modal.parse_observe_modal_context(metadata)


NAMES = st.lists(st.text(min_size=1, max_size=64), max_size=130, unique=True)


@settings(deadline=None, max_examples=60)
@given(NAMES, NAMES, st.text(max_size=4000), st.text(max_size=200))
def test_any_names_and_texts_stay_within_slacks_limits(
    own: list[str], others: list[str], fields: str, note: str
) -> None:
    choices = ObserveChoices(title="S261122a", own=own, others=others, chosen=own[0] if own else None)
    form = ObserveForm(instrument=own[0] if own else None, status="plan", fields=fields, note=note)
    checked(observe_modal.view(PLACE, choices))
    checked(observe_modal.view(PLACE, choices, form))


def test_what_is_entered_comes_back() -> None:
    form = ObserveForm(
        instrument="ZTF", status="done", fields="1-12", band="r", depth="21.5", time="03:20", note="clouds"
    )
    assert observe_modal.parse_form(state(observe_modal.view(PLACE, CHOICES, form))) == form
    none = ObserveForm(instrument=None)
    assert observe_modal.parse_form(state(observe_modal.view(PLACE, CHOICES, none))) == none
    assert observe_modal.parse_form({}) == ObserveForm()
