"""The rates of the kinds of nearby alerts, each with its source, for the number expected by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FERMI_GBM = "fermi-gbm"
SVOM_ECLAIRS = "svom-eclairs"
SVOM_GRM = "svom-grm"
ICECUBE_GOLD = "icecube-gold"
ICECUBE_BRONZE = "icecube-bronze"

LABELS: Mapping[str, str] = {
    FERMI_GBM: "Fermi GBM",
    SVOM_ECLAIRS: "SVOM ECLAIRs",
    SVOM_GRM: "SVOM GRM",
    ICECUBE_GOLD: "IceCube Gold track",
    ICECUBE_BRONZE: "IceCube Bronze track",
}
"""The kinds of nearby alerts with their names for people; of no other kind an alert is stored."""

NEUTRINO_STREAMS = frozenset({ICECUBE_GOLD, ICECUBE_BRONZE})
"""The kinds that are neutrinos; the others are bursts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRate:
    """Alerts of one kind in a year of 365.25 days, averaged over all that the instrument can't see."""

    classified: float | None
    """Alerts that the sender classifies as bursts (of neutrinos: all); None if it isn't known."""
    any_class: float | None
    """All alerts; what one without a class may be. None if it isn't known."""
    source: str


RATES: Mapping[str, AlertRate] = {
    FERMI_GBM: AlertRate(
        classified=235.6,
        any_class=730.0,
        source=(
            "2,356 bursts in the ten years from July 2008, and triggers of all kinds almost twice a day, "
            "here two a day: von Kienlin et al. 2020, ApJ 893, 46"
        ),
    ),
    SVOM_ECLAIRS: AlertRate(
        classified=67.0,
        any_class=167.0,
        source=(
            "over 100 bursts and more than 150 other sources until 10 April 2026, counted from October 2024, "
            "when the instruments' validation began: IRAP, May 2026, and svom.eu, June 2025"
        ),
    ),
    SVOM_GRM: AlertRate(
        classified=111.0,
        any_class=None,
        source="111 bursts in the first year in orbit; others aren't counted there: svom.eu, June 2025",
    ),
    ICECUBE_GOLD: AlertRate(
        classified=10.0, any_class=10.0, source="about 10 a year: Blaufuss et al. 2019, PoS(ICRC2019)1021"
    ),
    ICECUBE_BRONZE: AlertRate(
        classified=20.0, any_class=20.0, source="about 20 a year: Blaufuss et al. 2019, PoS(ICRC2019)1021"
    ),
}


def rate_per_year(stream: str, *, is_classified: bool) -> float | None:
    """Return how many alerts of a kind come in a year; None if that isn't known.

    An alert that the sender didn't classify may be any trigger of its instrument, so all of them are counted.
    """
    rate = RATES.get(stream)
    if rate is None:
        return None
    return rate.classified if is_classified else rate.any_class
