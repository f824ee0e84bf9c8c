"""The machine's clocks, each read in one place."""

from __future__ import annotations

import time
from pathlib import Path

_MONOTONIC_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""Linux's CLOCK_MONOTONIC stands still in suspend; macOS has no CLOCK_BOOTTIME, and its monotonic goes on."""
_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def wall_time() -> float:
    """Unix time as the machine has it: people, NTP and hypervisors set it."""
    return time.time()


def monotonic_time() -> float:
    """Seconds since some moment of this boot: nobody sets it, and it counts what a process slept through.

    What a whole virtual machine was paused for it may leave out: nothing inside one can count that.
    """
    return time.monotonic() if _MONOTONIC_CLOCK_ID is None else time.clock_gettime(_MONOTONIC_CLOCK_ID)


def boot_id() -> str | None:
    """What names this boot of the machine, as long as `elapsed` counts on; None where nothing does."""
    try:
        return _BOOT_ID_FILE.read_text().strip()[:64] or None
    except OSError:
        return None
