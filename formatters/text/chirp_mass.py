"""The chirp mass of a compact binary in words."""

from __future__ import annotations

from formatters.models.chirp_mass import (
    MassFrame,
    MassRange,
    mass_bins,
    mass_frame,
    most_probable_range,
    shortest_range,
)
from formatters.models.notice import Event, Notice
from formatters.text import quantities

_FRAMES = {MassFrame.SOURCE: "source frame", MassFrame.DETECTOR: "detector frame"}


def chirp_mass_line(event: Event, alert_type: str) -> str | None:
    """Return "Chirp mass 1.0–2.3 M☉ (93 %; most probable 1.1–1.2), source frame"; None without a histogram.

    Without a range that holds 90 %, the most probable bin alone is given, and said to be that.
    """
    bins = mass_bins(event)
    if bins is None:
        return None
    whole, best = shortest_range(bins), most_probable_range(bins)
    frame = mass_frame(event, alert_type)
    ending = "" if frame is None else f", {_FRAMES[frame]}"
    if whole is None:
        share = quantities.percent(best.probability)
        return f"Chirp mass most probably {_masses(best)} ({share}){ending}"
    inside = [quantities.percent(whole.probability)]
    if (whole.low, whole.high) != (best.low, best.high):
        inside.append(f"most probable {_edges(best)}")
    return f"Chirp mass {_masses(whole)} ({'; '.join(inside)}){ending}"


def said_ranges(notice: Notice) -> tuple[object, ...] | None:
    """Return the text of `chirp_mass_line` without the probabilities; None without a histogram."""
    bins = None if notice.event is None else mass_bins(notice.event)
    if bins is None or notice.event is None:
        return None
    whole, best = shortest_range(bins), most_probable_range(bins)
    limits = None if whole is None else (whole.low, whole.high)
    return (limits, (best.low, best.high), mass_frame(notice.event, notice.alert_type))


def _masses(masses: MassRange) -> str:
    return f"{_edges(masses)}{quantities.NBSP}M☉"


def _edges(masses: MassRange) -> str:
    return f"{_edge(masses.low)}–{_edge(masses.high)}"


def _edge(mass: float) -> str:
    """Return a bin's edge in solar masses: "0.87", "1.0", "11", "1,000"."""
    if mass >= 10:
        return quantities.number(mass) if mass == round(mass) else f"{mass:g}"
    text = f"{mass:g}"
    return text if "." in text or "e" in text else f"{text}.0"
