"""Changes from one sky map of an event to the next, for a reply."""

from __future__ import annotations

from formatters.models.notice import Localization, Notice
from formatters.models.superevent import Superevent
from formatters.text import event_lines, map_lines, quantities
from formatters.text.map_algorithm import map_algorithm
from formatters.text.vocabulary import notice_name, old_to_new

_MIN_RELATIVE_CHANGE = 0.05
"""Relative change of an area or a mean distance below which two maps count as the same."""
_MIN_RELATIVE_STD_CHANGE = 0.2
"""Relative change of a distance's standard deviation below which two distances count as the same."""
MIN_PEAK_SHIFT_DEG = 1.0
"""Smallest reported shift of the map's peak, in degrees."""
MIN_OVERLAP_CHANGE = 0.85
"""Overlap with the old 90 % region below which it is reported; an identical map has 0.9."""


def map_changes(superevent: Superevent, before: Notice, notice: Notice, overlap: float | None) -> list[str]:
    """Return the changes of the GW map from `before` to `notice`: area, place, distance, algorithm.

    `overlap` is the probability (0 to 1) of the new map inside the old map's 90 % region; None if unknown.
    """
    old, new = before.localization, notice.localization
    earlier = superevent.up_to(notice).notices[:-1]
    if new is None:
        if notice.map_problem is None and old is None:
            return []
        known = next((n for n in reversed(earlier) if n.localization is not None), None)
        still = (
            [] if known is None else [f"The newest readable map is that of {notice_name(superevent, known)}"]
        )
        return [*event_lines.sky_lines(notice), *still]
    if old is None:
        lines = event_lines.sky_lines(notice)
        distance = event_lines.distances(new)
        is_first = all(n.localization is None and n.map_problem is None for n in earlier)
        front = "First sky map" if is_first else "Sky map"
        return [f"{front}: {lines[0]}", *lines[1:], *([] if distance is None else [distance])]
    area = _area_changes(old, new, overlap)
    return [
        *area,
        *_place_changes(old, new, is_another_region=bool(area)),
        *_distance_changes(old, new),
        *_algorithm_changes(before, notice),
    ]


def _differs(old: float, new: float, share: float = _MIN_RELATIVE_CHANGE) -> bool:
    return abs(new - old) > share * max(abs(old), abs(new))


def _area_changes(old: Localization, new: Localization, overlap: float | None) -> list[str]:
    was, now = quantities.area_value(old.area_90), quantities.area(new.area_90)
    resized = _differs(old.area_90, new.area_90) and quantities.area(old.area_90) != now
    moved = overlap is not None and overlap < MIN_OVERLAP_CHANGE
    if not resized and not moved:
        return []
    line = (
        old_to_new(f"90{quantities.NBSP}% area", was, now) if resized else f"90{quantities.NBSP}% area {now}"
    )
    if overlap is None:
        return [line]
    return [
        f"{line}, {quantities.percent(overlap)} of the new map lies in the old 90{quantities.NBSP}% region"
    ]


def _place_changes(old: Localization, new: Localization, *, is_another_region: bool) -> list[str]:
    """Return the line about the new map's place, if its peak moved.

    Only between two maps whose 50 % regions are in one piece each is it a shift. A peak that jumps from one
    piece to another of equal probability is no news, so for a map in several pieces these are listed, and
    only if the map itself changed.
    """
    if new.is_uniform:
        return [] if old.is_uniform else [map_lines.UNIFORM.capitalize()]
    moved = quantities.separation(old.ra, old.dec, new.ra, new.dec)
    if moved < MIN_PEAK_SHIFT_DEG:
        return []
    place = quantities.position(new.ra, new.dec)
    if new.pieces_50 == 1 and old.pieces_50 == 1 and not old.is_uniform:
        return [f"Peak moved {quantities.angle(moved)} to {place}"]
    if not is_another_region:
        return []
    lobes = event_lines.regions(new)
    return [f"Peak {place}" if lobes is None or new.pieces_50 == 1 else f"Now {lobes}"]


def _distance_changes(old: Localization, new: Localization) -> list[str]:
    if new.distance is None:
        return [] if old.distance is None else ["No distance any more"]
    if old.distance is None:
        return [f"Distance {map_lines.distance(new)}"]
    was, now = quantities.distance_value(old.distance), map_lines.distance(new) or ""
    same_words = map_lines.distance(old) == now
    news = _differs(old.distance.mean, new.distance.mean) or _differs(
        old.distance.std, new.distance.std, _MIN_RELATIVE_STD_CHANGE
    )
    return [old_to_new("Distance", was, now)] if news and not same_words else []


def _algorithm_changes(before: Notice, notice: Notice) -> list[str]:
    was, now = map_algorithm(before), map_algorithm(notice)
    return [] if was is None or now is None or was == now else [old_to_new("Map by", was, now)]
