"""Labels of the metrics: every failure and every outcome has one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from bot.monitoring.metrics import FAILURE_LABELS, OUTCOME_LABELS, outcome_label
from bot.slack.errors import SlackFailure
from bot.store.outbox.models import NOTHING_TO_SAY, DeadLettered, Outcome


def subclasses(cls: type[SlackFailure]) -> Iterator[type[SlackFailure]]:
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_slack_failure_has_a_label() -> None:
    assert set(FAILURE_LABELS) == {SlackFailure, *subclasses(SlackFailure)}
    assert len(set(FAILURE_LABELS.values())) == len(FAILURE_LABELS)


def test_what_had_nothing_to_say_isnt_counted_as_given_up() -> None:
    assert outcome_label(DeadLettered(reason=NOTHING_TO_SAY)) == "unneeded"
    assert outcome_label(DeadLettered(reason="channel_not_found")) == "dead"


def test_every_outcome_has_a_label() -> None:
    assert set(OUTCOME_LABELS) == set(get_args(Outcome))
    assert len(set(OUTCOME_LABELS.values())) == len(OUTCOME_LABELS)
