"""Answers to `plan … export csv|json`: all fields of a plan for a program."""

from __future__ import annotations

import json
from itertools import accumulate

from formatters.answers import plan as plan_answer
from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.event_plan import EventPlan
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import quantities
from formatters.text.csv_lines import csv_line, lines_within

MAX_CODE_CHARS = 8_000
"""Characters of the text; a message has 10,000, and the rest is for the lines around it."""
_HEADER = ("number", "ra_deg", "dec_deg", "start_utc", "exposure_s", "altitude_deg", "share", "sum")


def csv_message(superevent: Superevent, made: EventPlan, limit: int | None = MAX_CODE_CHARS) -> Message:
    """Return all fields as comma-separated values, as many whole lines as `limit` characters hold."""
    rows = [csv_line(_HEADER)]
    sums = accumulate(one.share for one in made.plan.pointings)
    for one, total in zip(made.plan.pointings, sums, strict=True):
        rows.append(
            csv_line(
                [
                    one.number,
                    quantities.right_ascension_degrees(one.ra, 5),
                    quantities.declination_degrees(one.dec, 5),
                    quantities.iso(one.start.replace(microsecond=0)),
                    f"{made.request.telescope.exposure.total_seconds():g}",
                    f"{one.altitude:.1f}",
                    f"{one.share:.6f}",
                    f"{total:.6f}",
                ]
            )
        )
    kept = lines_within(rows, limit)
    return _message(superevent, made, "\n".join(kept), len(kept) - 1)


def json_message(superevent: Superevent, made: EventPlan, limit: int | None = MAX_CODE_CHARS) -> Message:
    """Return the plan as one JSON object, with as many fields as `limit` characters hold."""
    plan, request = made.plan, made.request
    telescope, limits = request.telescope, request.constraints
    sums = accumulate(one.share for one in plan.pointings)
    fields = [
        json.dumps(
            {
                "number": one.number,
                "ra_deg": quantities.rounded_right_ascension(one.ra, 5),
                "dec_deg": round(one.dec, 5),
                "start_utc": quantities.iso(one.start.replace(microsecond=0)),
                "altitude_deg": round(one.altitude, 1),
                "share": round(one.share, 6),
                "sum": round(total, 6),
            }
        )
        for one, total in zip(plan.pointings, sums, strict=True)
    ]
    head = {
        "superevent_id": superevent.superevent_id,
        "marks": alert_card.status_labels(superevent),
        "map": _map_name(superevent, made),
        "map_created_utc": quantities.iso(made.notice.time_created),
        "site": request.site.name,
        "latitude_deg": request.site.latitude,
        "longitude_deg": request.site.longitude,
        "field_of_view": telescope.footprint.words,
        "field_area_deg2": round(telescope.footprint.area, 4),
        "exposure_s": telescope.exposure.total_seconds(),
        "overhead_s": telescope.overhead.total_seconds(),
        "min_altitude_deg": limits.altitude,
        "max_sun_altitude_deg": None if request.site.radio else limits.darkness,
        "planned_at_utc": quantities.iso(made.planned_at.replace(microsecond=0)),
        "begin_utc": quantities.iso(plan.begin.replace(microsecond=0)),
        "end_utc": quantities.iso(plan.end.replace(microsecond=0)),
        "observable": round(plan.observable, 6),
        "covered": round(plan.covered, 6),
        "fields_in_plan": len(fields),
    }
    first = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
    frame = len(first) + len(',\n "fields": [\n]\n}')
    kept = lines_within(
        [f"  {one}" for one in fields], None if limit is None else limit - frame - len(fields)
    )
    listed = ",\n".join(kept)
    text = f'{first},\n "fields": [\n{listed}\n ]\n}}'
    return _message(superevent, made, text, len(kept))


def _message(superevent: Superevent, made: EventPlan, text: str, shown: int) -> Message:
    every = len(made.plan.pointings)
    event = " ".join([*alert_card.status_labels(superevent), superevent.superevent_id])
    name = plain_text(made.request.site.name)
    title = (
        f"{event}: plan for {name}, {quantities.pluralize(every, 'field')}, made for"
        f" {quantities.utc(made.planned_at)} on"
    )
    notes: list[Block] = []
    if shown < every:
        notes.append(
            blocks.context(
                escape(
                    f"The first {quantities.number(shown)} are here, as many as a message holds; a shorter"
                    " time, 90 minutes say, makes a shorter plan."
                )
            )
        )
    unread = plan_answer.unread_words(superevent, made)
    if unread is not None:
        notes.append(blocks.context(escape(unread)))
    return blocks.message(escape(f"{title}."), blocks.section(bold(escape(title))), blocks.code(text), *notes)


def _map_name(superevent: Superevent, made: EventPlan) -> str:
    name = alert_card.alert_type_with_ordinal(superevent.up_to(made.notice), made.notice)
    return f"{name} combined" if made.is_combined else name
