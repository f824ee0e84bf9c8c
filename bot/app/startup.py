"""Startup of a long-lived process: its log, its limits, and a first line that identifies it."""

from __future__ import annotations

import asyncio
import platform
import sys
import time

import structlog

from bot import __version__, logs
from bot.app import secret_files
from bot.app.deployment import Deployment, displayed_url, setting_problems
from bot.monitoring.monitor import HealthMonitor
from bot.runtime.garbage_collection import exclude_existing_objects
from bot.runtime.line_writer import LineWriter
from bot.runtime.os_limits import raise_descriptor_limit
from bot.skymaps import healpix

READY_POLL_S = 1.0

log = structlog.get_logger(__name__)


def initialize_process(deployment: Deployment, command: str) -> None:
    """Configure logging, then log the version, database and settings file, and possible mistakes in them."""
    settings = deployment.settings
    logs.configure(settings.log_level, settings.log_format, _open_log_writer())
    log.info(
        "process_started",
        version=__version__,
        command=command,
        database=displayed_url(settings.effective_database_url),
        settings_file=None if deployment.env_file is None else str(deployment.env_file.absolute()),
        python=platform.python_version(),
    )
    for problem, advice in setting_problems(deployment.env_file):
        log.warning("setting_ignored", reason=problem, advice=advice)
    secret_files.warn_readable_secrets(deployment.env_file)
    raise_descriptor_limit()


def _open_log_writer() -> LineWriter | None:
    """Return a writer to standard error; None if that is no file, or no thread can be started."""
    try:
        return LineWriter(sys.stderr.fileno(), logs.report_lost_lines)
    except (AttributeError, OSError, ValueError, RuntimeError):
        return None


async def log_when_ready(health_monitor: HealthMonitor) -> None:
    """Log once when Slack is connected, all sources are read and the store answers; then wait forever.

    Meanwhile what the first sky map needs is imported, which the start doesn't wait for.
    """
    started = time.monotonic()
    while True:
        readiness = await health_monitor.readiness()
        if readiness.ready:
            log.info(
                "process_ready", after_s=round(time.monotonic() - started, 1), parts=sorted(readiness.parts)
            )
            await asyncio.to_thread(healpix.load)
            exclude_existing_objects()
            await asyncio.Event().wait()
        await asyncio.sleep(READY_POLL_S)
