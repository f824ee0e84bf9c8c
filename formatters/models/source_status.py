"""The status of a source of notices, for users and operators."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The connection status of one source, for `status`, the App Home and monitoring."""

    name: str
    """The broker: "hopskotch" or "gcn". Each topic has a status of its own."""
    connected: bool
    detail: str
    """One sentence: the topics that are read, or the problem and its start time. Of an optional topic that
    isn't read the reason and the remedy, without its name, so that topics with the same reason go together.
    """
    lag: int | None = None
    """Number of messages on the broker that have not been read; None if it is unknown."""
    topic: str = ""
    """The topic, or the pattern, as the settings name it; empty in a status of an older version."""
    is_optional: bool = False
    """True for a topic beside LVK's alerts: that it isn't read is shown, and is no incident."""
