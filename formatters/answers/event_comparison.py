"""Table that compares events: one column per event, their newest facts in rows."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import alert_type_with_ordinal, status_labels
from formatters.text import coincidence_lines, event_lines, map_lines, quantities
from formatters.text.source_lines import headline

MAX_COMPARED = 4
"""Events side by side; more columns can't be read on a phone."""
_UNKNOWN = "–"


def message(superevents: Sequence[Superevent]) -> Message:
    """Return the comparison of at least two events; the first MAX_COMPARED are shown."""
    shown = superevents[:MAX_COMPARED]
    title = " and ".join(" ".join([*status_labels(one), one.superevent_id]) for one in shown)
    columns = [_column(one) for one in shown]
    rows = [[label, *(column[label] for column in columns)] for label in columns[0]]
    note = [blocks.context(f"The first {MAX_COMPARED} are shown.")] if len(superevents) > MAX_COMPARED else []
    return blocks.message(
        escape(f"{title} compared"),
        blocks.section(bold(escape(f"{title} compared"))),
        blocks.table(["", *(one.superevent_id for one in shown)], rows),
        *note,
    )


def _column(superevent: Superevent) -> dict[str, str]:
    notice, event = superevent.latest_with_event, superevent.event
    mapped = superevent.latest_with_map
    sky = None if mapped is None else mapped.best_localization
    state = [
        *(["RETRACTED"] if superevent.is_retracted else []),
        *([] if notice is None else [alert_type_with_ordinal(superevent, notice)]),
    ]
    return {
        "state": " · ".join(state) or _UNKNOWN,
        "significance": _UNKNOWN if notice is None else event_lines.significance_line(notice),
        "time": _UNKNOWN if event is None else quantities.utc(event.time),
        "most probable": _UNKNOWN if notice is None or event is None else headline(superevent, notice, event),
        quantities.percent(0.9): _UNKNOWN if mapped is None else map_lines.best_area(mapped) or _UNKNOWN,
        "distance": (None if sky is None else event_lines.distances(sky)) or _UNKNOWN,
        "FAR": _UNKNOWN if event is None else quantities.rate(event.far),
        "detectors": _UNKNOWN if event is None else event_lines.detectors(event),
        "coincidence": _coincidence(superevent),
    }


def _coincidence(superevent: Superevent) -> str:
    notice = superevent.latest_with_event
    lines = [] if notice is None else coincidence_lines.coincidence_lines(notice)
    return lines[0] if lines else "none"
