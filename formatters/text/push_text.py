"""The facts of a push notification: short, and the most important first, because phones cut them."""

from __future__ import annotations

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import Event, Notice
from formatters.models.significance import is_significant_only_by_coincidence
from formatters.text import coincidence_lines, map_lines, quantities, vocabulary


def push_facts(notice: Notice, event: Event, grade: str | None = None) -> str:
    """Return the facts that follow class and stage: "31 deg² 40±8 Mpc FAR 1/350,000 yr HLV 22:22:46 UTC".

    `grade` are the words for the best grade of the channel's criteria sets, which follow the distance.

    Where only a coincidence makes the event significant, its joint FAR comes first and the GW FAR is left
    out: "joint FAR 1/255 yr +Swift combined 161 deg² 112±31 Mpc HL 02:10:46 UTC". An area of the combined map
    is called that.
    """
    by_coincidence = is_significant_only_by_coincidence(notice)
    names = _observatories(notice)
    parts = []
    if by_coincidence:
        far = coincidence_lines.lowest_joint_far(notice)
        parts.append("by coincidence" if far is None else f"joint FAR {quantities.rate_compact(far)}")
        parts += names
    localization = notice.best_localization
    if localization is not None:
        parts.append(map_lines.best_area(notice) or "")
        distance = map_lines.distance_compact(localization)
        if distance is not None:
            parts.append(distance)
    if grade is not None:
        parts.append(grade)
    if not by_coincidence:
        parts.append(f"FAR {quantities.rate_compact(event.far)}")
    if event.instruments:
        parts.append("".join(plain_text(name)[:1] for name in event.instruments))
    if not by_coincidence:
        parts += names
    parts.append(quantities.utc_clock(event.time))
    return " ".join(parts)


def _observatories(notice: Notice) -> list[str]:
    """Return the observatories of the coincidences: "+Swift", "+Fermi"."""
    # The one whose joint FAR is said comes first.
    ranked = sorted(notice.coincidences, key=coincidence_lines.joint_far_rank)
    names = [vocabulary.observatory_label(plain_text(external.observatory)) for external in ranked]
    return [f"+{name}" for name in list(dict.fromkeys(names))[: coincidence_lines.MAX_FURTHER_COINCIDENCES]]
