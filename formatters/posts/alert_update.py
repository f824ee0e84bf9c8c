"""The reply in a superevent's thread: the facts that changed with one notice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, strikethrough
from formatters.models import significance
from formatters.models.criteria_set import GradeOutcome
from formatters.models.notice import Event, Notice
from formatters.models.significance import comparison_notice, new_coincidences, newer_known_notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.class_changes import class_changes, property_changes
from formatters.posts.map_changes import map_changes
from formatters.text import (
    chirp_mass,
    coincidence_lines,
    event_lines,
    grade_lines,
    quantities,
    vocabulary,
    warning_lines,
)
from formatters.text.source_lines import burst_line, source_lines
from formatters.text.vocabulary import old_to_new

_MIN_TIME_SHIFT = timedelta(seconds=1)
"""Smallest reported shift of the event time; smaller ones come with every change of the preferred event."""


def alert_update(
    superevent: Superevent,
    notice: Notice,
    overlap: float | None = None,
    grades_before: Sequence[GradeOutcome] = (),
    grades: Sequence[GradeOutcome] = (),
) -> Message:
    """Return the reply that lists what `notice` changed.

    It compares `notice` with the one before it by `time_created`; after a retraction, with the last one that
    carried facts (see `comparison_notice`). `overlap` is the probability (0 to 1) of the new GW map inside
    the old map's 90 % region; None if it is unknown. `grades_before` and `grades` are what the channel's
    criteria sets said before `notice` came and with it: their change comes first, as it decides whether to
    act. Raises ValueError if `notice` does not belong to `superevent`.
    """
    then = superevent.up_to(notice)
    late = _late_lines(superevent, notice)
    graded = grade_lines.grade_changes(grades_before, grades)
    if notice.is_retraction:
        return _retraction(superevent, then, notice, graded)
    # With the id, because a reply also appears in the channel and in Slack's list of threads.
    head = [bold(escape(" · ".join([*_marks(then), _stage(then, notice), superevent.superevent_id])))]
    before = superevent.previous_notice(notice)
    lead: list[str] = []
    if before is not None and before.is_retraction:
        when = quantities.utc(before.time_created)
        lead.append(f"A candidate again: it was retracted {when}.")
    known = comparison_notice(superevent, notice)
    changed = [*graded, *changes(superevent, known, notice, overlap)]
    summary = _no_change_line(superevent, known, notice)
    vetting = _vetting(notice)
    if vetting is not None and (before is None or _vetting(before) != vetting):
        head.append(escape(vetting))
    since = None
    if known is not None and changed:
        since = vocabulary.notice_name(superevent, known)
        head.append(escape(f"changes since {since}"))
    lines = [" · ".join(head), *map(escape, [*late, *lead, *(changed or [summary])])]
    small = escape(alert_card.footer(superevent, notice, notice.event))
    words = [*late, *lead, *(changed or [summary])]
    return blocks.message(
        _notification_text(superevent, then, notice, words, since),
        blocks.section(*lines),
        blocks.context(small),
    )


def changes(
    superevent: Superevent, before: Notice | None, notice: Notice, overlap: float | None = None
) -> list[str]:
    """Return the changes from `before` to `notice` as plain lines, the most important first.

    What decides whether to act at all comes first, then where to point, then what it may be. If there is
    nothing to compare with, return all facts of `notice`; if `notice` carries no event, nothing.
    """
    event = notice.event
    if event is None:
        return []
    if before is None or before.event is None:
        return [
            *event_lines.sky_lines(notice),
            event_lines.distance_far_detectors_line(notice, event),
            *source_lines(superevent, notice, event),
            *coincidence_lines.coincidence_lines(notice),
        ]
    old = before.event
    return [
        *_significance_changes(before, notice, old, event),
        *_early_warning_confirmation(old, event),
        *_coincidence_changes(before, notice),
        *map_changes(superevent, before, notice, overlap),
        *_known_coincidence_changes(before, notice),
        *class_changes(superevent, before, notice),
        *property_changes(superevent, notice, old, event),
        *_far_changes(old, event),
        *_preferred_event_changes(old, event),
        *_burst_changes(before, notice),
        *_chirp_mass_changes(before, notice),
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
    if known is None or notice.event is None:
        return alert_card.NO_FACTS
    stage = vocabulary.notice_name(superevent, known)
    if _comparable_facts(known) == _comparable_facts(notice):
        return f"Same facts as {stage}."
    return f"Nothing of note changed since {stage}."


def _marks(then: Superevent) -> list[str]:
    """Return the marks that the notice's stage doesn't say by itself: MOCK, TEST, LOW SIGNIFICANCE."""
    return [mark for mark in alert_card.status_labels(then) if mark not in ("EARLY WARNING", "RETRACTED")]


def _stage(then: Superevent, notice: Notice) -> str:
    return alert_card.alert_type_with_ordinal(then, notice)


def _vetting(notice: Notice) -> str | None:
    # Alerts that are not significant are never vetted.
    if notice.event is not None and not notice.event.significant:
        return None
    return vocabulary.vetting(notice.alert_type, notice.category)


def _comparable_facts(notice: Notice) -> tuple[object, ...]:
    return (notice.event, notice.localization, notice.map_problem, notice.coincidences)


def _notification_text(
    superevent: Superevent, then: Superevent, notice: Notice, words: list[str], since: str | None = None
) -> str:
    parts = [*_marks(then), superevent.superevent_id, _stage(then, notice)]
    compared = "" if since is None else f", since {since}"
    return escape(f"{' '.join(parts)}{compared}: {' · '.join(words)}")


def _retraction(superevent: Superevent, then: Superevent, notice: Notice, graded: list[str]) -> Message:
    known = then.latest_with_event
    facts = None if known is None else alert_card.last_known_facts(then, known)
    title = escape(" · ".join([*alert_card.status_labels(then), superevent.superevent_id]))
    lines = [f"{bold(title)} · no longer a candidate of interest"]
    early = (
        [warning_lines.UNCONFIRMED_EARLY_WARNING] if significance.is_unconfirmed_early_warning(then) else []
    )
    lines += [*early, *map(escape, graded)]
    if facts is not None:
        lines.append(f"Was: {strikethrough(escape(facts))}")
    late = _late_lines(superevent, notice)
    lines += map(escape, late)
    was = [] if facts is None else [f"was {facts}"]
    words = ["no longer a candidate of interest", *early, *graded, *was, *late]
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
    lines, known = (
        coincidence_lines.coincidence_lines(notice),
        set(coincidence_lines.coincidence_lines(before)),
    )
    if notice.has_unreadable_coincidence:
        # It may be the same coincidence as before, so only lines that are new count.
        return [line for line in lines if line not in known]
    if new is None and old is not None:
        return [
            f"Names no coincidence any more (before:"
            f" {' · '.join(map(coincidence_lines.coincidence_label, before.coincidences))})",
            *lines,
        ]
    added = new_coincidences([before], notice)
    if new is not None and new in added:
        return [f"New coincidence: {lines[0]}", *lines[1:]]
    removed = {coincidence_lines.coincidence_label(one) for one in before.coincidences} - {
        coincidence_lines.coincidence_label(one) for one in notice.coincidences
    }
    return [
        *(f"New coincidence: {coincidence_lines.coincidence_words(one, notice)}" for one in added),
        *(f"No longer named: {label}" for label in sorted(removed)),
    ]


def _known_coincidence_changes(before: Notice, notice: Notice) -> list[str]:
    """Return the changed facts of a main coincidence that `before` named too, with its name.

    They come after the GW map's own changes, which often bring them.
    """
    external = notice.external
    if external is None or external in new_coincidences([before], notice):
        return []
    known = set(coincidence_lines.coincidence_lines(before))
    changed = [line for line in coincidence_lines.coincidence_lines(notice) if line not in known]
    name = coincidence_lines.coincidence_label(external)
    if not changed or changed[0].startswith(name):
        return changed
    return [f"{name} · {changed[0]}", *changed[1:]]


def _far_changes(old: Event, new: Event) -> list[str]:
    if old.far is None or new.far is None:
        return (
            []
            if old.far == new.far
            else [old_to_new("FAR", quantities.rate(old.far), quantities.rate(new.far))]
        )
    was, now = quantities.rate(old.far), quantities.rate(new.far)
    if was == now:
        return []
    # An order of magnitude, with a tolerance that includes a factor of 9.9.
    far_apart = min(old.far, new.far) <= 0 or abs(math.log10(new.far) - math.log10(old.far)) >= 0.95
    return [old_to_new("FAR", was, now)] if far_apart else []


def _preferred_event_changes(old: Event, new: Event) -> list[str]:
    lines = []
    was, now = (f"{event.pipeline} {event.search}" for event in (old, new))
    if was.casefold() != now.casefold():
        lines.append(old_to_new("Preferred event", was, now))
    if old.group.casefold() != new.group.casefold():
        lines.append(old_to_new("Group", old.group, new.group))
    if sorted(old.instruments) != sorted(new.instruments):
        lines.append(old_to_new("Detectors", event_lines.detectors(old), event_lines.detectors(new)))
    return lines


def _burst_changes(before: Notice, notice: Notice) -> list[str]:
    old, new = before.event, notice.event
    if old is None or new is None or not (significance.is_burst(old) and significance.is_burst(new)):
        return []
    was, now = burst_line(before, old), burst_line(notice, new)
    return [] if was == now or not now else [now]


def _chirp_mass_changes(before: Notice, notice: Notice) -> list[str]:
    """Return the new chirp mass if its bins or its frame changed; their shares alone are no news."""
    if before.event is None or notice.event is None:
        return []
    now = chirp_mass.chirp_mass_line(notice.event, notice.alert_type)
    if now is None or chirp_mass.said_ranges(before) == chirp_mass.said_ranges(notice):
        return []
    return [now]


def _event_time_changes(old: Event, new: Event) -> list[str]:
    if abs(new.time - old.time) < _MIN_TIME_SHIFT:
        return []
    shift = quantities.duration_text(new.time - old.time)
    side = "later" if new.time > old.time else "earlier"
    return [f"Event time now {quantities.utc(new.time)}, {shift} {side}"]
