"""Follow-up replies: who gets one, who gets an edit, and who hears of a retraction by circular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.routing.intents import (
    AnnounceRetractionCircular,
    CancelRoot,
    DeferToSkyMap,
    EditRoot,
    Intent,
    OpenRoot,
    Reply,
    UpdateFollowUp,
)
from bot.routing.planner import plan, plan_after_map_queries
from bot.routing.related_messages import MessageState, plan_message
from bot.routing.state import EarlierMessages, RootState, RoutingState, Thread
from formatters.models.filter import map_queries
from formatters.models.notice import Notice
from formatters.models.related_message import CANDIDATE_STREAMS, THREAD_STREAMS, RelatedMessage, Stream
from formatters.models.superevent import Superevent
from tests.support.factories import MAX_AGE, NOW, TEAM, decoded_notice, subscription
from tests.support.filter_strategies import SKY
from tests.support.related_messages import related_message

CIRCULARS = frozenset({Stream.CIRCULARS})


def thread(number: int, root: RootState = RootState.POSTED) -> Thread:
    return Thread(id=number, team_id=TEAM, channel_id=f"C{number}", subscription_id=number, root=root)


def message_plan(
    message: RelatedMessage, threads: Sequence[Thread], *words: str, **known: bool
) -> list[Intent]:
    """Plan a message where the words are the subscriptions of C1, C2 …"""
    state = MessageState(
        message=message,
        message_id=7,
        threads=threads,
        subscriptions=[subscription(w, f"C{n}", n) for n, w in enumerate(words, start=1)],
        **({"is_event_retracted": False} | known),
    )
    return plan_message(state)


def test_a_message_is_told_where_a_root_lives_and_its_stream_is_wanted() -> None:
    threads = [thread(1), thread(2), thread(3, RootState.DEAD), thread(4, RootState.WAITING), thread(5)]
    words = ("CBC circulars", "CBC", "CBC circulars", "CBC circulars", "CBC streams icecube")
    assert message_plan(related_message(), threads, *words) == [
        UpdateFollowUp(TEAM, "C1"),
        UpdateFollowUp(TEAM, "C4"),
    ]


@pytest.mark.parametrize("stream", THREAD_STREAMS)
def test_each_stream_goes_to_those_who_chose_it(stream: Stream) -> None:
    others = " ".join(other for other in THREAD_STREAMS if other is not stream)
    planned = message_plan(
        related_message(stream=stream),
        [thread(1), thread(2)],
        f"all streams {stream}",
        f"all streams {others}",
    )
    assert planned == [UpdateFollowUp(TEAM, "C1")]


@pytest.mark.parametrize("stream", CANDIDATE_STREAMS)
def test_candidates_change_replies_that_stand_and_make_none(stream: Stream) -> None:
    threads = [thread(1), thread(2, RootState.DEAD)]
    assert message_plan(related_message(stream=stream), threads, "all circulars", "all") == [
        UpdateFollowUp(TEAM, "C1", only_existing=True, can_wait=True)
    ]


def test_a_retraction_by_circular_is_announced_unless_it_is_known() -> None:
    gone, threads = related_message(retracts_event=True), [thread(1), thread(2)]
    words = ("all circulars", "all")
    assert message_plan(gone, threads, *words) == [
        UpdateFollowUp(TEAM, "C1"),
        AnnounceRetractionCircular(1, 7),
    ]
    for known in ("is_event_retracted", "had_retracted"):
        assert message_plan(gone, threads, *words, **{known: True}) == [UpdateFollowUp(TEAM, "C1")]


def notice_plan(
    notice: Notice,
    *words: str,
    threads: Sequence[Thread] = (),
    earlier: EarlierMessages = EarlierMessages(streams=CIRCULARS),  # noqa: B008  frozen
    later: timedelta = timedelta(minutes=5),
    live: bool = True,
) -> list[Intent]:
    """Plan a notice; return what isn't the roots' and replies' own."""
    state = RoutingState(
        superevent=Superevent.from_notices([notice]),
        notice=notice,
        threads=threads,
        subscriptions=[subscription(w, f"C{n}", n) for n, w in enumerate(words, start=1)],
        earlier_messages=earlier,
    )
    intents = plan(state, live=live, now=NOW + later, max_age=MAX_AGE)
    return [i for i in intents if not isinstance(i, OpenRoot | DeferToSkyMap | EditRoot | Reply)]


def test_a_new_thread_gets_what_came_before_where_it_is_wanted() -> None:
    assert notice_plan(
        decoded_notice(), "CBC circulars", "CBC", "Burst circulars", "all streams icecube"
    ) == [UpdateFollowUp(TEAM, "C1", is_earlier=True)]


def test_a_new_thread_of_an_event_that_a_circular_retracts_says_so_at_once() -> None:
    earlier = EarlierMessages(streams=CIRCULARS, retract_event=True)
    assert notice_plan(decoded_notice(), "CBC circulars", earlier=earlier) == [UpdateFollowUp(TEAM, "C1")]


def test_old_news_archives_and_retracted_events_make_no_reply() -> None:
    assert notice_plan(decoded_notice(), "CBC circulars", later=MAX_AGE + timedelta(minutes=1)) == []
    assert notice_plan(decoded_notice(), "CBC circulars", live=False) == []
    assert notice_plan(decoded_notice(alert_type="RETRACTION"), "all circulars") == []


def test_a_retraction_edits_the_replies_that_stand_however_late_it_comes() -> None:
    earlier = EarlierMessages(streams=CIRCULARS, with_reply=frozenset({1, 3}))
    threads = [thread(1), thread(3, RootState.DEAD), thread(4, RootState.WAITING)]
    for late in (timedelta(minutes=5), MAX_AGE + timedelta(minutes=5)):
        planned = notice_plan(
            decoded_notice(alert_type="RETRACTION"),
            "all circulars",
            threads=threads,
            earlier=earlier,
            later=late,
        )
        assert planned == [CancelRoot(4), UpdateFollowUp(TEAM, "C1", only_existing=True)]


def test_a_new_map_edits_the_replies_that_stand_and_a_notice_without_one_none() -> None:
    earlier = EarlierMessages(streams=CIRCULARS, with_reply=frozenset({1}))
    threads, words = [thread(1), thread(2)], ("all circulars", "all")
    assert notice_plan(decoded_notice(), *words, threads=threads, earlier=earlier) == []
    with_map = replace(decoded_notice(), localization=SKY)
    assert notice_plan(with_map, *words, threads=threads, earlier=earlier) == [
        UpdateFollowUp(TEAM, "C1", only_existing=True)
    ]


def test_a_stream_that_was_chosen_after_the_thread_opened_comes_with_the_next_news() -> None:
    threads, words = [thread(1), thread(2)], ("all circulars", "all")
    assert notice_plan(decoded_notice(), *words, threads=threads) == [
        UpdateFollowUp(TEAM, "C1", is_earlier=True)
    ]
    old = MAX_AGE + timedelta(minutes=1)
    assert notice_plan(decoded_notice(), *words, threads=threads, later=old) == []


def test_a_thread_that_only_the_sky_map_opens_gets_what_came_before() -> None:
    notice = replace(decoded_notice(), localization=SKY)
    asked = subscription("CBC near 197.45 -23.38 5deg circulars")
    state = RoutingState(
        superevent=Superevent.from_notices([notice]),
        notice=notice,
        subscriptions=[asked],
        earlier_messages=EarlierMessages(streams=CIRCULARS),
    )
    first = plan(state, live=True, now=NOW, max_age=MAX_AGE)
    assert not [i for i in first if isinstance(i, UpdateFollowUp)]
    answers = dict.fromkeys(map_queries(asked.criteria.filter), 0.99)
    later = plan_after_map_queries(state, probabilities=answers, now=NOW, max_age=MAX_AGE)
    assert later == [OpenRoot(TEAM, "C1", 1), UpdateFollowUp(TEAM, "C1", is_earlier=True)]
