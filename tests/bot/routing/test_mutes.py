"""Routing of notices and messages to threads that are muted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.routing.intents import EditRoot, Mention, MentionReason, Reply, UpdateFollowUp
from bot.routing.related_messages import MessageState, plan_message
from bot.routing.state import RootState, Thread
from formatters.models.related_message import Stream
from tests.bot.routing.test_mentions import BURST
from tests.bot.routing.test_planner import planned, thread
from tests.support.factories import decoded_notice, subscription
from tests.support.related_messages import related_message

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)
RETRACTED = decoded_notice(alert_type="RETRACTION", minutes=6)
AGAIN = decoded_notice(alert_type="UPDATE", minutes=7)


def muted(**values: Any) -> Thread:
    return replace(thread(), is_muted=True, **values)


@pytest.mark.parametrize("root", [RootState.POSTED, RootState.ATTEMPTED, RootState.WAITING])
def test_a_muted_thread_gets_nothing_of_a_notice(root: RootState) -> None:
    assert planned([FIRST, SECOND], [muted(root=root)], [subscription("CBC")]) == []


def test_a_retraction_and_what_takes_it_back_reach_a_muted_thread() -> None:
    both = [EditRoot(10), Reply(10)]
    assert planned([FIRST, RETRACTED], [muted()], [subscription("CBC")]) == both
    assert planned([FIRST, RETRACTED, AGAIN], [muted()], [subscription("CBC")]) == both


def test_a_mention_for_an_upgrade_comes_although_the_event_is_muted() -> None:
    here = frozenset({"<!here>"})
    rule = [subscription("CBC notify @here")]
    intents = planned([FIRST, replace(SECOND, external=BURST)], [muted(mentioned=here, notified=here)], rule)
    assert intents == [Mention(10, ("<!here>",), MentionReason.UPGRADE)]


def test_other_channels_do_not_notice_a_mute() -> None:
    other = thread(channel="C2", number=11, by=2)
    rules = [subscription("CBC"), subscription("CBC", "C2", 2)]
    assert planned([FIRST, SECOND], [muted(), other], rules) == [EditRoot(11), Reply(11)]


@pytest.mark.parametrize("stream", [Stream.CIRCULARS, Stream.ICECUBE, Stream.BOOM])
def test_a_message_about_a_muted_event_waits_for_the_end_of_the_mute(stream: Stream) -> None:
    rules = [
        subscription("CBC streams circulars icecube"),
        subscription("CBC streams circulars icecube", "C2", 2),
    ]
    state = MessageState(
        message=related_message(stream=stream),
        message_id=7,
        threads=[muted(), thread(channel="C2", number=11)],
        subscriptions=rules,
        is_event_retracted=False,
    )
    told = {i.channel_id for i in plan_message(state) if isinstance(i, UpdateFollowUp)}
    assert told == {"C2"}
