"""The checks of the servers that the bot only reads: GraceDB and the Treasure Map."""

from __future__ import annotations

import asyncio

import aiohttp

from bot.doctor.treasure_map import check_treasure_map
from bot.gracedb.client import USER_AGENT
from bot.runtime.http_proxy import proxy_for
from bot.settings import Settings
from formatters.terminal.findings import Finding, Level

TIMEOUT_S = 10.0


async def check_other_servers(settings: Settings) -> list[Finding]:
    """Check each server that the settings name."""
    gracedb, treasure_map = await asyncio.gather(_check_gracedb(settings), check_treasure_map(settings))
    return [*gracedb, *treasure_map]


async def _check_gracedb(settings: Settings) -> list[Finding]:
    """Check that GraceDB answers; without it only events that were never received can't be looked up."""
    name = "GraceDB"
    if settings.gracedb_url is None:
        return []
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": USER_AGENT}) as session,
            session.get(settings.gracedb_url, proxy=proxy_for(settings.gracedb_url)) as answer,
        ):
            wrong = None if answer.status < 400 else f"HTTP {answer.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        wrong = type(error).__name__
    if wrong is None:
        return [Finding(name, Level.OK, f"answers at {settings.gracedb_url}.")]
    found = (
        f"GraceDB doesn't answer at {settings.gracedb_url} ({wrong}): events of the past can't be looked up."
    )
    todo = "Check the network and GWEVENT_GRACEDB_URL, or set it to off."
    return [Finding(name, Level.WARN, found, todo)]
