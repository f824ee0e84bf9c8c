"""The answer to `export ds9`: the 90 % credible region as a DS9 region file, with an ellipse if one fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from formatters.answers.event_details import notice_label
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape
from formatters.models.ellipse import CredibleEllipse
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.text import quantities

HEADER = "# Region file format: DS9 version 4.1"
"""The first line of a DS9 region file."""
MAX_POLYGON_CHARS = 5_700
"""Maximum characters of the polygons in a message; a terminal has no such limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionFileAnswer:
    """The 90 % credible region of one sky map for DS9."""

    superevent: Superevent
    notice: Notice
    is_combined: bool
    """True for the sky map combined with the external event's."""
    region_area: float
    """Area of the credible region, deg², as on the card."""
    ellipse: CredibleEllipse | None
    """The ellipse that holds 90 %; None if the map has none."""
    ellipse_fits: bool
    """True if LVK's circulars would describe the region by the ellipse."""
    polygons: Sequence[str]
    """Lines of the file, one for each cell of the region."""
    cells_area: float
    """Area of the cells, deg²."""
    is_coarsened: bool


def ellipse_region(ellipse: CredibleEllipse) -> str:
    """Return DS9's form of an ellipse: "icrs; ellipse(03h08m25s, -45d08m14s, 9.00d, 3.00d, 112.00d)".

    As in LVK's circulars: right ascension, declination, semi-major and semi-minor axis, and the position
    angle of the semi-minor axis.
    """
    seconds = round(ellipse.ra * 240) % 86_400
    arcseconds = round(abs(ellipse.dec) * 3600)
    ra = f"{seconds // 3600:02d}h{seconds // 60 % 60:02d}m{seconds % 60:02d}s"
    sign = "-" if ellipse.dec < 0 and arcseconds else "+"
    dec = f"{sign}{arcseconds // 3600:02d}d{arcseconds // 60 % 60:02d}m{arcseconds % 60:02d}s"
    axes = f"{ellipse.semi_major:.2f}d, {ellipse.semi_minor:.2f}d, {ellipse.angle % 180:.2f}d"
    return f"icrs; ellipse({ra}, {dec}, {axes})"


def file_text(answer: RegionFileAnswer) -> str:
    """Return the region file: the ellipse if it fits, and the region's cells."""
    described = answer.ellipse is not None and answer.ellipse_fits
    which = f"{answer.superevent.superevent_id} {answer.notice.alert_type}"
    lines = [
        HEADER,
        f"# {which}{' combined map' if answer.is_combined else ''}: 90% credible region",
        *([ellipse_region(answer.ellipse)] if described and answer.ellipse is not None else []),
        "icrs",
        *answer.polygons,
    ]
    return "\n".join(line.encode("ascii", "replace").decode() for line in lines)


def message(answer: RegionFileAnswer) -> Message:
    """Return the region file as text to copy, with the ellipse, or why there is none."""
    combined = ", combined map" if answer.is_combined else ""
    title = (
        f"90{quantities.NBSP}% credible region of {notice_label(answer.superevent, answer.notice)}{combined}"
    )
    notes = [_ellipse_note(answer), _cells_note(answer)]
    shape = [blocks.section(escape(notes[0]))]
    if answer.ellipse is not None and answer.ellipse_fits:
        shape.append(blocks.code(ellipse_region(answer.ellipse)))
    return blocks.message(
        escape(f"{title}: {quantities.area(answer.region_area)}."),
        blocks.section(bold(escape(title))),
        *shape,
        blocks.code(file_text(answer)),
        blocks.context(escape(notes[1])),
    )


def _ellipse_note(answer: RegionFileAnswer) -> str:
    region = quantities.area(answer.region_area)
    if answer.ellipse is None:
        return f"No ellipse describes the region of {region}: too few tiles hold its probability."
    area = quantities.area(answer.ellipse.area)
    if not answer.ellipse_fits:
        return (
            f"No ellipse describes the region of {region}: one that holds 90{quantities.NBSP}% would cover"
            f" {area}. LVK gives one below 1.35 times the region."
        )
    return (
        f"The region of {region} is well fit by an ellipse of {area}, as in LVK's circulars (right ascension,"
        " declination, semi-major axis, semi-minor axis, position angle of the semi-minor axis):"
    )


def _cells_note(answer: RegionFileAnswer) -> str:
    count = quantities.pluralize(len(answer.polygons), "cell")
    note = f"Save the second block as a text file (.reg): DS9 and Aladin read it. {count}"
    if answer.ellipse is None or not answer.ellipse_fits:
        note = note.replace("the second block", "the block")
    if not answer.is_coarsened:
        return f"{note}, {quantities.area(answer.cells_area)}."
    return (
        f"{note}, coarsened to {quantities.area(answer.cells_area)} so that they fit into a message;"
        f' `gwevent ask "{answer.superevent.superevent_id} ds9"` in a terminal prints every cell.'
    )
