"""Which candidates one claim takes: urgent ones' places, each workspace's edits, each channel's turn."""

from dataclasses import replace

import pytest

from bot.store.outbox.claim_choice import (
    ROUND_ROBIN_EVERY,
    Candidate,
    ClaimRequest,
    FairShare,
    choose_candidates,
    select_within_limits,
)
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
    return ClaimRequest(limit=9, busy_channels=(), edit_quota=lambda *_: edits, non_urgent_limit=non_urgent)


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


def test_deliveries_that_are_not_urgent_and_were_chosen_by_turn_use_up_their_limit() -> None:
    replies = [candidate(number, Priority.REPLY) for number in range(3)]
    alert = candidate(3, Priority.ROOT)
    assert select_within_limits([*replies[1:], alert], request(non_urgent=1), replies[:1]) == [
        replies[0],
        alert,
    ]
    # An alert that was chosen by turn uses up none of it.
    assert select_within_limits(replies, request(non_urgent=1), [alert]) == [alert, replies[0]]


def test_one_place_more_for_each_ten_goes_to_the_channels_in_turn() -> None:
    # One channel has an alert at every claim, the other a mock's reply that is always behind.
    loud, quiet = candidate(1, Priority.ROOT), candidate(2, Priority.REPLY, mock=True)
    fair_share, taken = FairShare(), []
    for _ in range(2 * (ROUND_ROBIN_EVERY + 1)):
        chosen, in_turn = choose_candidates([quiet, loud], replace(request(), limit=1), fair_share)
        fair_share.record_turns(chosen, in_turn, 1)
        taken += chosen
    # The first turn is the loud channel's own.
    assert taken == [loud] * (2 * ROUND_ROBIN_EVERY + 1) + [quiet]


def test_no_more_than_half_of_a_claim_is_chosen_by_turn() -> None:
    candidates = [candidate(number, Priority.REPLY, mock=number < 8) for number in range(9)]
    fair_share = FairShare()
    fair_share.placed_by_order, fair_share.last_channel = 1_000, ("T1", "C2")
    chosen, in_turn = choose_candidates(candidates, replace(request(), limit=5), fair_share)
    assert in_turn == 3
    assert [one.id for one in chosen] == [3, 4, 5, 8, 0]
