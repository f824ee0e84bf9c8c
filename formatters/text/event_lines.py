"""What is known of a GW candidate, in lines of plain words: not escaped, no mark-up.

Cards, replies, lists and the terminal say the same facts in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import PROPERTIES, Event, ExternalCoincidence, Localization, Notice
from formatters.models.significance import (
    is_burst,
    is_significant_only_by_coincidence,
    is_ssm,
    ranked_classes,
)
from formatters.text import quantities, vocabulary

MAX_PINPOINT_AREA = 100.0
"""deg². A map in one piece and smaller than this has a peak worth pointing at, to the millidegree."""
MIN_NAMED_PROBABILITY = 0.01
"""Regions with less of the probability than this are counted, not named."""
MAX_NAMED_REGIONS = 3
MIN_CONSISTENT_OVERLAP = 0.1
"""Less than this share of the combined map inside the GW 90 % region is a contradiction worth saying."""
_NEGLIGIBLE = 0.01
_MAX_FURTHER_COINCIDENCES = 4
"""Further coincidences that are named in one line; all of them stand in the history."""
UNREADABLE_COINCIDENCE = "Names a coincidence in a form that gwevent doesn't understand"


def coincidence_label(external: ExternalCoincidence) -> str:
    """Return an external event's observatory and search in words: "Fermi GRB"."""
    return vocabulary.coincidence_label(external.observatory, external.search)


def headline(event: Event, *, compact: bool = False) -> str:
    """What it most probably is, in two words: "BNS 95 %", "Burst", "Sub-solar mass"."""
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
    """As in "BNS 95 % · BBH 3 % · NSBH, Terrestrial <1 %"; None where LVK gives no classes."""
    if not event.classification:
        return None
    return _probabilities(ranked_classes(event))


def _probabilities(items: Iterable[tuple[str, float]]) -> str:
    """Each with its percent; the negligible ones share one, at the end."""
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
    """As in "HasRemnant 91 % · HasNS 95 % · …", all of it conditional on an astrophysical origin."""
    if not event.properties:
        return None
    first = [name for name in PROPERTIES if name in event.properties]
    if is_ssm(event):
        first.sort(key=lambda name: name != "HasSSM")
    others = sorted(name for name in event.properties if name not in PROPERTIES)
    said = _probabilities((name, event.properties[name]) for name in first + others)
    # Terrestrial stands in the class line right above; without one the condition must carry it.
    condition = "If astrophysical"
    if "HasRemnant" in event.properties and "Terrestrial" not in event.classification:
        condition = "If astrophysical (Terrestrial not given)"
    return f"{condition}: {said}"


def source_lines(event: Event) -> list[str]:
    """What it may be: classes, properties, chirp mass; of a burst its frequency and duration."""
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
    """As in "487 Hz · 1.4 ms · no class, no distance"."""
    said = []
    if event.central_frequency is not None:
        said.append(quantities.frequency(event.central_frequency))
    if event.duration is not None:
        said.append(quantities.duration(event.duration))
    if not event.classification:
        said.append("no class, no distance")
    return " · ".join(said)


def chirp_mass_line(event: Event) -> str | None:
    """The most probable bin of the source-frame chirp mass: "Chirp mass 1.1 to 1.2 M☉ (71 %)"."""
    bins = event.mchirp_source
    if bins is None or not bins.probabilities or len(bins.bin_edges) != len(bins.probabilities) + 1:
        return None
    best = max(range(len(bins.probabilities)), key=lambda index: bins.probabilities[index])
    low, high = bins.bin_edges[best], bins.bin_edges[best + 1]
    share = quantities.percent(bins.probabilities[best])
    return f"Chirp mass {low:g} to {high:g}{quantities.NBSP}M☉ ({share})"


def areas(localization: Localization) -> str:
    """As in "90 %: 31 deg² · 50 %: 8.9 deg²"."""
    outer, inner = quantities.area(localization.area_90), quantities.area(localization.area_50)
    return f"{quantities.percent(0.9)}: {outer} · {quantities.percent(0.5)}: {inner}"


def regions(localization: Localization) -> str | None:
    """As in "59 % near 06h03 −20° · 31 % near 14h25 +56° · 4 smaller"; None for a map in one piece."""
    parts = localization.regions
    if len(parts) < 2:
        return None
    named = [part for part in parts[:MAX_NAMED_REGIONS] if part.probability >= MIN_NAMED_PROBABILITY] or list(
        parts[:1]
    )
    said = [
        f"{quantities.percent(part.probability)} near {quantities.position_coarse(part.ra, part.dec)}"
        for part in named
    ]
    rest = len(parts) - len(named)
    if rest:
        said.append(f"{quantities.number(rest)} smaller")
    return " · ".join(said)


def peak(localization: Localization) -> str:
    """The peak tile: with degrees where the map is one small piece, else only where it lies."""
    words = f"peak {quantities.position(localization.ra, localization.dec)}"
    if localization.area_90 < MAX_PINPOINT_AREA and len(localization.regions) < 2:
        return f"{words} ({quantities.position_degrees(localization.ra, localization.dec)})"
    return words


def sky_lines(notice: Notice) -> list[str]:
    """The GW map: areas, regions, peak; or why there is none."""
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
    """The luminosity distance; along the peak too, where the two differ by more than one sd."""
    whole, along = localization.distance, localization.peak_distance
    if whole is None:
        return None if along is None else f"{quantities.distance(along)} along the peak"
    # The narrower of the two tells first that they disagree.
    if along is not None and abs(whole.mean - along.mean) > min(whole.std, along.std):
        return f"{quantities.distance(whole)} over the sky, {quantities.distance(along)} along the peak"
    return quantities.distance(whole)


def detectors(event: Event) -> str:
    """As in "H1 L1 V1", "L1 alone"."""
    listed = " ".join(plain_text(name) for name in event.instruments)
    if not listed:
        return "detectors not given"
    return f"{listed} alone" if len(event.instruments) == 1 else listed


def far(event: Event) -> str:
    """As in "FAR 1 per 350,000 yr"."""
    return f"FAR {quantities.rate(event.far)}"


def distance_far_detectors_line(notice: Notice, event: Event) -> str:
    """As in "40 ± 8 Mpc · FAR 1 per 350,000 yr · H1 L1 V1"."""
    said = []
    measured = notice.localization or notice.best_localization
    if measured is not None:
        distance = distances(measured)
        if distance is not None:
            said.append(distance)
        elif not is_burst(event):
            said.append("No distance in the map")
    return " · ".join([*said, far(event), detectors(event)])


def coherence_line(notice: Notice, event: Event) -> str | None:
    """A warning where several detectors' data don't fit one signal (LOGBCI below zero)."""
    bci = None if notice.localization is None else notice.localization.log_bci
    if bci is None or not bci < 0 or len(event.instruments) < 2:
        return None
    return f"The detectors' data don't fit one signal well: log BCI {quantities.number(bci, 1)}"


def significance_line(notice: Notice) -> str:
    """As in "Significant", "Significant only through the coincidence (GW alone 1 per 9 h)"."""
    event = notice.event
    if event is None or not event.significant:
        return "Below LVK's threshold of significance"
    if event.flag_unread is not None:
        return f"Taken as significant: LVK's flag says “{plain_text(event.flag_unread)}”"
    if is_significant_only_by_coincidence(notice):
        return f"Significant only through the coincidence (GW alone {quantities.rate(event.far)})"
    return "Significant"


def now_significant_line(notice: Notice) -> str:
    """The same of one that wasn't before."""
    said = significance_line(notice)
    return f"Now significant{said.removeprefix('Significant')}" if said.startswith("Significant") else said


def coincidence_words(external: ExternalCoincidence) -> str:
    """As in "Swift targeted sub-threshold 0.25 s after"."""
    who = vocabulary.coincidence_label(plain_text(external.observatory), plain_text(external.search))
    if external.time_difference is None:
        return who
    return f"{who} {quantities.time_offset(external.time_difference)}"


def joint_far(external: ExternalCoincidence) -> str | None:
    """As in "Joint FAR before trials 1 per 255 yr (time and sky), 1 per 212 yr (time)"."""
    both, time = external.time_sky_position_coincidence_far, external.time_coincidence_far
    said: dict[str, list[str]] = {}
    if both is not None:
        said.setdefault(quantities.rate(both), []).append("time and sky")
    if time is not None:
        said.setdefault(quantities.rate(time), []).append("time")
    spoken = ", ".join(f"{rate} ({'; '.join(what)})" for rate, what in said.items())
    return f"Joint FAR before trials {spoken}" if said else None


def further_coincidence_lines(notice: Notice) -> list[str]:
    """The further coincidences of a notice that names several, in one line."""
    if not notice.more_external:
        return []
    said = []
    for external in notice.more_external[:_MAX_FURTHER_COINCIDENCES]:
        words, far = coincidence_words(external), _best_joint_far(external)
        said.append(words if far is None else f"{words} (joint FAR {quantities.rate(far)})")
    rest = len(notice.more_external) - len(said)
    return [f"Also: {' · '.join([*said, *([f'{rest} more'] if rest else [])])}"]


def _best_joint_far(external: ExternalCoincidence) -> float | None:
    both, time = external.time_sky_position_coincidence_far, external.time_coincidence_far
    return time if both is None else both


def lowest_joint_far(notice: Notice) -> float | None:
    """Of all coincidences, Hz; of each the one from time and sky position before that from time alone."""
    fars = [_best_joint_far(external) for external in notice.coincidences]
    return min((far for far in fars if far is not None), default=None)


def coincidence_lines(notice: Notice) -> list[str]:
    """The coincidence: what and when, joint FAR, and what the combined map changes; the others in a line."""
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
    place = regions(combined)
    where = peak(combined) if place is None else place
    # Where the burst's position adds nothing, the peak stands with the GW map already.
    if notice.localization is None or where != peak(notice.localization):
        lines.append(f"Combined map: {where}")
    return lines


def _combined_distance(notice: Notice, combined: Localization) -> list[str]:
    """The combined map's distance, where it reads otherwise than the GW map's."""
    if combined.distance is None:
        return []
    said = quantities.distance(combined.distance)
    gw = None if notice.localization is None else notice.localization.distance
    return [] if gw is not None and quantities.distance(gw) == said else [said]


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
    """The facts of a notification: "31 deg² 40±8 Mpc FAR 1/350,000 yr HLV 22:22:46 UTC"."""
    said = []
    localization = notice.best_localization
    if localization is not None:
        said.append(quantities.area(localization.area_90))
        if localization.distance is not None:
            said.append(quantities.distance_compact(localization.distance))
    said.append(f"FAR {quantities.rate_compact(event.far)}")
    if event.instruments:
        said.append("".join(plain_text(name)[:1] for name in event.instruments))
    observatories = [
        vocabulary.observatory_label(plain_text(external.observatory)) for external in notice.coincidences
    ]
    said += [f"+{name}" for name in list(dict.fromkeys(observatories))[:_MAX_FURTHER_COINCIDENCES]]
    said.append(quantities.utc_clock(event.time))
    return " ".join(said)
