"""Tests of the buttons and the menu below a card, and of the lines about people."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formatters.blockkit import mrkdwn
from formatters.blockkit.message import Message
from formatters.models.escalation import Acknowledgement
from formatters.models.event_people import NOBODY, EventPeople, Mute
from formatters.models.notice import ExternalCoincidence, Notice
from formatters.models.observation import InstrumentShare, ObservationStatus
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, event_buttons, mention, people_lines
from formatters.posts.channel_view import ChannelView
from formatters.posts.event_buttons import MenuChoice, MenuVerb, card_buttons, parse_menu_choice
from tests.formatters.conftest import EVENT_TIME, event, notice, validated

ROOT = ChannelView(is_root=True)
HAS_IT = EventPeople(
    is_awaited=True,
    acknowledgements=(Acknowledgement(user_id="U0B", since=EVENT_TIME + timedelta(minutes=6)),),
)
WAITING = EventPeople(is_awaited=True)
MUTED = EventPeople(mute=Mute(user_id="U0C", since=EVENT_TIME + timedelta(minutes=9)))


def shown(given: Notice, people: EventPeople = NOBODY) -> tuple[list[str], list[str]]:
    """Return the texts of a root's buttons, and of its menu's options."""
    block = card_buttons(given, replace(ROOT, people=people))
    assert block is not None
    *buttons, menu = block["elements"]
    assert menu["action_id"] == event_buttons.MENU_ACTION
    return [one["text"]["text"] for one in buttons], [one["text"]["text"] for one in menu["options"]]


def triggers(*observatories: str) -> tuple[ExternalCoincidence, ...]:
    return tuple(
        ExternalCoincidence(
            observatory=name,
            search="GRB",
            gcn_notice_id=str(100 + number),
            ivorn=None,
            time_difference=1.7,
            time_coincidence_far=None,
            time_sky_position_coincidence_far=None,
        )
        for number, name in enumerate(observatories)
    )


def with_triggers(*observatories: str) -> Notice:
    first, *others = triggers(*observatories)
    return replace(notice(), external=first, more_external=tuple(others))


def people_text(card: Message) -> str:
    """Return the context between a card's facts and its buttons; an empty text without one."""
    kinds = [block["type"] for block in card.blocks]
    before = card.blocks[kinds.index("actions") - 1]
    words = "" if before["type"] != "context" else str(before["elements"][0]["text"])
    return words if words.startswith(("On it", "Observing", "Muted")) else ""


def test_a_card_is_acted_on_by_three_buttons_and_a_menu() -> None:
    assert shown(notice()) == (
        ["I'm observing", "Check position", "GraceDB"],
        ["Circulars", "Treasure Map", "History", "Mute here"],
    )


def test_while_nobody_has_the_event_the_first_button_is_the_green_one() -> None:
    assert shown(notice(), WAITING)[0] == ["I have it", "Check position", "GraceDB"]
    block = card_buttons(notice(), replace(ROOT, people=WAITING))
    assert block is not None
    have_it = block["elements"][0]
    assert (have_it["action_id"], have_it["value"], have_it["style"]) == (
        event_buttons.ACKNOWLEDGE_ACTION,
        notice().superevent_id,
        "primary",
    )


def test_whoever_has_the_event_can_give_it_back_from_the_menu() -> None:
    assert shown(notice(), HAS_IT) == (
        ["I'm observing", "Check position", "GraceDB"],
        ["Circulars", "Treasure Map", "History", "Mute here", "I no longer have it"],
    )


def test_a_muted_event_can_be_unmuted() -> None:
    assert shown(notice(), MUTED)[1] == ["Circulars", "Treasure Map", "History", "Unmute here"]


@pytest.mark.parametrize(
    ("observatories", "people", "buttons", "options"),
    [
        (("Fermi",), NOBODY, [], ["Circulars", "Treasure Map", "Fermi trigger", "History", "Mute here"]),
        (
            ("Fermi", "Swift"),
            NOBODY,
            ["Swift trigger"],
            ["Circulars", "Treasure Map", "Fermi trigger", "History", "Mute here"],
        ),
        (
            ("Fermi", "Swift", "Fermi"),
            HAS_IT,
            ["Fermi trigger", "Swift trigger", "Fermi trigger"],
            ["Circulars", "Treasure Map", "History", "Mute here", "I no longer have it"],
        ),
    ],
)
def test_what_the_menu_cannot_hold_is_a_button(
    observatories: tuple[str, ...], people: EventPeople, buttons: list[str], options: list[str]
) -> None:
    assert shown(with_triggers(*observatories), people) == (
        ["I'm observing", "Check position", "GraceDB", *buttons],
        options,
    )


def test_a_retracted_card_asks_for_no_observations() -> None:
    retracted = notice("RETRACTION")
    assert shown(retracted) == (["GraceDB"], ["Circulars", "History", "Mute here"])
    assert shown(retracted, replace(HAS_IT, mute=MUTED.mute)) == (
        ["GraceDB"],
        ["Circulars", "History", "Unmute here", "I no longer have it"],
    )
    assert "I have it" not in shown(retracted, WAITING)[0]


def test_a_mocks_menu_has_no_pages_that_know_only_real_events() -> None:
    assert shown(notice(superevent_id="MS241126dm"))[1] == ["History", "Mute here"]


def test_a_card_without_facts_can_still_be_taken() -> None:
    bare = notice("INITIAL", event=None)
    assert shown(bare)[0] == ["Check position", "GraceDB"]
    assert shown(bare, WAITING)[0] == ["I have it", "Check position", "GraceDB"]


def test_answers_have_links_only() -> None:
    block = card_buttons(notice(), ChannelView())
    assert block is not None
    assert [one["text"]["text"] for one in block["elements"]] == ["GraceDB", "Circulars", "Treasure Map"]
    assert all("url" in one for one in block["elements"])


@settings(deadline=None)
@given(
    superevent_id=st.text(min_size=1, max_size=64),
    alert_type=st.sampled_from(["INITIAL", "RETRACTION", "NEWS"]),
    people=st.sampled_from([NOBODY, WAITING, HAS_IT, MUTED, replace(HAS_IT, mute=MUTED.mute)]),
    observatories=st.lists(st.sampled_from(["Fermi", "Swift", "<!here>"]), max_size=4),
    has_gracedb=st.booleans(),
)
def test_every_row_of_buttons_is_one_that_slack_takes(
    superevent_id: str,
    alert_type: str,
    people: EventPeople,
    observatories: list[str],
    *,
    has_gracedb: bool,
) -> None:
    made = notice(alert_type, superevent_id="S241126dm")
    first, *others = triggers(*observatories) or (None,)
    made = replace(
        made,
        superevent_id=superevent_id,
        external=first,
        more_external=tuple(one for one in others if one is not None),
        urls=made.urls if has_gracedb else {},
    )
    block = card_buttons(made, replace(ROOT, people=people))
    assert block is not None
    validated(Message("x", (block,)))
    *buttons, menu = block["elements"]
    actions = [one["action_id"] for one in block["elements"]]
    assert len(set(actions)) == len(actions)
    values = [one["value"] for one in menu["options"]]
    assert len(set(values)) == len(values) and all(len(value) <= 150 for value in values)
    chosen = [parse_menu_choice(value) for value in values]
    acting = [one for one in chosen if one is not None]
    assert [one.verb for one in acting][:1] == [MenuVerb.HISTORY]
    assert {one.superevent_id for one in acting} == {superevent_id}
    links = [one for one in menu["options"] if "url" in one]
    assert len(links) + len(acting) == len(values)
    assert len(buttons) <= 8


@pytest.mark.parametrize("value", ["link.circulars", "", "history", "history ", "explode S230518h"])
def test_a_choice_that_is_no_action_is_none(value: str) -> None:
    assert parse_menu_choice(value) is None


def test_a_choice_names_its_event() -> None:
    assert parse_menu_choice("mute S230518h") == MenuChoice(MenuVerb.MUTE, "S230518h")
    assert parse_menu_choice("history Odd event 7") == MenuChoice(MenuVerb.HISTORY, "Odd event 7")


BUSY = EventPeople(
    is_awaited=True,
    acknowledgements=HAS_IT.acknowledgements,
    instruments=(
        InstrumentShare(instrument="ZTF", status=ObservationStatus.PLANNED, share=0.634),
        InstrumentShare(instrument="DECam", status=ObservationStatus.DONE, share=0.41),
        InstrumentShare(instrument="DECam", status=ObservationStatus.PLANNED, share=0.004),
        InstrumentShare(instrument="my 40 cm", status=ObservationStatus.CANCELLED, share=None),
    ),
    mute=MUTED.mute,
)


def test_the_lines_say_who_has_it_who_observes_and_who_muted_it() -> None:
    view = replace(ROOT, people=BUSY, observers=("U0A",))
    card = validated(alert_card.alert_card(Superevent.from_notices([notice()]), view))
    assert people_text(card).replace(mrkdwn.NBSP, " ").split("\n") == [
        "On it: <@U0B> since 02:16 UTC (T+6 min)",
        "Observing: ZTF planned 63 % · DECam done 41 %, planned &lt;1 % · my 40 cm cancelled · <@U0A>",
        "Muted here by <@U0C> at 02:19 UTC (T+9 min): "
        "no replies, and no edits for newer notices except a retraction",
    ]


def test_the_lines_stand_below_the_picture_and_change_no_fact() -> None:
    superevent = Superevent.from_notices([notice()])
    busy = alert_card.alert_card(superevent, replace(ROOT, people=BUSY)).blocks
    calm = alert_card.alert_card(superevent, ROOT).blocks
    assert busy[:-2] == calm[:-1]
    assert busy[-2]["type"] == "context" and busy[-1]["type"] == "actions"


def test_a_retracted_card_keeps_its_people() -> None:
    superevent = Superevent.from_notices([notice(), notice("RETRACTION", minutes=60)])
    card = validated(alert_card.alert_card(superevent, replace(ROOT, people=BUSY, observers=("U0A",))))
    lines = people_text(card).replace(mrkdwn.NBSP, " ").split("\n")
    assert lines[0] == "On it: <@U0B> since 02:16 UTC (T+6 min)"
    assert lines[2] == "Muted here by <@U0C> at 02:19 UTC (T+9 min)"


def test_a_card_without_facts_keeps_its_people() -> None:
    bare = Superevent.from_notices([notice("INITIAL", event=None)])
    card = validated(alert_card.alert_card(bare, replace(ROOT, people=HAS_IT)))
    assert people_text(card).replace(mrkdwn.NBSP, " ") == "On it: <@U0B> since 2024-11-26 02:16 UTC"
    known = Superevent.from_notices([notice(), notice("INITIAL", minutes=30, event=None)])
    card = validated(alert_card.alert_card(known, replace(ROOT, people=HAS_IT)))
    assert people_text(card).endswith("(T+6\u00a0min)")


def test_who_took_an_early_warning_before_the_merger_is_shown_with_its_sign() -> None:
    early = Acknowledgement(user_id="U0B", since=EVENT_TIME - timedelta(seconds=20))
    said = people_lines.acknowledged_line((early,), EVENT_TIME)
    assert said is not None and said.endswith("(T−20\u00a0s)")


@settings(deadline=None)
@given(
    acknowledgements=st.lists(st.text(max_size=20) | st.just("U0ABC"), max_size=60),
    observers=st.lists(
        st.text(max_size=20) | st.from_regex(r"[UW][A-Z0-9]{1,20}", fullmatch=True), max_size=80
    ),
    names=st.lists(st.text(max_size=300), max_size=40),
    share=st.none() | st.floats(0, 1),
)
def test_whatever_people_and_names_there_are_the_lines_stay_short_and_harmless(
    acknowledgements: list[str], observers: list[str], names: list[str], share: float | None
) -> None:
    people = EventPeople(
        acknowledgements=tuple(
            Acknowledgement(user_id=user, since=EVENT_TIME + timedelta(hours=number))
            for number, user in enumerate(acknowledgements)
        ),
        instruments=tuple(
            InstrumentShare(instrument=name, status=status, share=share)
            for name in names
            for status in ObservationStatus
        ),
    )
    said = people_lines.people_block(people, tuple(observers), EVENT_TIME)
    validated(Message("x", tuple(said)))
    for block in said:
        text = block["elements"][0]["text"]
        assert len(text) < 1_500 and not text.endswith("…")
        assert all(re.match(r"<@[UW][A-Z0-9]+>", "<" + rest) for rest in text.split("<")[1:])


def test_more_people_than_there_is_room_for_are_counted() -> None:
    many = tuple(
        Acknowledgement(user_id=f"U{number}", since=EVENT_TIME + timedelta(minutes=number))
        for number in range(5)
    )
    said = people_lines.acknowledged_line(many, EVENT_TIME)
    assert said is not None and said.endswith(", and 2 more") and said.count("<@") == 3
    observing = people_lines.observing_line((), tuple(f"U{number}" for number in range(40)))
    assert observing is not None and observing.endswith(", and 28 more") and observing.count("<@") == 12


def test_a_mention_asks_to_be_taken_only_while_nobody_has_the_event() -> None:
    before, now = notice(event=event(significant=False)), notice("INITIAL", minutes=30)
    superevent = Superevent.from_notices([before, now])
    waiting = validated(mention.mention_message(superevent, now, ["<!here>"], None, is_waiting=True))
    assert [block["type"] for block in waiting.blocks] == ["section", "actions"]
    assert waiting.blocks[1]["elements"][0]["action_id"] == event_buttons.ACKNOWLEDGE_ACTION
    calm = mention.mention_message(superevent, now, ["<!here>"], None)
    assert [block["type"] for block in calm.blocks] == ["section"]


def test_golden_people(
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], Any],
) -> None:
    superevent = Superevent.from_notices(stories["bns"][:2])
    for name, people in (("waiting", WAITING), ("busy", BUSY)):
        view = replace(ROOT, people=people, observers=() if people is WAITING else ("U0A",))
        golden(f"people-{name}-root", check(alert_card.alert_card(superevent, view)))
    raven = Superevent.from_notices(stories["raven"])
    golden("people-raven-root", check(alert_card.alert_card(raven, replace(ROOT, people=HAS_IT))))
    targets = ["<!subteam^S0GROUP>"]
    waiting = mention.mention_message(superevent, superevent.latest, targets, None, is_waiting=True)
    golden("people-mention", check(waiting))
