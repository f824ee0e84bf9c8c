"""What `gwevent doctor` looks at on the machine: files, disk, port, and the webhook's host."""

from __future__ import annotations

import asyncio
import shutil
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bot.proxy import proxy_for
from bot.settings import Settings
from bot.store.database import Database
from formatters.doctor import Finding, Level

FREE_WARN = 1_000_000_000
"""Bytes: what a week of mocks takes, and some."""
FREE_FAIL = 100_000_000
"""Bytes: a day of mocks."""
ANSWER_S = 10.0


def files(settings: Settings, env_file: Path = Path(".env")) -> list[Finding]:
    """Whether others may read what holds secrets, or who is subscribed to what."""
    findings = []
    database = Database(settings.database).path
    for name, path in (("Settings", env_file), ("Database", database)):
        if path is None or not path.is_file():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            findings.append(
                Finding(name, Level.WARN, f"Others may read {path} (mode {mode:03o}).", f"chmod 600 {path}")
            )
    return findings


def disk(settings: Settings) -> list[Finding]:
    """Whether there is room for the database; nothing where it isn't a file here."""
    path = Database(settings.database).path
    if path is None:
        return []
    folder = next((parent for parent in path.absolute().parents if parent.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:.1f} GB free at {folder}."
    if free < FREE_WARN:
        level = Level.FAIL if free < FREE_FAIL else Level.WARN
        todo = "Make room: mocks bring about 100 MB a day, which stay GWEVENT_MOCK_PAYLOAD_DAYS days."
        return [Finding("Disk", level, said, todo)]
    return [Finding("Disk", Level.OK, said)]


async def port(settings: Settings) -> list[Finding]:
    """Whether the HTTP port is free, or held by a gwevent; nothing where none is wanted."""
    wanted = settings.listens_on
    if wanted is None:
        return []
    where = f"{settings.http_host} port {wanted}"
    try:
        with socket.create_server((settings.http_host, wanted)):
            return [Finding("HTTP", Level.OK, f"{where} is free.")]
    except OSError as error:
        reason = error.strerror
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{host}:{wanted}/readyz", timeout=_within()) as answer,
        ):
            ready = await answer.json()
            if isinstance(ready, dict) and "ready" in ready:
                wrong = [f"{part}: {said}" for part, said in dict(ready["parts"]).items() if said != "ok"]
                if not wrong:
                    return [Finding("HTTP", Level.OK, f"A gwevent answers at {where}, and is ready.")]
                todo = "Wait a minute if it has just started; else see its log."
                found = f"The gwevent at {where} isn't ready: {'; '.join(wrong)}."
                return [Finding("HTTP", Level.WARN, found, todo)]
    except (aiohttp.ClientError, TimeoutError, ValueError):
        pass
    todo = "Set GWEVENT_HTTP_PORT to another port, or to none."
    return [Finding("HTTP", Level.FAIL, f"{where} can't be used: {reason}.", todo)]


async def webhook(settings: Settings) -> list[Finding]:
    """Whether the webhook's host answers; it isn't called, for that wakes people."""
    if settings.webhook_url is None:
        if settings.webhook_filter is None:
            return []
        todo = "Set GWEVENT_WEBHOOK_URL too."
        return [Finding("Webhook", Level.WARN, "GWEVENT_WEBHOOK_FILTER is set, and no address.", todo)]
    url = settings.webhook_url.get_secret_value()
    try:
        async with (
            aiohttp.ClientSession() as session,
            # The path is a secret and may do something even when asked for: the root doesn't.
            session.head(_root(url), timeout=_within(), allow_redirects=False, proxy=proxy_for(url)),
        ):
            words = settings.webhook_filter
            called = "for the bot's troubles" + (f" and for {words}" if words else "")
            return [Finding("Webhook", Level.OK, f"Its host answers; it is called {called}.")]
    except (aiohttp.ClientError, TimeoutError) as error:
        todo = "Check GWEVENT_WEBHOOK_URL, and that this machine may reach it."
        return [Finding("Webhook", Level.FAIL, f"It can't be reached ({type(error).__name__}).", todo)]


async def look(settings: Settings) -> list[Finding]:
    """All of it."""
    local = await asyncio.to_thread(lambda: [*files(settings), *disk(settings)])
    return [*local, *await port(settings), *await webhook(settings)]


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _within() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=ANSWER_S)
