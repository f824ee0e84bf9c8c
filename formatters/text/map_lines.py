"""Lines about a sky map and its limits: distance over a part of it, no localization, tiles left out.

Lines of plain text, not escaped. Every text that gives a map's distance takes it from here, so that a mean
over a part of the sky is never read as one over all of it.
"""

from __future__ import annotations

from formatters.models.notice import Localization, Notice
from formatters.text import quantities

UNIFORM = "the map is uniform: no localization"
"""Stands where other maps have their peak."""
_WHOLE = 0.99
"""Share of the probability (0 to 1) from which a distance counts as that of the whole map."""


def best_area(notice: Notice) -> str | None:
    """Return the 90 % area of a notice's best map: "666 deg²", "combined 873 deg²"; None without a map."""
    best = notice.best_localization
    if best is None:
        return None
    return f"{'' if best is notice.localization else 'combined '}{quantities.area(best.area_90)}"


def distance(localization: Localization) -> str | None:
    """Return the mean distance: "40 ± 8 Mpc", "140 ± 40 Mpc (of the 62 % of the map that has one)".

    Return None if the map has none.
    """
    if localization.distance is None:
        return None
    text, share = quantities.distance(localization.distance), partial_share(localization)
    return text if share is None else f"{text} (of the {quantities.percent(share)} of the map that has one)"


def distance_compact(localization: Localization) -> str | None:
    """Return the mean distance for notifications: "40±8 Mpc", "140±40 Mpc (of 62% of the map)"."""
    if localization.distance is None:
        return None
    text = quantities.distance_compact(localization.distance)
    share = partial_share(localization)
    return text if share is None else f"{text} (of {quantities.percent_compact(share)} of the map)"


def distance_over_sky(localization: Localization) -> str | None:
    """Return the mean distance with what it is the mean of, beside that along the peak; None without one."""
    if localization.distance is None:
        return None
    text, share = quantities.distance(localization.distance), partial_share(localization)
    if share is None:
        return f"{text} over the sky"
    return f"{text} over the {quantities.percent(share)} of the map that has one"


def partial_share(localization: Localization) -> float | None:
    """Return the share (0 to 1) of the map that has a distance, where it isn't all of it; else None."""
    share = localization.distance_share
    return None if share is None or share >= _WHOLE else share


def unread_tiles(localization: Localization) -> str | None:
    """Return how many tiles were left out, "1 tile of the map holds no number: left out"; None if none."""
    count = localization.unread_tiles
    if not count:
        return None
    hold = "holds" if count == 1 else "hold"
    return f"{quantities.pluralize(count, 'tile')} of the map {hold} no number: left out"
