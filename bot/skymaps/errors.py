"""The error of a sky map that can't be used."""

from __future__ import annotations


class UnreadableMap(ValueError):
    """A sky map that can't be read; `reason` says why in one sentence for a person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
