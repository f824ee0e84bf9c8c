"""`gwevent backfill` and `gwevent ask`, with a GraceDB in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli.main import app
from bot.gracedb import backfill
from tests.bot.gracedb.fake import FakeGraceDb, with_notices
from tests.support.factories import notice_record

Run = Callable[..., Result]
REPOSITORY = Path(__file__).resolve().parents[3]
IDS = [f"S2611{day}a" for day in range(10, 20)]


@pytest.fixture
def elsewhere() -> Iterator[FakeGraceDb]:
    """A GraceDB on another loop, for commands that run a loop themselves."""
    fake, loop, ready = FakeGraceDb(), asyncio.new_event_loop(), threading.Event()
    for superevent_id in IDS:
        fake.add(with_notices(superevent_id, notice_record(superevent_id)))

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(fake.start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(fake.stop())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(60)
    yield fake
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@pytest.fixture
def environment(elsewhere: FakeGraceDb, tmp_path: Path) -> dict[str, str]:
    return {
        "GWEVENT_DATABASE_URL": f"sqlite:///{tmp_path / 'gwevent.sqlite'}",
        "GWEVENT_GRACEDB_URL": elsewhere.url,
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, without the wait between two requests."""
    for name in list(os.environ):
        if name.startswith(("SLACK_", "GWEVENT_")):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bot.cli.backfill_job.REQUEST_INTERVAL_S", 0.0)
    runner = CliRunner()

    def invoke(*arguments: str) -> Result:
        return runner.invoke(app, list(arguments))

    return invoke


@pytest.mark.slow
def test_backfill_stores_events_and_resumes(run: Run, elsewhere: FakeGraceDb) -> None:
    result = run("backfill", "--since", "2026-11-01", "--until", "2026-11-21")
    assert result.exit_code == 0, result.output
    assert result.stdout == "10 of 10 superevents, 10 looked up, 10 notices new, 0 known before.\n"
    assert "10 known before" in run("backfill", "--since", "2026-11-01").stdout
    assert "from GraceDB" in run("ask", IDS[3]).stdout
    elsewhere.faults[f"{IDS[0]}/"] = [404]
    elsewhere.events["S261109a"] = with_notices("S261109a", notice_record("S261109a"))
    elsewhere.faults["S261109a/files/"] = [404]
    result = run("backfill", "--since", "2026-11-01")
    assert result.exit_code == 1 and "1 that GraceDB doesn't give" in result.stdout


@pytest.mark.slow
def test_ask_looks_up(run: Run, elsewhere: FakeGraceDb) -> None:
    # To ask makes no database.
    assert run("ask", "s261110A").exit_code == 2
    assert run("migrate").exit_code == 0
    assert "BNS 95 % · PRELIMINARY · S261110a" in run("ask", "s261110A").stdout
    elsewhere.faults["S990101a/"] = [503]
    result = run("ask", "S990101a")
    assert (result.exit_code, result.stdout) == (
        1,
        "No notice of S990101a was received. GraceDB is down for maintenance.\n",
    )


def refused(result: Result) -> str:
    assert result.exit_code == 2 and result.stdout == "", result.output
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "yesterday"), "gwevent: --since must be a day like 2023-05-01."),
        (
            ("--since", "2023-05-01", "--until", "2023-13-01"),
            "gwevent: --until must be a day like 2023-05-01.",
        ),
        (("--since", "2023-05-02", "--until", "2023-05-01"), "gwevent: --until lies before --since."),
    ],
)
def test_wrong_days(run: Run, arguments: tuple[str, ...], words: str) -> None:
    assert refused(run("backfill", *arguments)) == words


def test_a_backfill_that_fails_says_why_in_one_sentence(
    run: Run, elsewhere: FakeGraceDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "MAX_ATTEMPTS", 1)
    elsewhere.faults[f"{IDS[2]}/files/"] = [503]
    result = run("backfill", "--since", "2026-11-01")
    assert refused(result) == "gwevent: GraceDB is down for maintenance."
    assert "2 of 10 superevents, 2 looked up" in result.stderr and "run it again to go on." in result.stderr
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("GWEVENT_GRACEDB_URL", f"http://127.0.0.1:{port}/api/")
    assert refused(run("backfill", "--since", "2026-11-01")) == "gwevent: GraceDB can't be reached."
    monkeypatch.setenv("GWEVENT_GRACEDB_URL", "off")
    assert "GWEVENT_GRACEDB_URL is off" in refused(run("backfill", "--since", "2026-11-01"))


@pytest.mark.process
def test_ctrl_c_keeps_the_superevents_imported_so_far(
    run: Run, elsewhere: FakeGraceDb, environment: dict[str, str], tmp_path: Path
) -> None:
    # It waits for a busy GraceDB when the signal comes, so it can't be done before.
    elsewhere.faults[f"{IDS[1]}/files/"] = [503] * 100
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "backfill", "--since", "2026-11-01"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY), **environment},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while f"superevents/{IDS[1]}/files/" not in elsewhere.asked:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run it again to go on." in told and "Traceback" not in told
    elsewhere.faults.clear()
    assert f"{IDS[0]}" in run("ask", "recent").stdout
