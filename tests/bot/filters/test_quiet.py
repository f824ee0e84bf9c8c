"""Which events are quiet in a channel: only where it is certain that every subscription says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.filters import parse_criteria
from bot.filters.quiet import is_quiet, without_idle_quiet
from formatters.models.superevent import Superevent
from tests.support.factories import decoded_notice
from tests.support.filter_strategies import GRB, SKY

BBH: dict[str, Any] = {"classification": {"BBH": 0.97, "Terrestrial": 0.03}, "properties": {"HasNS": 0.0}}
BNS: dict[str, Any] = {"classification": {"BNS": 0.97, "Terrestrial": 0.03}}


def event(**facts: Any) -> Superevent:
    return Superevent.from_notices([decoded_notice(**facts)])


def quiet(superevent: Superevent, *words: str) -> bool:
    return is_quiet([parse_criteria(one) for one in words], superevent)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["CBC quiet BBH"], True),
        (["CBC"], False),
        ([], False),
        (["CBC quiet BNS"], False),
        (["CBC quiet BBH", "all quiet (BBH or NSBH)"], True),
        (["CBC quiet BBH", "all"], False),
        (["CBC quiet BBH", "Burst"], True),
        (["Burst quiet BBH"], True),
        (["CBC quiet BBH>0.99"], False),
    ],
)
def test_every_subscription_that_brings_the_event_has_to_say_so(words: list[str], expected: bool) -> None:
    assert quiet(event(**BBH), *words) is expected


def test_a_subscription_that_waits_for_the_map_counts() -> None:
    superevent = Superevent.from_notices([replace(decoded_notice(**BBH), localization=SKY)])
    assert not quiet(superevent, "CBC quiet BBH", "all near 10 20 3deg")
    assert quiet(superevent, "CBC quiet BBH", "all near 10 20 3deg quiet BBH")


def test_other_classes_are_loud() -> None:
    assert not quiet(event(**BNS), "CBC quiet BBH")


def test_an_event_that_coincides_with_another_signal_is_never_quiet() -> None:
    notice = decoded_notice(**BBH)
    assert not quiet(Superevent.from_notices([replace(notice, external=GRB)]), "CBC quiet BBH")


def test_what_a_notice_does_not_state_quiets_nothing() -> None:
    assert not quiet(event(classification={}), "CBC quiet BBH")
    assert not quiet(event(classification={}), "CBC quiet not BNS")


def test_a_retraction_of_a_quiet_event_is_quiet() -> None:
    notices = [decoded_notice(**BBH), decoded_notice(alert_type="RETRACTION", minutes=5)]
    assert quiet(Superevent.from_notices(notices), "CBC quiet BBH")
    assert not quiet(Superevent.from_notices(notices[1:]), "CBC quiet BBH")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("CBC quiet BBH", "CBC quiet BBH"),
        ("CBC BNS quiet BBH", "CBC BNS"),
        ("CBC BNS>0.2 quiet BBH", "CBC BNS>0.2 quiet BBH"),
        ("CBC (BNS or NSBH) quiet BBH notify @here", "CBC (BNS or NSBH) notify @here"),
        ("Burst quiet BBH", "Burst"),
        ("CBC", "CBC"),
    ],
)
def test_a_condition_that_no_event_of_the_subscription_meets_is_left_out(words: str, expected: str) -> None:
    assert without_idle_quiet(parse_criteria(words)).canonical == expected
