"""The limit of open files and connections (file descriptors), and errors of exhausted system resources."""

from __future__ import annotations

import asyncio
import errno
import resource
from pathlib import Path

import structlog

TARGET_DESCRIPTORS = 65_536
"""The soft limit is raised to this if the hard limit allows it."""
MIN_DESCRIPTORS = 512
"""Needed for 200 concurrent calls to Slack, brokers, database, requests, and a margin."""
SHORTAGE_THRESHOLD = 0.9
CHECK_INTERVAL_S = 5.0
_EXHAUSTION_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOBUFS})

log = structlog.get_logger(__name__)


def raise_descriptor_limit(wanted: int = TARGET_DESCRIPTORS) -> int:
    """Raise the soft limit as far as the hard limit allows, warn if it is too low, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < goal:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
        except (OSError, ValueError) as error:
            # macOS enforces a lower limit than it reports.
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
    """Return (open descriptors, limit); None if the system does not report them."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return sum(1 for _ in Path(folder).iterdir()), limit
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                # Listing the folder takes a descriptor too, and none is left.
                return limit, limit
    return None


def descriptor_shortage() -> str | None:
    """Return a sentence if descriptors are short now, else None."""
    found = descriptor_usage()
    if found is None or found[1] in (0, resource.RLIM_INFINITY) or found[0] < SHORTAGE_THRESHOLD * found[1]:
        return None
    return (
        f"{found[0]} of {found[1]} files and connections that it may have are open; the hard limit is to be "
        "raised (LimitNOFILE= in systemd, ulimit -Hn)."
    )


async def watch_descriptors() -> None:
    """Log when descriptors become short and when they no longer are, until cancelled."""
    was_short = False
    while True:
        short = descriptor_shortage()
        if short is not None and not was_short:
            log.warning("descriptors_short", reason=short)
        elif short is None and was_short:
            log.info("descriptors_recovered")
        was_short = short is not None
        await asyncio.sleep(CHECK_INTERVAL_S)


def is_resource_exhaustion(error: BaseException) -> bool:
    """Return True if an error can only mean that no descriptor or thread is left; this passes."""
    if isinstance(error, OSError):
        return error.errno in _EXHAUSTION_ERRNOS
    return isinstance(error, RuntimeError) and "start new thread" in str(error)


def is_transient(error: BaseException) -> bool:
    """Return True for an error of the system: memory, descriptors, threads, a file or a connection.

    Unlike in `is_resource_exhaustion` the cause may be the work that failed.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_transient(one) for one in error.exceptions)
    return is_resource_exhaustion(error) or isinstance(error, OSError | MemoryError)
