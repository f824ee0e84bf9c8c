"""The child process is stopped, killed, starved and broken at generated moments, and images come again."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.runtime import worker_process
from bot.runtime.worker_process import ProcessClosed, ProcessFailed, ProcessNotStarted, WorkerProcess
from bot.skymap_service import image_process
from bot.skymap_service.image_process import ImageFailed, ImageProcess, ImageProcessUnavailable
from tests.support.images import sample

pytestmark = pytest.mark.process

HANGS_S = 6.0


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    found = WorkerProcess(
        timeout_s=HANGS_S, start_timeout_s=60.0, max_jobs=50, hidden_env_prefixes=("SLACK_",)
    )
    yield found
    await found.close()


def strike(drawing: ImageProcess | WorkerProcess, number: signal.Signals) -> None:
    if drawing.pid is not None:
        os.kill(drawing.pid, number)


@pytest.mark.parametrize("seed", [1126, 2611])
async def test_a_signal_at_any_moment_costs_no_picture(seed: int) -> None:
    chance = random.Random(seed)
    drawing = ImageProcess(timeout_s=HANGS_S, start_timeout_s=2 * HANGS_S)
    loop = asyncio.get_running_loop()
    try:
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV):
            # Before the order, while it starts, draws and answers, or after.
            loop.call_later(chance.uniform(0.0, 0.6), strike, drawing, number)
            try:
                drawn = await drawing.draw(*sample("a tile"))
            except ImageProcessUnavailable:
                # It hadn't started yet: the worker of the pictures asks again.
                drawn = await drawing.draw(*sample("a tile"))
            assert drawn.png.startswith(b"\x89PNG"), number
        await asyncio.sleep(0.6)
        assert (await drawing.draw(*sample("a tile"))).png.startswith(b"\x89PNG")
    finally:
        await drawing.close()


async def test_one_that_is_stopped_or_killed_while_idle_is_replaced(worker: WorkerProcess) -> None:
    await worker.run(len, "three")
    first = worker.pid
    strike(worker, signal.SIGSTOP)
    with pytest.raises(ProcessFailed, match="longer than"):
        await worker.run(len, "three")
    assert await worker.run(len, "three") == 5
    assert worker.pid not in (first, None)
    strike(worker, signal.SIGKILL)
    await asyncio.sleep(0.3)
    assert await worker.run(len, "four") == 4


async def test_a_picture_that_kills_twice_is_given_up_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawing = ImageProcess(timeout_s=HANGS_S)
    with monkeypatch.context() as patch:
        deaths = tmp_path / "deaths"
        patch.setattr(image_process, "render", eval)
        dying = (
            f"(open({str(deaths)!r}, 'a').write('x'), __import__('os').kill(__import__('os').getpid(), 9))"
        )
        patch.setattr(image_process, "_create_job", lambda *_: dying)
        with pytest.raises(ImageFailed, match="failed twice"):
            await drawing.draw(*sample("a tile"))
        assert deaths.read_text() == "xx", "twice, and no more"
    assert (await drawing.draw(*sample("a tile"))).png.startswith(b"\x89PNG")
    await drawing.close()


async def test_worker_process_that_fails_to_start_raises_and_is_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for program in ("import time; time.sleep(3600)", "raise SystemExit(3)", "print('no result')"):
        worker = WorkerProcess(
            timeout_s=HANGS_S, start_timeout_s=60.0, max_jobs=50, hidden_env_prefixes=("SLACK_",)
        )
        with monkeypatch.context() as patch:
            patch.setattr(worker_process, "_PROGRAM", program)
            patch.setattr(worker, "_start_timeout_s", 1.5)
            with pytest.raises(ProcessNotStarted):
                await worker.run(len, "four")
        assert await worker.run(len, "four") == 4
        await worker.close()


async def test_where_none_can_be_started_the_picture_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = ImageProcess()

    async def short(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", short)
        with pytest.raises(ImageProcessUnavailable, match="Too many open files"):
            await drawing.draw(*sample("a tile"))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(ImageProcessUnavailable, match="No such file"):
            await drawing.draw(*sample("a tile"))
    assert (await drawing.draw(*sample("a tile"))).png.startswith(b"\x89PNG")
    await drawing.close()


@pytest.mark.skipif(
    not Path("/proc/self/oom_score_adj").exists(), reason="needs Linux's /proc/self/oom_score_adj"
)
async def test_it_takes_no_memory_from_the_bot(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await worker.run(eval, "open('/proc/self/oom_score_adj').read()") == "1000\n"
    with pytest.raises(MemoryError):
        await worker.run(bytes, 3 * 1024**3)
    first = worker.pid
    monkeypatch.setattr(worker_process, "REPLACE_ABOVE_BYTES", 1)
    assert await worker.run(len, "four") == 4
    assert worker.pid is None, "one that grew is replaced"
    monkeypatch.undo()
    assert await worker.run(len, "four") == 4 and worker.pid != first


async def test_worker_has_no_secrets_and_ends_with_its_parent(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    names = await worker.run(eval, "list(__import__('os').environ)")
    assert "SLACK_BOT_TOKEN" not in names and "PATH" in names
    alarm = await worker.run(eval, "__import__('signal').getitimer(__import__('signal').ITIMER_REAL)[0]")
    assert HANGS_S < alarm <= HANGS_S + 10, "where the bot is gone, the kernel ends it"


async def test_close_ends_a_stopped_worker_process(worker: WorkerProcess) -> None:
    waiting = asyncio.create_task(worker.run(time.sleep, 3600))
    while worker.pid is None:
        await asyncio.sleep(0.01)
    strike(worker, signal.SIGSTOP)
    pid = worker.pid
    await asyncio.wait_for(worker.close(), 10)
    with pytest.raises(ProcessClosed):
        await waiting
    with pytest.raises(ProcessClosed):
        await worker.run(len, "four")
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_unpicklable_values_leave_the_worker_running(worker: WorkerProcess) -> None:
    with pytest.raises(RuntimeError, match="no result"):
        await worker.run(eval, "lambda: 1")
    assert await worker.run(len, "four") == 4
