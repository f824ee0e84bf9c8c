"""The root message of a superevent's thread, which always shows the superevent's latest state."""

from __future__ import annotations

from datetime import datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import (
    HEADER_MAX,
    NAME_MAX,
    SECTION_MAX,
    bold,
    escape,
    mentions,
    plain_text,
    strikethrough,
)
from formatters.models import significance
from formatters.models.notice import (
    EARLYWARNING,
    Event,
    Notice,
    is_unusual_id,
)
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ChannelView as ChannelView
from formatters.posts.event_buttons import people_and_buttons
from formatters.posts.root_facts import RootTexts, root_facts
from formatters.text import (
    coincidence_lines,
    event_lines,
    grade_lines,
    map_lines,
    observability_line,
    push_text,
    quantities,
    vocabulary,
    warning_lines,
)
from formatters.text.map_algorithm import map_algorithm
from formatters.text.source_lines import headline, source_lines

# A longer time between notice and receipt means that an archive is being read, not a delay.
_MAX_LIVE_DELAY = timedelta(hours=24)


NO_FACTS = "This notice carries no facts about the candidate."
"""Said of a notice without an event that is no retraction."""


def alert_card(superevent: Superevent, view: ChannelView) -> Message:
    """Return the card of a superevent: the facts of its newest notice, or its retraction."""
    if superevent.is_retracted:
        return _retraction_card(superevent, view)
    notice = superevent.latest
    if notice.event is None:
        return _card_without_event(superevent, view)
    return _candidate_card(superevent, notice, notice.event, view)


def title(superevent: Superevent) -> str:
    """Return the card's header, not escaped: "MOCK · BNS 95 % · PRELIMINARY · MS181101ab"."""
    notice = superevent.latest
    event = superevent.event
    parts = status_labels(superevent)
    if not notice.is_retraction:
        if event is not None:
            parts.append(headline(superevent, notice, event))
        early = notice.alert_type == EARLYWARNING
        parts.append("unconfirmed" if early else alert_type_with_ordinal(superevent, notice))
    return " · ".join([*parts, superevent.superevent_id])


def status_labels(superevent: Superevent) -> list[str]:
    """Return the labels that precede a title: MOCK, TEST, RETRACTED, EARLY WARNING, LOW SIGNIFICANCE."""
    notice = superevent.latest
    category = vocabulary.category_label(superevent.category)
    parts = [] if category is None else [category]
    if notice.is_retraction:
        parts.append("RETRACTED")
    elif notice.alert_type == EARLYWARNING:
        parts.append("EARLY WARNING")
    if notice.event is not None and not notice.event.significant:
        parts.append("LOW SIGNIFICANCE")
    return parts


def name_without_retraction(superevent: Superevent) -> str:
    """Return an event's name with its other labels, for a sentence that says itself that it was retracted."""
    labels = [label for label in status_labels(superevent) if label != "RETRACTED"]
    return " ".join([*labels, superevent.superevent_id])


def alert_type_with_ordinal(superevent: Superevent, notice: Notice) -> str:
    """Return the notice's alert type, numbered from the second PRELIMINARY on: "PRELIMINARY 2", "UPDATE"."""
    return vocabulary.numbered_alert_type(superevent, notice)


def last_known_facts(superevent: Superevent, notice: Notice) -> str | None:
    """Return a notice's headline, 90 % area, distance and FAR in one line; None if it has no event."""
    event = notice.event
    if event is None:
        return None
    parts = [headline(superevent, notice, event)]
    localization = notice.best_localization
    if localization is not None:
        parts.append(map_lines.best_area(notice) or "")
        distance = map_lines.distance(localization)
        if distance is not None:
            parts.append(distance)
    return " · ".join([*parts, event_lines.far(event)])


def notice_ordinal(superevent: Superevent, notice: Notice) -> str:
    """Return "Notice 2 of this event", followed by the archive's name if the notice was never received."""
    if notice.is_assembled:
        return f"Put together from {notice.archive}"
    text = f"Notice {superevent.notice_ordinal(notice)} of this event"
    if is_unusual_id(superevent.superevent_id):
        text += ", unusual id"
    return text if notice.archive is None else f"{text}, from {notice.archive}"


def footer(superevent: Superevent, notice: Notice, event: Event | None) -> str:
    """Return the footer: "Notice 2 of this event · gstlal AllSky · map by BAYESTAR · FAR 9.1e-14 Hz · …"."""
    parts = [notice_ordinal(superevent, notice)]
    if event is not None:
        algorithm = map_algorithm(notice)
        by = [] if algorithm is None else [f"map by {algorithm}"]
        parts += [_search_label(event), *by, f"FAR {quantities.rate_hz(event.far)}"]
        if not notice.is_assembled:
            parts.append(f"event → notice {_signed_duration(notice.time_created - event.time)}")
    else:
        parts.append(f"sent {quantities.utc(notice.time_created)}")
    line = " · ".join(parts)
    if notice.archive is not None or not notice.live:
        return line
    if (
        notice.received is not None
        and timedelta(0) <= notice.received - notice.time_created < _MAX_LIVE_DELAY
    ):
        line += f" → received {quantities.duration_text(notice.received - notice.time_created)}"
    return line


def _signed_duration(length: timedelta) -> str:
    return quantities.delay(length) if length < timedelta(0) else quantities.duration_text(length)


def _search_label(event: Event) -> str:
    words = f"{plain_text(event.pipeline)} {plain_text(event.search)}".strip()
    known = event.search.casefold() in vocabulary.KNOWN_SEARCHES
    return words if known else f"{words} (a search gwevent doesn't know)"


def _status_line(notice: Notice, event: Event) -> str:
    parts = [event_lines.significance_line(notice)]
    vetting = vocabulary.vetting(notice.alert_type, notice.category)
    # Alerts that are not significant are never vetted, so "not yet vetted" would be wrong.
    if vetting is not None and event.significant:
        parts.append(vetting)
    return " · ".join(parts)


def _time_line(notice: Notice, event: Event, asked_at: datetime | None) -> str:
    age = "" if asked_at is None else f" ({quantities.age_text(event.time, asked_at)})"
    if notice.is_assembled:
        state = f"{notice.archive}'s state of {quantities.utc(notice.time_created)}"
        return f"{quantities.utc(event.time)}{age}, {state}"
    late = notice.time_created - event.time
    if notice.alert_type == EARLYWARNING or significance.is_early_warning(event):
        # No countdown, because it would be out of date when it is read.
        side = "before" if late < timedelta(0) else "after"
        return f"Merger {quantities.utc(event.time)}{age}, notice {quantities.duration_text(late)} {side}"
    return f"{quantities.utc(event.time)}{age}, notice {quantities.delay(late)}"


def _candidate_card(superevent: Superevent, notice: Notice, event: Event, view: ChannelView) -> Message:
    mentioned = mentions(view.mentions)
    shown = [blocks.section(mentioned)] if mentioned else []
    below: list[Block] = []
    if view.is_root:
        clock = _merger_on_reader_clock(notice, event)
        texts = RootTexts(
            title=title(superevent),
            status=_status_line(notice, event),
            time=_time_line(notice, event, view.asked_at),
            source=tuple(source_lines(superevent, notice, event) or [event_lines.headline(event)]),
            foot=footer(superevent, notice, event),
            reader_clock=None if clock is None else f"your clock {clock}",
            sites=() if view.observability is None else observability_line.card_lines(view.observability),
            criteria=grade_lines.card_lines(view.grades),
            criteria_sets=grade_lines.card_sets(view.grades),
        )
        facts, below = root_facts(notice, event, texts)
        shown += facts
    else:
        shown += _all_facts(superevent, notice, event, view)
    if view.image is not None:
        shown.append(blocks.image(view.image.alt_text, file_id=view.image.file_id, url=view.image.url))
    shown += people_and_buttons(notice, view, event.time)
    shown += below
    grade = grade_lines.push_grade(view.grades)
    words = title(superevent) if view.is_quiet else _notification_text(superevent, notice, event, grade)
    notification = escape(words)
    return blocks.message(
        f"{mentioned} {notification}" if mentioned else notification, *shown, mentions=view.mentions
    )


def _all_facts(superevent: Superevent, notice: Notice, event: Event, view: ChannelView) -> list[Block]:
    """Return the header, all facts and the foot, for answers in which length doesn't matter."""
    first, *others = source_lines(superevent, notice, event) or [event_lines.headline(event)]
    clock = _merger_on_reader_clock(notice, event)
    shown = [
        blocks.header(title(superevent)),
        blocks.section(
            bold(escape(_status_line(notice, event))),
            escape(_time_line(notice, event, view.asked_at)),
            *([] if clock is None else [f"Merger on your clock: {clock}"]),
            bold(escape(first)),
            *map(escape, others),
        ),
        blocks.section(
            *map(escape, event_lines.sky_lines(notice)),
            escape(event_lines.distance_far_detectors_line(notice, event)),
        ),
    ]
    coincidence = coincidence_lines.coincidence_lines(notice)
    if coincidence:
        shown.append(blocks.section(bold(escape(coincidence[0])), *map(escape, coincidence[1:])))
    warned = warning_lines.warning_lines(notice)
    if warned:
        shown.append(blocks.section(*(bold(escape(line)) for line in warned)))
    if view.observability is not None:
        shown.append(blocks.section(escape(observability_line.card_line(view.observability), SECTION_MAX)))
    if view.grades:
        shown.append(blocks.section(*(escape(grade_lines.grade_line(one)) for one in view.grades)))
    return [*shown, blocks.context(escape(footer(superevent, notice, event)))]


def _merger_on_reader_clock(notice: Notice, event: Event) -> str | None:
    """Return an early warning's merger time, which Slack shows in the reader's time zone, in its mark-up.

    Return None for every other alert type.
    """
    if notice.alert_type != EARLYWARNING:
        return None
    stamp = int(event.time.timestamp())
    return f"<!date^{stamp}^{{time_secs}}|{escape(quantities.utc_clock(event.time))}>"


def _notification_text(superevent: Superevent, notice: Notice, event: Event, grade: str | None) -> str:
    category = vocabulary.category_label(superevent.category)
    parts = [] if category is None else [category]
    if not event.significant:
        parts.append("LOW SIGNIFICANCE")
    parts += [
        headline(superevent, notice, event, compact=True),
        vocabulary.alert_type_label_compact(plain_text(notice.alert_type)),
    ]
    if notice.alert_type == EARLYWARNING:
        parts.append("unconfirmed")
    odd = ["(unusual id)"] if is_unusual_id(superevent.superevent_id) else []
    return " ".join([*parts, push_text.push_facts(notice, event, grade), superevent.superevent_id, *odd])


def _retraction_card(superevent: Superevent, view: ChannelView) -> Message:
    notice = superevent.latest
    earlier = superevent.latest_with_event
    lines = [bold("No longer a candidate of interest")]
    unconfirmed = significance.is_unconfirmed_early_warning(superevent)
    if unconfirmed:
        lines.append(warning_lines.UNCONFIRMED_EARLY_WARNING)
    facts = None if earlier is None else last_known_facts(superevent, earlier)
    if facts is not None:
        lines.append(f"Was: {strikethrough(escape(facts))}")
    if not notice.is_assembled or notice.published.get("dated"):
        when = f"Retracted {quantities.utc(notice.time_created)}"
        if earlier is not None and earlier.event is not None:
            when += f", {_signed_duration(notice.time_created - earlier.event.time)} after the event"
        if view.asked_at is not None:
            when += f" ({quantities.age_text(notice.time_created, view.asked_at)})"
        lines.append(escape(when))
    event_time = None if earlier is None or earlier.event is None else earlier.event.time
    ended = grade_lines.ended_line(view.grades)
    if ended is not None:
        lines.append(escape(ended))
    shown = [
        blocks.header(title(superevent)),
        blocks.section(*lines),
        blocks.context(escape(notice_ordinal(superevent, notice))),
        *people_and_buttons(notice, view, event_time),
    ]
    labels = " ".join(status_labels(superevent))
    notification = f"{labels} {superevent.superevent_id}: no longer a candidate of interest."
    if unconfirmed:
        notification += f" {warning_lines.UNCONFIRMED_EARLY_WARNING}."
    if facts is not None:
        notification += f" Was: {facts}"
    return blocks.message(escape(notification, HEADER_MAX + NAME_MAX), *shown)


def _card_without_event(superevent: Superevent, view: ChannelView) -> Message:
    """Return the card of a notice without an event that is no retraction; LVK has sent none so far."""
    notice = superevent.latest
    words = NO_FACTS
    known = superevent.latest_with_event
    known_event = None if known is None else known.event
    facts = None if known is None else last_known_facts(superevent, known)
    before = []
    if known is not None and facts is not None:
        before.append(f"Known from {vocabulary.notice_name(superevent, known)}: {facts}")
    shown = [
        blocks.header(title(superevent)),
        blocks.section(words, *map(escape, before)),
        blocks.context(escape(footer(superevent, notice, None))),
        *people_and_buttons(notice, view, None if known_event is None else known_event.time),
    ]
    return blocks.message(escape(" ".join([f"{title(superevent)}: {words}", *before])), *shown)
