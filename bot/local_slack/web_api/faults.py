"""Faults by request: what goes wrong, where, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.local_slack.errors import Json
from bot.local_slack.web_api.odd_answers import MessagePart, Oddity, has_part

Drop = Literal["before", "after"]


@dataclass(slots=True)
class Fault:
    """One arranged failure of a Web API method.

    A fault with neither status, error, drop nor oddity only delays.
    """

    method: str
    """"chat.postMessage", or "*" for every method."""
    status: int | None = None
    """The HTTP status of the answer; nothing is done."""
    error: str | None = None
    """Slack's error name; nothing is done."""
    retry_after: float | None = None
    """Seconds for the header `Retry-After`."""
    times: int | None = 1
    """How many calls it hits; None: all of them until the faults are cleared."""
    channel: str | None = None
    """Only calls about this channel."""
    drop: Drop | None = None
    """The connection is aborted before or after the work was done."""
    delay: float = 0.0
    """Seconds waited before the work."""
    delay_after: float = 0.0
    """Seconds waited after the work, before the answer."""
    having: tuple[MessagePart, ...] = ()
    """Only calls whose message has one of these parts."""
    oddity: Oddity | None = None
    """The form of the answer, after the work was done."""


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Arrange a fault; those arranged first come first."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget them all."""
        self._faults.clear()

    def match(self, method: str, channel: str | None, args: Json | None = None) -> Fault | None:
        """The fault that hits this call, counted down."""
        for fault in self._faults:
            if fault.method not in ("*", method) or fault.channel not in (None, channel):
                continue
            if fault.having and not any(has_part(args or {}, part) for part in fault.having):
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
            return fault
        return None
