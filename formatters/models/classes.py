"""The most probable class, also where a notice states a probability that can't be read.

LVK's class probabilities sum to 1, so an unread one is at most what the others leave; it is never estimated.
"""

from __future__ import annotations

from collections.abc import Collection

from formatters.models.notice import Event

_ROUNDING = 0.01
"""Probability by which stated classes, each rounded, may miss what they are."""
CLASSIFICATION = "classification"
PROPERTIES = "properties"
"""Fields of a notice's event that hold probabilities by name."""


def unread_names(event: Event, field: str) -> tuple[str, ...]:
    """Return the names within a field (CLASSIFICATION or PROPERTIES) that have no readable probability."""
    start = f"{field}."
    return tuple(name.removeprefix(start) for name in event.unread if name.startswith(start))


def is_unread(event: Event, field: str) -> bool:
    """Return True if a field of the event holds a value of which nothing can be read."""
    return field in event.unread


def unread_share(event: Event, names: Collection[str] | None = None) -> float:
    """Return the most probability (0 to 1) that unread classes, or those of them in `names`, may have."""
    unread = unread_names(event, CLASSIFICATION)
    if not is_unread(event, CLASSIFICATION) and not any(names is None or name in names for name in unread):
        return 0.0
    return max(0.0, 1.0 - sum(event.classification.values()))


def most_probable_class(event: Event) -> tuple[str, float] | None:
    """Return the most probable class and its probability, of equal ones the first in the notice.

    Return None without classes, or if an unread one may be it.
    """
    name = max(event.classification, key=lambda name: event.classification[name], default=None)
    if name is None:
        return None
    probability, unread = event.classification[name], unread_share(event)
    return None if unread and unread + _ROUNDING >= probability else (name, probability)
