"""The reply in a superevent's thread: the facts that changed with one notice."""

from __future__ import annotations

import math
from datetime import timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, strikethrough
from formatters.models import classes, significance
from formatters.models.notice import PROPERTIES, Event, Localization, Notice
from formatters.models.significance import comparison_notice, new_coincidences, newer_known_notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import event_lines, map_lines, quantities, vocabulary

_MIN_TIME_SHIFT = timedelta(seconds=1)
"""Smallest reported shift of the event time; smaller ones come with every change of the preferred event."""
_MIN_RELATIVE_CHANGE = 0.05
"""Relative change of an area or a mean distance below which two maps count as the same."""
_MIN_RELATIVE_STD_CHANGE = 0.2
"""Relative change of a distance's standard deviation below which two distances count as the same."""
MIN_PEAK_SHIFT_DEG = 1.0
"""Smallest reported shift of the map's peak, in degrees."""
MIN_OVERLAP_CHANGE = 0.85
"""Overlap with the old 90 % region below which it is reported; an identical map has 0.9."""


def alert_update(superevent: Superevent, notice: Notice, overlap: float | None = None) -> Message:
    """Return the reply that lists what `notice` changed.

    It compares `notice` with the one before it by `time_created`; after a retraction, with the last one that
    carried facts (see `comparison_notice`). `overlap` is the probability (0 to 1) of the new GW map inside
    the old map's 90 % region; None if it is unknown. Raises ValueError if `notice` does not belong to
    `superevent`.
    """
    then = superevent.up_to(notice)
    if notice.is_retraction:
        return _retraction(superevent, then, notice)
    # With the id, because a reply also appears in the channel and in Slack's list of threads.
    head = [bold(escape(f"{alert_card.alert_type_with_ordinal(then, notice)} · {superevent.superevent_id}"))]
    before = superevent.previous_notice(notice)
    lead: list[str] = []
    if before is not None and before.is_retraction:
        when = quantities.utc(before.time_created)
        lead.append(f"A candidate again: it was retracted {when}.")
    known = comparison_notice(superevent, notice)
    changed = changes(known, notice, overlap)
    summary = _no_change_line(superevent, known, notice)
    late = _late_lines(superevent, notice)
    vetting = vocabulary.vetting(notice.alert_type, notice.category)
    if vetting is not None and (
        before is None or vocabulary.vetting(before.alert_type, notice.category) != vetting
    ):
        head.append(escape(vetting))
    lines = [" · ".join(head), *map(escape, [*late, *lead, *(changed or [summary])])]
    small = escape(alert_card.footer(superevent, notice, notice.event))
    words = [*late, *lead, *(changed or [summary])]
    return blocks.message(
        _notification_text(superevent, then, notice, words), blocks.section(*lines), blocks.context(small)
    )


def changes(before: Notice | None, notice: Notice, overlap: float | None = None) -> list[str]:
    """Return the changes from `before` to `notice` as plain lines, the most important first.

    If there is nothing to compare with, return all facts of `notice`; if `notice` carries no event, nothing.
    """
    event = notice.event
    if event is None:
        return []
    if before is None or before.event is None:
        return [
            *event_lines.source_lines(event),
            *event_lines.sky_lines(notice),
            event_lines.distance_far_detectors_line(notice, event),
            *event_lines.coincidence_lines(notice),
        ]
    old = before.event
    return [
        *_significance_changes(before, notice, old, event),
        *_early_warning_confirmation(old, event),
        *_coincidence_changes(before, notice),
        *_class_changes(old, event),
        *_property_changes(old, event),
        *_map_changes(before, notice, overlap),
        *_far_changes(old, event),
        *_preferred_event_changes(old, event),
        *_burst_changes(old, event),
        *_chirp_mass_changes(old, event),
        *_event_time_changes(old, event),
    ]


def _late_lines(superevent: Superevent, notice: Notice) -> list[str]:
    """Return one line if the notice arrived after a newer one, else none."""
    newer = newer_known_notice(superevent, notice)
    if newer is None:
        return []
    stage = vocabulary.alert_type_label(newer.alert_type)
    if newer.key[1:3] == notice.key[1:3]:
        return [f"Sent in the same second as another {stage}, which the message above shows."]
    return [
        f"Late: sent {quantities.utc(notice.time_created)}, but a newer {stage}"
        f" of {quantities.utc(newer.time_created)} is known. The message above shows the newer one."
    ]


def _no_change_line(superevent: Superevent, known: Notice | None, notice: Notice) -> str:
    """Return the line for a notice without any reported change."""
    if known is None:
        return "This notice carries no facts about the candidate."
    stage = alert_card.alert_type_with_ordinal(superevent, known)
    if _comparable_facts(known) == _comparable_facts(notice):
        return f"Same facts as {stage}."
    return f"Nothing of note changed since {stage}."


def _comparable_facts(notice: Notice) -> tuple[object, ...]:
    return (notice.event, notice.localization, notice.map_problem, notice.coincidences)


def _notification_text(superevent: Superevent, then: Superevent, notice: Notice, words: list[str]) -> str:
    category = vocabulary.category_label(superevent.category)
    parts = [] if category is None else [category]
    parts += [superevent.superevent_id, alert_card.alert_type_with_ordinal(then, notice)]
    return escape(f"{' '.join(parts)}: {' · '.join(words)}")


def _retraction(superevent: Superevent, then: Superevent, notice: Notice) -> Message:
    known = then.latest_with_event
    facts = None if known is None else alert_card.last_known_facts(known)
    title = escape(f"RETRACTED · {superevent.superevent_id}")
    lines = [f"{bold(title)} · no longer a candidate of interest"]
    if facts is not None:
        lines.append(f"Was: {strikethrough(escape(facts))}")
    late = _late_lines(superevent, notice)
    lines += map(escape, late)
    was = [] if facts is None else [f"was {facts}"]
    words = ["no longer a candidate of interest", *was, *late]
    small = escape(alert_card.footer(superevent, notice, None))
    return blocks.message(
        _notification_text(superevent, then, notice, words), blocks.section(*lines), blocks.context(small)
    )


def _significance_changes(before: Notice, notice: Notice, old: Event, new: Event) -> list[str]:
    if new.significant and not old.significant:
        return [event_lines.now_significant_line(notice)]
    if old.significant and not new.significant:
        return ["No longer significant"]
    if (significance.is_significant_only_by_coincidence(before), old.flag_unread) != (
        significance.is_significant_only_by_coincidence(notice),
        new.flag_unread,
    ):
        return [event_lines.significance_line(notice)]
    return []


def _early_warning_confirmation(old: Event, new: Event) -> list[str]:
    if significance.is_early_warning(old) and not significance.is_early_warning(new):
        return ["Confirmed by the full search"]
    return []


def _coincidence_changes(before: Notice, notice: Notice) -> list[str]:
    old, new = before.external, notice.external
    lines, known = event_lines.coincidence_lines(notice), set(event_lines.coincidence_lines(before))
    if notice.has_unreadable_coincidence:
        # It may be the same coincidence as before, so only lines that are new count.
        return [line for line in lines if line not in known]
    if new is None and old is not None:
        return [
            f"Names no coincidence any more (before:"
            f" {' · '.join(map(event_lines.coincidence_label, before.coincidences))})",
            *lines,
        ]
    added = new_coincidences([before], notice)
    if new is not None and new in added:
        return [f"New coincidence: {lines[0]}", *lines[1:]]
    removed = {event_lines.coincidence_label(one) for one in before.coincidences} - {
        event_lines.coincidence_label(one) for one in notice.coincidences
    }
    return [
        *(f"New coincidence: {event_lines.coincidence_words(one)}" for one in added),
        # Lines about a coincidence that was known before, if they changed.
        *(line for line in lines if line not in known),
        *(f"No longer named: {label}" for label in sorted(removed)),
    ]


def _old_to_new(name: str, old: str, new: str) -> str:
    return f"{name} {old} → {new}"


def _class_changes(old: Event, new: Event) -> list[str]:
    unread = event_lines.unread_words(new, classes.CLASSIFICATION)
    if classes.is_unread(new, classes.CLASSIFICATION) or (unread and not new.classification):
        line = event_lines.class_line(new)
        return [] if line is None or line == event_lines.class_line(old) else [line]
    if not new.classification:
        return ["No class probabilities any more"] if old.classification else []
    if not old.classification:
        line = event_lines.class_line(new)
        return [] if line is None else [f"Classes: {line}"]
    moved = [] if unread == event_lines.unread_words(old, classes.CLASSIFICATION) else unread
    was_unread = classes.unread_names(old, classes.CLASSIFICATION)
    for name, probability in significance.ranked_classes(new):
        was, now = quantities.percent(old.classification.get(name, 0.0)), quantities.percent(probability)
        if name in was_unread:
            moved.append(f"{name} {now}")
        elif was != now:
            moved.append(_old_to_new(name, was, now))
    now_unread = classes.unread_names(new, classes.CLASSIFICATION)
    removed = [name for name in old.classification if name not in (*new.classification, *now_unread)]
    moved += [f"{name} no longer given" for name in removed]
    return [" · ".join(moved)] if moved else []


def _property_changes(old: Event, new: Event) -> list[str]:
    moved = []
    for name in (*PROPERTIES, *sorted(set(new.properties) - set(PROPERTIES))):
        if name not in new.properties:
            continue
        now = quantities.percent(new.properties[name])
        was = quantities.percent(old.properties[name]) if name in old.properties else None
        if was is None:
            moved.append(f"{name} {now}")
        elif was != now:
            moved.append(_old_to_new(name, was, now))
    unread = event_lines.unread_words(new, classes.PROPERTIES)
    if unread != event_lines.unread_words(old, classes.PROPERTIES):
        moved += unread
    if not moved:
        return []
    terrestrial = new.classification.get("Terrestrial")
    beside = "not given" if terrestrial is None else quantities.percent(terrestrial)
    return [f"If astrophysical (Terrestrial {beside}): {' · '.join(moved)}"]


def _map_changes(before: Notice, notice: Notice, overlap: float | None) -> list[str]:
    old, new = before.localization, notice.localization
    if new is None:
        if notice.map_problem is not None or old is not None:
            return event_lines.sky_lines(notice)
        return []
    if old is None:
        lines = event_lines.sky_lines(notice)
        distance = event_lines.distances(new)
        return [f"First sky map: {lines[0]}", *lines[1:], *([] if distance is None else [distance])]
    return [*_area_changes(old, new, overlap), *_peak_changes(old, new), *_distance_changes(old, new)]


def _differs(old: float, new: float, share: float = _MIN_RELATIVE_CHANGE) -> bool:
    return abs(new - old) > share * max(abs(old), abs(new))


def _area_changes(old: Localization, new: Localization, overlap: float | None) -> list[str]:
    was, now = quantities.area_value(old.area_90), quantities.area(new.area_90)
    resized = _differs(old.area_90, new.area_90) and quantities.area(old.area_90) != now
    moved = overlap is not None and overlap < MIN_OVERLAP_CHANGE
    if not resized and not moved:
        return []
    line = (
        _old_to_new(f"90{quantities.NBSP}% area", was, now) if resized else f"90{quantities.NBSP}% area {now}"
    )
    if overlap is None:
        return [line]
    return [
        f"{line}, {quantities.percent(overlap)} of the new map lies in the old 90{quantities.NBSP}% region"
    ]


def _peak_changes(old: Localization, new: Localization) -> list[str]:
    if new.is_uniform:
        return [] if old.is_uniform else [map_lines.UNIFORM.capitalize()]
    moved = quantities.separation(old.ra, old.dec, new.ra, new.dec)
    if moved < MIN_PEAK_SHIFT_DEG:
        return []
    return [f"Peak moved {quantities.angle(moved)} to {quantities.position(new.ra, new.dec)}"]


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
    return [_old_to_new("Distance", was, now)] if news and not same_words else []


def _far_changes(old: Event, new: Event) -> list[str]:
    if old.far is None or new.far is None:
        return (
            []
            if old.far == new.far
            else [_old_to_new("FAR", quantities.rate(old.far), quantities.rate(new.far))]
        )
    was, now = quantities.rate(old.far), quantities.rate(new.far)
    if was == now:
        return []
    # An order of magnitude, with a tolerance that includes a factor of 9.9.
    far_apart = min(old.far, new.far) <= 0 or abs(math.log10(new.far) - math.log10(old.far)) >= 0.95
    return [_old_to_new("FAR", was, now)] if far_apart else []


def _preferred_event_changes(old: Event, new: Event) -> list[str]:
    lines = []
    was, now = (f"{event.pipeline} {event.search}" for event in (old, new))
    if was.casefold() != now.casefold():
        lines.append(_old_to_new("Preferred event", was, now))
    if old.group.casefold() != new.group.casefold():
        lines.append(_old_to_new("Group", old.group, new.group))
    if sorted(old.instruments) != sorted(new.instruments):
        lines.append(_old_to_new("Detectors", event_lines.detectors(old), event_lines.detectors(new)))
    return lines


def _burst_changes(old: Event, new: Event) -> list[str]:
    if not significance.is_burst(new):
        return []
    was, now = event_lines.burst_line(old), event_lines.burst_line(new)
    return [] if was == now or not significance.is_burst(old) else [now]


def _chirp_mass_changes(old: Event, new: Event) -> list[str]:
    line = event_lines.chirp_mass_line(new)
    return [] if line is None or line == event_lines.chirp_mass_line(old) else [line]


def _event_time_changes(old: Event, new: Event) -> list[str]:
    if abs(new.time - old.time) < _MIN_TIME_SHIFT:
        return []
    return [f"Event time now {quantities.utc(new.time)} ({quantities.delay(new.time - old.time)})"]
