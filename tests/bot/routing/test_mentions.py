"""Who is mentioned, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.routing.intents import Intent, Mention, MentionReason, OpenRoot, RootState, Thread
from bot.routing.planner import plan
from formatters.models.notice import ExternalCoincidence, Notice
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent
from tests.support.factories import MAX_AGE, MOCK, NOW, TEAM, made, subscription

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
RETRACTED = made(alert_type="RETRACTION", minutes=5)


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
        Superevent.from_notices(notices),
        notices[-1],
        threads,
        subscriptions,
        live=live,
        now=NOW + later,
        max_age=MAX_AGE,
    )


def mentions(intents: Sequence[Intent]) -> list[Mention]:
    return [i for i in intents if isinstance(i, Mention)]


def news(*targets: str) -> list[Mention]:
    return [Mention(10, targets, MentionReason.UPGRADE)]


def test_the_first_mention_stands_in_the_root() -> None:
    assert planned([made()], [], "CBC notify @here") == [OpenRoot(TEAM, "C1", 1, HERE)]
    assert planned([made(**BBH)], [], "CBC notify @here if NS") == [OpenRoot(TEAM, "C1", 1)]
    two = planned([made()], [], "CBC", "all notify <@U1> @here", "Burst notify @channel", "CBC notify @here")
    assert two == [OpenRoot(TEAM, "C1", 1, ("<@U1>", "<!here>"))], "one root mentions each once"


def test_a_further_notice_mentions_nobody_again() -> None:
    both = [made(), made(minutes=5)]
    assert mentions(planned(both, [thread(mentioned=HERE)], "CBC notify @here if NS")) == []


def test_a_root_that_waits_still_takes_in_who_is_new() -> None:
    became = [made(**BBH), made(minutes=5)]
    waits = thread(RootState.WAITING)
    assert mentions(planned(became, [waits], "CBC notify @here if NS")) == [
        Mention(10, HERE, MentionReason.NEW_EVENT)
    ]
    waits = thread(RootState.WAITING, mentioned=HERE, told=())
    assert mentions(planned(became, [waits], "CBC notify @here if NS")) == []


@pytest.mark.parametrize("root", [RootState.POSTED, RootState.ATTEMPTED])
def test_a_condition_that_comes_true_later_is_a_message_of_its_own(root: RootState) -> None:
    became = [made(**BBH), made(minutes=5)]
    assert mentions(planned(became, [thread(root)], "CBC notify @here if NS")) == news("<!here>")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (made(significant=False), made(minutes=5)),
        (made(), replace(made(minutes=5), external=BURST)),
        (
            replace(made(), external=BURST),
            replace(made(minutes=5), external=replace(BURST, observatory="Fermi")),
        ),
        (made(), replace(made(minutes=5), published=UNREADABLE)),
        (RETRACTED, made(alert_type="UPDATE", minutes=6)),
    ],
)
def test_each_upgrade_mentions_again(before: Notice, after: Notice) -> None:
    story = [made(minutes=-1), before, after] if before.retraction else [before, after]
    found = planned(story, [thread(mentioned=HERE)], "all lowsig notify @here")
    assert mentions(found) == news("<!here>")


def test_the_condition_turning_true_again_mentions_again() -> None:
    story = [made(), made(minutes=3, **BBH), made(minutes=5)]
    assert mentions(planned(story, [thread(mentioned=HERE)], "CBC notify @here if NS")) == news("<!here>")


@pytest.mark.parametrize("alone", [UNREADABLE, {"external_coinc": 7}])
def test_a_coincidence_that_cant_be_read_wakes_as_one_that_can(alone: dict[str, object]) -> None:
    unread = replace(made(minutes=5, **BBH), published=alone)
    story = [made(**BBH), unread]
    assert mentions(planned(story, [thread()], "CBC notify @here if NS")) == news("<!here>")
    # Named before, in whatever form, it is no news.
    story = [unread, replace(made(minutes=6), published=alone)]
    assert mentions(planned(story, [thread(mentioned=HERE)], "CBC notify @here")) == []


def test_a_coincidence_named_again_after_a_notice_without_is_not_new() -> None:
    story = [replace(made(), external=BURST), made(minutes=3), replace(made(minutes=5), external=BURST)]
    assert mentions(planned(story, [thread(mentioned=HERE)], "CBC notify @here")) == []


def test_a_late_notice_upgrades_nothing() -> None:
    story = [made(minutes=5), made(significant=False)]
    assert mentions(planned(story, [thread(mentioned=HERE)], "all lowsig notify @here")) == []


def test_a_retraction_stands_those_down_who_were_told_and_nobody_else() -> None:
    words = "CBC notify @here <@U1>"
    found = planned([made(), RETRACTED], [thread(mentioned=HERE)], words)
    assert mentions(found) == [Mention(10, HERE, MentionReason.RETRACTION)]
    assert mentions(planned([made(), RETRACTED], [thread()], words)) == []
    waits = thread(mentioned=HERE, told=())
    assert mentions(planned([made(), RETRACTED], [waits], words)) == [], "it will be dropped instead"
    again = [made(), RETRACTED, made(alert_type="RETRACTION", minutes=6)]
    assert mentions(planned(again, [thread(mentioned=HERE)], words)) == [], "once"
    assert mentions(planned([made(), RETRACTED], [thread(RootState.WAITING)], words)) == []


def test_who_unsubscribed_is_mentioned_no_more() -> None:
    story = [made(significant=False), made(minutes=4)]
    there = thread(mentioned=HERE)
    assert mentions(planned(story, [there], "CBC")) == []
    assert mentions(planned([*story, RETRACTED], [there], "CBC", "CBC notify @channel")) == []


def test_old_news_and_archives_mention_nobody() -> None:
    later = MAX_AGE + timedelta(minutes=6)
    for story in ([made(**BBH), made(minutes=5)], [made(), RETRACTED]):
        threads = [thread(mentioned=HERE if story[-1].retraction else ())]
        assert mentions(planned(story, threads, "CBC notify @here if NS", later=later)) == []
        assert planned(story, threads, "CBC notify @here if NS", live=False) == []
        assert mentions(planned(story, threads, "CBC notify @here if NS"))


def test_mocks_mention_only_by_a_word_of_their_own() -> None:
    assert planned([made(MOCK)], [], "CBC mock notify @here") == [OpenRoot(TEAM, "C1", 1)]
    asked = planned([made(MOCK)], [], "CBC mock notify @here notify-mocks")
    assert asked == [OpenRoot(TEAM, "C1", 1, HERE)]
