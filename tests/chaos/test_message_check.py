"""Check that the message check detects missing, outdated and surplus messages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.chaos.message_check import (
    AlertMessage,
    FollowUpMessage,
    Verdict,
    check_follow_ups,
    check_messages,
    is_follow_up,
    parse_follow_up,
)

EVENT = "MS240101a"
KINDS = ("PRELIMINARY", "INITIAL", "UPDATE")


def root(kind: str = "UPDATE", number: int = 3, delivery: int = 1) -> AlertMessage:
    return AlertMessage(f"BBH 98 % · {kind} · {EVENT}", EVENT, number, False, delivery)


def reply(number: int, delivery: int | None = None) -> AlertMessage:
    return AlertMessage(f"{KINDS[number - 1]} · {EVENT}", EVENT, number, True, delivery or number)


COMPLETE_CHANNEL = [root(), reply(2), reply(3)]


def test_a_whole_channel_is_good() -> None:
    verdict = check_messages({EVENT: KINDS}, {"C1": COMPLETE_CHANNEL, "C2": COMPLETE_CHANNEL})
    assert verdict.passed
    assert verdict.messages == 6


@pytest.mark.parametrize(
    ("held", "what"),
    [
        ([], "no root"),
        ([root(number=2, kind="INITIAL"), reply(2), reply(3)], "shows notice 2"),
        ([root(kind="INITIAL"), reply(2), reply(3)], "shows notice 3"),
        ([root(), reply(3)], "no reply for notice 2"),
        ([root(), reply(2), AlertMessage("INITIAL", EVENT, 3, True, 3)], "doesn't say UPDATE"),
    ],
)
def test_missing_message_counts_as_lost(held: Sequence[AlertMessage], what: str) -> None:
    verdict = check_messages({EVENT: KINDS}, {"C1": COMPLETE_CHANNEL, "C2": held})
    assert any(what in sentence for sentence in verdict.lost), verdict.lost
    assert all("C2" in sentence for sentence in verdict.lost)


@pytest.mark.parametrize(
    "extra",
    [root(), root(delivery=7), reply(2), reply(3, 9), AlertMessage("UPDATE", EVENT, 4, True, 9)],
)
def test_surplus_message_counts_as_duplicate(extra: AlertMessage) -> None:
    verdict = check_messages({EVENT: KINDS}, {"C1": [*COMPLETE_CHANNEL, extra]})
    assert not verdict.lost
    assert len(verdict.duplicated) == 1


def test_message_about_an_unpublished_event_counts_as_duplicate() -> None:
    stray = AlertMessage("BBH · UPDATE · MS240101zz", "MS240101zz", 1, False, 9)
    assert check_messages({EVENT: KINDS}, {"C1": [*COMPLETE_CHANNEL, stray]}).duplicated


def test_a_post_at_the_moment_of_a_kill_is_excused_so_often_and_no_more() -> None:
    twice = [*COMPLETE_CHANNEL, reply(2)]
    verdict = check_messages({EVENT: KINDS}, {"C1": twice}, excused={2: 1})
    assert verdict.passed and verdict.excused == 1
    assert not check_messages({EVENT: KINDS}, {"C1": [*twice, reply(2)]}, excused={2: 1}).passed
    assert not check_messages({EVENT: KINDS}, {"C1": [*COMPLETE_CHANNEL, reply(2, 9)]}, excused={2: 1}).passed


def test_an_orphan_root_may_stay_behind_where_it_is_excused() -> None:
    held = [root("PRELIMINARY", 1), *COMPLETE_CHANNEL]
    assert check_messages({EVENT: KINDS}, {"C1": held}, excused={1: 1}).passed
    assert not check_messages({EVENT: KINDS}, {"C1": held}).passed


def test_a_revived_channel_has_the_state_without_every_reply() -> None:
    assert check_messages({EVENT: KINDS}, {"C1": [root()]}, revived={"C1"}).passed
    assert not check_messages({EVENT: KINDS}, {"C1": []}, revived={"C1"}).passed
    assert not check_messages({EVENT: KINDS}, {"C1": [root()]}).passed


def test_event_retracted_before_its_root_needs_no_message() -> None:
    kinds = ("PRELIMINARY", "RETRACTION")
    assert check_messages({EVENT: kinds}, {"C1": []}).passed
    assert not check_messages({EVENT: kinds}, {"C1": [root("PRELIMINARY", 1)]}).passed
    gone = [AlertMessage(f"MOCK RETRACTED · {EVENT}", EVENT, 2, False, 1)]
    assert check_messages(
        {EVENT: kinds}, {"C1": [*gone, AlertMessage("RETRACTED", EVENT, 2, True, 2)]}
    ).passed


def follow_up(*circulars: int, delivery: int = 5, in_thread: bool = True) -> FollowUpMessage:
    return FollowUpMessage(EVENT, frozenset(circulars), in_thread, delivery)


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        ([follow_up(1, 2)], ""),
        ([], "isn't there"),
        ([follow_up(1)], "lists"),
        ([follow_up(1, 2), follow_up(1, 2)], "stands 2 times"),
        ([follow_up(1, 2), follow_up(1, delivery=6)], "stands 2 times"),
        ([follow_up(1, 2, in_thread=False)], "outside its thread"),
    ],
)
def test_each_thread_has_one_follow_up_reply_that_lists_the_circulars(
    held: Sequence[FollowUpMessage], fault: str
) -> None:
    verdict = Verdict()
    check_follow_ups(verdict, {EVENT: [1, 2]}, {"C1": COMPLETE_CHANNEL}, {"C1": held})
    assert verdict.passed is (not fault)
    assert [fault in sentence for sentence in verdict.lost + verdict.duplicated] == [True] * bool(fault)


def test_a_follow_up_reply_lists_the_newest_and_stands_only_below_a_root() -> None:
    numbers = list(range(1, 31))
    verdict = Verdict()
    check_follow_ups(verdict, {EVENT: numbers}, {"C1": COMPLETE_CHANNEL}, {"C1": [follow_up(*numbers[-20:])]})
    check_follow_ups(verdict, {EVENT: numbers}, {"C1": []}, {"C1": []})
    assert verdict.passed
    check_follow_ups(verdict, {EVENT: []}, {"C1": COMPLETE_CHANNEL}, {"C1": [follow_up(1)]})
    assert verdict.duplicated == [f"C1 {EVENT}: a Follow-up reply about nothing"]


def test_a_follow_up_reply_is_told_by_its_title() -> None:
    text = f"MOCK · {EVENT} · Follow-up\nGCN 45001 · Upper limits"
    told = {"text": text, "ts": "2.0", "thread_ts": "1.0"}
    assert is_follow_up(told)
    assert parse_follow_up(told, None) == FollowUpMessage(EVENT, frozenset({45001}), True, 0)
    assert not is_follow_up({"text": f"{EVENT} · UPDATE", "ts": "2.0"})
