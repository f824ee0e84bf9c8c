"""What a process that runs for ever does first: its log, its limits, and a line that says what it is."""

from __future__ import annotations

import asyncio
import platform
import time

import structlog

from bot import __version__, logs
from bot.app.deployment import Deployment, displayed_url, setting_problems
from bot.doctor import secret_files
from bot.monitoring.monitor import HealthMonitor
from bot.runtime.os_limits import raise_descriptor_limit

READY_POLL_S = 1.0

log = structlog.get_logger(__name__)


def initialize_process(deployment: Deployment, command: str) -> None:
    """Set up the log and say version, database and settings file, then what may be wrong with these."""
    settings = deployment.settings
    logs.configure(settings.log_level, settings.log_format)
    log.info(
        "gwevent_starts",
        version=__version__,
        command=command,
        database=displayed_url(settings.effective_database_url),
        settings_file=None if deployment.env_file is None else str(deployment.env_file.absolute()),
        python=platform.python_version(),
    )
    for wrong, advice in setting_problems(deployment.env_file):
        log.warning("unknown_setting", reason=wrong, advice=advice)
    secret_files.warn_readable_secrets(deployment.env_file)
    raise_descriptor_limit()


async def log_when_ready(watch: HealthMonitor) -> None:
    """Say once when Slack is connected, the sources are read and the store answers; then stay, for ever."""
    began = time.monotonic()
    while True:
        found = await watch.readiness()
        if found.ready:
            log.info("ready", after_s=round(time.monotonic() - began, 1), parts=sorted(found.parts))
            await asyncio.Event().wait()
        await asyncio.sleep(READY_POLL_S)
