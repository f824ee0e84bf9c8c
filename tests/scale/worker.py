"""A delivery worker for many workspaces: python -m tests.scale.worker.

The first input line is {"database": …, "api_url": …, "tokens": {team: token}}. The worker delivers until its
input ends, and answers each further line with the CPU seconds used so far.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import aiohttp

from bot import logs
from bot.app.factory import open_factory, utc_now
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.store.notify import listen_for_notifications
from tests.scale.processes import receive_lines, send


async def work() -> None:
    told = receive_lines()
    order = await anext(told)
    settings = Settings.model_validate({"database_url": order["database"]})
    async with open_factory(settings) as factory, aiohttp.ClientSession() as session:
        clients = {
            team: SlackClient(token, order["api_url"], session) for team, token in order["tokens"].items()
        }
        worker = factory.create_delivery_worker(clients, utc_now)
        parts = [
            asyncio.create_task(worker.run()),
            asyncio.create_task(listen_for_notifications(factory.database, worker.wake)),
        ]
        async for _ in told:
            send(time.process_time())
        await worker.stop()
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


if __name__ == "__main__":
    # The log is formatted as by `gwevent serve`, but discarded.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        logs.configure("INFO", "json")
        asyncio.run(work())
