"""Facts about a GW candidate as lines of plain text: not escaped, no mark-up.

Cards, replies, lists and the terminal share these lines, so the same fact has the same wording everywhere.
"""

from __future__ import annotations

from formatters.blockkit.mrkdwn import plain_text
from formatters.models import classes
from formatters.models.notice import Event, Localization, Notice
from formatters.models.significance import (
    is_burst,
    is_significant_only_by_coincidence,
    is_ssm,
)
from formatters.text import map_lines, quantities

MAX_PINPOINT_AREA = 100.0
"""90 % area in deg² below which the peak of a map in one piece is also given in decimal degrees."""
MIN_NAMED_PROBABILITY = 0.01
"""Probability (0 to 1) below which a region is only counted, not named."""
MAX_NAMED_REGIONS = 3


def headline(event: Event, *, compact: bool = False) -> str:
    """Return the most probable class, or the search, in few words: "BNS 95 %", "Burst", "Sub-solar mass"."""
    percent = quantities.percent_compact if compact else quantities.percent
    top = classes.most_probable_class(event)
    if top is not None:
        return f"{plain_text(top[0])} {percent(top[1])}"
    if classes.unread_share(event):
        return "Class unclear"
    if is_ssm(event):
        return "SSM" if compact else "Sub-solar mass"
    if is_burst(event):
        return "Burst"
    return f"{plain_text(event.group)} {plain_text(event.search)}".strip() or "Candidate"


def areas(localization: Localization) -> str:
    """Return the credible areas: "90 %: 31 deg² · 50 %: 8.9 deg²"."""
    outer, inner = quantities.area(localization.area_90), quantities.area(localization.area_50)
    return f"{quantities.percent(0.9)}: {outer} · {quantities.percent(0.5)}: {inner}"


def regions(localization: Localization) -> str | None:
    """Return the parts of the 90 % region: "59 % near 06h03 −20° · 31 % near 14h25 +56° · 4 smaller".

    Return None if the region is in one piece.
    """
    lobes = localization.regions
    if len(lobes) < 2 or localization.is_uniform:
        return None
    named = [part for part in lobes[:MAX_NAMED_REGIONS] if part.probability >= MIN_NAMED_PROBABILITY] or list(
        lobes[:1]
    )
    parts = [
        f"{quantities.percent(part.probability)} near {quantities.position_coarse(part.ra, part.dec)}"
        for part in named
    ]
    rest = len(lobes) - len(named)
    if rest:
        parts.append(f"{quantities.number(rest)} smaller")
    return " · ".join(parts)


def peak(localization: Localization) -> str:
    """Return the peak's position; for a small map in one piece in decimal degrees too."""
    if localization.is_uniform:
        return map_lines.UNIFORM
    words = f"peak {quantities.position(localization.ra, localization.dec)}"
    if localization.area_90 < MAX_PINPOINT_AREA and len(localization.regions) < 2:
        return f"{words} ({quantities.position_degrees(localization.ra, localization.dec)})"
    return words


def sky_lines(notice: Notice) -> list[str]:
    """Return lines about the GW sky map: areas, regions and peak, or the reason why there is none."""
    if notice.map_problem is not None:
        return [f"The sky map of this notice can't be read: {plain_text(notice.map_problem, 200)}"]
    localization = notice.localization
    if localization is None:
        return [f"No sky map in {notice.archive if notice.is_assembled else 'this notice'}"]
    lobes, unread = regions(localization), map_lines.unread_tiles(localization)
    left_out = "" if unread is None else f" · {unread}"
    if lobes is None:
        return [f"{areas(localization)} · {peak(localization)}{left_out}"]
    return [areas(localization), f"{lobes} · {peak(localization)}{left_out}"]


def distances(localization: Localization) -> str | None:
    """Return the luminosity distance over the whole sky; None if the map has no distance.

    The distance toward the peak is added if the two means differ by more than the smaller standard deviation.
    """
    whole, along = localization.distance, localization.peak_distance
    if whole is None:
        return None if along is None else f"{quantities.distance(along)} toward the peak"
    # The smaller standard deviation is the stricter criterion for a disagreement.
    if along is not None and abs(whole.mean - along.mean) > min(whole.std, along.std):
        over_sky = map_lines.distance_over_sky(localization)
        return f"{over_sky}, {quantities.distance(along)} toward the peak"
    return map_lines.distance(localization)


def detectors(event: Event) -> str:
    """Return the detectors whose data were used: "H1 L1 V1", "L1 alone"."""
    listed = " ".join(plain_text(name) for name in event.instruments)
    if not listed:
        return "detectors not given"
    return f"{listed} alone" if len(event.instruments) == 1 else listed


def far(event: Event) -> str:
    """Return the false-alarm rate: "FAR 1 per 350,000 yr"."""
    return f"FAR {quantities.rate(event.far)}"


def distance_far_detectors_line(notice: Notice, event: Event, measured: Localization | None = None) -> str:
    """Return distance, FAR and detectors in one line: "40 ± 8 Mpc · FAR 1 per 350,000 yr · H1 L1 V1".

    `measured` is the map whose distance is given; by default the GW map, else the combined one.
    """
    parts = []
    measured = measured or notice.localization or notice.best_localization
    if measured is not None:
        distance = distances(measured)
        if distance is not None:
            parts.append(distance)
        elif not is_burst(event):
            parts.append("No distance in the map")
    return " · ".join([*parts, far(event), detectors(event)])


def significance_line(notice: Notice) -> str:
    """Return the significance: "Significant only through the coincidence (GW alone 1 per 9.3 h)"."""
    event = notice.event
    if event is None:
        return "Significance not given"
    if not event.significant:
        return "Below LVK's threshold of significance"
    if event.flag_unread is not None:
        return f"Taken as significant: LVK's flag says “{plain_text(event.flag_unread)}”"
    if is_significant_only_by_coincidence(notice):
        return f"Significant only through the coincidence (GW alone {quantities.rate(event.far)})"
    return "Significant"


def now_significant_line(notice: Notice) -> str:
    """Return the significance of a candidate that was not significant before: "Now significant"."""
    line = significance_line(notice)
    return f"Now significant{line.removeprefix('Significant')}" if line.startswith("Significant") else line
