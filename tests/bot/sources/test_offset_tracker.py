import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sources.offset_tracker import MessageOffset, OffsetTracker


def test_unacknowledged_offset_holds_back_later_ones() -> None:
    offsets = OffsetTracker()
    for offset in (3, 4, 7):
        offsets.record_delivery(MessageOffset("t", 0, offset))
    assert offsets.acknowledge(MessageOffset("t", 0, 4)) is None
    assert offsets.acknowledge(MessageOffset("t", 0, 3)) == 5
    assert offsets.acknowledge(MessageOffset("t", 0, 7)) == 8


def test_partitions_and_topics_dont_hold_back_each_other() -> None:
    offsets = OffsetTracker()
    for place in (MessageOffset("t", 0, 1), MessageOffset("t", 1, 5), MessageOffset("u", 0, 9)):
        offsets.record_delivery(place)
    assert offsets.acknowledge(MessageOffset("t", 1, 5)) == 6
    assert offsets.acknowledge(MessageOffset("u", 0, 9)) == 10


@pytest.mark.slow
@given(st.permutations(range(12)), st.integers(0, 12))
def test_never_commits_past_an_open_payload(order: list[int], finished: int) -> None:
    offsets = OffsetTracker()
    for offset in range(12):
        offsets.record_delivery(MessageOffset("t", 0, offset))
    committed = 0
    for offset in order[:finished]:
        committed = offsets.acknowledge(MessageOffset("t", 0, offset)) or committed
    still_open = set(order[finished:])
    assert committed == min(still_open, default=12)


def test_message_offset_as_text() -> None:
    assert str(MessageOffset("igwn.gwalert", 0, 17)) == "igwn.gwalert[0]@17"
