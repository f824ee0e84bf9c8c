"""Positions in the text of a circular."""

from __future__ import annotations

from formatters.models.related_message import ReportedPosition


def find_positions(text: str) -> tuple[ReportedPosition, ...]:
    """Return the positions that a text reports."""
    return ()
