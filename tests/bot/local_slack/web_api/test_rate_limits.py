"""The rate limits, with a clock that the test moves."""

from bot.local_slack.web_api.rate_limits import RateLimiter
from tests.support.clock import SecondsClock


def test_a_burst_then_one_message_a_second() -> None:
    clock = SecondsClock()
    rates = RateLimiter(clock=clock)
    assert [rates.count_post("T", "C") for _ in range(4)] == [0, 0, 0, 1]
    clock.now += 1.0
    assert [rates.count_post("T", "C") for _ in range(2)] == [0, 1]
    clock.now += 60.0
    assert [rates.count_post("T", "C") for _ in range(4)] == [0, 0, 0, 1]


def test_channels_and_teams_count_apart() -> None:
    rates = RateLimiter(clock=SecondsClock())
    assert not any(rates.count_post(team, channel) for team in "TU" for channel in "CDEFGH")


def test_a_tier_is_its_number_in_any_minute() -> None:
    clock = SecondsClock()
    rates = RateLimiter(clock=clock)
    assert [rates.count_call("T", "chat.update", 50) for _ in range(51)] == [0] * 50 + [60]
    clock.now += 59.5
    assert rates.count_call("T", "chat.update", 50) == 1
    assert rates.count_call("T", "chat.delete", 50) == 0
    assert rates.count_call("U", "chat.update", 50) == 0
    clock.now += 0.5
    assert rates.count_call("T", "chat.update", 50) == 0


def test_switched_off_nothing_waits() -> None:
    rates = RateLimiter(enabled=False, clock=SecondsClock())
    assert not any(rates.count_post("T", "C") or rates.count_call("T", "chat.update", 1) for _ in range(100))
