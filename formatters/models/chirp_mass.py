"""Rules about a compact binary's chirp mass: the range that holds it, its most probable bin, its frame."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import Enum, auto

from formatters.models.notice import EARLYWARNING, INITIAL, PRELIMINARY, Event, MassBins
from formatters.models.significance import is_burst

MIN_RANGE_PROBABILITY = 0.9
"""Probability (0 to 1) that the given range holds at least."""
SUM_TOLERANCE = 0.01
"""How far above 1 the probabilities may sum; beyond, they are no probabilities of one histogram."""
_ROUNDING = 1e-9


class MassFrame(Enum):
    """The frame in which a mass is given: the detector's is larger by 1 + z."""

    SOURCE = auto()
    DETECTOR = auto()


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


def mass_bins(event: Event) -> MassBins | None:
    """Return the event's histogram if it is complete and not empty, else None."""
    bins = event.mchirp_source
    if bins is None or not any(bins.probabilities) or len(bins.bin_edges) != len(bins.probabilities) + 1:
        return None
    return bins


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
    if not is_histogram(bins):
        return None
    for count in range(1, len(shares) + 1):
        first = max(range(len(shares) - count + 1), key=lambda at: math.fsum(shares[at : at + count]))
        probability = math.fsum(shares[first : first + count])
        if probability >= MIN_RANGE_PROBABILITY - _ROUNDING:
            return MassRange(bins.bin_edges[first], bins.bin_edges[first + count], probability)
    return None


def probability_in_range(bins: MassBins, low: float, high: float | None) -> float:
    """Return the probability (0 to 1) of the bins that lie whole inside [`low`, `high`]; None is no bound."""
    edges = bins.bin_edges
    first = bisect_left(edges, low)
    end = len(edges) - 1 if high is None else bisect_right(edges, high) - 1
    return min(math.fsum(bins.probabilities[first : max(first, end)]), 1.0)


def is_histogram(bins: MassBins) -> bool:
    """Return True if the probabilities can be those of one histogram: they don't sum to more than 1."""
    return math.fsum(bins.probabilities) <= 1 + SUM_TOLERANCE


def mass_frame(event: Event, alert_type: str) -> MassFrame | None:
    """Return the frame of the chirp mass, None where it isn't known.

    LVK's schema calls it source-frame, but a low-latency cWB BBH mass has no distance to convert it with:
    LVK's circulars call that one "redshifted (detector frame)" until parameter estimation
    (ligo-followup-advocate 2.2.0, cgmi.jinja2).
    """
    pipeline = event.pipeline.casefold()
    if pipeline in _SOURCE_FRAME_PIPELINES and not is_burst(event):
        return MassFrame.SOURCE
    is_cwb_bbh = pipeline == "cwb" and event.search.casefold() == "bbh"
    if is_cwb_bbh and alert_type in _ALERT_TYPES_WITHOUT_PARAMETER_ESTIMATION:
        return MassFrame.DETECTOR
    return None
