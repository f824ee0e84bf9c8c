"""The chirp mass of a compact binary in words: the range that holds it, its most probable part, its frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

from formatters.models.notice import EARLYWARNING, INITIAL, PRELIMINARY, Event, MassBins, Notice
from formatters.models.significance import is_burst
from formatters.text import quantities

MIN_RANGE_PROBABILITY = 0.9
"""Probability (0 to 1) that the given range holds at least."""
_SUM_TOLERANCE = 0.01
"""How far above 1 the probabilities may sum; beyond, they are no probabilities of one histogram."""
_ROUNDING = 1e-9

SOURCE_FRAME, DETECTOR_FRAME = "source frame", "detector frame"

_SOURCE_FRAME_PIPELINES = frozenset({"gstlal", "sgnl", "mbta", "pycbc", "spiir", "aframe"})
"""Pipelines, case-folded, whose chirp mass LVK converts to the source frame.

For matched filters by the distance of BAYESTAR's map, for Aframe from AMPLFI's posterior samples
(gwcelery 3.0.0, tasks/orchestrator.py and tasks/mchirp_estimates.py; ligo-cgmi).
"""
_ALERT_TYPES_WITHOUT_PARAMETER_ESTIMATION = frozenset({EARLYWARNING, PRELIMINARY, INITIAL})


@dataclass(frozen=True, slots=True)
class MassRange:
    """A range of chirp masses in solar masses, with the probability (0 to 1) inside."""

    low: float
    high: float
    probability: float


def most_probable_range(bins: MassBins) -> MassRange:
    """Return the most probable bin, the lowest of equals.

    Bins differ in width, so this isn't where the density is highest.
    """
    best = max(range(len(bins.probabilities)), key=lambda index: bins.probabilities[index])
    return MassRange(bins.bin_edges[best], bins.bin_edges[best + 1], bins.probabilities[best])


def shortest_range(bins: MassBins) -> MassRange | None:
    """Return the fewest adjoining bins that hold MIN_RANGE_PROBABILITY, of equally many the most probable.

    Return None if all bins together hold less, or if the probabilities sum to more than 1.
    """
    shares = bins.probabilities
    if math.fsum(shares) > 1 + _SUM_TOLERANCE:
        return None
    for count in range(1, len(shares) + 1):
        first = max(range(len(shares) - count + 1), key=lambda at: math.fsum(shares[at : at + count]))
        probability = math.fsum(shares[first : first + count])
        if probability >= MIN_RANGE_PROBABILITY - _ROUNDING:
            return MassRange(bins.bin_edges[first], bins.bin_edges[first + count], probability)
    return None


def mass_frame(event: Event, alert_type: str) -> str | None:
    """Return the frame of the chirp mass, None where it isn't known.

    LVK's schema calls it source-frame, but a low-latency cWB BBH mass has no distance to convert it with:
    LVK's circulars call that one "redshifted (detector frame)" until parameter estimation
    (ligo-followup-advocate 2.2.0, cgmi.jinja2).
    """
    pipeline = event.pipeline.casefold()
    if pipeline in _SOURCE_FRAME_PIPELINES and not is_burst(event):
        return SOURCE_FRAME
    is_cwb_bbh = pipeline == "cwb" and event.search.casefold() == "bbh"
    if is_cwb_bbh and alert_type in _ALERT_TYPES_WITHOUT_PARAMETER_ESTIMATION:
        return DETECTOR_FRAME
    return None


def chirp_mass_line(event: Event, alert_type: str) -> str | None:
    """Return "Chirp mass 1.0–2.3 M☉ (93 %; most probable 1.1–1.2), source frame"; None without a histogram.

    Without a range that holds 90 %, the most probable bin alone is given, and said to be that.
    """
    bins = valid_bins(event)
    if bins is None:
        return None
    whole, best = shortest_range(bins), most_probable_range(bins)
    frame = mass_frame(event, alert_type)
    ending = "" if frame is None else f", {frame}"
    if whole is None:
        share = quantities.percent(best.probability)
        return f"Chirp mass most probably {_masses(best)} ({share}){ending}"
    inside = [quantities.percent(whole.probability)]
    if (whole.low, whole.high) != (best.low, best.high):
        inside.append(f"most probable {_edges(best)}")
    return f"Chirp mass {_masses(whole)} ({'; '.join(inside)}){ending}"


def said_ranges(notice: Notice) -> tuple[object, ...] | None:
    """Return what `chirp_mass_line` says except the probabilities; None without a histogram."""
    bins = None if notice.event is None else valid_bins(notice.event)
    if bins is None or notice.event is None:
        return None
    whole, best = shortest_range(bins), most_probable_range(bins)
    limits = None if whole is None else (whole.low, whole.high)
    return (limits, (best.low, best.high), mass_frame(notice.event, notice.alert_type))


def valid_bins(event: Event) -> MassBins | None:
    """Return the event's histogram if it is complete and not empty, else None."""
    bins = event.mchirp_source
    if bins is None or not any(bins.probabilities) or len(bins.bin_edges) != len(bins.probabilities) + 1:
        return None
    return bins


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
