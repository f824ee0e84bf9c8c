"""A trigger id opens one dialog, soon."""

import pytest

from bot.local_slack.errors import ApiError
from bot.local_slack.trigger_ids import TriggerIds
from tests.support.clock import SecondsClock


def test_once_and_within_three_seconds() -> None:
    clock = SecondsClock()
    triggers = TriggerIds(clock)
    first, second = triggers.create("T", "U"), triggers.create("T", "U")
    clock.now += 2.9
    assert triggers.redeem(first, "T") == "U"
    with pytest.raises(ApiError, match="exchanged_trigger_id"):
        triggers.redeem(first, "T")
    clock.now += 0.2
    with pytest.raises(ApiError, match="expired_trigger_id"):
        triggers.redeem(second, "T")


def test_unknown_or_foreign_trigger_is_rejected() -> None:
    triggers = TriggerIds()
    for wrong in (triggers.create("T1", "U"), "1.2.abc"):
        with pytest.raises(ApiError, match="invalid_trigger_id"):
            triggers.redeem(wrong, "T2")
