"""Communication between the processes of a simulation: one line of JSON for each message."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0


def send(what: object) -> None:
    """Send a message to the parent process."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def receive_lines() -> AsyncIterator[Any]:
    """Yield the parent process's messages, until it closes the pipe."""
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for line in reader:
        yield json.loads(line)


class Process:
    """A child process of the simulation."""

    def __init__(self, *arguments: object) -> None:
        self._name = arguments[0]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.pid = self._process.pid

    def receive(self) -> Any:
        """Return the process's next message. Raises RuntimeError if the process has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with {self._process.wait(TIMEOUT_S)}.")
        return json.loads(line)

    def send(self, what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def request(self, what: object = None) -> Any:
        """Send a message and return the process's answer."""
        self.send(what)
        return self.receive()

    def close(self) -> None:
        """Let the process end by itself; kill it if it does not."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(TIMEOUT_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


@contextmanager
def module_process(*arguments: object) -> Iterator[Process]:
    """Run a module in a process of its own (`python -m`), and end it on exit."""
    process = Process(*arguments)
    try:
        yield process
    finally:
        process.close()
