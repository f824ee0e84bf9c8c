"""Runs a bot whose time is what a file says: it stands still until the test writes another time."""

from __future__ import annotations

import functools
from datetime import datetime
from pathlib import Path

from bot.app.factory import Factory
from bot.runtime.steady_clock import SteadyClock
from tests.end_to_end import crash_points

CLOCK_VARIABLE = "NIGHT_CLOCK"


def run(environment: dict[str, str], folder: str, log: str, step: str | None, command: str = "run") -> None:
    """Become `gwevent run` or another command by the time in the file that NIGHT_CLOCK names."""
    path = Path(environment.pop(CLOCK_VARIABLE))

    def now(_: SteadyClock) -> datetime:
        return read_time(path)

    SteadyClock.__call__ = now  # type: ignore[assignment, method-assign]
    Factory.create_delivery_worker = functools.partialmethod(  # type: ignore[assignment, method-assign]
        Factory.create_delivery_worker, channel_pause_s=0.0
    )
    crash_points.run(environment, folder, log, step, command)


def read_time(path: Path) -> datetime:
    """Return the time that the file says."""
    return datetime.fromisoformat(path.read_text("utf-8"))


def write_time(path: Path, now: datetime) -> None:
    """Let the time be `now` from here on; a reader sees the old one or the new one, never half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(now.isoformat(), "utf-8")
    fresh.replace(path)
