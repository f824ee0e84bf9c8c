"""How many files and connections this process may have open, and what is left of that."""

from __future__ import annotations

import asyncio
import errno
import resource
from pathlib import Path

import structlog

TARGET_DESCRIPTORS = 65_536
"""Descriptors: what the soft limit is raised to, where the hard one lets it."""
MIN_DESCRIPTORS = 512
"""Descriptors: 200 calls to Slack at once, the brokers, the database, people's requests, and some."""
SHORTAGE_THRESHOLD = 0.9
CHECK_INTERVAL_S = 5.0
_EXHAUSTION_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOBUFS})

log = structlog.get_logger(__name__)


def raise_descriptor_limit(wanted: int = TARGET_DESCRIPTORS) -> int:
    """Raise the soft limit as far as the hard one lets it, and say where that is too low; the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < goal:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
        except (OSError, ValueError) as error:
            # macOS has a limit of its own below the one that it tells.
            log.warning("descriptor_limit_raise_failed", limit=soft, reason=str(error))
        else:
            soft = goal
    if soft != resource.RLIM_INFINITY and soft < MIN_DESCRIPTORS:
        log.warning(
            "descriptor_limit_low",
            limit=soft,
            advice=f"It may open {soft} files and connections and needs up to {MIN_DESCRIPTORS}: "
            "raise the hard limit (LimitNOFILE= in systemd, ulimit -Hn).",
        )
    return soft


def descriptor_usage() -> tuple[int, int] | None:
    """How many descriptors are open, and how many may be; None where the system doesn't tell."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return sum(1 for _ in Path(folder).iterdir()), limit
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                # Even looking takes one.
                return limit, limit
    return None


def descriptor_shortage() -> str | None:
    """What is short now, a sentence; None where nothing is."""
    found = descriptor_usage()
    if found is None or found[1] in (0, resource.RLIM_INFINITY) or found[0] < SHORTAGE_THRESHOLD * found[1]:
        return None
    return (
        f"{found[0]} of {found[1]} files and connections that it may have are open; the hard limit is to be "
        "raised (LimitNOFILE= in systemd, ulimit -Hn)."
    )


async def watch_descriptors() -> None:
    """Say when descriptors get short, and when they aren't any more, for ever."""
    told = False
    while True:
        short = descriptor_shortage()
        if short is not None and not told:
            log.warning("descriptors_short", reason=short)
        elif short is None and told:
            log.info("descriptors_recovered")
        told = short is not None
        await asyncio.sleep(CHECK_INTERVAL_S)


def is_resource_exhaustion(error: BaseException) -> bool:
    """Whether an error can only mean that the system has no descriptor or thread left, which passes."""
    if isinstance(error, OSError):
        return error.errno in _EXHAUSTION_ERRNOS
    return isinstance(error, RuntimeError) and "start new thread" in str(error)


def is_transient(error: BaseException) -> bool:
    """Whether an error is the system's: of memory, descriptors, threads, or of some file or connection.

    Unlike `is_starved` this may be due to what was being worked at.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_transient(one) for one in error.exceptions)
    return is_resource_exhaustion(error) or isinstance(error, OSError | MemoryError)
