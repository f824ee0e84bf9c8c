"""Lines about the coverage of an event's map by observations; plain text that isn't escaped yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.coverage import CoverageSummary, DepthRange
from formatters.models.notice import Notice
from formatters.models.observation import Observation, ObservationStatus, ObservedField
from formatters.models.superevent import Superevent
from formatters.models.treasure_map import MAGNITUDE_UNITS
from formatters.text import night_times, quantities, vocabulary

NAME_MAX = 40
"""Characters of an instrument's name."""
BAND_MAX = 16
"""Characters of a band, a unit or an unknown status."""
STATUS_WORDS = {
    ObservationStatus.PLANNED: "planned",
    ObservationStatus.DONE: "done",
    ObservationStatus.CANCELLED: "cancelled",
}
"""The words for each status; the values of `ObservationStatus` are the Treasure Map's words."""
NO_BAND = "band not said"


def coverage_command(superevent: Superevent) -> str:
    """Return the command that shows an event's coverage."""
    return f"/gwevent coverage {superevent.superevent_id}"


def map_words(superevent: Superevent, notice: Notice, *, is_combined: bool) -> str:
    """Return the name of a map: "the map of UPDATE, sent 3 h after the merger (combined map)"."""
    which = vocabulary.notice_name(superevent.up_to(notice), notice)
    event = superevent.event
    if event is not None:
        sent = notice.time_created - event.time
        side = "before" if sent < timedelta(0) else "after"
        which += f", sent {quantities.duration_text(sent)} {side} the merger"
    combined = notice.external is not None and notice.external.localization is not None
    kind = " (combined map)" if is_combined else " (the map of GW alone)" if combined else ""
    return f"the map of {which}{kind}"


def unread_line(superevent: Superevent, unread: Sequence[Notice]) -> str | None:
    """Return the sentence that newer maps can't be read; None if there is none."""
    if not unread:
        return None
    names = " and ".join(vocabulary.notice_name(superevent.up_to(one), one) for one in unread[-3:])
    return f"The map of {names} is newer, but can't be read here: these numbers may be out of date."


def follow_up_line(superevent: Superevent, summary: CoverageSummary) -> str:
    """Return the Follow-up reply's line about coverage."""
    parts = [f"{quantities.percent(summary.done)} done"] if summary.done > 0 else []
    if not parts and summary.planned <= 0:
        # All fields lie where the map has nothing, done or planned.
        parts.append("nothing of it, done or planned")
    elif summary.planned > 0:
        more = "more " if parts else ""
        parts.append(f"{quantities.percent(summary.planned)} {more}planned")
    instruments = quantities.pluralize(summary.instruments, "instrument")
    if summary.reported_only == summary.instruments:
        instruments += " in the Treasure Map"
    elif summary.reported_only:
        instruments += f", {summary.reported_only} of them in the Treasure Map"
    made_on = map_words(superevent, summary.notice, is_combined=summary.is_combined)
    if summary.unmeasured:
        left_out = quantities.pluralize(summary.unmeasured, "observation")
        instruments += f", {left_out} without known fields not counted"
    as_of = "" if summary.as_of is None else f", as of {after_merger(superevent, summary.as_of)}"
    return (
        f"Coverage of {made_on}: {' and '.join(parts)}, in any band and to any depth"
        f" ({instruments}{as_of}). {coverage_command(superevent)}"
    )


def after_merger(superevent: Superevent, time: datetime) -> str:
    """Return a time as that after the merger, "T+2.4 h"; in UTC where the event's time isn't known."""
    event = superevent.event
    if event is None:
        return night_times.utc_day_and_clock(time)
    length = time - event.time
    sign = quantities.MINUS if length < timedelta(0) else "+"
    seconds = abs(length.total_seconds())
    if 5_400 <= seconds < 172_800:
        # A whole hour is too coarse for an afterglow.
        return f"T{sign}{quantities.number(seconds / 3600, 1)}{quantities.NBSP}h"
    if 172_800 <= seconds < 30 * 86_400:
        return f"T{sign}{quantities.number(seconds / 86_400, 1)}{quantities.NBSP}days"
    return f"T{sign}{quantities.duration_text(length)}"


def times_words(superevent: Superevent, fields: Iterable[ObservedField], otherwise: datetime | None) -> str:
    """Return when the first and the last exposure began: "T+2.4 h to T+3.1 h"; "" if nobody said."""
    times = [one.time for one in fields if one.time is not None]
    if not times and otherwise is not None:
        times = [otherwise]
    if not times:
        return ""
    first, last = (after_merger(superevent, one) for one in (min(times), max(times)))
    return first if first == last else f"{first} to {last}"


def depth_words(depth: DepthRange) -> str:
    """Return a range of depths in one unit: "20.5 to 21.8 mag", "22 AB mag"."""
    unit = "mag" if depth.unit is None else plain_text(depth.unit, BAND_MAX)
    if depth.unit in MAGNITUDE_UNITS:
        unit = f"{MAGNITUDE_UNITS[depth.unit]} mag"
    low, high = f"{depth.low:.4g}", f"{depth.high:.4g}"
    numbers = low if low == high else f"{low} to {high}"
    return f"{numbers}{quantities.NBSP}{unit}"


def band_words(band: str | None) -> str:
    """Return a band as people call it, or that nobody named one."""
    name = plain_text(band, BAND_MAX) if band is not None else ""
    return name or NO_BAND


def fields_words(count: int, share: float | None, *, has_footprint: bool) -> str:
    """Return how many fields, and what they hold: "12 fields, 41 %"; a share of None isn't known."""
    if not count:
        return "fields not said, so no share"
    fields = quantities.pluralize(count, "field")
    if share is not None:
        return f"{fields}, {share_words(share)}"
    return f"{fields}, no share: {'the fields are' if has_footprint else 'its field of view is'} not known"


def share_words(share: float) -> str:
    """Return a share (0 to 1) as "41 %"; "0 %" is said of fields where the map has nothing at all."""
    return quantities.percent(share) if share > 0 else f"0{quantities.NBSP}%"


def observation_depth(observation: Observation) -> str:
    """Return band and depth of an observation: "r to 21.5 mag", "r", "to 21.5 mag", or ""."""
    band = plain_text(observation.band, BAND_MAX) if observation.band else ""
    if observation.depth is None:
        return band
    depth = depth_words(DepthRange(low=observation.depth, high=observation.depth))
    return f"{band} to {depth}".strip()
