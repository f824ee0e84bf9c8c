"""A log whose reader is stopped or gone, or whose disk is full, holds nobody up."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.runtime import line_writer
from bot.runtime.line_writer import LineWriter

PATIENCE_S = 60.0
LINE = b"x" * 999 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe: to read, to write."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read_lines(descriptor: int, count: int) -> list[bytes]:
    found = b""
    while found.count(b"\n") < count:
        found += os.read(descriptor, 65_536)
    return found.splitlines()


def fill(descriptor: int) -> int:
    """Write lines into a pipe until it is full; return their number."""
    os.set_blocking(descriptor, False)
    lines = 0
    with suppress(BlockingIOError):
        while True:
            os.write(descriptor, LINE)
            lines += 1
    return lines


def test_lines_come_in_their_order(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], lambda _: None)
    for number in range(50):
        writer.write(b"%d\n" % number)
    assert writer.flush(PATIENCE_S)
    assert read_lines(pipe[0], 50) == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_is_stopped_gets_what_fitted_and_the_number_of_the_rest(
    pipe: tuple[int, int], blocking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_writer, "RETRY_S", 0.05)
    lost: list[int] = []
    told = threading.Event()

    def on_recovered(lines: int) -> None:
        lost.append(lines)
        told.set()

    filled = fill(pipe[1])
    os.set_blocking(pipe[1], blocking)
    writer = LineWriter(pipe[1], on_recovered, max_waiting=10)
    for _ in range(30):
        writer.write(LINE)
    got = len(read_lines(pipe[0], filled + 10))
    assert told.wait(PATIENCE_S)
    assert writer.flush(PATIENCE_S)
    os.set_blocking(pipe[0], False)
    with suppress(BlockingIOError):
        got += os.read(pipe[0], 1 << 20).count(b"\n")
    assert got + sum(lost) == filled + 30 and lost[0] > 0


def test_a_reader_that_is_gone_is_no_error() -> None:
    reader, writer_end = os.pipe()
    writer = LineWriter(writer_end, lambda _: None)
    os.close(reader)
    for _ in range(5):
        writer.write(LINE)
    assert writer.flush(PATIENCE_S)
    os.close(writer_end)


@pytest.mark.parametrize("seed", range(8))
def test_a_disk_that_is_full_for_a_while_loses_whole_lines_and_says_how_many(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    written, lost = bytearray(), list[int]()
    ways: tuple[str, ...] = ("all", "part", "full")

    def write(_descriptor: int, data: memoryview) -> int:
        way = chance.choice(ways)
        if way == "full":
            raise OSError(28, "No space left on device")
        some = bytes(data if way == "all" else data[: chance.randint(1, len(data))])
        written.extend(some)
        return len(some)

    with monkeypatch.context() as patched:
        patched.setattr(line_writer, "os", SimpleNamespace(write=write))
        writer = LineWriter(0, lost.append)
        for number in range(200):
            writer.write(b"<%d>\n" % number)
        assert writer.flush(PATIENCE_S)
        ways = ("all",)
        writer.write(b"<end>\n")
        assert writer.flush(PATIENCE_S)
    lines = bytes(written).splitlines()
    whole = [line for line in lines if line.startswith(b"<") and line.endswith(b">")]
    # One that lacks its line feed alone counts as lost too.
    assert lost and 201 <= len(whole) + sum(lost) <= 220 and len(whole) < 201
    assert all(line.count(b"<") <= 1 for line in lines), "no line continues another that was torn"
