"""Golden views of the modal and the App Home tab for human review: read golden/view-*.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import slackblocks
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.local_slack.block_kit import block_checks
from formatters.answers import help as helping
from formatters.answers import search_results, status, subscription_messages
from formatters.blockkit.message import Message
from formatters.models import subscription
from formatters.models.criteria_set import CriteriaSet, Grade
from formatters.models.filter import Compare, Detector, FarCompare, Op
from formatters.models.incident import Incident, IncidentKind
from formatters.models.notice import Notice
from formatters.models.source_status import SourceStatus
from formatters.models.superevent import Superevent
from formatters.terminal import message_text
from formatters.views import home_tab, subscription_modal
from formatters.views.home_tab import EventThread
from formatters.views.subscription_form import NEW_FORM, SubscriptionForm, form_from_criteria
from formatters.views.subscription_modal import ModalContext, Preview
from tests.support.filter_strategies import any_criteria

NOW = datetime(2024, 11, 27, 3, 0, tzinfo=UTC)
View = dict[str, Any]
Golden = Callable[[str, Message | View], None]
CRITERIA = subscription.Criteria(
    group="CBC",
    mock=True,
    filter=(Compare("BNS", Op.GT, 0.5) | Compare("NSBH", Op.GT, 0.5))
    & Compare("distance", Op.LT, 300.0)
    & FarCompare(Op.LT, 1.0, 2.0, "month")
    & ~Detector("V1"),
    notify=subscription.MentionRule(targets=("<!here>", "<@U024BE7LH>"), only_ns=True),
)
ELEMENTS: dict[str, Callable[..., slackblocks.Element]] = {
    "button": slackblocks.Button,
    "static_select": slackblocks.StaticSelectMenu,
    "multi_static_select": slackblocks.StaticMultiSelectMenu,
    "multi_users_select": slackblocks.UserMultiSelectMenu,
    "checkboxes": slackblocks.CheckboxGroup,
    "number_input": slackblocks.NumberInput,
    "plain_text_input": slackblocks.PlainTextInput,
}


def criteria(number: int, channel: str = "C1", **changes: Any) -> subscription.Subscription:
    made = subscription.Subscription(
        id=number,
        number=number,
        team_id="T1",
        channel_id=channel,
        criteria=CRITERIA,
        created_by="U024BE7LH",
        created_at=NOW,
    )
    return replace(made, **changes)


def option(value: View) -> slackblocks.Option:
    return slackblocks.Option(slackblocks.Text.from_dict(value["text"]), value["value"])


def element(given: View) -> slackblocks.Element:
    """Return the element as rebuilt by slackblocks, which validates it."""
    made: View = {}
    for key, value in given.items():
        if key in ("text", "placeholder"):
            made[key] = slackblocks.Text.from_dict(value)
        elif key in ("options", "initial_options"):
            made[key] = [option(one) for one in value]
        elif key == "initial_option":
            made[key] = option(value)
        elif key in ("min_value", "max_value", "initial_value") and given["type"] == "number_input":
            made[key] = float(value)
        elif key == "confirm":
            parts: dict[str, Any] = {part: slackblocks.Text.from_dict(text) for part, text in value.items()}
            made[key] = slackblocks.ConfirmationDialogue(**parts)
        elif key != "type":
            made[key] = value
    return ELEMENTS[given["type"]](**made)


def block(given: View, number: int) -> slackblocks.Block:
    block_id = given.get("block_id", f"b{number}")
    match given["type"]:
        case "actions":
            return slackblocks.ActionsBlock([element(e) for e in given["elements"]], block_id=block_id)
        case "input":
            return slackblocks.InputBlock(
                slackblocks.Text.from_dict(given["label"]),
                element(given["element"]),
                hint=slackblocks.Text.from_dict(given["hint"]) if "hint" in given else None,
                block_id=block_id,
                optional=given["optional"],
            )
        case "section" if "accessory" in given:
            return slackblocks.SectionBlock(
                slackblocks.Text.from_dict(given["text"]),
                block_id=block_id,
                accessory=element(given["accessory"]),
            )
    return slackblocks.Block.from_dict({**given, "block_id": block_id})


def checked(view: View) -> View:
    """Return the view after slackblocks has validated it within Slack's limits."""
    blocks = [block(dict(given), number) for number, given in enumerate(view["blocks"])]
    if view["type"] == "home":
        slackblocks.HomeTabView(blocks)
    else:
        texts = {key: view[key]["text"] for key in ("title", "close", "submit") if key in view}
        kept = {key: view[key] for key in ("private_metadata", "callback_id") if key in view}
        slackblocks.ModalView(blocks=blocks, **texts, **kept)
    assert len(view["blocks"]) <= 100
    return view


def test_dialogs(golden: Golden, stories: dict[str, list[Notice]]) -> None:
    place = ModalContext(channel_id="C1")
    golden("view-modal-empty", checked(subscription_modal.view(place, NEW_FORM, Preview())))
    changed = ModalContext(channel_id="C1", number=3, from_home=True)
    found = search_results.SearchResults(
        canonical=CRITERIA.canonical_without_mentions,
        newest_hits=[search_results.SearchHit(superevent=Superevent.from_notices(stories["bns"][:3]))],
        count=1,
        candidates=12_345,
    )
    tested = search_results.backtest_message(found, NOW)
    shown = subscription_modal.view(
        changed, form_from_criteria(CRITERIA), Preview(criteria=CRITERIA, backtest=tested)
    )
    golden("view-modal-filled", checked(shown))
    asking = subscription_modal.view(
        changed, form_from_criteria(CRITERIA), Preview(criteria=CRITERIA, is_backtesting=True)
    )
    assert "Checking the sky maps" in json.dumps(checked(asking), ensure_ascii=False)
    errors = {"BNS": "A probability in percent: 0 to 100.", "words": '"<b>" is no condition.'}
    wrong = subscription_modal.view(
        place, SubscriptionForm(percents={"BNS": "1e3"}, words="<b>"), Preview(errors=errors)
    )
    golden("view-modal-wrong", checked(wrong))
    golden("view-modal-waiting", checked(subscription_modal.loading_page(place, "One moment …")))
    golden(
        "view-modal-done",
        checked(subscription_modal.result_page(changed, subscription_messages.subscribed())),
    )


def test_first_screen_has_what_most_channels_ask_for_and_the_rest_comes_with_a_button() -> None:
    place = ModalContext(channel_id="C1")
    first = subscription_modal.view(
        place, SubscriptionForm(percents={"BNS": "50"}, distance="300"), Preview()
    )
    assert subscription_modal.input_names(first) == [
        *("group", "classes", "distance", "area90", "broadcasts", "people", "quiet")
    ]
    assert subscription_modal.MORE_ACTION in json.dumps(first)
    every = subscription_modal.view(replace(place, has_more=True), SubscriptionForm(), Preview())
    assert subscription_modal.MORE_ACTION not in json.dumps(every)
    names = subscription_modal.input_names(every)
    assert len(names) == len(set(names)) == 23 and {
        "words",
        "next_after",
        "webhook_after",
        "far",
        "switches",
        "when",
        "NS",
    } <= set(names)


RUBIN = CriteriaSet(
    slug="rubin-2026",
    grades=tuple(Grade(name, None) for name in ("Gold", "Silver", "Bronze")),
    is_built_in=True,
    judges_initial=True,
)
KILONOVA = CriteriaSet(
    slug="ntt-kilonova",
    grades=(
        Grade("Gold", Compare("NS", Op.GE, 0.5) & Compare("distance", Op.LT, 150.0)),
        Grade("Silver", Compare("NS", Op.GE, 0.5) & Compare("distance", Op.LT, 300.0)),
    ),
)


def set_input(view: View) -> View:
    [found] = [one["element"] for one in view["blocks"] if one.get("block_id") == "criteria_sets"]
    return found  # type: ignore[no-any-return]


def test_criteria_sets_can_be_chosen_and_a_missing_one_stays_visible() -> None:
    entered = SubscriptionForm(criteria_sets=("gone-set", "rubin-2026"))
    place = ModalContext(channel_id="C1", number=3)
    shown = checked(subscription_modal.view(place, entered, Preview(), [RUBIN, KILONOVA]))
    assert subscription_modal.input_names(shown).index("criteria_sets") == 4, "on the first screen"
    assert [(one["value"], one["text"]["text"]) for one in set_input(shown)["options"]] == [
        ("gone-set", "gone-set: no longer a set here"),
        ("rubin-2026", "rubin-2026: Gold, Silver, Bronze"),
        ("ntt-kilonova", "ntt-kilonova: Gold, Silver"),
    ]
    assert [one["value"] for one in set_input(shown)["initial_options"]] == ["gone-set", "rubin-2026"]
    submitted = {"criteria_sets": {"value": {"selected_options": set_input(shown)["initial_options"]}}}
    assert subscription_modal.parse_form(submitted) == entered
    backwards = {"selected_options": [{"value": name} for name in ("b", "a", "b", "Not a Slug")]}
    assert subscription_modal.parse_form({"criteria_sets": {"value": backwards}}).criteria_sets == ("b", "a")


def test_as_many_sets_as_slack_takes_are_offered_and_the_chosen_are_among_them() -> None:
    many = [
        replace(KILONOVA, slug=f"set-{number}", grades=(Grade("x" * 20, None),) * 20) for number in range(150)
    ]
    chosen = tuple(f"set-{number}" for number in range(149, 20, -1))
    form = form_from_criteria(subscription.Criteria(criteria_sets=chosen))
    shown = subscription_modal.view(ModalContext(channel_id="C1"), form, Preview(), many)
    block_checks.check_view(shown, "modal")
    assert [one["value"] for one in set_input(shown)["initial_options"]] == list(chosen[:100])
    assert form.words == "criteria " + " ".join(chosen[100:]), "the rest is kept in words"
    some = subscription_modal.view(
        ModalContext(channel_id="C1"), SubscriptionForm(criteria_sets=("set-149",)), Preview(), many
    )
    block_checks.check_view(some, "modal")
    assert len(set_input(some)["options"]) == 100


@pytest.mark.parametrize(
    "form",
    [
        SubscriptionForm(percents={"BNS": "90"}),
        SubscriptionForm(percents={"BNS": "50"}, more_than=True),
        SubscriptionForm(percents={"NS": "50"}),
        SubscriptionForm(words="not V1"),
        SubscriptionForm(switches=("mock",)),
        SubscriptionForm(far="1"),
        SubscriptionForm(when=("only_ns",), broadcasts=("<!here>",)),
    ],
)
def test_a_subscription_that_uses_more_is_shown_with_all_inputs(form: SubscriptionForm) -> None:
    shown = subscription_modal.view(ModalContext(channel_id="C1", number=3), form, Preview())
    assert "words" in subscription_modal.input_names(shown)
    assert subscription_modal.parse_modal_context(shown["private_metadata"]).has_more


@pytest.mark.parametrize(
    "context",
    [
        ModalContext(channel_id="C1"),
        ModalContext(
            channel_id="D1", number=3, from_home=True, has_more=True, warned_about="0123456789abcdef"
        ),
    ],
)
def test_a_modals_context_comes_back_also_from_an_older_version(context: ModalContext) -> None:
    assert subscription_modal.parse_modal_context(context.metadata) == context
    older = {
        key: value for key, value in json.loads(context.metadata).items() if key not in ("more", "warned")
    }
    found = subscription_modal.parse_modal_context(json.dumps(older))
    assert found.has_more, "the older modal showed every input"
    assert (found.channel_id, found.number, found.from_home) == (
        context.channel_id,
        context.number,
        context.from_home,
    )


def test_errors_stand_at_inputs_that_are_shown() -> None:
    errors = {"distance": "A number above 0.", "words": "Too long.", "far": "A number above 0."}
    assert subscription_modal.errors_at_inputs(errors, ["group", "distance"]) == {
        "distance": "A number above 0.",
        "group": "Further conditions: Too long. False-alarm rate: A number above 0.",
    }


def test_answers_that_offer_the_dialog(golden: Golden, check: Callable[[Message], Message]) -> None:
    mine = [criteria(number) for number in range(1, 4)]
    golden("modal-button", check(subscription_modal.modal_button(mine)))
    many = check(
        subscription_modal.with_modal_button(
            helping.error_message("x"), [criteria(number) for number in range(1, 41)]
        )
    )
    assert [len(row["elements"]) for row in many.blocks[1:]] == [25, 25, 25, 6]
    assert message_text.render(subscription_modal.modal_button([])).startswith(
        "Open the form to choose a subscription"
    )


SECTIONS = ["Your channels", "What came last", "What to do next", "Criteria sets"]


def own_sets(count: int, grades: int = 2) -> list[home_tab.ListedSet]:
    """Return sets of a workspace, with as many grades."""
    every = tuple(
        Grade(f"Grade-{number}", Compare("distance", Op.LT, 100.0 + number)) for number in range(grades)
    )
    return [
        home_tab.ListedSet(
            set_=replace(KILONOVA, slug=f"set-{number}", grades=every),
            changed_by="U024BE7LH",
            changed_at=NOW,
        )
        for number in range(count)
    ]


def shown_home(**changes: Any) -> home_tab.Home:
    made = home_tab.Home(
        sources=(SourceStatus(name="hopskotch", connected=True, detail="Reading igwn.gwalert."),),
        last_notice=status.LastNotice(
            superevent_id="MS241127c", alert_type="PRELIMINARY", received=NOW - timedelta(hours=0.2)
        ),
        subscriptions=[
            criteria(3),
            criteria(5, paused_at=NOW),
            criteria(4, "C2", delivery_problem="is_archived"),
            criteria(9, "D1"),
        ],
        last_events=(),
        sites={"C1": ["Palomar", "My *Dome*"]},
        version="1.2.3",
    )
    return replace(made, **changes)


def test_homes(golden: Golden, stories: dict[str, list[Notice]]) -> None:
    newest = [
        home_tab.LastEvent(Superevent.from_notices(stories[kind]), threads)
        for kind, threads in (
            ("bns", [EventThread("C1", "https://slack.example/archives/C1/p1"), EventThread("D1", None)]),
            ("raven", [EventThread("C2", None)]),
            *((kind, ()) for kind in ("burst", "ssm", "bare", "no_map")),
        )
    ]
    paused = subscription_messages.paused(criteria(3))
    sets = [home_tab.ListedSet(set_=KILONOVA, changed_by="U024BE7LH", changed_at=NOW), *own_sets(1, 6)]
    whole = shown_home(
        last_events=newest, action_result=paused, criteria_sets=sets, built_in_sets=[RUBIN, KILONOVA]
    )
    golden("view-home", checked(home_tab.view(whole, NOW)))
    golden("view-home-empty", checked(home_tab.view(shown_home(subscriptions=()), NOW)))
    anywhere = [replace(one, threads=()) for one in newest]
    golden("view-home-nothing-posted", checked(home_tab.view(shown_home(last_events=anywhere), NOW)))
    lags = Incident(kind=IncidentKind.LAG, since=NOW - timedelta(hours=2), detail="40 payloads")
    first = checked(home_tab.view(shown_home(incidents=[lags] * 9), NOW))["blocks"][0]
    assert "*Reading has been behind since" in json.dumps(first), "what is wrong is first"
    golden("view-home-unknown", checked(home_tab.view(shown_home(problem="missing_scope"), NOW)))


def sections(view: View) -> list[str]:
    return [block["text"]["text"] for block in view["blocks"] if block["type"] == "header"]


def test_home_begins_with_the_person_and_ends_with_the_plumbing() -> None:
    view = home_tab.view(shown_home(), NOW)
    assert sections(view) == SECTIONS
    said = [json.dumps(block, ensure_ascii=False) for block in view["blocks"]]
    assert "hopskotch" in said[-1] and "gwevent 1.2.3" in said[-1]
    assert not any("hopskotch" in one for one in said[:-1])


def test_home_without_the_store_claims_nothing() -> None:
    view = checked(home_tab.view(shown_home(subscriptions=(), is_store_down=True), NOW))
    assert sections(view) == [] and "The store doesn't answer" in json.dumps(view)


def test_next_steps_fit_what_the_person_has(stories: dict[str, list[Notice]]) -> None:
    nothing = home_tab.next_steps(shown_home(subscriptions=()), NOW)
    assert "`/gwevent subscribe`" in nothing[0] and len(nothing) == 2
    steps = home_tab.next_steps(shown_home(), NOW)
    assert steps[0] == "Nothing can be posted in <#C2>: Slack says is_archived.", "which no invitation mends"
    left = home_tab.next_steps(
        shown_home(subscriptions=[criteria(1, delivery_problem="not_in_channel")]), NOW
    )
    assert left[0].endswith("Slack says not_in_channel. `/invite @gwevent` there.")
    unknown = home_tab.next_steps(shown_home(subscriptions=(), problem="missing_scope"), NOW)
    assert len(unknown) == 1, "nobody knows whether they have channels"
    assert "No sites are set in <#C2>, your messages with gwevent" in steps[1] and "<#C1>" not in steps[1]
    event = Superevent.from_notices(stories["bns"])
    posted = [home_tab.LastEvent(event, [EventThread("C1", None)])]
    fresh = home_tab.next_steps(
        shown_home(last_events=posted), event.latest.time_created + timedelta(hours=1)
    )
    assert any(f"/gwevent visible {event.superevent_id}" in step for step in fresh)
    late = home_tab.next_steps(shown_home(last_events=posted), event.latest.time_created + timedelta(days=30))
    assert not any("visible" in step for step in late), "nobody points at it any more"
    paused = home_tab.next_steps(shown_home(subscriptions=[criteria(3, paused_at=NOW)]), NOW)
    assert "Nothing new comes to <#C1>, where everything is paused." in paused


@pytest.mark.slow
def test_any_home_keeps_slacks_limits(stories: dict[str, list[Notice]]) -> None:
    threads = [EventThread("C1", "https://slack.example/" + "x" * 90)] * 5
    events = [home_tab.LastEvent(Superevent.from_notices(one), threads) for one in stories.values()]
    lags = Incident(kind=IncidentKind.LAG, since=NOW, detail="x" * 500)

    @given(
        asked=st.lists(any_criteria(), min_size=1, max_size=4),
        subscriptions=st.integers(0, 200),
        channels=st.integers(1, 150),
        paused=st.booleans(),
        problem=st.sampled_from([None, "is_archived"]),
        named=st.lists(st.text(min_size=1, max_size=30), max_size=10),
        wrong=st.integers(0, 30),
        own=st.integers(0, 50),
    )
    @settings(max_examples=30, deadline=None)
    def check(
        asked: list[subscription.Criteria],
        subscriptions: int,
        channels: int,
        paused: bool,
        problem: str | None,
        named: list[str],
        wrong: int,
        own: int,
    ) -> None:
        every = [
            criteria(
                number,
                f"C{number % channels}",
                criteria=asked[number % len(asked)],
                paused_at=NOW if paused else None,
                delivery_problem=problem,
            )
            for number in range(1, subscriptions + 1)
        ]
        every.sort(key=lambda s: s.channel_id)
        home = shown_home(
            subscriptions=every,
            last_events=events,
            incidents=[lags] * wrong,
            sites={s.channel_id: named for s in every},
            criteria_sets=own_sets(own, 20),
            built_in_sets=[RUBIN],
        )
        view = home_tab.view(home, NOW)
        block_checks.check_view(view, "home")
        assert sections(view) == SECTIONS

    check()


@pytest.mark.parametrize("channels", [1, 60])
def test_a_home_of_many_subscriptions_keeps_slacks_limit(channels: int) -> None:
    many = [criteria(number, f"C{number % channels}") for number in range(120)]
    many.sort(key=lambda s: s.channel_id)
    view = checked(home_tab.view(shown_home(subscriptions=many), NOW))
    said = json.dumps(view, ensure_ascii=False)
    listed = said.count('"home.edit"')
    assert listed > 25 and f"And {120 - listed} more" in said
    assert len(said) < 250_000


@pytest.mark.parametrize(
    ("own", "subscriptions", "edited", "removed"),
    [(0, 120, 0, 0), (12, 3, 12, 12), (45, 3, 45, 0), (50, 0, 50, 0), (50, 120, 46, 0)],
)
@pytest.mark.slow
def test_a_home_of_many_criteria_sets_keeps_slacks_limit(
    own: int, subscriptions: int, edited: int, removed: int
) -> None:
    many = [criteria(number, "C1") for number in range(subscriptions)]
    view = checked(home_tab.view(shown_home(subscriptions=many, criteria_sets=own_sets(own, 20)), NOW))
    said = json.dumps(view, ensure_ascii=False)
    assert (said.count(home_tab.EDIT_SET_ACTION), said.count(home_tab.REMOVE_SET_ACTION)) == (edited, removed)
    assert (
        f"And {own - edited} more: `/gwevent criteria`" in said
        if edited < own
        else "more: `/gwevent cr" not in said
    )
    assert len(said) < 250_000


def test_a_home_names_each_set_its_grades_and_who_changed_it() -> None:
    view = checked(home_tab.view(shown_home(criteria_sets=own_sets(1, 6), built_in_sets=[RUBIN]), NOW))
    said = json.dumps(view, ensure_ascii=False)
    assert "Built in: rubin-2026" in said and home_tab.NEW_SET_ACTION in said
    assert "*set-0*\\nGrade-0: distance&lt;100" in said
    assert "and 2 more\\nLast changed by <@U024BE7LH>, 2024-11-27 03:00" in said


def test_subscriptions_visible_to_user() -> None:
    every = [criteria(1, "C1"), criteria(2, "C2"), criteria(3, "D1"), criteria(4, "D2", created_by="U2")]
    seen = home_tab.visible_to("U024BE7LH", every, {"C2", "C9"})
    assert [s.id for s in seen] == [2, 3], "a channel they are in, and their own messages with the app"


@pytest.mark.parametrize("target", [home_tab.HomeAction("C1"), home_tab.HomeAction("D0AB1", 12)])
def test_a_buttons_target_comes_back(target: home_tab.HomeAction) -> None:
    assert home_tab.parse_action(target.value) == target


@pytest.mark.parametrize("value", ["", "C1 x", "x 1", "C1  1", "C1 1 2"])
def test_a_target_that_no_button_had_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="no target"):
        home_tab.parse_action(value)
