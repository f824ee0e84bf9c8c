"""Tests of which replies are also sent to the channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from formatters.models.notice import Notice
from formatters.models.significance import should_broadcast
from formatters.models.superevent import Superevent

Make = Callable[..., Any]

BBH = {"BNS": 0.0, "NSBH": 0.01, "BBH": 0.98, "Terrestrial": 0.01}
SSM: dict[str, Any] = {"search": "SSM", "classification": {}, "properties": {"HasSSM": 0.9}}


def shares(neutron_star: float) -> dict[str, float]:
    """Return probabilities with BBH as the leading class and the given sum of BNS and NSBH."""
    return {"BNS": neutron_star / 2, "NSBH": neutron_star / 2, "BBH": 0.65, "Terrestrial": 0.01}


@pytest.mark.parametrize(
    ("before", "after", "stage", "wanted"),
    [
        # significance
        ({"significant": False}, {}, "PRELIMINARY", True),
        ({}, {"significant": False}, "PRELIMINARY", False),
        ({"significant": False}, {"significant": False}, "PRELIMINARY", False),
        # changes of the leading class
        ({}, {"classification": {"BNS": 0.4, "NSBH": 0.55, "BBH": 0.0}}, "PRELIMINARY", True),
        ({}, {"classification": {"BNS": 0.5, "NSBH": 0.45, "BBH": 0.0}}, "PRELIMINARY", False),
        ({}, {"classification": BBH}, "UPDATE", True),
        ({"classification": BBH}, {"classification": BBH}, "UPDATE", False),
        # Terrestrial that is no longer given puts another class first, but is no news about the source.
        (
            {"classification": {"Terrestrial": 0.6, "NSBH": 0.25, "BBH": 0.15}},
            {"classification": {"Terrestrial": 0.0, "NSBH": 0.65, "BBH": 0.35}},
            "UPDATE",
            False,
        ),
        (
            {"classification": {"Terrestrial": 0.6, "NSBH": 0.25, "BBH": 0.15}},
            {"classification": {"NSBH": 0.4, "BBH": 0.6}},
            "UPDATE",
            True,
        ),
        (
            {"classification": {"Terrestrial": 0.6, "NSBH": 0.25, "BBH": 0.15}},
            {"classification": {"Terrestrial": 0.2, "NSBH": 0.5, "BBH": 0.3}},
            "UPDATE",
            True,
        ),
        # initial alerts
        ({"classification": BBH}, {"classification": BBH}, "INITIAL", False),
        ({"classification": shares(0.32)}, {"classification": shares(0.32)}, "INITIAL", True),
        ({"classification": shares(0.3)}, {"classification": shares(0.3)}, "INITIAL", False),
        ({"classification": shares(0.32)}, {"classification": shares(0.32)}, "UPDATE", False),
        (SSM, SSM, "INITIAL", True),
        (SSM, SSM, "UPDATE", False),
        # everything else
        ({}, {}, "PRELIMINARY", False),
        ({}, {"far": 1e-30}, "UPDATE", False),
        ({}, {"pipeline": "pycbc"}, "UPDATE", False),
    ],
)
def test_broadcast_by_change(
    before: dict[str, Any],
    after: dict[str, Any],
    stage: str,
    wanted: bool,
    make_notice: Make,
    make_event: Make,
) -> None:
    first = make_notice(event=make_event(**before))
    second = make_notice(stage, 20, event=make_event(**after))
    assert should_broadcast(Superevent.from_notices([first, second]), second) is wanted


@pytest.mark.parametrize(
    ("stage", "area", "wanted"),
    [("INITIAL", 15.0, True), ("INITIAL", 15.4, True), ("INITIAL", 16.0, False), ("UPDATE", 10.0, False)],
)
def test_a_halved_area_counts_for_an_initial(
    stage: str, area: float, wanted: bool, make_notice: Make, make_event: Make, make_map: Make
) -> None:
    event = make_event(classification=BBH)
    first = make_notice(event=event, localization=make_map(area_90=30.9))
    second = make_notice(stage, 20, event=event, localization=make_map(area_90=area))
    assert should_broadcast(Superevent.from_notices([first, second]), second) is wanted


def test_a_coincidence_counts_once(make_notice: Make, make_event: Make, make_swift: Make) -> None:
    event = make_event(classification=BBH)
    alone = make_notice(minutes=1, event=event)
    joint = make_notice("PRELIMINARY", 10, event=event, external=make_swift())
    again = make_notice("PRELIMINARY", 12, event=event, external=make_swift())
    initial = make_notice("INITIAL", 20, event=event, external=make_swift())
    another = make_notice("UPDATE", 30, event=event, external=make_swift(observatory="Fermi", search="GRB"))
    none = make_notice("UPDATE", 40, event=event)
    story = Superevent.from_notices([alone, joint, again, initial, another, none])
    assert [should_broadcast(story, notice) for notice in story.notices] == [
        False,
        True,
        False,
        True,
        True,
        False,
    ]


def test_retraction_and_revival_are_broadcast(make_notice: Make) -> None:
    story = Superevent.from_notices([make_notice(), make_notice("RETRACTION", 20), make_notice("UPDATE", 30)])
    assert [should_broadcast(story, notice) for notice in story.notices] == [False, True, True]


@pytest.mark.parametrize("prefix", ["M", "T"])
def test_mocks_and_tests_are_never_broadcast(
    prefix: str, make_notice: Make, make_event: Make, make_swift: Make
) -> None:
    name = f"{prefix}S241126dm"
    story = Superevent.from_notices(
        [
            make_notice(minutes=1, superevent_id=name, event=make_event(significant=False)),
            make_notice("INITIAL", 10, superevent_id=name, external=make_swift()),
            make_notice("RETRACTION", 20, superevent_id=name),
            make_notice("UPDATE", 30, superevent_id=name),
        ]
    )
    assert not any(should_broadcast(story, notice) for notice in story.notices)


@pytest.mark.parametrize("stage", ["RETRACTION", "INITIAL"])
def test_late_notice_is_never_broadcast(stage: str, make_notice: Make) -> None:
    def at(notice: Notice, minutes: float) -> Notice:
        return replace(notice, received=notice.time_created + timedelta(minutes=minutes))

    first, newest = at(make_notice(), 1), at(make_notice("UPDATE", 60), 1)
    late, in_time = at(make_notice(stage, 30), 90), at(make_notice(stage, 30), 1)
    assert not should_broadcast(Superevent.from_notices([first, late, newest]), late)
    assert should_broadcast(Superevent.from_notices([first, in_time, newest]), in_time), "merely said late"
