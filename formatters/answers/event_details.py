"""Answers that show an event's record as JSON, its 90 % credible region as a MOC, or its sky-map image."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, link, web_url
from formatters.models.notice import CLASSES, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ImageRef
from formatters.text import quantities
from formatters.text.csv_lines import csv_line, lines_within

MAX_CODE_CHARS = 6_000
"""Maximum characters of a code block. Slack refuses messages of 11,341 characters or more
(`mrkdwn.MESSAGE_TOTAL_MAX`); a terminal has no such limit.
"""


def json_record(superevent: Superevent, limit: int | None = MAX_CODE_CHARS) -> Message:
    """Return the newest notice's record as JSON without its sky maps, cut after `limit` characters.

    No limit applies if `limit` is None.
    """
    notice = superevent.latest
    written = json.dumps(notice.published, ensure_ascii=False, indent=2)
    lines = _SIMPLE_LIST.sub(lambda m: f"[{_LINE_END.sub(' ', m[1])}]", written).split("\n")
    kept = lines_within(lines, limit)
    title = f"{notice_label(superevent, notice)}, as published, without its maps"
    cut: list[Block] = []
    if len(kept) < len(lines):
        text = (
            f"{quantities.pluralize(len(kept), 'line')} of {quantities.number(len(lines))} are shown;"
            f' `gwevent ask "{superevent.superevent_id} json"` in a terminal prints all.'
        )
        cut = [blocks.context(text)]
    return blocks.message(
        escape(f"{title}."), blocks.section(bold(escape(title))), blocks.code("\n".join(kept)), *cut
    )


# Line ends occur only between JSON tokens, because they are escaped inside strings.
_SIMPLE_LIST = re.compile(r"\[\n +([^\[\]{}]*?)\n +\]")
_LINE_END = re.compile(r"\n +")


@dataclass(frozen=True, slots=True, kw_only=True)
class MocAnswer:
    """A multi-order coverage map (MOC) of the 90 % credible region of one sky map."""

    superevent: Superevent
    notice: Notice
    is_combined: bool
    """True for the sky map combined with the external event's."""
    moc: str
    """ASCII form of the IVOA MOC standard."""
    moc_area: float
    """Area of the MOC, deg²."""
    region_area: float
    """Area of the credible region, deg², as on the card.

    Less than `moc_area`, because the card counts only the part of the last cell that the level needs, and by
    more if the MOC was coarsened to shorten it.
    """
    max_order: int
    """Largest HEALPix order of the MOC's cells."""
    is_coarsened: bool


def moc_answer(answer: MocAnswer) -> Message:
    """Return the MOC as text to copy, with a note on loading the sky map in Aladin."""
    which = notice_label(answer.superevent, answer.notice) + (", combined map" if answer.is_combined else "")
    title = f"90\u00a0% credible region of {which}"
    area, cells = quantities.area(answer.region_area), quantities.area(answer.moc_area)
    text = (
        f"{area}, cells down to order {answer.max_order}. Saved as a text file it opens"
        " in Aladin; mocpy reads it with `MOC.from_string`."
    )
    notes = [text]
    if cells != area and not answer.is_coarsened:
        notes.append(f"The cells cover {cells}, because the last one counts whole.")
    if answer.is_coarsened:
        notes.append(
            f"These cells cover {cells}: the finest were replaced by larger ones, so that the text fits into"
            " a message."
            f' `gwevent ask "{answer.superevent.superevent_id} moc"`'
            " in a terminal prints every cell."
        )
    map_url = web_url(answer.notice.urls.get("skymap"))
    if map_url is not None:
        notes.append(f"The whole map, for Aladin: {link(map_url, map_url.rpartition('/')[2] or map_url)}")
    return blocks.message(
        escape(f"{title}: {area}."),
        blocks.section(bold(escape(title))),
        blocks.code(answer.moc),
        blocks.context("\n".join(notes)),
    )


_CSV_HEADER = (
    *(
        "superevent_id",
        "alert_type",
        "time_created",
        "event_time",
        "significant",
        "far_hz",
        "group",
        "pipeline",
    ),
    *("search", "instruments", *CLASSES, "area90_deg2", "area50_deg2", "peak_ra_deg", "peak_dec_deg"),
    *("distance_mean_mpc", "distance_std_mpc"),
)


def csv_table(superevent: Superevent, limit: int | None = MAX_CODE_CHARS) -> Message:
    """Return all notices as comma-separated values, the newest kept if there are too many for `limit`."""
    rows = [_csv_row(notice) for notice in superevent.notices]
    header = csv_line(_CSV_HEADER)
    kept = list(reversed(lines_within(list(reversed(rows)), None if limit is None else limit - len(header))))
    title = " ".join([*alert_card.status_labels(superevent), superevent.superevent_id])
    title = f"{title}: {quantities.pluralize(len(rows), 'notice')} as a table, UTC, areas of the GW map"
    cut = [blocks.context(f"The newest {len(kept)} are shown.")] if len(kept) < len(rows) else []
    return blocks.message(
        escape(f"{title}."),
        blocks.section(bold(escape(title))),
        blocks.code("\n".join([header, *kept])),
        *cut,
    )


def _csv_row(notice: Notice) -> str:
    event, sky = notice.event, notice.localization
    distance = None if sky is None else sky.distance
    classes = {} if event is None else event.classification
    values: list[object] = [
        notice.superevent_id,
        notice.alert_type,
        quantities.iso(notice.time_created),
        *(
            [None] * 7
            if event is None
            else [
                quantities.iso(event.time),
                str(event.significant).lower(),
                event.far,
                event.group,
                event.pipeline,
                event.search,
                " ".join(event.instruments),
            ]
        ),
        *(classes.get(name) for name in CLASSES),
        *([None] * 4 if sky is None else [sky.area_90, sky.area_50, sky.ra, sky.dec]),
        *([None] * 2 if distance is None else [distance.mean, distance.std]),
    ]
    return csv_line(values)


def image_message(superevent: Superevent, notice: Notice, shown: ImageRef) -> Message:
    """Return the image of the notice's sky map."""
    title = f"Sky map of {notice_label(superevent, notice)}"
    return blocks.message(
        escape(f"{title}. {shown.alt_text}", _MAX_ALT_CHARS),
        blocks.section(bold(escape(title))),
        blocks.image(shown.alt_text, file_id=shown.file_id, url=shown.url),
    )


_MAX_ALT_CHARS = 1_500


def no_image(superevent: Superevent, reason: str) -> Message:
    """Return the explanation why there is no image; `reason` is one sentence, not escaped."""
    text = escape(f"There is no image of {superevent.superevent_id} to show: {reason}")
    return blocks.message(text, blocks.section(text), is_refusal=True)


def image_not_in_terminal(superevent: Superevent) -> Message:
    """Return the answer to an image request from a terminal: where the image can be seen."""
    text = (
        "A terminal can't show images. `gwevent preview --format png -o map.png FILE` draws the map of a"
        " notice's"
        f" file, and `/gwevent {superevent.superevent_id} map` shows it in Slack."
    )
    return blocks.message(text, blocks.section(text), is_refusal=True)


def notice_label(superevent: Superevent, notice: Notice) -> str:
    """Return the event's marks, its id, and which notice it is: "MOCK MS261122a Preliminary 2"."""
    then = superevent.up_to(notice)
    return " ".join(
        [
            *alert_card.status_labels(superevent),
            superevent.superevent_id,
            alert_card.alert_type_with_ordinal(then, notice),
        ]
    )
