"""Conditions of criteria sets as lines: whether each held, and by how much it failed. Not escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.criteria_set import ConditionOutcome, Verdict, WhyUndecided
from formatters.text import quantities

_MARKS: Mapping[Verdict, str] = {
    Verdict.HELD: "✓",
    Verdict.FAILED: "✗",
    Verdict.UNKNOWN: "?",
    Verdict.UNDECIDED: "?",
}
_WHY_UNDECIDED: Mapping[WhyUndecided, str] = {
    WhyUndecided.NO_MAP: "no map yet",
    WhyUndecided.MAP_PENDING: "the map is still being read",
    WhyUndecided.NOT_STATED: "not known from the notice or its map",
}
_MAP_DECIDES = "the sky map decides"
_TOO_HIGH_OR_LOW: Mapping[str, tuple[str, str]] = {
    "Mpc": ("too far", "too near"),
    "deg²": ("too large", "too small"),
    "Msun": ("too heavy", "too light"),
    "": ("too many", "too few"),
}
"""Words for a value above and below its limit, by its unit; those of other units are too high or too low."""
_DECIMALS: Mapping[str, int] = {"": 0, "probability": 0, "Mpc": 0, "deg²": 0, "Msun": 1}
_OTHER_DECIMALS = 2
_MORE_DECIMALS = 6
"""Decimals that are added at most until a value and its limit look different."""
_INDENT = quantities.NBSP * 3
_TEXT_MAX = 200
"""Characters of a condition that are shown, so that its numbers behind it are never cut off."""
_AT_LIMIT = "right at the limit"


def condition_line(condition: ConditionOutcome, why: WhyUndecided | None = None) -> str:
    """Return a condition with its verdict and its numbers: "✗ distance<150: 168 Mpc, 18 Mpc too far".

    `why` is what the set's outcome waits for; it is said of a condition that the sky map decides.
    """
    said = _reason(condition, why)
    section = f" ({condition.section})" if condition.section else ""
    line = f"{_MARKS[condition.verdict]} {plain_text(condition.text, _TEXT_MAX)}"
    return f"{line}: {said}{section}" if said else f"{line}{section}"


def condition_lines(condition: ConditionOutcome, why: WhyUndecided | None = None) -> list[str]:
    """Return the lines of a condition: its own, and below it, indented, those of its alternatives."""
    same = condition.section
    alternatives = [
        replace(one, section="") if one.section == same else one for one in condition.alternatives
    ]
    below = [line for one in alternatives for line in condition_lines(one, why)]
    return [condition_line(condition, why), *(f"{_INDENT}{line}" for line in below)]


def verdict_text(verdict: Verdict) -> str:
    """Return whether a grade's conditions hold, in words: "doesn't hold"."""
    return {
        Verdict.HELD: "holds",
        Verdict.FAILED: "doesn't hold",
        Verdict.UNKNOWN: "unknown",
        Verdict.UNDECIDED: "undecided",
    }[verdict]


def _reason(condition: ConditionOutcome, why: WhyUndecided | None) -> str:
    """Return the value, or why there is none; empty if the verdict says it all."""
    match condition.verdict:
        case Verdict.UNKNOWN:
            return "not known from the notice or its map"
        case Verdict.UNDECIDED:
            return _MAP_DECIDES if why is None else _WHY_UNDECIDED.get(why, _MAP_DECIDES)
    if condition.is_never_stated:
        return "never stated for this kind of event"
    value, limit, unit = condition.value, condition.limit, condition.unit
    if value is None or not math.isfinite(value):
        return ""
    if limit is None or not math.isfinite(limit):
        return _shown(value, unit, _decimals(value, unit))
    if unit == "Hz":
        rate = quantities.rate(value)
        return rate if condition.verdict is Verdict.HELD else f"{rate}, {_rate_excess(value, limit)}"
    decimals = _telling_decimals(value, limit, unit)
    shown = _shown(value, unit, decimals)
    if condition.verdict is Verdict.HELD:
        return shown
    return f"{shown}, {_excess(value, limit, unit, decimals)}"


def _decimals(value: float, unit: str) -> int:
    usual = _DECIMALS.get(unit, _OTHER_DECIMALS)
    return usual if usual or unit in ("", "probability") or value == 0 or abs(value) >= 10 else 1


def _telling_decimals(value: float, limit: float, unit: str) -> int:
    """Return the decimals with which a value is shown apart from its limit, if any can."""
    first = _decimals(value, unit)
    scale = 100 if unit == "probability" else 1
    return next(
        (
            decimals
            for decimals in range(first, first + _MORE_DECIMALS)
            if round(value * scale, decimals) != round(limit * scale, decimals)
        ),
        first,
    )


def _shown(value: float, unit: str, decimals: int) -> str:
    match unit:
        case "probability":
            if decimals == 0:
                return quantities.percent(value)
            return f"{quantities.number(value * 100, decimals)}{quantities.NBSP}%"
        case "Hz":
            return quantities.rate(value)
        case "Msun":
            return f"{quantities.number(value, decimals)}{quantities.NBSP}M☉"
        case "redshift" | "":
            return quantities.number(value, decimals)
    return f"{quantities.number(value, decimals)}{quantities.NBSP}{unit}"


def _excess(value: float, limit: float, unit: str, decimals: int) -> str:
    """Return by how much a value misses its limit: "18 Mpc too far", "20 points short of 50 %"."""
    scale = 100 if unit == "probability" else 1
    # Of the numbers as they are shown, so that people who subtract them get the same.
    difference = round(round(value * scale, decimals) - round(limit * scale, decimals), decimals)
    if difference == 0:
        return _AT_LIMIT
    if unit == "probability":
        points = quantities.number(abs(difference), decimals)
        noun = "point" if points == "1" else "points"
        wanted = f"{quantities.number(limit * 100, _limit_decimals(limit * 100))}{quantities.NBSP}%"
        return f"{points} {noun} {'above' if difference > 0 else 'short of'} {wanted}"
    above, below = _TOO_HIGH_OR_LOW.get(unit, ("too high", "too low"))
    return f"{_shown(abs(difference), unit, decimals)} {above if difference > 0 else below}"


def _limit_decimals(value: float) -> int:
    """Return the decimals with which a limit is shown as it was typed, at most six."""
    return next((n for n in range(_MORE_DECIMALS) if abs(round(value, n) - value) < 1e-9), _MORE_DECIMALS)


def _rate_excess(value: float, limit: float) -> str:
    """Return by how much a false-alarm rate (Hz) misses its limit: "6 times too often"."""
    if value == limit:
        return _AT_LIMIT
    if value <= 0 or limit <= 0:
        return "too often" if value > limit else "too rare"
    factor, word = (value / limit, "too often") if value > limit else (limit / value, "too rare")
    if not math.isfinite(factor):
        return word
    if factor < 2:
        percent = (factor - 1) * 100
        return f"{quantities.two_digits(percent)}{quantities.NBSP}% {word}" if percent >= 1e-6 else _AT_LIMIT
    return f"{_without_fraction(factor)} times {word}"


def _without_fraction(factor: float) -> str:
    return quantities.two_digits(factor).removesuffix(".0")
