"""Tasks restart after errors of the system; a bug of gwevent ends the process."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest
import structlog

from bot.app import supervisor
from bot.app.factory import Factory
from bot.app.supervisor import TaskSupervisor
from bot.ingest.pipeline import IngestResult
from bot.monitoring.monitor import HealthInputs, HealthMonitor, MonitoredStore
from bot.runtime import os_limits
from bot.runtime.wakeups import Wakeups
from bot.samples import to_avro
from bot.sources.base import Origin
from bot.store.database import StoreUnavailable
from tests.support.factories import Clock, create_pipeline, notice_record

PASSING: list[BaseException] = [
    *(OSError(number, os.strerror(number)) for number in sorted(errno.errorcode) if number != errno.EINTR),
    MemoryError(),
    RuntimeError("can't start new thread"),
    TimeoutError(),
    ConnectionResetError(),
    aiohttp.ClientOSError(errno.EMFILE, "Too many open files"),
    StoreUnavailable("locked"),
    ExceptionGroup("unhandled errors in a TaskGroup", [OSError(errno.EMFILE, "Too many open files")]),
    ExceptionGroup("unhandled errors in a TaskGroup", [StoreUnavailable("locked"), MemoryError()]),
]
FAULTS = [
    ValueError("x"),
    RuntimeError("x"),
    KeyError("x"),
    ExceptionGroup("x", [OSError(24, "y"), KeyError("x")]),
]


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "log", structlog.get_logger())
    monkeypatch.setattr(os_limits, "log", structlog.get_logger())


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """Lower the soft limit to a few more descriptors than are open, until the end of the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(map(int, (path.name for path in Path("/proc/self/fd").iterdir()))) + 12
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_two_parts_of_one_name_start_again_each_by_itself() -> None:
    parts, begun, both = TaskSupervisor(min_backoff_s=0.05), [0, 0], asyncio.Event()

    def source(n: int) -> Callable[[], Awaitable[None]]:
        async def consume() -> None:
            begun[n] += 1
            if begun[n] == 1:
                raise RuntimeError("can't start new thread")
            if min(begun) == 2:
                both.set()
            await asyncio.Event().wait()

        return consume

    for n in (0, 1):
        parts.start("consume", source(n))
    await asyncio.sleep(0.01)
    assert set(parts.problems()) == {"consume", "consume_2"}
    async with asyncio.timeout(5):
        await both.wait()
    await asyncio.sleep(0)
    assert not any(task.done() for task in parts.tasks)
    assert parts.problems() == {}
    await parts.cancel()


async def test_task_restarts_after_any_system_error() -> None:
    parts, stop, left = TaskSupervisor(min_backoff_s=0.0), asyncio.Event(), list(PASSING)

    async def work() -> None:
        if left:
            raise left.pop()
        stop.set()
        await asyncio.Event().wait()

    parts.start("work", work)
    with structlog.testing.capture_logs() as said:
        async with asyncio.timeout(20):
            while not stop.is_set():
                await asyncio.sleep(0)
                for task in parts.tasks:
                    assert not task.done(), task.exception()
                supervisor.MAX_BACKOFF_S = 0.0
    supervisor.MAX_BACKOFF_S = 30.0
    assert [line["event"] for line in said] == ["task_restarted"] * len(PASSING)
    assert all(line["reason"] for line in said) and parts.problems() == {}
    await parts.cancel()


async def test_pending_restarts_are_reported() -> None:
    parts = TaskSupervisor(min_backoff_s=60.0)

    async def work() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    parts.start("deliver", work)
    await asyncio.sleep(0.01)
    assert parts.problems() == {"deliver": "Too many open files"}
    await parts.cancel()


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_a_fault_of_its_own_ends_the_process(fault: Exception) -> None:
    parts = TaskSupervisor()

    async def work() -> None:
        raise fault

    parts.start("work", work)
    parts.start("other", asyncio.Event().wait)  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as said, pytest.raises(type(fault)):
        await parts.wait_for_stop_or_failure(asyncio.Event())
    assert {"event": "task_ended", "task": "work", "log_level": "error"} in said
    await parts.cancel()


async def test_file_descriptor_shortage_is_logged_and_shown_in_readiness(
    few_descriptors: int, factory: Factory, clock: Clock
) -> None:
    watch = HealthMonitor(
        MonitoredStore(factory.notices, factory.outbox_statistics, factory.incidents),
        HealthInputs(source_statuses=list),
        clock,
        wakeups=Wakeups(),
    )
    await factory.notices.last_received()
    assert "descriptors" not in (await watch.readiness()).parts
    with structlog.testing.capture_logs() as said, ExitStack() as opened:
        os_limits.CHECK_INTERVAL_S = 0.01
        watching = asyncio.create_task(os_limits.watch_descriptors())
        while True:
            try:
                opened.enter_context(Path(os.devnull).open("rb"))
            except OSError:
                break
        await asyncio.sleep(0.05)
        short = (await watch.readiness()).parts["descriptors"]
        assert f"of {few_descriptors} files" in short and "LimitNOFILE" in short
        opened.close()
        await asyncio.sleep(0.05)
        watching.cancel()
    os_limits.CHECK_INTERVAL_S = 5.0
    assert [line["event"] for line in said] == ["descriptors_short", "descriptors_recovered"]
    assert "descriptors" not in (await watch.readiness()).parts


def test_descriptor_limit_is_raised_to_the_hard_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        with structlog.testing.capture_logs() as said:
            assert os_limits.raise_descriptor_limit(wanted=220) == 220
        assert [line["event"] for line in said] == ["descriptor_limit_low"]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (220, hard)
        with structlog.testing.capture_logs() as said:
            os_limits.raise_descriptor_limit(wanted=min(hard, 4096))
        assert said == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, "x"), OSError(errno.EAGAIN, "x"), RuntimeError("can't start new thread")]
)
async def test_a_starved_system_puts_no_alert_into_quarantine(
    factory: Factory, clock: Clock, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = create_pipeline(factory, clock)

    async def starved(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "to_thread", starved)
        with pytest.raises(StoreUnavailable):
            await pipeline.handle(to_avro(notice_record()), Origin("hopskotch", "1", live=True))
    assert (
        await pipeline.handle(to_avro(notice_record()), Origin("hopskotch", "1", live=True))
        is IngestResult.STORED
    )
