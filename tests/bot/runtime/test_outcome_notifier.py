"""Tasks that wait for an outcome are woken, and leave nothing behind."""

from __future__ import annotations

import asyncio

from bot.runtime.outcome_notifier import OutcomeNotifier


async def test_every_watcher_of_a_subject_is_woken_and_no_other() -> None:
    notifier = OutcomeNotifier()
    with notifier.watch(1) as first, notifier.watch(1) as second, notifier.watch(2) as other:
        notifier.notify([1, 3])
        async with asyncio.timeout(5):
            await asyncio.gather(first.wait(), second.wait())
        assert not other.is_set()
    assert not notifier._waiting
