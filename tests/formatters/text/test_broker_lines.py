"""The lines of `status` about sources: alerts each for itself, other topics together."""

from __future__ import annotations

from formatters.models.source_status import SourceStatus
from formatters.text.broker_lines import MAX_TOPICS, broker_lines

ALERTS = SourceStatus("hopskotch", True, "reads igwn.gwalert", topic="igwn.gwalert")


def optional(topic: str, reason: str = "", *, name: str = "hopskotch", lag: int = 0) -> SourceStatus:
    return SourceStatus(name, not reason, reason or "reads", lag, topic=topic, is_optional=True)


def test_ten_topics_that_are_fine_are_one_line() -> None:
    topics = [optional(f"gcn.topic{number}") for number in range(10)]
    first, second = broker_lines([ALERTS, *topics])
    assert first == "hopskotch: connected · reads igwn.gwalert"
    assert second == "hopskotch also: " + ", ".join(f"gcn.topic{number}" for number in range(10))


def test_a_hundred_topics_are_counted() -> None:
    (line,) = broker_lines([optional(f"t{number:03}") for number in range(100)])
    assert line.endswith(f"t011 and {100 - MAX_TOPICS} more")


def test_topics_with_the_same_problem_go_together() -> None:
    absent = "isn't on kafka.scimma.org, or this credential may not read it: ask for it"
    lines = broker_lines([ALERTS, optional("b", absent), optional("c", absent), optional("a", "is denied")])
    assert lines[1:] == [
        "hopskotch doesn't read a (optional): is denied",
        f"hopskotch doesn't read b, c (optional): {absent}",
    ]


def test_what_another_broker_brings_is_not_missed() -> None:
    lines = broker_lines(
        [ALERTS, optional("gcn.circulars", "isn't there"), optional("gcn.circulars", name="gcn")]
    )
    assert lines[1:] == ["gcn also: gcn.circulars"]


def test_one_of_several_consumers_is_enough_and_lag_is_told() -> None:
    lines = broker_lines([optional("t", "isn't there"), optional("t", lag=3), optional("t", lag=5)])
    assert lines == ["hopskotch also: t · 3 payloads still to read"]


def test_while_the_broker_is_away_the_reason_stands_once() -> None:
    away = SourceStatus("hopskotch", False, "doesn't answer", topic="igwn.gwalert")
    lines = broker_lines([away, optional("t", "doesn't answer")])
    assert lines == [
        "hopskotch: NOT CONNECTED · doesn't answer",
        "hopskotch doesn't read t (optional)",
    ]
