"""Routing of notices: roots, replies, edits, and reports of unreadable ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import category_allowed, parse_filter
from bot.routing.intents import (
    AlertOperators,
    CancelRoot,
    EditRoot,
    Intent,
    Mention,
    OpenRoot,
    OperatorAlert,
    Reply,
    ReportUnreadableNotice,
)
from bot.routing.planner import plan, plan_unreadable_payload, required_map_queries, shows_new_map
from bot.routing.state import RootState, RoutingState, Thread
from formatters.models.filter import map_queries
from formatters.models.notice import Category, Notice, category_from_id
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent
from tests.support.factories import MAX_AGE, MOCK, NOW, REAL, TEAM, TEST, decoded_notice, subscription
from tests.support.filter_strategies import SKY

RETRACTED = decoded_notice(alert_type="RETRACTION", minutes=5)


def thread(root: RootState = RootState.POSTED, channel: str = "C1", number: int = 10, by: int = 1) -> Thread:
    return Thread(id=number, team_id=TEAM, channel_id=channel, subscription_id=by, root=root)


def planned(
    notices: list[Notice],
    threads: list[Thread],
    subscriptions: list[Subscription],
    *,
    live: bool = True,
    later: timedelta = timedelta(minutes=6),
) -> list[Intent]:
    """The plan for the last of the notices."""
    return plan(
        RoutingState(
            superevent=Superevent.from_notices(notices),
            notice=notices[-1],
            threads=threads,
            subscriptions=subscriptions,
        ),
        live=live,
        now=NOW + later,
        max_age=MAX_AGE,
    )


ROOT = [OpenRoot(TEAM, "C1", 1)]
NOTHING: list[Intent] = []


@pytest.mark.parametrize(
    ("notice", "words", "expected"),
    [
        (decoded_notice(), "CBC", ROOT),
        (decoded_notice(), "all", ROOT),
        (decoded_notice(), "Burst", NOTHING),
        (decoded_notice(significant=False), "CBC", NOTHING),
        (decoded_notice(significant=False), "CBC lowsig", ROOT),
        (decoded_notice(group="Burst"), "Burst", ROOT),
        (decoded_notice(group="Burst"), "CBC", NOTHING),
        (decoded_notice(group="Unheard"), "all", ROOT),
        (decoded_notice(group="Unheard"), "CBC", NOTHING),
        (decoded_notice(search="EarlyWarning", alert_type="EARLYWARNING"), "CBC", ROOT),
        (decoded_notice(search="SSM", classification={}), "CBC", ROOT),
        (decoded_notice(pipeline="CWB", search="BBH"), "CBC", ROOT),
        (decoded_notice(MOCK), "CBC", NOTHING),
        (decoded_notice(MOCK), "CBC mock", ROOT),
        (decoded_notice(MOCK), "CBC test lowsig", NOTHING),
        (decoded_notice(MOCK, significant=False), "CBC mock", NOTHING),
        (decoded_notice(TEST), "all mock", NOTHING),
        (decoded_notice(TEST), "all test", ROOT),
        (decoded_notice(alert_type="RETRACTION"), "all mock test lowsig", NOTHING),
    ],
)
def test_a_first_notice_opens_a_root_where_it_was_asked_for(
    notice: Notice, words: str, expected: list[Intent]
) -> None:
    assert planned([notice], [], [subscription(words)]) == expected


def test_a_channel_with_a_root_keeps_getting_its_notices() -> None:
    both = [decoded_notice(), decoded_notice(minutes=5)]
    assert planned(both, [thread()], [subscription("CBC")]) == [EditRoot(10), Reply(10)]


def test_a_channel_with_a_root_keeps_getting_notices_that_no_longer_match() -> None:
    faded = [decoded_notice(), decoded_notice(minutes=5, significant=False)]
    assert planned(faded, [thread()], [subscription("CBC")]) == [EditRoot(10), Reply(10)]


def test_retraction_is_planned_only_for_channels_with_a_thread() -> None:
    subscriptions = [subscription("CBC"), subscription("CBC", "C2", 2)]
    assert planned([decoded_notice(), RETRACTED], [thread()], subscriptions) == [EditRoot(10), Reply(10)]


def test_a_waiting_root_needs_no_edit() -> None:
    both = [decoded_notice(), decoded_notice(minutes=5)]
    assert planned(both, [thread(RootState.WAITING)], [subscription("CBC")]) == [Reply(10)]


def test_a_retraction_cancels_a_root_that_waits() -> None:
    assert planned([decoded_notice(), RETRACTED], [thread(RootState.WAITING)], [subscription("CBC")]) == [
        CancelRoot(10)
    ]


def test_an_attempted_root_is_not_cancelled() -> None:
    assert planned([decoded_notice(), RETRACTED], [thread(RootState.ATTEMPTED)], [subscription("CBC")]) == [
        EditRoot(10),
        Reply(10),
    ]


def test_an_event_that_comes_back_after_its_retraction_is_news() -> None:
    story = [decoded_notice(), RETRACTED, decoded_notice(alert_type="UPDATE", minutes=6)]
    assert planned(story, [thread()], [subscription("CBC")]) == [EditRoot(10), Reply(10)]
    assert planned(story, [thread(RootState.DEAD)], [subscription("CBC")]) == ROOT
    assert planned(story, [], [subscription("CBC")]) == ROOT


def test_a_late_notice_from_before_the_retraction_opens_nothing() -> None:
    story = [decoded_notice(), RETRACTED, decoded_notice(alert_type="INITIAL", minutes=4)]
    assert planned(story, [], [subscription("CBC")]) == NOTHING
    assert planned(story, [thread(RootState.WAITING)], [subscription("CBC")]) == [CancelRoot(10)]


def test_old_notice_only_edits_existing_roots() -> None:
    both = [decoded_notice(), decoded_notice(minutes=5)]
    later = MAX_AGE + timedelta(minutes=6)
    assert planned(both, [thread()], [subscription("CBC")], later=later) == [EditRoot(10)]
    assert planned(both, [], [subscription("CBC")], later=later) == NOTHING
    assert planned(both, [thread(RootState.WAITING)], [subscription("CBC")], later=later) == NOTHING
    cancelled = planned(
        [decoded_notice(), RETRACTED], [thread(RootState.WAITING)], [subscription("CBC")], later=later
    )
    assert cancelled == [CancelRoot(10)]


def test_exactly_the_age_that_is_set_is_no_old_news() -> None:
    assert planned([decoded_notice()], [], [subscription("CBC")], later=MAX_AGE) == ROOT


def test_an_archive_causes_nothing() -> None:
    assert planned([decoded_notice(), RETRACTED], [thread()], [subscription("CBC")], live=False) == NOTHING


def test_after_unsubscribe_the_root_stays_true_and_replies_stop() -> None:
    both = [decoded_notice(), decoded_notice(minutes=5)]
    assert planned(both, [thread()], []) == [EditRoot(10)]
    assert planned(both, [thread()], [subscription("Burst", number=2)]) == [EditRoot(10)]


def test_new_subscription_resumes_replies_in_an_old_thread() -> None:
    both = [decoded_notice(), decoded_notice(minutes=5)]
    assert planned(both, [thread()], [subscription("all", number=2)]) == [EditRoot(10), Reply(10)]


def test_two_subscriptions_of_a_channel_make_one_root() -> None:
    both = [subscription("CBC"), subscription("all mock", number=2)]
    assert planned([decoded_notice()], [], both) == ROOT


def test_the_same_channel_id_in_two_workspaces_is_two_channels() -> None:
    both = [subscription("CBC"), subscription("CBC", number=2, team="T2")]
    assert planned([decoded_notice()], [], both) == [OpenRoot(TEAM, "C1", 1), OpenRoot("T2", "C1", 2)]


channels = st.sampled_from(["C1", "C2", "C3"])
words = st.builds(
    lambda group, switches: " ".join([group, *sorted(switches)]),
    st.sampled_from(["CBC", "Burst", "all"]),
    st.sets(st.sampled_from(["mock", "test", "lowsig"])),
)
subscribed = st.lists(st.tuples(words, channels), max_size=6).map(
    lambda asked: [subscription(text, channel, number + 1) for number, (text, channel) in enumerate(asked)]
)
opened = st.dictionaries(channels, st.tuples(st.sampled_from(RootState), st.integers(1, 8))).map(
    lambda known: [
        thread(root, channel, 10 + number, by) for number, (channel, (root, by)) in enumerate(known.items())
    ]
)
histories = st.builds(
    lambda superevent_id, stages: [
        decoded_notice(superevent_id, stage, minutes=minute, significant=significant, group=group)
        if stage != "RETRACTION"
        else decoded_notice(superevent_id, stage, minutes=minute)
        for minute, (stage, significant, group) in enumerate(stages)
    ],
    st.sampled_from([REAL, MOCK, TEST]),
    st.lists(
        st.tuples(
            st.sampled_from(["EARLYWARNING", "PRELIMINARY", "UPDATE", "RETRACTION"]),
            st.booleans(),
            st.sampled_from(["CBC", "Burst", "Unheard"]),
        ),
        min_size=1,
        max_size=4,
    ),
)
ages = st.sampled_from([timedelta(minutes=6), timedelta(hours=30)])


@given(histories, st.integers(0, 3), opened, subscribed, st.booleans(), ages)
def test_plan_invariants(
    history: list[Notice],
    newest: int,
    threads: list[Thread],
    subscriptions: list[Subscription],
    live: bool,
    later: timedelta,
) -> None:
    notice = history[newest % len(history)]
    ordered = [*(n for n in history if n is not notice), notice]
    intents = planned(ordered, threads, subscriptions, live=live, later=later)

    roots = Counter((i.team_id, i.channel_id) for i in intents if isinstance(i, OpenRoot))
    assert all(count == 1 for count in roots.values())
    alive = {(t.team_id, t.channel_id) for t in threads if t.root is not RootState.DEAD}
    assert not roots.keys() & alive, "never a second root"
    asked = {(s.team_id, s.channel_id): s for s in subscriptions}
    assert roots.keys() <= asked.keys(), "nothing for a channel without subscription or thread"
    category = category_from_id(notice.superevent_id)
    for place in roots:
        mine = [s for s in subscriptions if (s.team_id, s.channel_id) == place]
        assert any(category_allowed(s.criteria, category) for s in mine), "mocks never to who didn't ask"
    of_threads = [i.thread_id for i in intents if isinstance(i, EditRoot | Reply | CancelRoot | Mention)]
    assert set(of_threads) <= {t.id for t in threads if t.root is not RootState.DEAD}
    for kind in (EditRoot, Reply, CancelRoot):
        hit = Counter(i.thread_id for i in intents if isinstance(i, kind))
        assert all(count == 1 for count in hit.values())
    if not live:
        assert intents == []
    if later > MAX_AGE:
        assert not roots and not any(isinstance(i, Reply) for i in intents)
    if Superevent.from_notices(history).is_retracted:
        assert not roots
    for cancelled in (i.thread_id for i in intents if isinstance(i, CancelRoot)):
        assert of_threads.count(cancelled) == 1, "what is cancelled gets nothing else"


def test_channels_for_an_unreadable_notice() -> None:
    threads = [thread(), thread(RootState.DEAD, "C2", 11), thread(channel="C5", number=12)]
    asked = [
        subscription("Burst", "C1"),
        subscription("Burst", "C2", 2),
        subscription("CBC mock", "C3", 3),
        subscription("all", "C4", 4),
    ]
    assert plan_unreadable_payload(Category.REAL, threads, asked, None) == [
        ReportUnreadableNotice(TEAM, "C1", 10),
        ReportUnreadableNotice(TEAM, "C2", None),
        ReportUnreadableNotice(TEAM, "C3", None),
        ReportUnreadableNotice(TEAM, "C4", None),
        ReportUnreadableNotice(TEAM, "C5", 12),
    ]
    assert plan_unreadable_payload(Category.MOCK, [], asked, None) == [
        ReportUnreadableNotice(TEAM, "C3", None)
    ]
    assert plan_unreadable_payload(Category.TEST, [], asked, None) == []
    assert plan_unreadable_payload(None, threads, asked, (TEAM, "C0OPS")) == [
        AlertOperators(TEAM, "C0OPS", OperatorAlert.UNREADABLE_PAYLOAD)
    ]


def test_only_the_map_of_the_newest_notice_is_shown() -> None:
    first, late = decoded_notice(minutes=5), decoded_notice(minutes=1)
    mapless = replace(decoded_notice(minutes=9), localization=None, external=None)

    def shown(*notices: Notice) -> bool:
        state = RoutingState(superevent=Superevent.from_notices(notices), notice=notices[-1])
        return shows_new_map(state)

    with_map = replace(first, localization=SKY)
    assert shown(with_map)
    assert not shown(mapless)
    assert not shown(with_map, replace(late, localization=SKY))
    assert not shown(with_map, RETRACTED)


def test_the_queries_of_a_map_are_those_of_undecided_filters_and_mentions() -> None:
    superevent = Superevent.from_notices([replace(decoded_notice(), localization=SKY)])
    near = parse_filter("near 10 10 5deg")
    assert required_map_queries(superevent, [subscription("CBC"), subscription("Burst near 1 1 1deg")]) == (
        frozenset()
    )
    for words in ("CBC near 10 10 5deg", "CBC notify @here if near 10 10 5deg"):
        assert required_map_queries(superevent, [subscription(words)]) == map_queries(near)
