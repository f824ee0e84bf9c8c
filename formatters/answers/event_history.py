"""Table of an event's notices, one row per notice."""

from __future__ import annotations

from datetime import UTC, datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape
from formatters.models import significance
from formatters.models.notice import ExternalCoincidence, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import event_lines, map_lines, quantities, vocabulary

MAX_NOTICES = 30
"""Maximum number of notices shown, counted from the newest. No real event has had ten."""
_HEADER = (
    "notice",
    "after",
    "most probable",
    "90\u00a0%",
    "distance",
    "FAR",
    "detectors",
    "search",
    "sent, UTC",
)
_EMPTY_CELL = "–"


def message(superevent: Superevent, now: datetime) -> Message:
    """Return the table, oldest notice first. A combined map has its own row below its notice's row.

    The title says the event's time and its age at `now`.
    """
    shown = superevent.notices[-MAX_NOTICES:]
    fronts = " ".join([*alert_card.status_labels(superevent), superevent.superevent_id])
    title = f"{fronts}: {quantities.pluralize(len(superevent.notices), 'notice')}"
    event = superevent.event
    age = (
        "" if event is None else f"Event {quantities.utc(event.time)}, {quantities.age_text(event.time, now)}"
    )
    stages = [alert_card.alert_type_with_ordinal(superevent.up_to(notice), notice) for notice in shown]
    rows = [
        row for notice, stage in zip(shown, stages, strict=True) for row in _rows(superevent, notice, stage)
    ]
    note = (
        []
        if len(shown) == len(superevent.notices)
        else [blocks.context(f"The newest {MAX_NOTICES} are shown.")]
    )
    return blocks.message(
        escape(f"{title} ({', '.join(stages)})"),
        blocks.section(bold(escape(title)), *([escape(age)] if age else [])),
        blocks.table(_HEADER, rows),
        *note,
    )


def _rows(superevent: Superevent, notice: Notice, stage: str) -> list[list[str]]:
    event = notice.event
    since = superevent.event
    sent = f"{notice.time_created.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    after = _EMPTY_CELL if since is None else quantities.delay(notice.time_created - since.time)
    if event is None:
        return [[stage, after, *[_EMPTY_CELL] * 6, sent]]
    headline = event_lines.headline(event)
    if significance.assumes_astrophysical_origin(notice):
        headline += ", if astrophysical"
    if not event.significant:
        headline += ", low significance"
    sky = (
        ["unreadable", _EMPTY_CELL]
        if notice.map_problem is not None
        else _localization_cells(notice.localization)
    )
    rows = [
        [
            stage,
            after,
            headline,
            *sky,
            quantities.rate(event.far),
            event_lines.detectors(event),
            f"{event.pipeline} {event.search}",
            sent,
        ]
    ]
    for external in notice.coincidences:
        sky = (
            ["unreadable", _EMPTY_CELL]
            if external.map_problem is not None
            else _localization_cells(external.localization)
        )
        rows.append(
            [
                "↳ coincidence" if external.localization is None else "↳ combined",
                _EMPTY_CELL,
                f"with {vocabulary.coincidence_label(external.observatory, external.search)}",
                *sky,
                _joint_far_cell(external),
                _EMPTY_CELL,
                "RAVEN",
                _EMPTY_CELL,
            ]
        )
    return rows


def _joint_far_cell(external: ExternalCoincidence) -> str:
    """Return the most informative joint false-alarm rate, before trials factor."""
    far = external.time_sky_position_coincidence_far
    far = external.time_coincidence_far if far is None else far
    return _EMPTY_CELL if far is None else f"joint {quantities.rate(far)}"


def _localization_cells(localization: Localization | None) -> list[str]:
    if localization is None:
        return [_EMPTY_CELL, _EMPTY_CELL]
    return [
        quantities.area(localization.area_90),
        map_lines.distance(localization) or _EMPTY_CELL,
    ]
