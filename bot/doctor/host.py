"""Checks of the machine: file modes, disk, catalogue, HTTP port, and the hosts that are called."""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bot.app.instruments import read_instruments
from bot.app.secret_files import mode_readable_by_others
from bot.commands.webhook_steps import find_uncalled_steps
from bot.criteria.operator_criteria import parse_operator_criteria
from bot.doctor.catalogue import check_catalogue
from bot.filters import find_contradiction
from bot.observing.instruments import InvalidInstruments
from bot.runtime.http_proxy import proxy_for
from bot.setting_types.escalation_webhook import OFF, escalation_webhook_policy
from bot.settings import Settings
from bot.store.channels.escalation_reports import EscalationReports
from bot.store.database import Database
from formatters.terminal.findings import Finding, Level
from formatters.text.quantities import pluralize
from formatters.webhook.payload import WebhookFormat

WARN_BELOW_BYTES = 1_000_000_000
"""Bytes: more than a week of mock notices takes."""
FAIL_BELOW_BYTES = 100_000_000
"""Bytes: a day of mock notices."""
TIMEOUT_S = 10.0
_NTFY_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
"""binwiederhier/ntfy, docs/api/openapi.yaml."""
DISKLESS_LOCAL_TYPES = frozenset({"tmpfs", "ramfs", "overlay", "aufs", "zfs", "ubifs", "rootfs"})
"""Local file systems that the kernel lists as having no disk (`nodev`)."""


def check_file_modes(settings: Settings, env_file: Path | None = Path(".env")) -> list[Finding]:
    """Return a finding for the settings file and the database if other users may read them."""
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
    """Check the free disk space for the database; no finding on PostgreSQL."""
    path = Database(settings.effective_database_url).path
    if path is None:
        return []
    folder = nearest_folder(path)
    free = shutil.disk_usage(folder).free
    result = f"{free / 1e9:.1f} GB free at {folder}."
    if free < WARN_BELOW_BYTES:
        level = Level.FAIL if free < FAIL_BELOW_BYTES else Level.WARN
        todo = "Make room: mocks bring about 100 MB a day, which stay GWEVENT_MOCK_PAYLOAD_DAYS days."
        return [Finding("Disk", level, result, todo)]
    return [Finding("Disk", Level.OK, result)]


def check_filesystem(settings: Settings) -> list[Finding]:
    """Check that the database is on a local disk; no finding on PostgreSQL, or if that is unknown.

    SQLite's locks and its shared memory work on one machine only.
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
    certainty = "is" if remote or mount.source.startswith("//") else "may be"
    return [
        Finding(
            "File system",
            Level.FAIL if certainty == "is" else Level.WARN,
            f"The database lies on {mount.filesystem_type} ({mount.mount_point}), which {certainty} a "
            "network file system: SQLite's locks don't hold there, and the file can be damaged.",
            "Put it on a local disk (GWEVENT_DATABASE_URL=sqlite:////folder/file), or use PostgreSQL.",
        )
    ]


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    mount_point: str
    filesystem_type: str
    """The kernel's name of its type."""
    source: str


def find_mount(folder: Path, table: Path = Path("/proc/self/mountinfo")) -> Mount | None:
    """Return the mount that contains a folder; None if the system does not report it."""
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
        # Of several mounts on one point the last hides the others.
        if where.is_relative_to(point) and (found is None or len(point) >= len(found.mount_point)):
            found = Mount(point, kinds[0], kinds[1])
    return found


def disk_filesystem_types(table: Path = Path("/proc/filesystems")) -> frozenset[str]:
    """Return the kernel's file systems that need a disk: those not marked `nodev`."""
    try:
        return frozenset(line.strip() for line in table.read_text("ascii").splitlines() if line[:1] == "\t")
    except OSError:
        return frozenset()


def is_local(mount: Mount, on_disk: frozenset[str]) -> bool:
    """Return True if a file system belongs to this machine: it needs a disk, or is a known one without."""
    if mount.source.startswith("//") or ":/" in mount.source:
        return False
    return mount.filesystem_type in on_disk | DISKLESS_LOCAL_TYPES or mount.source.startswith("/dev/")


def check_instruments(settings: Settings) -> list[Finding]:
    """Check the operator's file of cameras, without which the bot starts all the same."""
    if settings.instruments_file is None:
        return []
    try:
        found = read_instruments(settings.instruments_file)
    except InvalidInstruments as error:
        todo = "Correct it; until then only the built-in instruments are known by name."
        return [Finding("Instruments", Level.FAIL, f"{error}.", todo)]
    return [Finding("Instruments", Level.OK, f"{pluralize(len(found), 'instrument')} of your own.")]


async def check_http_port(settings: Settings) -> list[Finding]:
    """Check that the HTTP port is free or held by a ready gwevent; no finding if none is configured."""
    wanted = settings.effective_http_port
    if wanted is None:
        return []
    where = f"{settings.http_host} port {wanted}"
    try:
        with socket.create_server((settings.http_host, wanted)):
            return [Finding("HTTP", Level.OK, f"{where} is free.")]
    except OSError as error:
        reason, is_foreign = error.strerror, error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME)
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{host}:{wanted}/readyz", timeout=_timeout()) as answer,
        ):
            ready = await answer.json()
            if isinstance(ready, dict) and "ready" in ready:
                wrong = [f"{part}: {state}" for part, state in dict(ready["parts"]).items() if state != "ok"]
                if not wrong:
                    return [Finding("HTTP", Level.OK, f"A gwevent answers at {where}, and is ready.")]
                todo = "Wait a minute if it has just started; else see its log."
                found = f"The gwevent at {where} isn't ready: {'; '.join(wrong)}."
                return [Finding("HTTP", Level.WARN, found, todo)]
    except (aiohttp.ClientError, TimeoutError, ValueError):
        pass
    todo = "Set GWEVENT_HTTP_PORT to another port, or to none."
    if is_foreign:
        todo = "Set GWEVENT_HTTP_HOST to an address of this machine, or leave it out."
    return [Finding("HTTP", Level.FAIL, f"{where} can't be used: {reason}.", todo)]


async def check_webhook(settings: Settings) -> list[Finding]:
    """Check that the webhook's host is reachable; a call of the webhook would page someone."""
    if settings.webhook_url is None:
        without = [
            name
            for name, is_set in (
                ("GWEVENT_WEBHOOK_FILTER", settings.webhook_filter is not None),
                ("GWEVENT_ESCALATION_WEBHOOK", settings.escalation_webhook not in ("", OFF)),
            )
            if is_set
        ]
        todo = "Set GWEVENT_WEBHOOK_URL too."
        return [Finding("Webhook", Level.WARN, f"{name} is set, and no address.", todo) for name in without]
    words = settings.webhook_filter
    policy = escalation_webhook_policy(settings)
    by = "" if policy.teams == () else ", and as the last step of escalations"
    by += f" of {', '.join(policy.teams)}" if policy.teams else ""
    called = f"for the bot's incidents{f', for {words}' if words else ''}{by}"
    url = settings.webhook_url.get_secret_value()
    found = await _check_secret_host("Webhook", url, f"it is called {called}", "GWEVENT_WEBHOOK_URL")
    return [found, *_check_ntfy_topic(settings.webhook_format, url), *check_webhook_filter(words)]


def _check_ntfy_topic(form: WebhookFormat, url: str) -> list[Finding]:
    """Check the topic, which is a secret: ntfy answers 404 to others, and nobody is told."""
    topic = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    if form is not WebhookFormat.NTFY or _NTFY_TOPIC.fullmatch(topic):
        return []
    todo = "End GWEVENT_WEBHOOK_URL with 1 to 64 letters, digits, - or _, as in https://ntfy.sh/topic."
    return [Finding("Webhook", Level.FAIL, "ntfy takes no topic like that of its address.", todo)]


async def check_webhook_steps(reports: EscalationReports, settings: Settings) -> list[Finding]:
    """Check that subscriptions with the webhook as a step have it called. Raises StoreUnavailable."""
    steps = await reports.count_webhook_steps()
    problem = find_uncalled_steps(steps, escalation_webhook_policy(settings))
    if problem is None:
        return []
    todo = "Set GWEVENT_WEBHOOK_URL, and GWEVENT_ESCALATION_WEBHOOK to their workspaces."
    return [Finding("Escalations", Level.WARN, f"{problem}.", todo)]


async def check_heartbeat(settings: Settings) -> list[Finding]:
    """Check that the host of the dead man's switch is reachable; a ping would say that the bot is well."""
    if settings.heartbeat_url is None:
        return []
    url, purpose = settings.heartbeat_url.get_secret_value(), "it is pinged while the bot is well"
    return [await _check_secret_host("Heartbeat", url, purpose, "GWEVENT_HEARTBEAT_URL")]


async def _check_secret_host(name: str, url: str, purpose: str, setting: str) -> Finding:
    """Ask the root of a secret address, because a request to its path has an effect."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.head(_root_url(url), timeout=_timeout(), allow_redirects=False, proxy=proxy_for(url)),
        ):
            return Finding(name, Level.OK, f"Its host answers; {purpose}.")
    except (aiohttp.ClientError, TimeoutError) as error:
        todo = f"Check {setting}, and that this machine may reach it."
        return Finding(name, Level.FAIL, f"It can't be reached ({type(error).__name__}).", todo)


def check_webhook_filter(words: str | None) -> list[Finding]:
    """Warn of a filter for which the webhook would never be called."""
    contradiction = None if words is None else find_contradiction(parse_operator_criteria(words))
    if contradiction is None:
        return []
    return [Finding("Webhook", Level.WARN, contradiction, "Change GWEVENT_WEBHOOK_FILTER.")]


async def check_host(settings: Settings, env_file: Path | None = Path(".env")) -> list[Finding]:
    """Run all checks of the machine."""
    local = await asyncio.to_thread(
        lambda: [
            *check_file_modes(settings, env_file),
            *check_disk_space(settings),
            *check_filesystem(settings),
            *check_catalogue(settings),
            *check_instruments(settings),
        ]
    )
    return [
        *local,
        *await check_http_port(settings),
        *await check_webhook(settings),
        *await check_heartbeat(settings),
    ]


def nearest_folder(path: Path) -> Path:
    """Return the nearest folder above a path that exists and can be examined."""
    return next((parent for parent in path.parents if _is_accessible(parent, Path.is_dir)), Path("/"))


def _is_accessible(path: Path, what: Callable[[Path], bool]) -> bool:
    try:
        return what(path)
    except OSError:
        # The user may not enter a folder on the way.
        return False


def _root_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _timeout() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=TIMEOUT_S)
