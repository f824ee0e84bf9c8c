"""Read Slack's clock from the Date header of its answers, as a reference independent of this machine."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import aiohttp

from bot.runtime import machine_clock

OnServerTime = Callable[[float, float, float], None]
"""Called with a Unix time, and with the machine's monotonic times before and after it was read."""


def trace_server_time(on_server_time: OnServerTime) -> aiohttp.TraceConfig:
    """Return a trace for a session that is used for Slack only; it reports the time of each answer."""

    async def on_start(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.requested_at = machine_clock.monotonic_time()

    async def on_end(
        _session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        server_time = parse_http_date(params.response.headers.get("Date"))
        if params.response.status == 200 and server_time is not None:
            on_server_time(server_time, context.requested_at, machine_clock.monotonic_time())

    config = aiohttp.TraceConfig()
    config.on_request_start.append(on_start)
    config.on_request_end.append(on_end)
    return config


def parse_http_date(date: str | None) -> float | None:
    """Return the Unix time of an HTTP date; None if it is missing or invalid."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
