"""Facts about a GW candidate as lines of plain text: not escaped, no mark-up.

Cards, replies, lists and the terminal share these lines, so the same fact has the same wording everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import PROPERTIES, Event, Localization, Notice
from formatters.models.significance import (
    is_burst,
    is_significant_only_by_coincidence,
    is_ssm,
    ranked_classes,
)
from formatters.text import quantities

MAX_PINPOINT_AREA = 100.0
"""90 % area in deg² below which the peak of a map in one piece is also given in decimal degrees."""
MIN_NAMED_PROBABILITY = 0.01
"""Probability (0 to 1) below which a region is only counted, not named."""
MAX_NAMED_REGIONS = 3
_NEGLIGIBLE = 0.01


def headline(event: Event, *, compact: bool = False) -> str:
    """Return the most probable class, or the search, in few words: "BNS 95 %", "Burst", "Sub-solar mass"."""
    percent = quantities.percent_compact if compact else quantities.percent
    if event.classification:
        name, probability = ranked_classes(event)[0]
        return f"{plain_text(name)} {percent(probability)}"
    if is_ssm(event):
        return "SSM" if compact else "Sub-solar mass"
    if is_burst(event):
        return "Burst"
    return f"{plain_text(event.group)} {plain_text(event.search)}".strip() or "Candidate"


def class_line(event: Event) -> str | None:
    """Return the class probabilities: "BNS 95 % · BBH 3 % · NSBH, Terrestrial <1 %"; None without any."""
    if not event.classification:
        return None
    return _probabilities(ranked_classes(event))


def _probabilities(items: Iterable[tuple[str, float]]) -> str:
    """Return each name with its probability in percent; names below 1 % are grouped at the end."""
    large, small = [], []
    for name, probability in items:
        if probability < _NEGLIGIBLE:
            small.append(plain_text(name))
        else:
            large.append(f"{plain_text(name)} {quantities.percent(probability)}")
    if small:
        large.append(f"{', '.join(small)} {quantities.percent(0)}")
    return " · ".join(large)


def properties_line(event: Event) -> str | None:
    """Return the source properties, "If astrophysical: HasRemnant 91 % · HasNS 95 % · …"; None without any.

    Each probability is conditional on an astrophysical origin.
    """
    if not event.properties:
        return None
    first = [name for name in PROPERTIES if name in event.properties]
    if is_ssm(event):
        first.sort(key=lambda name: name != "HasSSM")
    others = sorted(name for name in event.properties if name not in PROPERTIES)
    probabilities = _probabilities((name, event.properties[name]) for name in first + others)
    # The class line above usually gives Terrestrial; if it does not, say so here.
    condition = "If astrophysical"
    if "HasRemnant" in event.properties and "Terrestrial" not in event.classification:
        condition = "If astrophysical (Terrestrial not given)"
    return f"{condition}: {probabilities}"


def source_lines(event: Event) -> list[str]:
    """Return lines about the source: classes, properties, chirp mass; for a burst, frequency and duration."""
    lines: list[str] = []
    classified = class_line(event)
    if classified is not None:
        lines.append(classified)
    if is_burst(event) or event.central_frequency is not None or event.duration is not None:
        lines.append(burst_line(event))
    properties = properties_line(event)
    if properties is not None:
        lines.append(properties)
    if is_ssm(event):
        lines.append("Sub-solar-mass search: no class probabilities; HasNS means 1 to 3 M☉")
    elif not is_burst(event) and classified is None:
        lines.append("No class probabilities given")
    mass = chirp_mass_line(event)
    if mass is not None:
        lines.append(mass)
    return lines


def burst_line(event: Event) -> str:
    """Return a burst's frequency and duration: "487 Hz · 1.4 ms · no class, no distance"."""
    parts = []
    if event.central_frequency is not None:
        parts.append(quantities.frequency(event.central_frequency))
    if event.duration is not None:
        parts.append(quantities.duration(event.duration))
    if not event.classification:
        parts.append("no class, no distance")
    return " · ".join(parts)


def chirp_mass_line(event: Event) -> str | None:
    """Return the most probable bin of the source-frame chirp mass: "Chirp mass 1.1 to 1.2 M☉ (71 %)".

    Return None if the event has no valid histogram.
    """
    bins = event.mchirp_source
    if bins is None or not bins.probabilities or len(bins.bin_edges) != len(bins.probabilities) + 1:
        return None
    best = max(range(len(bins.probabilities)), key=lambda index: bins.probabilities[index])
    low, high = bins.bin_edges[best], bins.bin_edges[best + 1]
    share = quantities.percent(bins.probabilities[best])
    return f"Chirp mass {low:g} to {high:g}{quantities.NBSP}M☉ ({share})"


def areas(localization: Localization) -> str:
    """Return the credible areas: "90 %: 31 deg² · 50 %: 8.9 deg²"."""
    outer, inner = quantities.area(localization.area_90), quantities.area(localization.area_50)
    return f"{quantities.percent(0.9)}: {outer} · {quantities.percent(0.5)}: {inner}"


def regions(localization: Localization) -> str | None:
    """Return the parts of the 90 % region: "59 % near 06h03 −20° · 31 % near 14h25 +56° · 4 smaller".

    Return None if the region is in one piece.
    """
    lobes = localization.regions
    if len(lobes) < 2:
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
    lobes = regions(localization)
    if lobes is None:
        return [f"{areas(localization)} · {peak(localization)}"]
    return [areas(localization), f"{lobes} · {peak(localization)}"]


def distances(localization: Localization) -> str | None:
    """Return the luminosity distance over the whole sky; None if the map has no distance.

    The distance along the peak is added if the two means differ by more than the smaller standard deviation.
    """
    whole, along = localization.distance, localization.peak_distance
    if whole is None:
        return None if along is None else f"{quantities.distance(along)} along the peak"
    # The smaller standard deviation is the stricter criterion for a disagreement.
    if along is not None and abs(whole.mean - along.mean) > min(whole.std, along.std):
        return f"{quantities.distance(whole)} over the sky, {quantities.distance(along)} along the peak"
    return quantities.distance(whole)


def detectors(event: Event) -> str:
    """Return the detectors whose data were used: "H1 L1 V1", "L1 alone"."""
    listed = " ".join(plain_text(name) for name in event.instruments)
    if not listed:
        return "detectors not given"
    return f"{listed} alone" if len(event.instruments) == 1 else listed


def far(event: Event) -> str:
    """Return the false-alarm rate: "FAR 1 per 350,000 yr"."""
    return f"FAR {quantities.rate(event.far)}"


def distance_far_detectors_line(notice: Notice, event: Event) -> str:
    """Return distance, FAR and detectors in one line: "40 ± 8 Mpc · FAR 1 per 350,000 yr · H1 L1 V1"."""
    parts = []
    measured = notice.localization or notice.best_localization
    if measured is not None:
        distance = distances(measured)
        if distance is not None:
            parts.append(distance)
        elif not is_burst(event):
            parts.append("No distance in the map")
    return " · ".join([*parts, far(event), detectors(event)])


def significance_line(notice: Notice) -> str:
    """Return the significance: "Significant only through the coincidence (GW alone 1 per 9 h)"."""
    event = notice.event
    if event is None or not event.significant:
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
