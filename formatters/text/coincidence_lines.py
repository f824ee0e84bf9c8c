"""Lines about external events that coincide with the GW signal, as plain text."""

from __future__ import annotations

import math
from dataclasses import dataclass

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import ExternalCoincidence, Localization, Notice
from formatters.models.significance import (
    are_positions_contradictory,
    is_burst,
    is_significant_only_by_coincidence,
    sky_overlap,
)
from formatters.text import event_lines, map_lines, quantities, vocabulary

UNREADABLE_COINCIDENCE = "Names a coincidence in a form that gwevent doesn't understand"
MAX_FURTHER_COINCIDENCES = 4
"""Maximum number of further coincidences named in one line; the event history lists all of them."""
_LAST_LEVEL = 0.99
"""GW credible level (0 to 1) beyond which the level of a position is no longer given as a number."""


def coincidence_label(external: ExternalCoincidence) -> str:
    """Return an external event's observatory and search in words: "Swift/BAT sub-threshold GRB candidate"."""
    return vocabulary.coincidence_label(external.observatory, external.search)


def coincidence_words(external: ExternalCoincidence, notice: Notice) -> str:
    """Return an external event with its time offset from the GW signal of `notice`.

    "Swift/BAT sub-threshold GRB candidate 0.25 s after the merger", "Fermi GRB (trigger 524666471) 1.74 s
    after the merger".
    """
    label = vocabulary.coincidence_label(plain_text(external.observatory), plain_text(external.search))
    trigger = vocabulary.trigger_number(external.observatory, external.search, external.gcn_notice_id)
    if trigger is not None:
        label = f"{label} (trigger{quantities.NBSP}{trigger})"
    if external.time_difference is None:
        return label
    offset = quantities.time_offset(external.time_difference)
    if offset.endswith(("after", "before")):
        return f"{label} {offset} {_reference(notice)}"
    return f"{label} {offset} as {_reference(notice)}"


def _reference(notice: Notice) -> str:
    """Return the words for the start of the time offset: a burst needn't be a merger."""
    is_merger = notice.event is not None and not is_burst(notice.event)
    return "the merger" if is_merger else "the GW signal"


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


def positions_line(external: ExternalCoincidence) -> str | None:
    """Return how well the two positions agree, as RAVEN has it, and where the combined peak lies.

    "Sky overlap 1.4; above 1 the positions agree · combined peak at GW 35 % level". Return None if the notice
    gives neither.
    """
    ratio, level = sky_overlap(external), external.peak_level
    parts = []
    if ratio is not None:
        parts.append(f"sky overlap {quantities.two_digits(ratio)}; above 1 the positions agree")
    if level is not None:
        parts.append(_peak_level(level))
    if not parts:
        return None
    line = " · ".join(parts)
    if are_positions_contradictory(external):
        if ratio is not None and ratio >= 1:
            return (
                f"Sky overlap {quantities.two_digits(ratio)} (above 1 the positions agree), but {parts[-1]}"
            )
        return f"The positions contradict each other: {line}"
    return f"{line[0].upper()}{line[1:]}"


def _peak_level(level: float) -> str:
    if level > _LAST_LEVEL:
        return f"combined peak beyond the GW 99{quantities.NBSP}% level"
    return f"combined peak at GW {quantities.percent(level)} level"


def further_coincidence_lines(notice: Notice) -> list[str]:
    """Return one line with all coincidences of a notice except the main one; none if there are no others."""
    if not notice.more_external:
        return []
    parts = []
    for external in notice.more_external[:MAX_FURTHER_COINCIDENCES]:
        words, far = coincidence_words(external, notice), _best_joint_far(external)
        parts.append(words if far is None else f"{words} (joint FAR {quantities.rate(far)})")
    rest = len(notice.more_external) - len(parts)
    return [f"Also: {' · '.join([*parts, *([f'{rest} more'] if rest else [])])}"]


def _best_joint_far(external: ExternalCoincidence) -> float | None:
    both, time = external.time_sky_position_coincidence_far, external.time_coincidence_far
    return time if both is None else both


def joint_far_rank(external: ExternalCoincidence) -> float:
    """Return the joint FAR in Hz by which coincidences are ordered; infinite if the notice gives none."""
    far = _best_joint_far(external)
    return math.inf if far is None else far


def lowest_joint_far(notice: Notice) -> float | None:
    """Return the lowest joint FAR of all coincidences, in Hz; None if there is none.

    For each coincidence, the FAR from time and sky position is preferred to the one from time alone.
    """
    fars = [_best_joint_far(external) for external in notice.coincidences]
    return min((far for far in fars if far is not None), default=None)


def coincidence_lines(notice: Notice) -> list[str]:
    """Return all that is known of a notice's coincidences, the main one first; empty if there is none.

    The main coincidence is given with its time offset, its joint FAR, how the positions agree, and what the
    combined map changes.
    """
    external = notice.external
    if external is None:
        return [UNREADABLE_COINCIDENCE] if notice.has_unreadable_coincidence else []
    lines = [coincidence_words(external, notice)]
    lines += [line for line in (joint_far(external), positions_line(external)) if line is not None]
    if external.map_problem is not None:
        lines.append(f"The combined map can't be read: {plain_text(external.map_problem, 200)}")
    if external.localization is not None:
        lines += _combined_map_lines(notice, external.localization)
    return [*lines, *further_coincidence_lines(notice)]


def _combined_map_lines(notice: Notice, combined: Localization) -> list[str]:
    gw = notice.localization
    inner = f"{quantities.percent(0.5)}: combined {quantities.area(combined.area_50)}"
    outer = f"combined {quantities.area(combined.area_90)}"
    if gw is not None:
        outer = f"GW {quantities.area_value(gw.area_90)} → {outer}"
    lines = [
        " · ".join([f"{quantities.percent(0.9)}: {outer}", inner, *_combined_distance(notice, combined)])
    ]
    lobes = event_lines.regions(combined)
    location = event_lines.peak(combined) if lobes is None else lobes
    # Omit the peak if it equals the GW map's, which is shown already.
    if gw is None or location != event_lines.peak(gw):
        lines.append(f"Combined map: {location}")
    return lines


def _combined_distance(notice: Notice, combined: Localization) -> list[str]:
    """Return the combined map's distance if its text differs from the GW map's; else an empty list."""
    if combined.distance is None:
        return []
    combined_text = map_lines.distance(combined)
    gw = None if notice.localization is None else map_lines.distance(notice.localization)
    return [] if combined_text is None or gw == combined_text else [combined_text]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardParts:
    """A coincidence as the parts of one line of a card, the most important first."""

    parts: tuple[str, ...]
    least: int
    """Number of parts, from the first, that the card always shows: the external event and its joint FAR."""
    kept: int
    """Number of parts that are more than detail.

    These are also a contradiction, a map that can't be read, and, where only the coincidence makes the event
    significant, RAVEN's overlap.
    """


def card_parts(notice: Notice) -> CardParts | None:
    """Return a notice's coincidences in short; None if there is none. `coincidence_lines` says all of it.

    The combined map isn't described: it stands in the card's line of the sky (`combined_sky_parts`).
    """
    external = notice.external
    if external is None:
        if not notice.has_unreadable_coincidence:
            return None
        return CardParts(parts=(UNREADABLE_COINCIDENCE,), least=1, kept=1)
    parts = [coincidence_words(external, notice)]
    far = lowest_joint_far(notice) if _best_joint_far(external) is None else _best_joint_far(external)
    if far is not None:
        parts.append(f"joint FAR {quantities.rate(far)} before trials")
    least = len(parts)
    ratio, level = sky_overlap(external), external.peak_level
    if are_positions_contradictory(external) and not (ratio is not None and ratio >= 1):
        parts.append("the positions contradict each other")
    elif level is not None and level > _LAST_LEVEL:
        # RAVEN's overlap says that they agree; both are shown as far as there is room.
        parts.append(_peak_level(level))
    if external.map_problem is not None:
        parts.append("the combined map can't be read")
    kept = len(parts)
    if ratio is not None:
        parts.append(f"sky overlap {quantities.two_digits(ratio)} (above 1 the positions agree)")
        # Where nothing else makes the event significant, this decides how far to trust it.
        kept += is_significant_only_by_coincidence(notice)
    if level is not None and _peak_level(level) not in parts:
        parts.append(_peak_level(level))
    if notice.more_external:
        parts.append(quantities.pluralize(len(notice.more_external), "more coincidence"))
    return CardParts(parts=tuple(parts), least=least, kept=kept)


def combined_sky_parts(notice: Notice) -> list[str] | None:
    """Return the card's line of the sky in parts, of the combined map; None if the notice has none.

    "Combined 90 %: 873", "50 %: 208 deg²", where the most probable regions or the peak lie, and last the
    area of the GW map alone.
    """
    external, gw = notice.external, notice.localization
    if external is None or external.localization is None:
        return None
    combined = external.localization
    outer, inner = quantities.area_value(combined.area_90), quantities.area(combined.area_50)
    lobes = event_lines.regions(combined)
    parts = [
        f"Combined {quantities.percent(0.9)}: {outer}",
        f"{quantities.percent(0.5)}: {inner}",
        *(event_lines.peak(combined) if lobes is None else lobes).split(" · "),
    ]
    if gw is not None:
        parts.append(f"GW alone {quantities.percent(0.9)}: {quantities.area(gw.area_90)}")
    return parts
