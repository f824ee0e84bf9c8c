"""The modal's form: all criteria have one, which reads back, also through Slack's state of the inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.criteria.parsing import parse_grades
from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import check_references, resolve_grades
from bot.filters import parse_criteria
from bot.filters.form_parser import InvalidForm, criteria_from_form
from bot.local_slack.block_kit import block_checks
from bot.observing.site_references import resolve_site
from formatters.models.criteria_set import CriteriaSet
from formatters.models.filter import format_number
from formatters.models.subscription import Criteria
from formatters.views import subscription_form, subscription_modal
from formatters.views.modal_inputs import INPUT_ACTION_ID
from formatters.views.subscription_form import SubscriptionForm, form_from_criteria, same_criteria
from formatters.views.subscription_modal import ModalContext, Preview
from tests.support.filter_strategies import any_criteria

PLACE = ModalContext(channel_id="C1", number=3)


OWN = CriteriaSet(slug="ntt-kilonova", grades=parse_grades("Gold: NS distance<150; Silver: NS"))
SETS = (*BUILT_IN.values(), OWN, replace(OWN, slug="x"))


def some_of(names: Any) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sets(st.sampled_from(list(names))).map(lambda found: tuple(n for n in names if n in found))


percents = st.decimals(0, 100, places=2).map(lambda d: format_number(float(d)))
numbers = st.decimals("0.001", 100_000, places=3).map(lambda d: format_number(float(d)))
maybe = st.one_of(st.just(""), numbers)
forms = st.builds(
    SubscriptionForm,
    group=st.sampled_from(["all", "CBC", "Burst"]),
    percents=st.dictionaries(st.sampled_from(subscription_form.PROBABILITIES), percents),
    more_than=st.booleans(),
    far=maybe,
    far_unit=st.sampled_from(subscription_form.UNITS),
    distance=maybe,
    area90=maybe,
    instruments=st.sampled_from(["", *subscription_form.INSTRUMENTS]),
    external=st.booleans(),
    types=some_of(subscription_form.TYPES),
    switches=some_of(subscription_form.SWITCHES),
    broadcasts=some_of(subscription_form.BROADCASTS),
    people=st.lists(st.sampled_from(["U1", "W2", "U024BE7LH"]), unique=True).map(tuple),
    when=some_of(subscription_form.MENTION_OPTIONS),
    quiet=st.booleans(),
    next_after=st.sampled_from(["", "1", "5", "30"]),
    next_people=st.sampled_from([(), ("U1",), ("U2", "W3")]),
    webhook_after=st.sampled_from(["", "5", "60", "720"]),
    criteria_sets=st.lists(st.sampled_from([one.slug for one in SETS]), unique=True).map(tuple),
)


def state(view: dict[str, Any]) -> dict[str, Any]:
    """The state that Slack sends of a modal in which nothing was changed."""
    values: dict[str, Any] = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            initial = {k.replace("initial_", ""): v for k, v in element.items() if k.startswith("initial_")}
            told = {"value": "value", "option": "selected_option", "options": "selected_options"}
            told["users"] = "selected_users"
            values[block["block_id"]] = {
                INPUT_ACTION_ID: {told[key]: value for key, value in initial.items()}
            }
    return values


@pytest.mark.slow
@given(any_criteria(), st.lists(st.sampled_from(SETS), unique=True))
@settings(deadline=None)
def test_criteria_survive_the_modal(criteria: Criteria, sets: list[CriteriaSet]) -> None:
    # Sets that were chosen and aren't offered any more survive too.
    view = subscription_modal.view(PLACE, form_from_criteria(criteria), Preview(criteria=criteria), sets)
    block_checks.check_view(view, "modal")
    entered = subscription_modal.parse_form(state(view))
    assert entered == form_from_criteria(criteria)
    assert same_criteria(criteria_from_form(entered, parse_criteria), criteria)


@pytest.mark.slow
@given(forms)
@settings(deadline=None)
def test_form_round_trips_through_criteria(filled: SubscriptionForm) -> None:
    try:
        criteria = criteria_from_form(filled, parse_criteria)
    except InvalidForm as bad:
        # A mention of nobody, or for mocks that don't come; a step without a time, or before another.
        assert set(bad.errors) <= {"when", "next_after", "next_people", "webhook_after"}
        assume(False)
    again = form_from_criteria(criteria)
    assert again.words == "", "nothing needs grammar"
    assert same_criteria(criteria_from_form(again, parse_criteria), criteria)
    assert again.percents == filled.percents
    assert (
        subscription_modal.parse_form(
            state(subscription_modal.view(PLACE, filled, Preview(criteria=criteria)))
        )
        == filled
    )


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("CBC BNS>0.5 distance<300 area90<500 far<1/month", ""),
        ("BNS", ""),
        ("BNS or NSBH>=0.2", ""),
        ("NS remnant>=0.1 instruments>=2 external lowsig", ""),
        ("type=UPDATE|INITIAL far<1/100yr notify @here <@U1> if NS", ""),
        ("BNS>0.5 NSBH", "NSBH"),
        ("BNS>0.5 or NSBH", "BNS>0.5 or NSBH"),
        ("far<1e-8 distance<=300 distance<200", "far<1e-08 distance<=300"),
        ("BNS not V1 near 197.45 -23.38 5deg", "not V1 near 197.45 -23.38 5deg>0.1"),
        ("CBC (BNS or external) notify <!subteam^S1>", "BNS or external notify <!subteam^S1>"),
        ("BNS notify @here if distance<100", "notify @here if distance<100"),
        ("CBC criteria rubin-2026 x notify @here", ""),
        ("BNS criteria x grade rubin-2026", "grade rubin-2026"),
        ("CBC quiet BBH", ""),
        ("CBC quiet BBH>0.9", "quiet BBH>0.9"),
        ("CBC V1 quiet (BBH or NSBH)", "V1 quiet (BBH or NSBH)"),
        ("notify @here if NS escalate 5min <@U2> <@U3> 10min webhook", ""),
        ("notify @here escalate 10min webhook", ""),
        ("notify @here escalate 5min <!subteam^S1>", "notify @here escalate 5min <!subteam^S1>"),
        ("notify @here escalate 5min <@U2> 6min <@U3>", "notify @here escalate 5min <@U2> 6min <@U3>"),
    ],
)
def test_conditions_without_an_input_go_to_the_words_field(words: str, left: str) -> None:
    assert form_from_criteria(parse_criteria(words)).words == left


@pytest.mark.parametrize(
    ("entered", "wrong"),
    [
        (SubscriptionForm(percents={"BNS": "101", "NS": "-1", "remnant": "x"}), {"BNS", "NS", "remnant"}),
        (SubscriptionForm(far="0", distance="1e3", area90="nan"), {"far", "distance", "area90"}),
        (SubscriptionForm(words="frob"), {"words"}),
        (SubscriptionForm(group="CBC", words="Burst"), {"words"}),
        (SubscriptionForm(broadcasts=("<!here>",), words="notify @channel"), {"words"}),
        (SubscriptionForm(broadcasts=("<!here>",), when=("mock",)), {"when"}),
        (SubscriptionForm(words="mock", broadcasts=("<!here>",), when=("mock", "test")), {"when"}),
        (SubscriptionForm(when=("only_ns",)), {"when"}),
        (SubscriptionForm(words=" ".join(f"distance<{n}" for n in range(1, 41)), area90="3"), {"words"}),
        (SubscriptionForm(words="x" * 3_001), {"words"}),
        (SubscriptionForm(quiet=True, words="quiet NSBH"), {"words"}),
        (SubscriptionForm(broadcasts=("<!here>",), next_people=("U1",)), {"next_after"}),
        (SubscriptionForm(broadcasts=("<!here>",), next_after="5"), {"next_people"}),
        (
            SubscriptionForm(broadcasts=("<!here>",), next_after="1000", next_people=("U1",)),
            {"next_after"},
        ),
        (SubscriptionForm(broadcasts=("<!here>",), webhook_after="0.5"), {"webhook_after"}),
        (
            SubscriptionForm(broadcasts=("<!here>",), next_after="5", next_people=("U1",), webhook_after="5"),
            {"webhook_after"},
        ),
        (SubscriptionForm(next_after="5", next_people=("U1",)), {"next_after", "next_people"}),
        (SubscriptionForm(webhook_after="5", words="notify @here"), {"webhook_after"}),
    ],
)
def test_invalid_form_value_is_reported_at_its_input(entered: SubscriptionForm, wrong: set[str]) -> None:
    with pytest.raises(InvalidForm) as refused:
        criteria_from_form(entered, parse_criteria)
    assert set(refused.value.errors) == wrong
    assert all(said.endswith((".", "?")) for said in refused.value.errors.values())


def test_words_and_inputs_go_together() -> None:
    entered = SubscriptionForm(
        group="CBC", area90="100", words="near 197.45 -23.38 5deg or external mock notify @here"
    )
    entered = subscription_modal.parse_form(state(subscription_modal.view(PLACE, entered, Preview())))
    criteria = criteria_from_form(entered, parse_criteria)
    assert criteria.canonical == "CBC area90<100 (near 197.45 -23.38 5deg>0.1 or external) mock notify @here"


def test_who_is_next_is_entered_beside_whom_to_mention() -> None:
    entered = SubscriptionForm(
        people=("U1",), when=("only_ns",), next_after="5", next_people=("U2", "U3"), webhook_after="10"
    )
    criteria = criteria_from_form(entered, parse_criteria)
    assert criteria.canonical == "all notify <@U1> if NS escalate 5min <@U2> <@U3> 10min webhook"


def test_a_new_form_has_the_tick_for_quiet_bbh() -> None:
    assert subscription_form.is_simple(subscription_form.NEW_FORM)
    assert criteria_from_form(subscription_form.NEW_FORM, parse_criteria).canonical == "all quiet BBH"


def test_the_webhook_is_offered_where_the_workspace_may_call_it() -> None:
    place = replace(PLACE, has_more=True)
    for has_webhook in (True, False):
        shown = subscription_modal.view(place, SubscriptionForm(), Preview(), has_webhook=has_webhook)
        assert ("webhook_after" in subscription_modal.input_names(shown)) is has_webhook
    stored = SubscriptionForm(broadcasts=("<!here>",), webhook_after="10")
    shown = subscription_modal.view(place, stored, Preview(), has_webhook=False)
    assert "webhook_after" in subscription_modal.input_names(shown), "what is stored is shown"


def test_a_site_that_isnt_known_is_refused_at_the_words() -> None:
    def read(words: str) -> Criteria:
        return parse_criteria(words, resolve_site)

    with pytest.raises(InvalidForm) as refused:
        criteria_from_form(SubscriptionForm(words="visible from Atlantis"), read)
    assert "no site" in refused.value.errors["words"]


def test_sets_chosen_and_typed_go_together_and_one_that_isnt_there_is_refused_at_its_input() -> None:
    def read(words: str) -> Criteria:
        criteria = parse_criteria(words)
        check_references(criteria, {one.slug: one for one in SETS})
        return criteria

    entered = SubscriptionForm(criteria_sets=("x", "rubin-2026"), words="criteria ntt-kilonova x")
    assert criteria_from_form(entered, read).criteria_sets == ("x", "rubin-2026", "ntt-kilonova")
    with pytest.raises(InvalidForm) as refused:
        criteria_from_form(SubscriptionForm(criteria_sets=("gone", "x")), read)
    assert set(refused.value.errors) == {"criteria_sets"} and "gone" in refused.value.errors["criteria_sets"]


def test_a_stored_grade_condition_equals_the_typed_one() -> None:
    typed = parse_criteria("CBC grade ntt-kilonova>=Silver notify @here if grade ntt-kilonova")
    resolved = resolve_grades(typed, {one.slug: one for one in SETS})
    assert resolved != typed and same_criteria(resolved, typed)


def test_state_of_another_shape_is_an_empty_form() -> None:
    odd = {
        "group": {INPUT_ACTION_ID: {"selected_option": {"value": "frob"}}},
        "far": {},
        "people": {INPUT_ACTION_ID: None},
    }
    assert subscription_modal.parse_form(odd) == SubscriptionForm() == subscription_modal.parse_form({})
    typed = subscription_modal.parse_form({"words": {INPUT_ACTION_ID: {"value": " BNS&gt;0.5 &amp; V1 "}}})
    assert typed.words == "BNS>0.5 & V1"


@pytest.mark.parametrize(
    "metadata",
    ["", "[]", "{}", '{"channel": "x", "number": 1, "home": false}', '{"channel": "C1", "number": "1"}'],
)
def test_metadata_that_the_dialog_never_wrote_is_refused(metadata: str) -> None:
    with pytest.raises(ValueError, match=r"place|Expecting"):
        subscription_modal.parse_modal_context(metadata)


def test_metadata_comes_back() -> None:
    for place in (PLACE, ModalContext(channel_id="D0AB1", from_home=True)):
        assert subscription_modal.parse_modal_context(place.metadata) == place


def test_inputs_are_read_in_any_unicode() -> None:
    """Pasted numbers and words may be full-width, marked, or hold no-break and zero-width characters."""
    pasted = SubscriptionForm(
        percents={"BNS": "５０\u200b"}, far="\u00a01", distance="３００", words="`far&lt;1/yr`\u2009_V1_"
    )
    plain = SubscriptionForm(percents={"BNS": "50"}, far="1", distance="300", words="far<1/yr V1")
    assert criteria_from_form(pasted, parse_criteria) == criteria_from_form(plain, parse_criteria)
