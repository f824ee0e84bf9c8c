"""The conditions of which Rubin's rules consist, each with its numbers: on a notice's facts, and on its map.

The rules that are made of them stand in `bot.criteria.rubin_2026`. A condition whose value isn't known is
unknown or undecided, never false by guess. Three things are no guess: that a burst has no classes, that a
notice without bins of the chirp mass meets no condition on them (the rules say so), and what a part of the
numbers decides already (BNS 0.95 is enough for BNS + NSBH > 0.9).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from bot.observing.rubin_sky import PIXEL_AREA, RubinSky
from formatters.models.criteria_set import ConditionOutcome, Verdict, WhyUndecided
from formatters.models.notice import Event, Notice
from formatters.models.significance import is_burst, is_ssm
from formatters.models.units import YEAR

FAR_ONE_A_YEAR = 1 / YEAR
"""Hz, exactly 1/(365.25 · 86400); the report's 1.6e-8 Hz is a misprint, as the producer's code says."""
FAR_ONE_IN_THREE_YEARS = FAR_ONE_A_YEAR / 3
"""Hz."""
ROUNDING = 1e-9
"""Rounding error of a sum of probabilities.

A sum within this of a limit counts as equal to it: 0.1 + 0.2 + 0.6 reaches 0.9, and 0.5 + 0.4 isn't above it,
whatever the last binary digit says. Numbers that are stated singly are compared as they are.
"""
PRODUCERS_CODE = "producer's code"
"""The section of a condition that only the code states."""

_EDGE_ROUNDING = 1e-6
"""M☉ within which the edge of a bin counts as the bound of a range, as in the code."""
_MIN_MASS_PROBABILITY = 0.9
"""The probability that every range of chirp masses has to hold."""


class NoticeConditions:
    """The conditions on what a notice itself states; all unknown of a notice without an event."""

    def __init__(self, event: Event | None) -> None:
        self._event = event

    def sub_solar(self, section: str) -> ConditionOutcome:
        """Check that the event comes from the search for sub-solar masses; unknown without a search."""
        return _condition("the search is SSM", section, self._is_sub_solar())

    def not_sub_solar(self) -> ConditionOutcome:
        """Check that the event doesn't come from that search, whose events the SSM rule alone judges."""
        found = self._is_sub_solar()
        return _condition("the search isn't SSM", PRODUCERS_CODE, None if found is None else not found)

    def far_below(self, words: str, limit: float, section: str) -> ConditionOutcome:
        """Check that the event's own FAR, not that of a coincidence, is below a limit in Hz."""
        far = None if self._event is None else self._event.far
        holds = None if far is None else far < limit
        return _condition(f"FAR < {words}", section, holds, far, limit, unit="Hz")

    def at_least(self, name: str, limit: float, section: str) -> ConditionOutcome:
        """Check that a property is at least `limit`."""
        value = self._stated(name)
        holds = None if value is None else value >= limit
        return _probability(f"{name} ≥ {limit:g}", section, holds, value, limit)

    def below(self, name: str, limit: float, section: str) -> ConditionOutcome:
        """Check that the probability of a class is below `limit`."""
        value = self._stated(name)
        holds = None if value is None else value < limit
        return _probability(f"{name} < {limit:g}", section, holds, value, limit)

    def neutron_star_above(self, limit: float, text: str, section: str) -> ConditionOutcome:
        """BNS + NSBH is above `limit`; one of both suffices if it is above it alone."""
        stated = [value for value in map(self._stated, ("BNS", "NSBH")) if value is not None]
        total = math.fsum(stated)
        holds = total > limit + ROUNDING
        is_known = holds or len(stated) == 2
        return _probability(text, section, holds if is_known else None, total if is_known else None, limit)

    def mass_within(self, low: float, high: float, text: str, section: str) -> ConditionOutcome:
        """Check that the bins of the chirp mass that lie whole within a range (M☉) hold at least 0.9.

        The bins are taken as they are, in whichever frame. Without any that is false, as the rules have it;
        with some that can't be read it is unknown.
        """
        event, limit = self._event, _MIN_MASS_PROBABILITY
        if event is None or "mchirp_source" in event.unread:
            return _probability(text, section, None, None, limit)
        bins = event.mchirp_source
        if bins is None:
            return _probability(f"{text} (the notice has no bins)", section, False, None, limit)
        edges = bins.bin_edges
        held = math.fsum(
            probability
            for lower, upper, probability in zip(edges, edges[1:], bins.probabilities, strict=False)
            if lower >= low - _EDGE_ROUNDING and upper <= high + _EDGE_ROUNDING
        )
        return _probability(text, section, held >= limit - ROUNDING, held, limit)

    def in_gap_with_class(self, text: str, section: str) -> ConditionOutcome:
        """Check that the chirp mass is 2.3 to 5.5 M☉ and BNS + NSBH above 0.1; the value is the mass's."""
        mass = self.mass_within(2.3, 5.5, text, section)
        verdict = combine((mass, self.neutron_star_above(0.1, text, section)))
        return replace(mass, verdict=verdict)

    def _is_sub_solar(self) -> bool | None:
        return None if self._event is None or not self._event.search else is_ssm(self._event)

    def _stated(self, name: str) -> float | None:
        """Return the probability of a class or property, None if it isn't known.

        LVK gives a burst neither. That isn't a value that is missing: nothing says that the source is a
        compact binary, so by the rules it is none.
        """
        event = self._event
        if event is None:
            return None
        value = event.classification.get(name, event.properties.get(name))
        unread = {"classification", "properties", f"classification.{name}", f"properties.{name}"}
        if value is None and is_burst(event) and unread.isdisjoint(event.unread):
            return 0.0
        return value


class SkyConditions:
    """The conditions on the sky map of the GW signal.

    Without `sky` they are undecided while the map is being computed on (`pending`) or the notice has none
    yet, and unknown if it has one that can't be read or is gone.
    """

    def __init__(self, notice: Notice, sky: RubinSky | None, pending: bool) -> None:
        self.sky = sky
        self.least_area_90 = None if notice.localization is None else notice.localization.area_90
        """deg²: the interpolated area that messages state; the rules' area is never smaller."""
        self.why_missing = WhyUndecided.NOT_STATED
        if pending:
            self.why_missing = WhyUndecided.MAP_PENDING
        elif notice.localization is None and notice.map_problem is None:
            self.why_missing = WhyUndecided.NO_MAP
        is_lost = self.why_missing is WhyUndecided.NOT_STATED
        self._missing = Verdict.UNKNOWN if is_lost else Verdict.UNDECIDED

    def omega(self, maximum: float) -> float | None:
        """Return the area of Ω_obs, trimmed to the whole pixels within `maximum`, in deg²."""
        if self.sky is None:
            return None
        largest: float = math.floor(maximum / PIXEL_AREA) * PIXEL_AREA
        return min(self.sky.observable_area, largest)

    def reaches_south(self) -> ConditionOutcome:
        """Check that a part of the 90 % region lies south of +30°."""
        text = "not all of the 90 % region lies north of +30°"
        holds = None if self.sky is None else not self.sky.is_all_north
        return _condition(text, PRODUCERS_CODE, holds, missing=self._missing)

    def omega_not_empty(self, maximum: float, grades: str, section: str) -> ConditionOutcome:
        """Rubin can observe a part of the 90 % region within 24 h; `grades` says which area gives which."""
        area, whole = self.omega(maximum), ""
        if self.sky is not None and self.sky.observable_area > maximum:
            whole = f"from {self.sky.observable_area:,.0f} "
        text = f"Ω_obs, trimmed {whole}to {maximum:,.0f} deg², isn't empty ({grades})"
        holds = None if area is None else area > 0
        return _condition(text, section, holds, area, unit="deg²", missing=self._missing)

    def off_plane(self, maximum: float, section: str) -> ConditionOutcome:
        """Check that the probability in the trimmed Ω_obs off the Galactic plane is above 0.1."""
        value = None if self.sky is None else self.sky.off_plane_probability[maximum]
        return self._above("probability in Ω_obs at |b| > 10° is above 0.1", section, value, 0.1)

    def observable_share(self, limit: float, section: str) -> ConditionOutcome:
        """Check that the share of all the map's probability that Rubin can observe is above a limit."""
        value = None if self.sky is None else self.sky.all_observable_probability
        return self._above(f"observable part of all the probability > {limit:g}", section, value, limit)

    def area_90(
        self, limit: float, text: str, section: str, holds: Callable[[float], bool]
    ) -> ConditionOutcome:
        """Check that the 90 % area, deg², is within a limit.

        Before the map is measured for the rules, the area that messages state, never larger, can deny it.
        """
        if self.sky is not None:
            area = self.sky.area_90
            return _condition(text, section, holds(area), area, limit, unit="deg²")
        least = self.least_area_90
        verdict = False if least is not None and not holds(least) else None
        return _condition(text, section, verdict, least, limit, unit="deg²", missing=self._missing)

    def _above(self, text: str, section: str, value: float | None, limit: float) -> ConditionOutcome:
        holds = None if value is None else value > limit + ROUNDING
        return _condition(text, section, holds, value, limit, unit="probability", missing=self._missing)


def combine(conditions: Iterable[ConditionOutcome]) -> Verdict:
    """Return whether all hold; undecided, before it is unknown, where the map may still deny it."""
    verdicts = {condition.verdict for condition in conditions}
    for verdict in (Verdict.FAILED, Verdict.UNDECIDED, Verdict.UNKNOWN):
        if verdict in verdicts:
            return verdict
    return Verdict.HELD


def any_of(text: str, section: str, *alternatives: ConditionOutcome) -> ConditionOutcome:
    """Return whether one of several conditions holds, with all of them."""
    verdicts = {condition.verdict for condition in alternatives}
    order = (Verdict.HELD, Verdict.UNKNOWN, Verdict.UNDECIDED, Verdict.FAILED)
    verdict = next(verdict for verdict in order if verdict in verdicts)
    return ConditionOutcome(text=text, verdict=verdict, section=section, alternatives=alternatives)


def _probability(
    text: str, section: str, holds: bool | None, value: float | None, limit: float | None
) -> ConditionOutcome:
    return _condition(text, section, holds, value, limit, unit="probability")


def _condition(
    text: str,
    section: str,
    holds: bool | None,
    value: float | None = None,
    limit: float | None = None,
    *,
    unit: str = "",
    missing: Verdict = Verdict.UNKNOWN,
) -> ConditionOutcome:
    """Return a condition's outcome; its verdict is `missing` if it isn't known whether it holds (None)."""
    verdict = missing if holds is None else Verdict.HELD if holds else Verdict.FAILED
    return ConditionOutcome(text=text, verdict=verdict, value=value, limit=limit, unit=unit, section=section)
