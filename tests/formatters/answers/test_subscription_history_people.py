"""People in the lines of `subscriptions history`."""

from __future__ import annotations

import pytest

from formatters.answers.subscription_history import action_line
from formatters.models.event_action import EventAction, EventActionKind
from tests.support.factories import NOW


@pytest.mark.parametrize(
    ("kind", "detail", "expected"),
    [
        (EventActionKind.DRILL_BEGUN, "subscription 1: CBC notify <@U0ABC> 2min", "CBC notify <@U0ABC> 2min"),
        (EventActionKind.DRILL_BEGUN, "subscription 1: CBC notify <!subteam^S1A>", "notify <!subteam^S1A>"),
        (EventActionKind.DRILL_BEGUN, "subscription 1: <!channel> <http://a.b>", "&lt;!channel&gt;"),
        (EventActionKind.OBSERVED, "ZTF <@U0ABC>", "&lt;@U0ABC&gt;"),
    ],
)
def test_only_the_people_of_a_drilled_subscription_are_shown_by_name(
    kind: EventActionKind, detail: str, expected: str
) -> None:
    action = EventAction(
        team_id="T1",
        channel_id="C1",
        superevent_id=None,
        user_id="U1",
        kind=kind,
        at=NOW,
        detail=detail,
    )
    assert expected in action_line(action)
