"""The modal of criteria sets: its views within Slack's limits, and what comes back from its inputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.criteria.parsing import parse_grades
from bot.local_slack.block_kit import block_checks
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.criteria_set import GRADES_MAX, CriteriaSet, Grade
from formatters.models.filter import Compare, Detector, Op
from formatters.views import criteria_modal
from formatters.views.criteria_modal import CriteriaModalContext, CriteriaPreview, CriteriaSetForm, SetState
from tests.support.filter_strategies import any_filter

View = dict[str, Any]
KILONOVA = CriteriaSet(
    slug="ntt-kilonova",
    grades=(
        Grade("Gold", Compare("NS", Op.GE, 0.5) & Compare("distance", Op.LT, 150.0)),
        Grade("Silver", Compare("NS", Op.GE, 0.5) & Compare("distance", Op.LT, 300.0) & ~Detector("V1")),
    ),
)
RUBIN = CriteriaSet(slug="rubin-2026", grades=(Grade("Gold", None),), is_built_in=True, judges_initial=True)
NEW = CriteriaModalContext(channel_id="C1")
EDIT = CriteriaModalContext(channel_id="D0AB1", from_home=True, edited=criteria_modal.state_of(KILONOVA))


def checked(view: View) -> View:
    block_checks.check_view(view, "modal")
    return view


def state(view: View) -> View:
    """Return the state that Slack sends of a modal in which nothing was changed."""
    return {
        block["block_id"]: {"value": {"value": block["element"].get("initial_value")}}
        for block in view["blocks"]
        if block["type"] == "input"
    }


def input_names(view: View) -> list[str]:
    return [block["block_id"] for block in view["blocks"] if block["type"] == "input"]


def test_views(golden: Callable[[str, Message | View], None]) -> None:
    golden("view-criteria-new", checked(criteria_modal.view(NEW, CriteriaSetForm(), CriteriaPreview())))
    form = criteria_modal.form_from_set(KILONOVA)
    edited = criteria_modal.view(EDIT, form, CriteriaPreview(set_=KILONOVA))
    golden("view-criteria-edit", checked(edited))
    errors = {"name": "There is a set of that name.", "grades": '"distanec" is no condition.'}
    wrong = criteria_modal.view(NEW, form, CriteriaPreview(errors=errors))
    golden("view-criteria-wrong", checked(wrong))


def test_a_form_comes_back_from_slack_and_gives_the_set() -> None:
    form = criteria_modal.form_from_set(KILONOVA)
    assert form.grades == "Gold: NS distance<150\nSilver: NS distance<300 not V1"
    assert parse_grades(form.grades) == KILONOVA.grades
    back = criteria_modal.parse_form(state(criteria_modal.view(NEW, form, CriteriaPreview())))
    assert back == form
    escaped = criteria_modal.parse_form({"grades": {"value": {"value": " Gold: BNS&gt;0.5 "}}, "name": {}})
    assert escaped == CriteriaSetForm(grades="Gold: BNS>0.5")
    assert criteria_modal.parse_form({"name": {"value": None}}) == CriteriaSetForm()


def test_a_set_that_somebody_changed_meanwhile_is_shown_as_it_is_now() -> None:
    typed = CriteriaSetForm(grades="Gold: BNS")
    shown = criteria_modal.view(EDIT, typed, CriteriaPreview(changed_meanwhile=KILONOVA))
    said = json.dumps(checked(shown))
    assert "Nothing was saved" in said and "Gold: NS distance&lt;150" in said
    assert criteria_modal.parse_form(state(shown)) == typed, "what was typed isn't lost"


def test_the_modal_says_everything_of_the_longest_set() -> None:
    long = CriteriaSet(
        slug="ntt-kilonova",
        grades=parse_grades("; ".join(f"Grade{n}: {'(BNS or BBH) ' * 9}" for n in range(GRADES_MAX))),
    )
    doubts = [
        f"Grade{n} would hardly ever be given: {'where it holds, ' * 15}so it is." for n in range(GRADES_MAX)
    ]
    told = replace(EDIT, warned_about=long.fingerprint)
    preview = CriteriaPreview(set_=long, objections=doubts, changed_meanwhile=long)
    shown = checked(criteria_modal.view(told, criteria_modal.form_from_set(long), preview))["blocks"]
    words = "\n".join(block["text"]["text"] for block in shown if block["type"] == "section")
    assert "…" not in words
    assert words.count("Press Save again") == 2, "the longest list of doubts doesn't push it out"
    for n in range(GRADES_MAX):
        assert f"*Grade{n}*: " in words and f"\nGrade{n}: " in words and f"Grade{n} would" in words


def test_the_name_of_a_set_is_asked_only_once() -> None:
    form = criteria_modal.form_from_set(KILONOVA)
    assert input_names(criteria_modal.view(NEW, form, CriteriaPreview())) == ["name", "grades"]
    shown = criteria_modal.view(EDIT, form, CriteriaPreview())
    assert input_names(shown) == ["grades"] and criteria_modal.REMOVE_ACTION in json.dumps(shown)
    errors = {"name": "Taken.", "grades": "Wrong."}
    assert criteria_modal.errors_at_inputs(errors, ["name", "grades"]) == errors
    assert criteria_modal.errors_at_inputs(errors, ["grades"]) == {"grades": "Taken. Wrong."}


def test_what_can_never_hold_is_said_and_asked_a_second_time() -> None:
    preview = CriteriaPreview(set_=KILONOVA, objections=["Gold: nothing is nearer than 0 Mpc."])
    form = criteria_modal.form_from_set(KILONOVA)
    said = json.dumps(checked(criteria_modal.view(NEW, form, preview)))
    assert said.count("nothing is nearer") == 1 and "again to store" not in said, "only previewed"
    told = replace(NEW, warned_about=KILONOVA.fingerprint)
    said = json.dumps(checked(criteria_modal.view(told, form, preview)))
    assert said.count("nothing is nearer") == 2 and "Press Create again to store it as it is." in said
    other = replace(NEW, warned_about="01234567")
    assert "again to store" not in json.dumps(criteria_modal.view(other, form, preview)), "another set"


@pytest.mark.parametrize("context", [NEW, EDIT, replace(EDIT, from_home=False, warned_about="01234567")])
def test_the_context_comes_back(context: CriteriaModalContext) -> None:
    assert criteria_modal.parse_criteria_modal_context(context.metadata) == context


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "[]",
        "{}",
        '{"channel": "x", "home": true, "set": null, "warned": null}',
        '{"channel": "C1", "home": true, "set": "Not a slug@01234567", "warned": null}',
        '{"channel": "C1", "home": true, "set": "a", "warned": null}',
        '{"channel": "C1", "home": 1, "set": null, "warned": null}',
    ],
)
def test_metadata_that_the_modal_never_wrote_is_refused(metadata: str) -> None:
    with pytest.raises(ValueError, match=r"no place|no criteria set|Expecting"):
        criteria_modal.parse_criteria_modal_context(metadata)


@pytest.mark.parametrize("value", ["", "a", "a@", "A@01234567", "a@0123456", "a b@01234567", "a@01234567 "])
def test_a_button_s_value_that_no_button_has_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="no criteria set"):
        criteria_modal.parse_set_state(value)
    assert criteria_modal.parse_set_state("a-1@01234567") == SetState("a-1", "01234567")


def test_buttons_open_the_modal_for_own_sets(check: Callable[[Message], Message]) -> None:
    many = [replace(KILONOVA, slug=f"set-{number}") for number in range(50)]
    shown = check(criteria_modal.with_modal_buttons(helping.error_message("x"), [RUBIN, *many]))
    ids = [button["action_id"] for button in shown.blocks[-1]["elements"]]
    assert ids == [criteria_modal.OPEN_ACTION, *(f"{criteria_modal.OPEN_ACTION}.set-{n}" for n in range(6))]
    assert all(criteria_modal.OPEN_ACTION_PATTERN.fullmatch(one) for one in ids)
    message = helping.error_message("x")
    assert criteria_modal.with_modal_buttons(message, [RUBIN], with_new=False) == message, "it is built in"
    match = criteria_modal.OPEN_ACTION_PATTERN.fullmatch(f"{criteria_modal.OPEN_ACTION}.ntt-kilonova")
    assert match is not None and match[1] == "ntt-kilonova"
    full = Message("x", tuple(helping.error_message("x").blocks * 50))
    assert len(criteria_modal.with_modal_buttons(full, many).blocks) == 50


names = st.text("ABCdef+-3 ", min_size=1, max_size=20)


@pytest.mark.slow
@given(
    filters=st.lists(any_filter, min_size=1, max_size=GRADES_MAX),
    name=names,
    typed=st.text(max_size=5_000),
    errors=st.dictionaries(st.sampled_from(["name", "grades", "other"]), st.text(max_size=2_000)),
    objections=st.lists(st.text(min_size=1, max_size=2_000), max_size=20),
)
@settings(max_examples=50, deadline=None)
def test_any_form_keeps_slacks_limits(
    filters: list[Any], name: str, typed: str, errors: dict[str, str], objections: list[str]
) -> None:
    set_ = CriteriaSet(slug="a", grades=tuple(Grade(f"{name}{n}", one) for n, one in enumerate(filters)))
    for place in (NEW, EDIT, replace(NEW, warned_about=set_.fingerprint)):
        for form in (CriteriaSetForm(name=typed, grades=typed), criteria_modal.form_from_set(set_)):
            for preview in (
                CriteriaPreview(set_=set_, objections=objections),
                CriteriaPreview(errors=errors),
            ):
                checked(criteria_modal.view(place, form, preview))
