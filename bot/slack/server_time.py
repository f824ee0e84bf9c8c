"""Slack's clock, from the Date of its answers: it sets no watch by ours."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import aiohttp

from bot.runtime import machine_clock

OnServerTime = Callable[[float, float, float], None]
"""(said, asked, answered): a Unix time, and between which moments of the machine's count it was said."""


def trace_server_time(on_server_time: OnServerTime) -> aiohttp.TraceConfig:
    """For a session that talks to Slack alone: tells `heard` what each answer says of the time."""

    async def begins(_session: aiohttp.ClientSession, context: SimpleNamespace, _about: object) -> None:
        context.asked = machine_clock.monotonic_time()

    async def ends(
        _session: aiohttp.ClientSession, context: SimpleNamespace, about: aiohttp.TraceRequestEndParams
    ) -> None:
        said = parse_http_date(about.response.headers.get("Date"))
        if about.response.status == 200 and said is not None:
            on_server_time(said, context.asked, machine_clock.monotonic_time())

    config = aiohttp.TraceConfig()
    config.on_request_start.append(begins)
    config.on_request_end.append(ends)
    return config


def parse_http_date(date: str | None) -> float | None:
    """The Unix time of an HTTP date; None where there is none, or none that can be read."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
