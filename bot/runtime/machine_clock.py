"""The machine's clocks, read here only, so that tests can replace them."""

from __future__ import annotations

import time
from pathlib import Path

_MONOTONIC_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""Linux's CLOCK_MONOTONIC stands still in suspend; macOS has no CLOCK_BOOTTIME, and its monotonic goes on."""
_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def wall_time() -> float:
    """Return the machine's Unix time, which people, NTP and hypervisors may set."""
    return time.time()


def monotonic_time() -> float:
    """Return seconds since an arbitrary moment of this boot, including suspend; nothing sets this clock.

    A pause of the whole virtual machine may not be counted: nothing inside the machine can measure it.
    """
    return time.monotonic() if _MONOTONIC_CLOCK_ID is None else time.clock_gettime(_MONOTONIC_CLOCK_ID)


def boot_id() -> str | None:
    """Return an id of this boot, for which `monotonic_time` is comparable; None if the system has none."""
    try:
        return _BOOT_ID_FILE.read_text().strip()[:64] or None
    except OSError:
        return None
