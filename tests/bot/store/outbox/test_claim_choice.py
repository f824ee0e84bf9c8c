"""Which candidates one claim takes: the places for urgent ones, and each workspace's edits."""

import pytest

from bot.store.outbox.claim_choice import Candidate, ClaimRequest, select_within_limits
from bot.store.outbox.models import Priority


def candidate(number: int, priority: Priority, *, team: str = "T1", mock: bool = False) -> Candidate:
    return Candidate(
        id=number,
        team_id=team,
        channel_id=f"C{number}",
        is_edit=priority in (Priority.EDIT, Priority.RETRACTED),
        mock=mock,
        priority=priority,
        event_order=0,
    )


def request(*, edits: int = 9, non_urgent: int = 9) -> ClaimRequest:
    return ClaimRequest(limit=9, busy_channels=(), edit_quota=lambda _: edits, non_urgent_limit=non_urgent)


@pytest.mark.parametrize("priority", Priority)
@pytest.mark.parametrize("mock", [False, True])
def test_new_alerts_and_answers_about_real_events_take_the_reserved_places(
    priority: Priority, mock: bool
) -> None:
    one = candidate(1, priority, mock=mock)
    urgent = not mock and priority in (Priority.ROOT, Priority.ANSWER)
    assert one.is_urgent is urgent
    assert select_within_limits([one], request(non_urgent=0)) == ([one] if urgent else [])


@pytest.mark.parametrize("quota", [0, 1, 2])
def test_each_workspace_has_its_quota_of_edits_and_posts_go_on(quota: int) -> None:
    edits = [candidate(number, Priority.EDIT) for number in range(3)]
    others = [candidate(number, Priority.EDIT, team="T2") for number in range(3, 6)]
    post = candidate(6, Priority.REPLY)
    taken = select_within_limits([*edits, *others, post], request(edits=quota))
    assert taken == [*edits[:quota], *others[:quota], post]


def test_edits_that_were_chosen_by_turn_count() -> None:
    edits = [candidate(number, Priority.EDIT) for number in range(3)]
    assert select_within_limits(edits[1:], request(edits=1), edits[:1]) == edits[:1]
