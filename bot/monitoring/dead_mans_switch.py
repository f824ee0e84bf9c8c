"""Ping an address outside while the bot is well, so that somebody hears when the whole machine is gone.

A bot that is dead can't report itself. Services such as healthchecks.io, Dead Man's Snitch or Uptime Kuma
expect a call every few minutes and alert a person when it stays out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import structlog

from bot.monitoring.monitor import CHECK_INTERVAL_S, HealthMonitor
from bot.runtime import machine_clock
from bot.runtime.http_proxy import proxy_for
from bot.runtime.running_timeout import running_timeout
from bot.settings import Settings

PING_INTERVAL_S = 120.0
"""Seconds between two pings; the service's own limit should be three times as long or more."""
RECHECK_INTERVAL_S = 5.0
"""Seconds until the next look while the bot isn't well, or the ping failed."""
TIMEOUT_S = 10.0
MAX_CHECK_AGE_S = 6 * CHECK_INTERVAL_S
"""A health check that is older means that the check itself hangs."""

log = structlog.get_logger(__name__)


class DeadMansSwitch:
    """The pings of `GWEVENT_HEARTBEAT_URL`: sent while the bot is well, left out while it isn't."""

    def __init__(
        self,
        url: str,
        health_monitor: HealthMonitor,
        elapsed: Callable[[], float] = machine_clock.monotonic_time,
    ) -> None:
        """`url` is a secret, since anyone who knows it can ping; `elapsed` counts seconds."""
        self._url = url
        self._health_monitor = health_monitor
        self._elapsed = elapsed
        self._withheld_for: str | None = None

    async def run(self) -> None:
        """Ping until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                sent = await self.ping_if_well(session)
                await asyncio.sleep(PING_INTERVAL_S if sent else RECHECK_INTERVAL_S)

    async def ping_if_well(self, session: aiohttp.ClientSession) -> bool:
        """Send one ping; return False if the bot isn't well, or nobody took the ping."""
        reason = await self._why_unwell()
        if reason is not None:
            if reason != self._withheld_for:
                log.warning("heartbeat_ping_withheld", reason=reason)
            self._withheld_for = reason
            return False
        if self._withheld_for is not None:
            log.info("heartbeat_ping_resumed")
        self._withheld_for = None
        try:
            async with (
                running_timeout(TIMEOUT_S),
                session.get(self._url, allow_redirects=False, proxy=proxy_for(self._url)) as answer,
            ):
                if 200 <= answer.status < 300:
                    return True
                failure = f"HTTP {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            # The error's text may contain the address, which is a secret.
            failure = f"no answer: {type(error).__name__}"
        log.warning("heartbeat_ping_failed", reason=failure)
        return False

    async def _why_unwell(self) -> str | None:
        """Return why no ping may be sent now; None if the bot is well."""
        check = self._health_monitor.last_check
        if check is None:
            return "no health check has ended yet"
        if self._elapsed() - check.ended_monotonic > MAX_CHECK_AGE_S:
            return "the health check hangs"
        if check.open_kinds:
            return "open incidents: " + ", ".join(sorted(kind.value for kind in check.open_kinds))
        readiness = await self._health_monitor.readiness()
        unwell = [f"{part}: {state}" for part, state in readiness.parts.items() if state != "ok"]
        return "; ".join(unwell) or None


def create_dead_mans_switch(settings: Settings, health_monitor: HealthMonitor) -> DeadMansSwitch | None:
    """Return the dead man's switch; None if no address is configured."""
    if settings.heartbeat_url is None:
        return None
    return DeadMansSwitch(settings.heartbeat_url.get_secret_value(), health_monitor)
