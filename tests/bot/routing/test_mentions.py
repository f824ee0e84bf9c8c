"""Mentions: their targets, and that each is made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.routing.intents import Intent, Mention, MentionReason, OpenRoot
from bot.routing.planner import plan
from bot.routing.state import RootState, RoutingState, Thread
from formatters.models.notice import ExternalCoincidence, Notice
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent
from tests.support.factories import MAX_AGE, MOCK, NOW, TEAM, decoded_notice, subscription

HERE = ("<!here>",)
BBH: dict[str, Any] = {"classification": {"BBH": 0.99, "Terrestrial": 0.01}, "properties": {}}
BURST = ExternalCoincidence(
    observatory="Swift",
    search="SubGRBTargeted",
    gcn_notice_id=None,
    ivorn=None,
    time_difference=0.25,
    time_coincidence_far=None,
    time_sky_position_coincidence_far=None,
)
UNREADABLE: dict[str, Any] = {"external_coinc": "Swift, 0.25 s after"}
RETRACTED = decoded_notice(alert_type="RETRACTION", minutes=5)


def thread(
    root: RootState = RootState.POSTED, mentioned: tuple[str, ...] = (), told: tuple[str, ...] | None = None
) -> Thread:
    return Thread(
        id=10,
        team_id=TEAM,
        channel_id="C1",
        subscription_id=1,
        root=root,
        mentioned=frozenset(mentioned),
        notified=frozenset(mentioned if told is None else told),
    )


def planned(
    notices: Sequence[Notice],
    threads: Sequence[Thread],
    *words: str,
    later: timedelta = timedelta(minutes=6),
    live: bool = True,
) -> list[Intent]:
    subscriptions: list[Subscription] = [subscription(w, number=n) for n, w in enumerate(words, start=1)]
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


def mentions(intents: Sequence[Intent]) -> list[Mention]:
    return [i for i in intents if isinstance(i, Mention)]


def news(*targets: str) -> list[Mention]:
    return [Mention(10, targets, MentionReason.UPGRADE)]


def test_first_mention_is_part_of_the_root() -> None:
    assert planned([decoded_notice()], [], "CBC notify @here") == [OpenRoot(TEAM, "C1", 1, HERE)]
    assert planned([decoded_notice(**BBH)], [], "CBC notify @here if NS") == [OpenRoot(TEAM, "C1", 1)]
    two = planned(
        [decoded_notice()], [], "CBC", "all notify <@U1> @here", "Burst notify @channel", "CBC notify @here"
    )
    assert two == [OpenRoot(TEAM, "C1", 1, ("<@U1>", "<!here>"))], "one root mentions each once"


def test_second_notice_mentions_nobody_again() -> None:
    both = [decoded_notice(), decoded_notice(minutes=5)]
    assert mentions(planned(both, [thread(mentioned=HERE)], "CBC notify @here if NS")) == []


def test_new_targets_join_the_mention_of_a_waiting_root() -> None:
    became = [decoded_notice(**BBH), decoded_notice(minutes=5)]
    waits = thread(RootState.WAITING)
    assert mentions(planned(became, [waits], "CBC notify @here if NS")) == [
        Mention(10, HERE, MentionReason.NEW_EVENT)
    ]
    waits = thread(RootState.WAITING, mentioned=HERE, told=())
    assert mentions(planned(became, [waits], "CBC notify @here if NS")) == []


@pytest.mark.parametrize("root", [RootState.POSTED, RootState.ATTEMPTED])
def test_a_condition_that_comes_true_later_is_a_message_of_its_own(root: RootState) -> None:
    became = [decoded_notice(**BBH), decoded_notice(minutes=5)]
    assert mentions(planned(became, [thread(root)], "CBC notify @here if NS")) == news("<!here>")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (decoded_notice(significant=False), decoded_notice(minutes=5)),
        (decoded_notice(), replace(decoded_notice(minutes=5), external=BURST)),
        (
            replace(decoded_notice(), external=BURST),
            replace(decoded_notice(minutes=5), external=replace(BURST, observatory="Fermi")),
        ),
        (decoded_notice(), replace(decoded_notice(minutes=5), published=UNREADABLE)),
        (RETRACTED, decoded_notice(alert_type="UPDATE", minutes=6)),
    ],
)
def test_each_upgrade_mentions_again(before: Notice, after: Notice) -> None:
    story = [decoded_notice(minutes=-1), before, after] if before.is_retraction else [before, after]
    found = planned(story, [thread(mentioned=HERE)], "all lowsig notify @here")
    assert mentions(found) == news("<!here>")


def test_the_condition_turning_true_again_mentions_again() -> None:
    story = [decoded_notice(), decoded_notice(minutes=3, **BBH), decoded_notice(minutes=5)]
    assert mentions(planned(story, [thread(mentioned=HERE)], "CBC notify @here if NS")) == news("<!here>")


@pytest.mark.parametrize("alone", [UNREADABLE, {"external_coinc": 7}])
def test_an_unreadable_coincidence_mentions_like_a_readable_one(alone: dict[str, object]) -> None:
    unread = replace(decoded_notice(minutes=5, **BBH), published=alone)
    story = [decoded_notice(**BBH), unread]
    assert mentions(planned(story, [thread()], "CBC notify @here if NS")) == news("<!here>")
    # Named before, in whatever form, it is no news.
    story = [unread, replace(decoded_notice(minutes=6), published=alone)]
    assert mentions(planned(story, [thread(mentioned=HERE)], "CBC notify @here")) == []


def test_a_coincidence_named_again_after_a_notice_without_is_not_new() -> None:
    story = [
        replace(decoded_notice(), external=BURST),
        decoded_notice(minutes=3),
        replace(decoded_notice(minutes=5), external=BURST),
    ]
    assert mentions(planned(story, [thread(mentioned=HERE)], "CBC notify @here")) == []


def test_a_late_notice_upgrades_nothing() -> None:
    story = [decoded_notice(minutes=5), decoded_notice(significant=False)]
    assert mentions(planned(story, [thread(mentioned=HERE)], "all lowsig notify @here")) == []


def test_a_retraction_mentions_only_those_notified_before() -> None:
    words = "CBC notify @here <@U1>"
    found = planned([decoded_notice(), RETRACTED], [thread(mentioned=HERE)], words)
    assert mentions(found) == [Mention(10, HERE, MentionReason.RETRACTION)]
    assert mentions(planned([decoded_notice(), RETRACTED], [thread()], words)) == []
    waits = thread(mentioned=HERE, told=())
    assert mentions(planned([decoded_notice(), RETRACTED], [waits], words)) == [], (
        "it will be dropped instead"
    )
    again = [decoded_notice(), RETRACTED, decoded_notice(alert_type="RETRACTION", minutes=6)]
    assert mentions(planned(again, [thread(mentioned=HERE)], words)) == [], "once"
    assert mentions(planned([decoded_notice(), RETRACTED], [thread(RootState.WAITING)], words)) == []


def test_unsubscribed_target_is_not_mentioned_again() -> None:
    story = [decoded_notice(significant=False), decoded_notice(minutes=4)]
    there = thread(mentioned=HERE)
    assert mentions(planned(story, [there], "CBC")) == []
    assert mentions(planned([*story, RETRACTED], [there], "CBC", "CBC notify @channel")) == []


def test_old_news_and_archives_mention_nobody() -> None:
    later = MAX_AGE + timedelta(minutes=6)
    for story in ([decoded_notice(**BBH), decoded_notice(minutes=5)], [decoded_notice(), RETRACTED]):
        threads = [thread(mentioned=HERE if story[-1].is_retraction else ())]
        assert mentions(planned(story, threads, "CBC notify @here if NS", later=later)) == []
        assert planned(story, threads, "CBC notify @here if NS", live=False) == []
        assert mentions(planned(story, threads, "CBC notify @here if NS"))


def test_mocks_mention_only_by_a_word_of_their_own() -> None:
    assert planned([decoded_notice(MOCK)], [], "CBC mock notify @here") == [OpenRoot(TEAM, "C1", 1)]
    asked = planned([decoded_notice(MOCK)], [], "CBC mock notify @here notify-mocks")
    assert asked == [OpenRoot(TEAM, "C1", 1, HERE)]
