"""Finds false-alarm rates that were surely meant with a unit: without one a rate is in Hz."""

from __future__ import annotations

from formatters.models.filter import FarCompare, Filter, conditions, format_number
from formatters.models.subscription import Criteria

MIN_SUSPICIOUS_HERTZ = 1e-4
"""Nine a day: LVK announces nothing noisier than two a day, so no limit from here on chooses among alerts."""


def find_missing_rate_unit(criteria: Criteria) -> str | None:
    """Return a sentence on a rate such as "far<0.01", which every alert meets; None without one."""
    condition = None if criteria.notify is None else criteria.notify.condition
    for found in (criteria.filter, condition):
        sentence = None if found is None else _sentence(found)
        if sentence is not None:
            return sentence
    return None


def _sentence(found: Filter) -> str | None:
    for rate in conditions(found):
        if isinstance(rate, FarCompare) and rate.unit == "Hz" and rate.count >= MIN_SUSPICIOUS_HERTZ:
            return (
                f'"{rate.canonical}" is in Hz, and no alert comes so often: perhaps you mean'
                f' "far{rate.op}{format_number(rate.count)}/yr".'
            )
    return None
