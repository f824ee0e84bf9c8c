"""Links of GCN Circulars in threads."""

from __future__ import annotations

from datetime import timedelta

from bot.routing.circulars import plan_circular
from bot.routing.intents import DeferToSkyMap, LinkCircular, OpenRoot
from bot.routing.planner import plan
from bot.routing.state import RootState, RoutingState, StoredCircular, Thread
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from tests.support.factories import MAX_AGE, NOW, TEAM, decoded_notice, subscription

FIRST, SECOND = StoredCircular(1, 40_001), StoredCircular(2, 40_002)


def thread(channel: str, root: RootState = RootState.POSTED) -> Thread:
    return Thread(id=10, team_id=TEAM, channel_id=channel, subscription_id=1, root=root)


def test_a_circular_is_linked_where_a_root_lives_and_circulars_are_wanted() -> None:
    threads = [thread("C1"), thread("C2"), thread("C3", RootState.DEAD), thread("C4", RootState.WAITING)]
    wanting = [subscription("CBC circulars", channel) for channel in ("C1", "C3", "C4", "C5")]
    assert plan_circular(FIRST, threads, [*wanting, subscription("CBC", "C2")]) == [
        LinkCircular(TEAM, "C1", 1, 40_001),
        LinkCircular(TEAM, "C4", 1, 40_001),
    ]


def planned(notice: Notice, *words: str, later: timedelta = timedelta(minutes=5)) -> list[object]:
    state = RoutingState(
        superevent=Superevent.from_notices([notice]),
        notice=notice,
        subscriptions=[subscription(w, f"C{n}", n) for n, w in enumerate(words, start=1)],
        earlier_circulars=[FIRST, SECOND],
    )
    intents = plan(state, live=True, now=NOW + later, max_age=MAX_AGE)
    return [i for i in intents if not isinstance(i, OpenRoot | DeferToSkyMap)]


def test_a_new_thread_links_earlier_circulars_where_they_are_wanted() -> None:
    assert planned(decoded_notice(), "CBC circulars", "CBC", "Burst circulars") == [
        LinkCircular(TEAM, "C1", 1, 40_001, is_earlier=True),
        LinkCircular(TEAM, "C1", 2, 40_002, is_earlier=True),
    ]


def test_old_news_and_deferred_roots_link_nothing_yet() -> None:
    assert planned(decoded_notice(), "CBC circulars", later=MAX_AGE + timedelta(minutes=1)) == []
    assert planned(decoded_notice(alert_type="RETRACTION"), "all circulars") == []
