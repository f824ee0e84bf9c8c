"""Sentences about a subscription: who is next, which events are quiet, and never a mention by accident."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from bot.filters import parse_criteria
from formatters.blockkit.mrkdwn import SECTION_MAX
from formatters.models.subscription import Criteria, fingerprint
from formatters.text.criteria_text import describe, describe_quiet
from tests.support.factories import subscription
from tests.support.filter_strategies import criteria_list

NEXT = "If nobody presses “I have it”: after 5 min"


def lines(words: str, *, silent: bool = False) -> list[str]:
    return [line.replace("\u00a0", " ") for line in describe(parse_criteria(words), silent=silent)]


def test_who_is_next_is_said_with_the_times_from_the_first_mention() -> None:
    words = "CBC notify @here escalate 5min <@U2> @channel 60min <!subteam^S1> 90min webhook"
    assert lines(words)[-1] == (
        f"{NEXT} <@U2>, @channel; after 1 h <!subteam^S1>; after 1 h 30 min the operators' webhook."
        " Times count from the first mention of a real event."
    )
    assert lines(words, silent=True)[-1].startswith(
        f"{NEXT} @channel, 1 person; after 1 h 1 group; after 1 h 30 min the operators' webhook."
    )


def test_a_subscription_without_them_says_nothing_of_steps_and_quiet_events() -> None:
    said = " ".join(lines("CBC notify @here if NS"))
    assert "I have it" not in said and "Quiet" not in said
    assert describe_quiet(parse_criteria("CBC")) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("quiet BBH", "Quiet: events with BBH of 50 % or more. A push has only"),
        (
            "quiet (BBH or NSBH>0.9)",
            "Quiet: events with BBH of 50 % or more or NSBH above 90 %. A push has only",
        ),
    ],
)
def test_quiet_events_are_said_in_words(words: str, sentence: str) -> None:
    assert lines(words)[1].startswith(sentence)


@settings(deadline=None)
@given(criteria_list)
def test_silent_lines_of_any_criteria_mention_nobody(criteria: Criteria) -> None:
    for line in describe(criteria, silent=True):
        assert re.search(r"<[@!]", line) is None
    assert all(len(line) <= SECTION_MAX for line in describe(criteria))


def test_fingerprints_of_what_was_stored_before_stay() -> None:
    """Buttons of posted messages have them."""
    stored = subscription("CBC BNS>0.5 mock circulars criteria rubin-2026 notify @here <@U1> if NS", number=3)
    assert fingerprint(stored) == "71a17b14"
