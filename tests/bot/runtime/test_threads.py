"""Hanging computations are abandoned and several end the process; other computations continue."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from bot.app.factory import Factory
from bot.ingest.pipeline import IngestResult
from bot.runtime import threads
from bot.runtime.threads import ThreadHangs, run_in_thread, watch_threads
from bot.samples import to_avro
from bot.skymap_service.cache import SkyMapCache
from bot.sources.base import Origin
from tests.support.factories import (
    NOW,
    Clock,
    create_pipeline,
    decoded_notice,
    notice_record,
    record_notices,
)


@pytest.fixture(autouse=True)
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hanging computations end when the test sets this event: the event loop waits for its threads."""
    monkeypatch.setattr(threads, "TIME_LIMIT_S", 1.0)
    monkeypatch.setattr(threads, "CHECK_INTERVAL_S", 0.01)
    release = threading.Event()
    yield release
    release.set()
    while threads._hanging:
        time.sleep(0.01)


@pytest.mark.slow
async def test_hanging_work_times_out_and_too_many_end_the_process(hang: threading.Event) -> None:
    watching = asyncio.create_task(watch_threads())
    for number in range(threads.MAX_HANGING_THREADS):
        assert not watching.done()
        with pytest.raises(ThreadHangs, match="wait took longer"):
            await run_in_thread(hang.wait, 60)
        assert len(threads._hanging) == number + 1
    assert await run_in_thread(len, "four") == 4
    with pytest.raises(ThreadHangs, match="3 computations hang: wait"):
        await asyncio.wait_for(watching, 5)
    hang.set()


@pytest.mark.slow
async def test_the_time_in_the_queue_does_not_count() -> None:
    # Each takes a part of the limit, and together they take many times the pool's.
    found = await asyncio.gather(*(run_in_thread(threading.Event().wait, 0.2) for _ in range(80)))
    assert len(found) == 80 and not threads._hanging


@pytest.mark.slow
async def test_one_that_ends_late_is_forgotten(hang: threading.Event) -> None:
    with pytest.raises(ThreadHangs):
        await run_in_thread(hang.wait, 1.5)
    async with asyncio.timeout(10):
        while threads._hanging:
            await asyncio.sleep(0.05)
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(divmod, 1, 0)


@pytest.mark.slow
async def test_payload_that_hangs_the_decoder_blocks_no_other(
    factory: Factory, clock: Clock, hang: threading.Event
) -> None:
    stuck = create_pipeline(factory, clock, decode=lambda _: hang.wait(60))  # type: ignore[arg-type,return-value]
    assert await stuck.handle(b"x", Origin("hopskotch", "1", live=True)) is IngestResult.QUARANTINED
    hang.set()
    good = create_pipeline(factory, clock)
    assert (
        await good.handle(to_avro(notice_record()), Origin("hopskotch", "2", live=True))
        is IngestResult.STORED
    )


@pytest.mark.slow
async def test_map_that_hangs_the_reader_counts_as_missing(
    factory: Factory, hang: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = decoded_notice()
    await record_notices(factory, notice, now=NOW)
    maps = SkyMapCache(factory.notices)
    with monkeypatch.context() as patch:
        patch.setattr("bot.skymap_service.cache.read_notice_maps", lambda _: hang.wait(60))
        found = await maps.get(notice.key)
    hang.set()
    assert found is not None and found.best is None


@pytest.mark.process
def test_a_process_with_hanging_threads_ends() -> None:
    program = """
import asyncio, time
from bot.runtime import threads
threads.TIME_LIMIT_S = 0.1
async def main():
    try:
        await threads.run_in_thread(time.sleep, 3600)
    except threads.ThreadHangs:
        threads.exit_if_any_hangs()
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=60, text=True
    )
    assert done.returncode == 1 and "hanging_threads_abandoned" in done.stdout + done.stderr
