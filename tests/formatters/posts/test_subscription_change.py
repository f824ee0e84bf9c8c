"""Tests of the post about a change of a channel's subscriptions; see golden/change-*.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.filters import parse_criteria
from formatters.answers import subscription_history
from formatters.blockkit.message import Message
from formatters.models import channel_change
from formatters.models.channel_change import (
    BY_GWEVENT,
    BY_IMPORT,
    ChannelChange,
    CriteriaSetState,
    RecordedState,
    SubscriptionState,
)
from formatters.models.observing import ChannelSites, ObservingConstraints, Site
from formatters.models.subscription import Criteria, Subscription
from formatters.posts import subscription_change
from formatters.terminal import message_text

NOW = datetime(2024, 11, 27, 3, 0, tzinfo=UTC)
ALICE, BOB = "U024BE7LH", "U0OTHER"
DOME = Site(name="MyDome", latitude=34.2, longitude=-116.9, height=1_700, zone="America/Los_Angeles")
DISH = Site(name="Dish 7", latitude=-30.25, longitude=20.000001, height=0, radio=True)

Check = Callable[[Message], Message]
Golden = Callable[[str, Message], None]


def state(words: str, *, paused: bool = False) -> SubscriptionState:
    criteria = parse_criteria(words)
    return SubscriptionState(canonical=criteria.canonical, is_paused=paused, criteria=criteria)


def made(
    number: int | None,
    before: RecordedState | None,
    after: RecordedState | None,
    by: str = ALICE,
    minutes: float = 0,
) -> ChannelChange:
    at = NOW + timedelta(minutes=minutes)
    return ChannelChange(number=number, before=before, after=after, changed_by=by, changed_at=at)


def has(number: int, words: str, **further: object) -> Subscription:
    one = Subscription(
        id=100 + number,
        number=number,
        team_id="T1",
        channel_id="C1",
        criteria=parse_criteria(words),
        created_by=ALICE,
        created_at=NOW,
    )
    return replace(one, **further)  # type: ignore[arg-type]


CBC, FILTERED = state("CBC"), state("CBC BNS>0.5 distance<300 mock notify @here <@U0OTHER> if NS")
ESCALATING = state("CBC quiet BBH notify <!subteam^S1> if NS escalate 5min <@U0SECOND> 90min webhook")
SITES = ChannelSites(sites=(DOME,))
NTT = CriteriaSetState(
    slug="ntt-kilonova",
    grades=(("Gold", "NS distance<150 area90<50"), ("Silver", "NS distance<300"), ("Follow up", "NS")),
)
STRICTER = replace(NTT, grades=(("Gold", "NS distance<120"), *NTT.grades[1:]))
SHORTER = replace(STRICTER, grades=(*STRICTER.grades[:2], ("Bronze", "NS distance<600")))

CASES: dict[str, tuple[list[ChannelChange], list[Subscription]]] = {
    "paused": ([made(1, CBC, replace(CBC, is_paused=True))], [has(1, "CBC", paused_at=NOW)]),
    "resumed": ([made(1, replace(CBC, is_paused=True), CBC)], [has(1, "CBC")]),
    "edited": ([made(1, CBC, FILTERED)], [has(1, FILTERED.canonical), has(2, "Burst", paused_at=NOW)]),
    "edited-escalation": ([made(1, CBC, ESCALATING)], [has(1, ESCALATING.canonical)]),
    "ended-escalation": ([made(1, ESCALATING, None)], []),
    "edited-while-paused": (
        [made(1, replace(CBC, is_paused=True), replace(FILTERED, is_paused=True))],
        [has(1, FILTERED.canonical, paused_at=NOW)],
    ),
    "ended": ([made(2, FILTERED, None)], []),
    "ended-several": ([made(1, CBC, None), made(2, FILTERED, None)], [has(3, "Burst")]),
    "back-and-forth": (
        [
            made(1, CBC, replace(CBC, is_paused=True)),
            made(1, replace(CBC, is_paused=True), CBC, BOB, 1),
        ],
        [has(1, "CBC")],
    ),
    "paused-and-ended-by-two": (
        [made(1, CBC, replace(CBC, is_paused=True)), made(1, replace(CBC, is_paused=True), None, BOB, 1)],
        [],
    ),
    "imported": (
        [made(1, None, CBC, BY_IMPORT), made(2, None, replace(FILTERED, is_paused=True), BY_IMPORT)],
        [has(1, "CBC"), has(2, FILTERED.canonical, paused_at=NOW)],
    ),
    "undone-by-gwevent": ([made(1, CBC, None, BY_GWEVENT)], []),
    "sites": (
        [
            made(None, ChannelSites(), SITES),
            made(
                None,
                SITES,
                ChannelSites(sites=(DISH,), constraints=ObservingConstraints(altitude=25)),
                BOB,
                1,
            ),
        ],
        [has(1, "CBC")],
    ),
    "sites-moved": (
        [made(None, SITES, ChannelSites(sites=(replace(DOME, height=1_800), DISH)))],
        [has(1, "CBC")],
    ),
    "criteria-set-changed": (
        [made(None, NTT, STRICTER, BOB), made(None, STRICTER, SHORTER, minutes=1)],
        [has(1, "CBC"), replace(has(3, "CBC"), criteria=Criteria(criteria_sets=("ntt-kilonova",)))],
    ),
    "criteria-set-added-and-another-removed": (
        [made(None, None, NTT, BY_IMPORT), made(None, replace(NTT, slug="other"), None)],
        [has(1, "CBC")],
    ),
    "unreadable-criteria": (
        [made(1, SubscriptionState(canonical="wibble *x*", is_paused=False, criteria=None), None)],
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_subscription_change_names_number_and_person(case: str, check: Check, golden: Golden) -> None:
    changes, here = CASES[case]
    told = check(subscription_change.subscription_change(changes, here))
    golden(f"change-{case}", told)
    said = message_text.render(told)
    for one in changes:
        if one.number is not None:
            assert f"subscription {one.number}" in said
        if one.criteria_set is not None:
            assert f"criteria set {one.criteria_set}" in said
        for state in (one.before, one.after):
            if isinstance(state, SubscriptionState) and state.criteria is not None and one.changed_by != BOB:
                assert BOB not in told.text or any(o.changed_by == BOB for o in changes), "woken"
        if one.changed_by not in (BY_IMPORT, BY_GWEVENT):
            assert f"@{one.changed_by}" in said, "who did it"
    if not here or all(s.paused_at is not None for s in here):
        assert "This channel gets no alerts" in said
    if case not in ("back-and-forth",):
        assert "/gwevent " in said.split("Who changed what")[0], "how to bring it back"


def test_restore_commands_restore_previous_state() -> None:
    said = str(subscription_change.subscription_change([made(2, FILTERED, None)], []).blocks)
    command = "/gwevent subscribe CBC BNS&gt;0.5 distance&lt;300 mock notify @here &lt;@U0OTHER&gt; if NS"
    assert f"`{command}`" in said
    assert "<!here>" not in said and f"<@{BOB}>" not in said, "it wakes nobody whom the words name"
    sites = str(
        subscription_change.subscription_change(
            [made(None, ChannelSites(sites=(DOME, DISH)), ChannelSites())], []
        ).blocks
    )
    assert "`/gwevent sites add MyDome 34.2 -116.9 1700 America/Los_Angeles`" in sites
    assert "`/gwevent sites add Dish 7 -30.25 20.000001 0 radio`" in sites


def test_overlong_criteria_are_offered_in_the_dialog(check: Check) -> None:
    long = SubscriptionState(canonical="distance " * 120, is_paused=False, criteria=None)
    many = [made(n, long, None) for n in range(1, 40)]
    said = str(check(subscription_change.subscription_change(many, [])).blocks)
    assert "/gwevent dialog" in said and "more: `/gwevent subscriptions history`" in said


def test_however_long_the_words_are_the_command_is_there(check: Check) -> None:
    sites = " or ".join(f'visible from "Observatory number {n:02}">0.25' for n in range(20))
    long = state(f"CBC ({sites})")
    assert 900 < len(long.canonical) < 960
    said = str(
        check(subscription_change.subscription_change([made(1, CBC, long), made(2, long, None)], [])).blocks
    )
    assert "`/gwevent edit 1 CBC`" in said
    assert 'Observatory number 19"&gt;0.25)`' in said, "to its end"


def test_a_changed_criteria_set_says_each_grade_and_who_uses_it(check: Check) -> None:
    changes, here = CASES["criteria-set-changed"]
    said = message_text.render(check(subscription_change.subscription_change(changes, here)))
    assert "subscription 3 of this channel" in said
    assert "Gold: NS distance<150 area90<50 → NS distance<120" in said
    assert "Follow up removed: NS" in said and "Bronze added: NS distance<600" in said
    assert "from the best down: Gold, Silver, Bronze" in said
    assert "Silver:" not in said.split("To restore")[0], "it didn't change"
    assert f"@{BOB} changed it too" in said
    assert f"/gwevent criteria edit ntt-kilonova {NTT.canonical}" in said


def test_a_criteria_set_that_was_changed_back_says_so(check: Check) -> None:
    changes = [made(None, NTT, STRICTER), made(None, STRICTER, NTT)]
    assert "changed it back" in message_text.render(
        check(subscription_change.subscription_change(changes, []))
    )


def test_a_reordered_criteria_set_says_the_order(check: Check) -> None:
    turned = replace(NTT, grades=(NTT.grades[1], NTT.grades[0], NTT.grades[2]))
    said = message_text.render(check(subscription_change.subscription_change([made(None, NTT, turned)], [])))
    assert "from the best down: Silver, Gold, Follow up" in said


def test_sites_and_criteria_sets_are_told_apart_in_one_post(check: Check) -> None:
    changes = [made(None, NTT, STRICTER), made(None, ChannelSites(), SITES)]
    said = message_text.render(check(subscription_change.subscription_change(changes, [])))
    assert "MyDome added" in said and "Gold: NS distance<150" in said


def test_the_largest_criteria_set_fits(check: Check) -> None:
    names = [f"Grade {chr(ord('A') + n)} " + "x" * 10 for n in range(20)]
    large = CriteriaSetState(slug="x" * 30, grades=tuple((name, "distance<150&" * 10) for name in names))
    other = replace(large, grades=tuple((name, "distance<250&" * 10) for name in names[::-1]))
    changes = [made(None, large, other), made(None, replace(large, slug="y"), replace(other, slug="y"))]
    said = message_text.render(check(subscription_change.subscription_change(changes, [])))
    assert "use its form" in said and "more: /gwevent subscriptions history" in said
    check(subscription_history.subscription_history([*changes] * 5, 1, 10))


def test_history(check: Check, golden: Golden) -> None:
    every = [one for changes, _ in CASES.values() for one in changes]
    golden(
        "change-history",
        check(subscription_history.subscription_history(every[: channel_change.PAGE_SIZE], 1, len(every))),
    )
    golden("change-history-none", check(subscription_history.subscription_history([], 1, 0)))
    assert "no page 9" in message_text.render(subscription_history.subscription_history([], 9, len(every)))
    for one in every:
        assert "\n" not in subscription_history.change_line(one)
