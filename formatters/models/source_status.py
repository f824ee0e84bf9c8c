"""The status of a source of notices, for users and operators."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The connection status of one source, for `status`, the App Home and monitoring."""

    name: str
    connected: bool
    detail: str
    """One sentence: the topics that are read, or the problem and its start time."""
    lag: int | None = None
    """Number of messages on the broker that have not been read; None if it is unknown."""
