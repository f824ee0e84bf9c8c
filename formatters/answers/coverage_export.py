"""Answers to `coverage export csv|json`: every field for a program, and what all of them cover."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.coverage import CoveredObservation, EventCoverage, ReportedCoverage
from formatters.models.observation import ObservedField
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import coverage_lines, quantities
from formatters.text.csv_lines import csv_line, csv_text, lines_within

_HEADER = (
    *("row", "source", "instrument", "status", "ra_deg", "dec_deg", "position_angle_deg", "time_utc"),
    *("band", "depth", "depth_unit", "row_fields", "row_share"),
)
CHANNEL, TREASURE_MAP = "channel", "treasure map"
_NAME_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One observation, or one instrument's pointings; the names of the columns of an export."""

    row: int
    source: str
    instrument: str
    status: str
    fields: tuple[ObservedField, ...]
    observed_at: datetime | None
    band: str | None
    depth: str | None
    depth_unit: str | None
    share: float | None
    field_of_view: str | None


def csv_message(superevent: Superevent, coverage: EventCoverage, limit: int | None) -> Message:
    """Return one line a field, as many whole lines as `limit` characters hold; one without fields has one.

    People's names aren't in it.
    """
    lines = (csv_line(_values(row, field)) for row in _rows(coverage) for field in row.fields or (None,))
    kept = lines_within(chain([csv_line(_HEADER)], lines), limit)
    every = sum(max(1, len(row.fields)) for row in _rows(coverage))
    return _message(superevent, coverage, "\n".join(kept), len(kept) - 1, every, "line")


def json_message(superevent: Superevent, coverage: EventCoverage, limit: int | None) -> Message:
    """Return the numbers as one JSON object, with as many rows as `limit` characters hold.

    The fields' centres are in the CSV, people's names in neither.
    """
    head = {
        "superevent_id": superevent.superevent_id,
        "marks": alert_card.status_labels(superevent),
        "map": coverage_lines.map_words(superevent, coverage.notice, is_combined=coverage.is_combined),
        "map_created_utc": quantities.iso(coverage.notice.time_created),
        "done": round(coverage.done, 6),
        "planned_besides": round(coverage.planned, 6),
        "in_no_field": round(coverage.uncovered, 6),
        "in_no_field_of_90": round(coverage.uncovered_90, 6),
        "in_no_field_of_90_deg2": round(coverage.uncovered_90_area, 4),
        "bands": [
            {
                "band": band.band,
                "done": round(band.done, 6),
                "planned_besides": round(band.planned, 6),
                "depths": [{"from": one.low, "to": one.high, "unit": one.unit} for one in band.depths],
                "instruments": list(band.instruments),
            }
            for band in coverage.bands
        ],
        "largest_pieces_in_no_field": [
            {
                "ra_deg": quantities.rounded_right_ascension(one.ra, 5),
                "dec_deg": round(one.dec, 5),
                "share": round(one.probability, 6),
                "area_deg2": round(one.area, 4),
            }
            for one in coverage.pieces
        ],
        "treasure_map_read_utc": _read_at(coverage),
    }
    rows = [f"  {json.dumps(_as_json(row), ensure_ascii=False)}" for row in _rows(coverage)]
    first = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
    frame = len(first) + len(',\n "rows": [\n\n ]\n}')
    kept = lines_within(rows, None if limit is None else limit - frame - len(rows))
    listed = ",\n".join(kept)
    text = f'{first},\n "rows": [\n{listed}\n ]\n}}'
    return _message(superevent, coverage, text, len(kept), len(rows), "observation")


def _rows(coverage: EventCoverage) -> Iterator[_Row]:
    every: list[CoveredObservation | ReportedCoverage] = [*coverage.observations, *coverage.reported]
    for number, one in enumerate(every, 1):
        if isinstance(one, CoveredObservation):
            mine = one.observation
            yield _Row(
                row=number,
                source=CHANNEL,
                instrument=plain_text(mine.instrument, _NAME_MAX),
                status=mine.status.value,
                fields=mine.fields,
                observed_at=mine.observed_at,
                band=None if mine.band is None else plain_text(mine.band, _NAME_MAX),
                depth=None if mine.depth is None else f"{mine.depth:g}",
                depth_unit=None if mine.depth is None else "mag",
                share=one.share,
                field_of_view=_shape_words(mine.footprint is not None and mine.footprint.words),
            )
        else:
            theirs = one.reported
            yield _Row(
                row=number,
                source=TREASURE_MAP,
                instrument=plain_text(theirs.instrument, _NAME_MAX),
                status=plain_text(theirs.status_word, _NAME_MAX),
                fields=theirs.fields,
                observed_at=None,
                band=None if theirs.band is None else plain_text(theirs.band, _NAME_MAX),
                depth=None if theirs.depths is None else _range(*theirs.depths),
                depth_unit=None if theirs.depth_unit is None else plain_text(theirs.depth_unit, _NAME_MAX),
                share=one.share,
                field_of_view=_shape_words(theirs.footprint is not None and theirs.footprint.words),
            )


def _values(row: _Row, field: ObservedField | None) -> Sequence[object]:
    time = row.observed_at if field is None or field.time is None else field.time
    return (
        row.row,
        row.source,
        csv_text(row.instrument),
        csv_text(row.status),
        None if field is None else quantities.right_ascension_degrees(field.ra, 5),
        None if field is None else quantities.declination_degrees(field.dec, 5),
        None if field is None else f"{field.position_angle:g}",
        None if time is None else quantities.iso(time.replace(microsecond=0)),
        None if row.band is None else csv_text(row.band),
        row.depth,
        None if row.depth_unit is None else csv_text(row.depth_unit),
        len(row.fields),
        row.share,
    )


def _as_json(row: _Row) -> dict[str, object]:
    return {
        "row": row.row,
        "source": row.source,
        "instrument": row.instrument,
        "status": row.status,
        "field_of_view": row.field_of_view,
        "band": row.band,
        "depth": row.depth,
        "depth_unit": row.depth_unit,
        "observed_at_utc": None if row.observed_at is None else quantities.iso(row.observed_at),
        "share": None if row.share is None else round(row.share, 6),
        "fields": len(row.fields),
    }


def _shape_words(words: str | bool) -> str | None:
    return plain_text(words, _NAME_MAX) if isinstance(words, str) else None


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _read_at(coverage: EventCoverage) -> str | None:
    reading = coverage.reading
    return None if reading is None or reading.read_at is None else quantities.iso(reading.read_at)


def _message(
    superevent: Superevent, coverage: EventCoverage, text: str, shown: int, every: int, noun: str
) -> Message:
    event = " ".join([*alert_card.status_labels(superevent), plain_text(superevent.superevent_id)])
    made_on = coverage_lines.map_words(superevent, coverage.notice, is_combined=coverage.is_combined)
    title = f"{event}: coverage of {made_on}, {quantities.pluralize(every, noun)}"
    notes = []
    if shown < every:
        notes.append(f"The first {quantities.number(shown)} are here, as many as a message holds.")
    unread = coverage_lines.unread_line(superevent, coverage.unread)
    if unread is not None:
        notes.append(unread)
    cut = [blocks.context(escape(" ".join(notes)))] if notes else []
    return blocks.message(escape(f"{title}."), blocks.section(bold(escape(title))), blocks.code(text), *cut)
