"""Facts about a GW candidate as lines of plain text: not escaped, no mark-up.

Cards, replies, lists and the terminal share these lines, so the same fact has the same wording everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from formatters.blockkit.mrkdwn import plain_text
from formatters.models import classes
from formatters.models.notice import PROPERTIES, Event, ExternalCoincidence, Localization, Notice
from formatters.models.significance import (
    is_burst,
    is_significant_only_by_coincidence,
    is_ssm,
    ranked_classes,
)
from formatters.text import map_lines, quantities, vocabulary

MAX_PINPOINT_AREA = 100.0
"""90 % area in deg² below which the peak of a map in one piece is also given in decimal degrees."""
MIN_NAMED_PROBABILITY = 0.01
"""Probability (0 to 1) below which a region is only counted, not named."""
MAX_NAMED_REGIONS = 3
MIN_CONSISTENT_OVERLAP = 0.1
"""Probability (0 to 1) of the combined map inside the GW 90 % region below which a warning is shown."""
_NEGLIGIBLE = 0.01
_MAX_FURTHER_COINCIDENCES = 4
"""Maximum number of further coincidences named in one line; the event history lists all of them."""
_UNREAD_FIELDS = {
    "far": "FAR",
    "mchirp_source": "chirp mass",
    "central_frequency": "frequency",
    "duration": "duration",
}
"""Fields of an event in words; each is named if it is given and can't be read."""
UNREADABLE_COINCIDENCE = "Names a coincidence in a form that gwevent doesn't understand"


def coincidence_label(external: ExternalCoincidence) -> str:
    """Return an external event's observatory and search in words: "Fermi GRB"."""
    return vocabulary.coincidence_label(external.observatory, external.search)


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


def class_line(event: Event) -> str | None:
    """Return the class probabilities: "BNS 95 % · BBH 3 % · NSBH, Terrestrial <1 %"; None without any.

    A class whose probability can't be read comes first: "BNS can't be read · BBH 3 %".
    """
    if classes.is_unread(event, classes.CLASSIFICATION):
        return "The class probabilities can't be read"
    unread = unread_words(event, classes.CLASSIFICATION)
    parts = [*unread, *([_probabilities(ranked_classes(event))] if event.classification else [])]
    return " · ".join(parts) if parts else None


def unread_words(event: Event, field: str) -> list[str]:
    """Return "BNS, NSBH can't be read" for the probabilities of a field that can't; empty if all can."""
    names = ", ".join(plain_text(name) for name in classes.unread_names(event, field))
    return [f"{names} can't be read"] if names else []


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
    if classes.is_unread(event, classes.PROPERTIES):
        return "The properties (HasNS, HasRemnant …) can't be read"
    unread = unread_words(event, classes.PROPERTIES)
    if not event.properties:
        return unread[0] if unread else None
    first = [name for name in PROPERTIES if name in event.properties]
    if is_ssm(event):
        first.sort(key=lambda name: name != "HasSSM")
    others = sorted(name for name in event.properties if name not in PROPERTIES)
    probabilities = _probabilities((name, event.properties[name]) for name in first + others)
    # The class line above usually gives Terrestrial; if it does not, say so here.
    condition = "If astrophysical"
    if "HasRemnant" in event.properties and "Terrestrial" not in event.classification:
        condition = "If astrophysical (Terrestrial not given)"
    return f"{condition}: {' · '.join([*unread, probabilities])}"


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
    others = [words for name, words in _UNREAD_FIELDS.items() if classes.is_unread(event, name)]
    if others:
        lines.append(f"Can't be read: {', '.join(others)}")
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

    The distance along the peak is added if the two means differ by more than the smaller standard deviation.
    """
    whole, along = localization.distance, localization.peak_distance
    if whole is None:
        return None if along is None else f"{quantities.distance(along)} along the peak"
    # The smaller standard deviation is the stricter criterion for a disagreement.
    if along is not None and abs(whole.mean - along.mean) > min(whole.std, along.std):
        over_sky = map_lines.distance_over_sky(localization)
        return f"{over_sky}, {quantities.distance(along)} along the peak"
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


def coherence_line(notice: Notice, event: Event) -> str | None:
    """Return a warning if the data of several detectors do not fit one signal (LOGBCI < 0); else None."""
    bci = None if notice.localization is None else notice.localization.log_bci
    if bci is None or not bci < 0 or len(event.instruments) < 2:
        return None
    return f"The detectors' data don't fit one signal well: log BCI {quantities.number(bci, 1)}"


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


def coincidence_words(external: ExternalCoincidence) -> str:
    """Return an external event with its time offset: "Swift targeted sub-threshold 0.25 s after"."""
    label = vocabulary.coincidence_label(plain_text(external.observatory), plain_text(external.search))
    if external.time_difference is None:
        return label
    return f"{label} {quantities.time_offset(external.time_difference)}"


def joint_far(external: ExternalCoincidence) -> str | None:
    """Return the joint FARs: "Joint FAR before trials 1 per 255 yr (time and sky), 1 per 212 yr (time)".

    Return None if the notice gives none.
    """
    both, time = external.time_sky_position_coincidence_far, external.time_coincidence_far
    kinds_by_rate: dict[str, list[str]] = {}
    if both is not None:
        kinds_by_rate.setdefault(quantities.rate(both), []).append("time and sky")
    if time is not None:
        kinds_by_rate.setdefault(quantities.rate(time), []).append("time")
    rates = ", ".join(f"{rate} ({'; '.join(kinds)})" for rate, kinds in kinds_by_rate.items())
    return f"Joint FAR before trials {rates}" if kinds_by_rate else None


def further_coincidence_lines(notice: Notice) -> list[str]:
    """Return one line with all coincidences of a notice except the main one; none if there are no others."""
    if not notice.more_external:
        return []
    parts = []
    for external in notice.more_external[:_MAX_FURTHER_COINCIDENCES]:
        words, far = coincidence_words(external), _best_joint_far(external)
        parts.append(words if far is None else f"{words} (joint FAR {quantities.rate(far)})")
    rest = len(notice.more_external) - len(parts)
    return [f"Also: {' · '.join([*parts, *([f'{rest} more'] if rest else [])])}"]


def _best_joint_far(external: ExternalCoincidence) -> float | None:
    both, time = external.time_sky_position_coincidence_far, external.time_coincidence_far
    return time if both is None else both


def lowest_joint_far(notice: Notice) -> float | None:
    """Return the lowest joint FAR of all coincidences, in Hz; None if there is none.

    For each coincidence, the FAR from time and sky position is preferred to the one from time alone.
    """
    fars = [_best_joint_far(external) for external in notice.coincidences]
    return min((far for far in fars if far is not None), default=None)


def coincidence_lines(notice: Notice) -> list[str]:
    """Return lines about the main coincidence, then one line about the others; empty if there is none.

    The main coincidence is given with its time offset, its joint FAR, and what the combined map changes.
    """
    if notice.external is None:
        return [UNREADABLE_COINCIDENCE] if notice.has_unreadable_coincidence else []
    return [*_coincidence_lines(notice, notice.external), *further_coincidence_lines(notice)]


def _coincidence_lines(notice: Notice, external: ExternalCoincidence) -> list[str]:
    lines = [coincidence_words(external)]
    joint = joint_far(external)
    if joint is not None:
        lines.append(joint)
    if external.map_problem is not None:
        lines.append(f"The combined map can't be read: {plain_text(external.map_problem, 200)}")
    combined = external.localization
    if combined is None:
        return lines
    size = f"{quantities.percent(0.9)}: {_combined_size(notice, external, combined)}"
    lines.append(" · ".join([size, *_combined_distance(notice, combined)]))
    lobes = regions(combined)
    location = peak(combined) if lobes is None else lobes
    # Omit the peak if it equals the GW map's, which is shown already.
    if notice.localization is None or location != peak(notice.localization):
        lines.append(f"Combined map: {location}")
    return lines


def _combined_distance(notice: Notice, combined: Localization) -> list[str]:
    """Return the combined map's distance if its text differs from the GW map's; else an empty list."""
    if combined.distance is None:
        return []
    combined_text = map_lines.distance(combined)
    gw = None if notice.localization is None else map_lines.distance(notice.localization)
    return [] if combined_text is None or gw == combined_text else [combined_text]


def _combined_size(notice: Notice, external: ExternalCoincidence, combined: Localization) -> str:
    size = f"combined {quantities.area(combined.area_90)}"
    if notice.localization is None:
        return size
    gw = notice.localization.area_90
    if external.overlap is not None and external.overlap < MIN_CONSISTENT_OVERLAP:
        overlap = quantities.percent(external.overlap)
        return f"{size}, GW {quantities.area(gw)}: the maps barely overlap ({overlap})"
    return f"GW {quantities.area_value(gw)} → {size}"


def notification_facts(notice: Notice, event: Event) -> str:
    """Return the facts of a notification: "31 deg² 40±8 Mpc FAR 1/350,000 yr HLV 22:22:46 UTC"."""
    parts = []
    localization = notice.best_localization
    if localization is not None:
        parts.append(quantities.area(localization.area_90))
        distance = map_lines.distance_compact(localization)
        if distance is not None:
            parts.append(distance)
    parts.append(f"FAR {quantities.rate_compact(event.far)}")
    if event.instruments:
        parts.append("".join(plain_text(name)[:1] for name in event.instruments))
    observatories = [
        vocabulary.observatory_label(plain_text(external.observatory)) for external in notice.coincidences
    ]
    parts += [f"+{name}" for name in list(dict.fromkeys(observatories))[:_MAX_FURTHER_COINCIDENCES]]
    parts.append(quantities.utc_clock(event.time))
    return " ".join(parts)
