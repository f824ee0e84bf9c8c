from bot.sources.backoff import backoff_delay


def test_pauses_grow_up_to_the_longest_and_are_spread() -> None:
    assert [backoff_delay(failures, 0.5, 60.0, 0.0) for failures in (1, 2, 3, 7, 8, 1000)] == [
        0.5,
        1,
        2,
        32,
        60,
        60,
    ]
    assert backoff_delay(8, 0.5, 60.0, 1.0) == 30.0
