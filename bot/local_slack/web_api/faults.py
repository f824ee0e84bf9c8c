"""Faults that tests and the control API arrange: which calls fail, how, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.local_slack.errors import Json
from bot.local_slack.web_api.odd_answers import MessagePart, Oddity, has_part

RESPOND = "respond"
"""Stands for an answer by a response URL, which is no Web API method and not meant by "*"."""

Drop = Literal["before", "after"]


@dataclass(slots=True)
class Fault:
    """An arranged failure of a Web API method.

    A fault without status, error, drop and oddity only delays the call.
    """

    method: str
    """"chat.postMessage", or "*" for every method; "respond" for an answer by a response URL."""
    status: int | None = None
    """The response's HTTP status; the method is not executed."""
    error: str | None = None
    """Slack's error name; the method is not executed."""
    retry_after: float | None = None
    """The value of the header `Retry-After`, seconds."""
    times: int | None = 1
    """Number of calls affected; None for all calls until the faults are cleared."""
    channel: str | None = None
    """If set, only calls for this channel are affected."""
    drop: Drop | None = None
    """If set, the connection is aborted before or after the method is executed."""
    delay: float = 0.0
    """Seconds to wait before the method is executed."""
    delay_after: float = 0.0
    """Seconds to wait between the method's execution and the response."""
    having: tuple[MessagePart, ...] = ()
    """If set, only calls whose message has one of these parts are affected."""
    oddity: Oddity | None = None
    """If set, an unusual form of the response; the method is executed."""


class Faults:
    """The faults that are arranged and not used up yet."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Arrange a fault. Faults that match the same call are used in the order of their arrangement."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def match(self, method: str, channel: str | None, args: Json | None = None) -> Fault | None:
        """Return the fault for this call, if any, and decrease its remaining count."""
        for fault in self._faults:
            every = fault.method == "*" and method != RESPOND
            if not (every or fault.method == method) or fault.channel not in (None, channel):
                continue
            if fault.having and not any(has_part(args or {}, part) for part in fault.having):
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
            return fault
        return None
