"""Warnings about a candidate: what may make following it up a waste, ranked by one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from formatters.models.notice import Event, Notice, Surroundings
from formatters.models.significance import flag_conflict

MIN_PROBABILITY_NEAR_SUN = 0.2
"""Probability (0 to 1) within 45° of the Sun from which a warning is given."""
MIN_PROBABILITY_NEAR_PLANE = 0.5
"""Probability (0 to 1) within 10° of the Galactic plane from which a warning is given; the band is 17 % of
the sky.
"""
MAX_INCOHERENT_LOG_BCI = -1.0
"""Natural logarithm of the coherent/incoherent Bayes factor from which down a warning is given."""
_PLANE_WEIGHT = 0.5
"""Weight of probability in the Galactic plane, where sources are harder to find, not out of reach."""


class WarningKind(Enum):
    """The subject of a warning; of two equally severe ones, the earlier here comes first."""

    FLAG_AGAINST_FAR = auto()
    SUN = auto()
    INCOHERENT = auto()
    GALACTIC_PLANE = auto()


@dataclass(frozen=True, slots=True)
class EventWarning:
    """A warning and its severity."""

    kind: WarningKind
    severity: float
    """Rough probability (0 to 1) that an observation is in vain because of it."""


def ranked_warnings(notice: Notice) -> tuple[EventWarning, ...]:
    """Return the warnings that apply to a notice, the worst first.

    LVK's flag against the FAR comes first, because then not even the alert itself is certain. The others are
    compared by the share of the probability that can't be observed (Sun; half of it for the Galactic plane),
    or by the posterior probability of incoherent signals at even prior odds.
    """
    found = []
    if flag_conflict(notice) is not None:
        found.append(EventWarning(WarningKind.FLAG_AGAINST_FAR, 1.0))
    around = surroundings(notice)
    if around is not None and around.probability_near_sun >= MIN_PROBABILITY_NEAR_SUN:
        found.append(EventWarning(WarningKind.SUN, around.probability_near_sun))
    bci = incoherent_log_bci(notice)
    if bci is not None:
        found.append(EventWarning(WarningKind.INCOHERENT, 1 / (1 + math.exp(max(bci, -700.0)))))
    if around is not None and around.probability_near_galactic_plane >= MIN_PROBABILITY_NEAR_PLANE:
        severity = _PLANE_WEIGHT * around.probability_near_galactic_plane
        found.append(EventWarning(WarningKind.GALACTIC_PLANE, severity))
    return tuple(sorted(found, key=lambda one: (-one.severity, one.kind.value)))


def surroundings(notice: Notice) -> Surroundings | None:
    """Return how the map to observe (combined, else GW) lies to Sun and Galactic plane; None if unknown."""
    found = notice.best_localization
    return None if found is None else found.surroundings


def incoherent_log_bci(notice: Notice) -> float | None:
    """Return ln BCI if it favours incoherent signals (≤ −1) in a map of at least two detectors; else None.

    The detectors are those of the GW map's own header, which may be fewer than the notice's: for one detector
    the Bayes factor means nothing. A header without detectors leaves those of the notice.
    """
    event, localization = notice.event, notice.localization
    if event is None or localization is None or localization.log_bci is None:
        return None
    if not localization.log_bci <= MAX_INCOHERENT_LOG_BCI:
        return None
    return localization.log_bci if len(_detectors(event, localization.instruments)) >= 2 else None


def _detectors(event: Event, in_header: tuple[str, ...]) -> set[str]:
    return {name.casefold() for name in in_header or event.instruments}
