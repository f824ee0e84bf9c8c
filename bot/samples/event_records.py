"""The id, times and records that sample events share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.samples.records import Record

_CHIRP_MASS_EDGES = (0.1, 0.87, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 1.9, 2.1, 2.3, 3, 5.5, 11, 22, 44, 88, 1000)


def superevent_id(time: datetime, letters: str, prefix: str = "") -> str:
    """Return the id that GraceDB gives to an event at this time; `prefix` is M for a mock, T for a test."""
    return f"{prefix}S{time:%y%m%d}{letters}"


def time_of_event(now: datetime, minutes: float, microsecond: int) -> datetime:
    """Return the time of an event that was `minutes` before `now`, with these microseconds."""
    return (now - timedelta(minutes=minutes)).replace(microsecond=microsecond)


def time_of_notice(time: datetime, seconds: float) -> datetime:
    """Return the time at which a notice was created `seconds` after the event."""
    return time.replace(microsecond=0) + timedelta(seconds=seconds)


def chirp_mass_bins(**shares: float) -> dict[str, Sequence[float]]:
    """Return `mchirp_source`: b7=0.6 puts 60 % into the bin that starts at the edge of index 7."""
    probabilities = [0.0] * (len(_CHIRP_MASS_EDGES) - 1)
    for name, share in shares.items():
        probabilities[int(name[1:])] = share
    return {"bin_edges": _CHIRP_MASS_EDGES, "probabilities": probabilities}


Notices = tuple[Record, ...]
