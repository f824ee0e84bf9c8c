"""The state of a source of notices, as people and operators see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The connection of one source, for `status`, the App Home and monitoring."""

    name: str
    connected: bool
    detail: str
    """One sentence: what it reads, or what is wrong and since when."""
    lag: int | None = None
    """Payloads on the broker that were not read yet; None where that can't be known."""
