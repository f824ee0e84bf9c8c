"""Photometry of BOOM and HERMES: when a source was first detected, and how bright it was last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.alerts import fields
from bot.alerts.payload import Record
from bot.related_messages.message_fields import MAX_NAME, line, mappings, observation_time

MAX_ROWS = 5_000
"""The most rows of photometry that are read."""
_MAGNITUDES = frozenset({"", "ab", "vega", "mag", "ab mag", "vega mag", "abmag"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Brightness:
    """The first and the newest detection of one source in its photometry."""

    first_detection: datetime | None = None
    """Time of the first detection in the message; an upper limit is none."""
    newest: str = ""
    """The newest detection in words ("ztfr = 17.98"); empty without one."""


def brightness_by_source(photometry: object) -> dict[str, Brightness]:
    """Return the brightness of every named source in the rows of a message, in the words of either schema."""
    rows: dict[str, list[Record]] = {}
    for row in mappings(photometry, MAX_ROWS):
        name = line(_first(row, "event_name", "target_name", "name"), MAX_NAME)
        if name and _is_detection(row):
            rows.setdefault(name, []).append(row)
    return {name: _brightness(detections) for name, detections in rows.items()}


def _brightness(detections: Iterable[Record]) -> Brightness:
    dated = [(_time(row), row) for row in detections]
    known = [(time, row) for time, row in dated if time is not None]
    if len(known) < len(dated):
        # The first or the newest may be one of those without a time.
        return Brightness(newest=_words(dated[0][1]) if len(dated) == 1 else "")
    return Brightness(
        first_detection=min(time for time, _ in known),
        newest=_words(max(known, key=lambda one: one[0])[1]),
    )


def _is_detection(row: Record) -> bool:
    return fields.number(_first(row, "mag", "brightness")) is not None


def _time(row: Record) -> datetime | None:
    return observation_time(_first(row, "observation_start", "date_obs"))


def _words(row: Record) -> str:
    value = fields.number(_first(row, "mag", "brightness"))
    band = line(_first(row, "filter", "bandpass"), MAX_NAME)
    unit = line(_first(row, "mag_system", "brightness_unit", "unit"), MAX_NAME)
    if value is None:
        return ""
    number = f"{value:.7g}" + ("" if unit.casefold() in _MAGNITUDES else f" {unit}")
    return f"{band} = {number}" if band else number


def _first(row: Record, *keys: str) -> object:
    """Return the first value that isn't null."""
    return next((row[key] for key in keys if row.get(key) is not None), None)
