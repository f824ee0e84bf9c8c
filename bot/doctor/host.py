"""What `gwevent doctor` looks at on the machine: files, disk, port, and the webhook's host."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bot.doctor.secret_files import mode_readable_by_others
from bot.runtime.http_proxy import proxy_for
from bot.settings import Settings
from bot.store.database import Database
from formatters.terminal.findings import Finding, Level

WARN_BELOW_BYTES = 1_000_000_000
"""Bytes: what a week of mocks takes, and some."""
FAIL_BELOW_BYTES = 100_000_000
"""Bytes: a day of mocks."""
TIMEOUT_S = 10.0
DISKLESS_LOCAL_TYPES = frozenset({"tmpfs", "ramfs", "overlay", "aufs", "zfs", "ubifs", "rootfs"})
"""File systems of one machine that the kernel counts among those without a disk of their own."""


def check_file_modes(settings: Settings, env_file: Path | None = Path(".env")) -> list[Finding]:
    """Whether others may read what holds secrets, or who is subscribed to what."""
    findings = []
    database = Database(settings.effective_database_url).path
    for name, path in (("Settings", env_file), ("Database", database)):
        if path is None or not _is_accessible(path, Path.is_file):
            continue
        mode = mode_readable_by_others(path)
        if mode is not None:
            found = f"Others may read {path} (mode {stat.S_IMODE(mode):03o})."
            findings.append(Finding(name, Level.WARN, found, f"chmod 600 {path}"))
    return findings


def check_disk_space(settings: Settings) -> list[Finding]:
    """Whether there is room for the database; nothing where it isn't a file here."""
    path = Database(settings.effective_database_url).path
    if path is None:
        return []
    folder = nearest_folder(path)
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:.1f} GB free at {folder}."
    if free < WARN_BELOW_BYTES:
        level = Level.FAIL if free < FAIL_BELOW_BYTES else Level.WARN
        todo = "Make room: mocks bring about 100 MB a day, which stay GWEVENT_MOCK_PAYLOAD_DAYS days."
        return [Finding("Disk", level, said, todo)]
    return [Finding("Disk", Level.OK, said)]


def check_filesystem(settings: Settings) -> list[Finding]:
    """Whether the database lies on a disk of this machine; nothing where it is no file, or that isn't known.

    SQLite's locks, and the memory that its processes share, work on one machine alone.
    """
    path = Database(settings.effective_database_url).path
    if path is None:
        return []
    mount = find_mount(nearest_folder(path))
    if mount is None or is_local(mount, disk_filesystem_types()):
        return []
    remote = (
        mount.filesystem_type.startswith("nfs")
        or mount.filesystem_type in ("cifs", "smb3", "9p")
        or ":" in mount.source
    )
    said = "is" if remote or mount.source.startswith("//") else "may be"
    return [
        Finding(
            "File system",
            Level.FAIL if said == "is" else Level.WARN,
            f"The database lies on {mount.filesystem_type} ({mount.mount_point}), which {said} a network "
            "file system: SQLite's locks don't hold there, and the file can be damaged.",
            "Put it on a local disk (GWEVENT_DATABASE_URL=sqlite:////folder/file), or use PostgreSQL.",
        )
    ]


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a file system is mounted."""

    mount_point: str
    filesystem_type: str
    """Its type, as the kernel calls it."""
    source: str


def find_mount(folder: Path, table: Path = Path("/proc/self/mountinfo")) -> Mount | None:
    """The mount that a folder lies on; None where the system doesn't tell."""
    try:
        lines = table.read_text("utf-8", "surrogateescape").splitlines()
        where = folder.resolve()
    except (OSError, RuntimeError):
        return None
    found = None
    for line in lines:
        # man 5 proc: 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
        left, dash, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if not dash or len(fields) < 5 or len(kinds) < 2:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        # Of several on one point the last hides the others.
        if where.is_relative_to(point) and (found is None or len(point) >= len(found.mount_point)):
            found = Mount(point, kinds[0], kinds[1])
    return found


def disk_filesystem_types(table: Path = Path("/proc/filesystems")) -> frozenset[str]:
    """The file systems that the kernel keeps on a disk: those that it doesn't mark `nodev`."""
    try:
        return frozenset(line.strip() for line in table.read_text("ascii").splitlines() if line[:1] == "\t")
    except OSError:
        return frozenset()


def is_local(mount: Mount, on_disk: frozenset[str]) -> bool:
    """Whether a file system belongs to this machine alone; one that isn't known doesn't.

    What lies on a disk does, and a few that have none do.
    """
    if mount.source.startswith("//") or ":/" in mount.source:
        return False
    return mount.filesystem_type in on_disk | DISKLESS_LOCAL_TYPES or mount.source.startswith("/dev/")


async def check_http_port(settings: Settings) -> list[Finding]:
    """Whether the HTTP port is free, or held by a gwevent; nothing where none is wanted."""
    wanted = settings.effective_http_port
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
            session.get(f"http://{host}:{wanted}/readyz", timeout=_timeout()) as answer,
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


async def check_webhook(settings: Settings) -> list[Finding]:
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
            session.head(_root_url(url), timeout=_timeout(), allow_redirects=False, proxy=proxy_for(url)),
        ):
            words = settings.webhook_filter
            called = "for the bot's troubles" + (f" and for {words}" if words else "")
            return [Finding("Webhook", Level.OK, f"Its host answers; it is called {called}.")]
    except (aiohttp.ClientError, TimeoutError) as error:
        todo = "Check GWEVENT_WEBHOOK_URL, and that this machine may reach it."
        return [Finding("Webhook", Level.FAIL, f"It can't be reached ({type(error).__name__}).", todo)]


async def check_host(settings: Settings, env_file: Path | None = Path(".env")) -> list[Finding]:
    """All of it."""
    local = await asyncio.to_thread(
        lambda: [
            *check_file_modes(settings, env_file),
            *check_disk_space(settings),
            *check_filesystem(settings),
        ]
    )
    return [*local, *await check_http_port(settings), *await check_webhook(settings)]


def nearest_folder(path: Path) -> Path:
    """The folder a file lies in, or the nearest above it that is there and may be looked at."""
    return next((parent for parent in path.parents if _is_accessible(parent, Path.is_dir)), Path("/"))


def _is_accessible(path: Path, what: Callable[[Path], bool]) -> bool:
    try:
        return what(path)
    except OSError:
        # A folder on the way that this user may not look into.
        return False


def _root_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _timeout() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=TIMEOUT_S)
