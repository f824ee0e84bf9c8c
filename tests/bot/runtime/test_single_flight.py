"""Concurrent calls for one key share one result; failures and cancelled callers leave nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from bot.runtime.single_flight import SingleFlight


class Loader:
    """Counts its calls, and fails as often as a test wants."""

    def __init__(self, failures: int = 0) -> None:
        self.calls = 0
        self._failures = failures

    async def __call__(self) -> int:
        self.calls += 1
        await asyncio.sleep(0)
        if self.calls <= self._failures:
            raise ValueError("a failure on purpose")
        return self.calls


async def test_concurrent_and_later_calls_load_once() -> None:
    cache, load = SingleFlight[str, int](2), Loader()
    assert await asyncio.gather(*(cache.get("a", load) for _ in range(5))) == [1] * 5
    assert await cache.get("a", load) == 1 and load.calls == 1 and cache.is_cached("a")


async def test_a_failure_reaches_all_callers_and_is_not_kept() -> None:
    cache, load = SingleFlight[str, int](2), Loader(failures=1)
    results = await asyncio.gather(*(cache.get("a", load) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3 and load.calls == 1
    assert await cache.get("a", load) == 2


async def test_a_cancelled_caller_takes_the_result_from_nobody() -> None:
    cache, load = SingleFlight[str, int](2), Loader()
    first, second = (asyncio.ensure_future(cache.get("a", load)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_least_recently_used_result_goes_first() -> None:
    cache, load = SingleFlight[str, int](2), Loader()
    for key in ("a", "b", "a", "c"):
        await cache.get(key, load)
    assert [key for key in "abc" if cache.is_cached(key)] == ["a", "c"]


async def test_without_room_only_concurrent_calls_are_merged() -> None:
    cache, load = SingleFlight[str, int](0), Loader()
    assert list(await asyncio.gather(cache.get("a", load), cache.get("a", load))) == [1, 1]
    assert await cache.get("a", load) == 2
