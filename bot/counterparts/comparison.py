"""Counterpart candidates compared with sky maps: their order, and who moved between two maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.counterparts.host_distance import distance_sigmas
from formatters.models.counterpart import Counterpart, Decision, RegionChange
from formatters.models.position_on_map import PositionOnMap

Places = Sequence[PositionOnMap | None]


def with_places(candidates: Sequence[Counterpart], places: Places) -> tuple[Counterpart, ...]:
    """Return the candidates with their places in a map, in the order of `order_candidates`."""
    return order_candidates(
        [
            replace(one, on_map=place, distance_sigmas=_sigmas(one, place))
            for one, place in zip(candidates, places, strict=True)
        ]
    )


def _sigmas(candidate: Counterpart, place: PositionOnMap | None) -> float | None:
    if candidate.is_neutrino or candidate.is_burst:
        return None
    return distance_sigmas(candidate.position, place)


def order_candidates(candidates: Sequence[Counterpart]) -> tuple[Counterpart, ...]:
    """Return candidates in the order in which they are shown.

    Kept ones come first, rejected ones last; within each, sources that may have a host before neutrinos and
    gamma-ray positions, the more probable place first (in the volume where it is known, else on the sky),
    those without a place last.
    """
    return tuple(sorted(candidates, key=_rank))


def _rank(candidate: Counterpart) -> tuple[object, ...]:
    decision = None if candidate.decision is None else candidate.decision.decision
    stage = {Decision.KEEP: 0, Decision.REJECT: 2}.get(decision, 1) if decision is not None else 1
    place = candidate.on_map
    level = 2.0
    if place is not None:
        level = place.credible_level if place.credible_level_3d is None else place.credible_level_3d
    flat = 2.0 if place is None else place.credible_level
    return (
        stage,
        candidate.is_neutrino or candidate.is_burst,
        level,
        flat,
        candidate.name.casefold(),
        candidate.position.ra,
        candidate.position.dec,
    )


def region_change(candidates: Sequence[Counterpart], before: Places) -> RegionChange | None:
    """Return the candidates that the newest map moved into or out of its 90 % region; None if it moved none.

    `before` holds the candidates' places in the map before. A candidate that one of the maps has no tile for
    is outside there. Rejected candidates are left out.
    """
    entered, left = [], []
    for one, place in zip(candidates, before, strict=True):
        if one.decision is not None and one.decision.decision is Decision.REJECT:
            continue
        was, now = place is not None and place.in_90, one.on_map is not None and one.on_map.in_90
        if now and not was:
            entered.append(one.name)
        elif was and not now:
            left.append(one.name)
    return RegionChange(entered=tuple(entered), left=tuple(left)) if entered or left else None
