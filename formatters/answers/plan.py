"""Answer to `plan`: which fields a telescope observes when, and how much of the map they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.event_plan import EventPlan, NothingReason, NothingToObserve, PlanRequest
from formatters.models.observing import Site
from formatters.models.pointing import MAX_PLAN_FIELDS, Pointing
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ImageRef
from formatters.text import coverage_lines, night_times, quantities, vocabulary

MAX_ROWS = 30
"""Fields in the table, which with the picture and the lines fits one message; an export has more."""
_WHOLE_PERCENT_FROM = 0.1
_HEADER = ("#", "RA", "Dec", "Start, UTC", "Altitude", "Share", "Sum")
_SHOWN_NAME_MAX = 40
_NOTES_MAX = 1_200
_MAX_ALT_CHARS = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnswer:
    """Data for the answer to `plan`."""

    superevent: Superevent
    plan: EventPlan
    image: ImageRef | None = None
    """The picture of the map with the fields."""
    no_image: str | None = None
    """Why there is no picture, a sentence that isn't escaped; None where none is expected."""


def message(answer: PlanAnswer) -> Message:
    """Return the plan: what it covers, when, a table of the first MAX_ROWS fields, the picture."""
    made, pointings = answer.plan, answer.plan.plan.pointings
    if made.nothing is not None or not pointings:
        return _nothing_message(answer)
    title = _title(answer)
    lines = list(_summary_lines(answer))
    picture = []
    if answer.image is not None:
        shown = answer.image
        picture = [blocks.image(shown.alt_text, file_id=shown.file_id, url=shown.url)]
    no_picture = [] if answer.no_image is None else [blocks.context(escape(answer.no_image))]
    return blocks.message(
        escape(f"{title}: {lines[0]} {lines[1]}", _NOTES_MAX),
        blocks.header(title),
        blocks.section(bold(escape(lines[0])), *(escape(line, _NOTES_MAX) for line in lines[1:])),
        blocks.table(_HEADER, list(_rows(pointings[:MAX_ROWS]))),
        *picture,
        *no_picture,
        blocks.context(escape(" ".join(_notes(answer)), _NOTES_MAX), f"`{escape(_export_words(answer))}`"),
    )


def repeated_words(superevent: Superevent, request: PlanRequest) -> str:
    """Return the words after `/gwevent` that ask for this plan again, not escaped."""
    parts = ["plan", request.site.name]
    if request.count is not None:
        parts.append(str(request.count))
    if request.duration is not None:
        # Exactly: with another time it would be another plan.
        is_whole = not request.duration % timedelta(minutes=1)
        length = request.duration / timedelta(minutes=1 if is_whole else 1 / 60)
        parts.append(f"{length:.6g} {'minute' if is_whole else 'second'}{'' if length == 1 else 's'}")
    return " ".join([*parts, superevent.superevent_id])


def picture_title(made: EventPlan) -> str:
    """Return the title of the picture's key: "12 fields at Paranal from 23 Nov 01:20 UTC: 71 %"."""
    fields = quantities.pluralize(len(made.plan.pointings), "field")
    name = plain_text(made.request.site.name, _SHOWN_NAME_MAX)
    begun = night_times.utc_day_and_clock(made.plan.pointings[0].start)
    return f"{fields} at {name} from {begun}: {quantities.percent(made.plan.covered)}"


def map_words(superevent: Superevent, made: EventPlan) -> str:
    """Return the name of a plan's map: "the map of UPDATE, sent 3 h after the merger (combined map)"."""
    return coverage_lines.map_words(superevent, made.notice, is_combined=made.is_combined)


def unread_words(superevent: Superevent, made: EventPlan) -> str | None:
    """Return the sentence that newer maps can't be read; None if there is none."""
    if not made.unread:
        return None
    names = [vocabulary.notice_name(superevent.up_to(notice), notice) for notice in made.unread[-3:]]
    one = len(made.unread) == 1
    return (
        f"Newer, but not readable here: the {'map' if one else 'maps'} of {', '.join(names)}."
        " This plan may be out of date."
    )


def share_text(share: float) -> str:
    """Return a share of the probability (0 to 1) to a tenth of a percent: "3.4 %"."""
    return quantities.credible_level(share)


def _title(answer: PlanAnswer) -> str:
    labels = alert_card.status_labels(answer.superevent)
    name = plain_text(answer.plan.request.site.name, _SHOWN_NAME_MAX)
    return " · ".join([*labels, f"Plan for {name}", answer.superevent.superevent_id])


def _summary_lines(answer: PlanAnswer) -> Iterator[str]:
    made, plan, request = answer.plan, answer.plan.plan, answer.plan.request
    fields = quantities.pluralize(len(plan.pointings), "field")
    verb = "holds" if len(plan.pointings) == 1 else "hold"
    # One above the other, the two shares have to agree, which "1 %" and "<1 %" don't.
    percent = _percent_for(plan.covered, plan.observable)
    yield f"{fields} {verb} {percent(plan.covered)} of the probability of the map."
    when = "in this time" if request.duration is not None else "in darkness until dawn"
    if request.site.radio and request.duration is None:
        when = f"in the next 24{quantities.NBSP}h"
    moon = "" if request.site.radio else ", the Moon not counted"
    limit = f"{quantities.number(request.constraints.altitude)}°"
    name = plain_text(request.site.name, _SHOWN_NAME_MAX)
    yield (
        f"At {name} {percent(plan.observable)} of it gets above {limit} {when}{moon}."
        f" Planned on {map_words(answer.superevent, made)}."
    )
    if plan.covered > plan.observable and percent(plan.covered) != percent(plan.observable):
        yield f"A field counts as a whole where its centre is above {limit}."
    unread = unread_words(answer.superevent, made)
    if unread is not None:
        yield unread
    yield _night_line(made)
    count = len(plan.pointings)
    if request.count is not None and count < request.count:
        yield f"Of the {request.count} that were asked for no more fit in, or they would add next to nothing."
    elif count == MAX_PLAN_FIELDS and request.count is None:
        yield f"A plan has at most {MAX_PLAN_FIELDS} fields: there may be time for more."
    if count > MAX_ROWS:
        yield (
            f"The first {MAX_ROWS} of {count} fields are shown, in the order of time; the export goes on, as"
            " far as a message holds them."
        )


def _percent_for(*shares: float) -> Callable[[float], str]:
    """Return a function that writes these shares (0 to 1): to a tenth of a percent if one is below 10 %."""
    return share_text if min(shares) < _WHOLE_PERCENT_FROM else quantities.percent


def _night_line(made: EventPlan) -> str:
    """Return the line about the night, in UTC and by the site's own evening."""
    site, plan = made.request.site, made.plan
    first, last = plan.pointings[0].start, plan.pointings[-1].start + made.request.telescope.exposure
    times = f"{night_times.day_and_year(first)} {first:%H:%M} to {_clock(last, first)}{quantities.NBSP}UTC"
    ago = made.planned_at
    made_at = f"Planned from {night_times.utc_day_and_clock(ago)} on."
    if site.radio:
        return f"Observed from {times}; a radio telescope needs no darkness. {made_at}"
    local = _local(first, site)
    evening = (local - timedelta(hours=12)).date()
    if site.zone is not None and local.tzinfo is not None:
        end = _local(last, site)
        there = f" ({local:%H:%M} to {end:%H:%M} there)"
    else:
        there = ""
    return (
        f"The night that begins there on the evening of {night_times.day_and_year(evening)}: {times}{there}."
        f" {made_at}"
    )


def _local(time: datetime, site: Site) -> datetime:
    """Return a time in the site's zone; in mean solar time, without a zone, where that isn't known."""
    if site.zone is not None:
        try:
            return time.astimezone(ZoneInfo(site.zone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    solar = time.astimezone(UTC) + timedelta(hours=site.longitude / 15)
    return solar.replace(tzinfo=None)


def _clock(time: datetime, since: datetime) -> str:
    """Return the time of day, with its date where it is another than that of `since`."""
    return f"{time:%H:%M}" if time.date() == since.date() else f"{night_times.day(time)} {time:%H:%M}"


def _rows(pointings: Sequence[Pointing]) -> Iterator[Sequence[str]]:
    sums = accumulate(one.share for one in pointings)
    # The line above the table names the first day; on a phone the column has to be narrow.
    day = pointings[0].start.astimezone(UTC).date() if pointings else None
    for one, total in zip(pointings, sums, strict=True):
        start = one.start.astimezone(UTC)
        date = "" if start.date() == day else f"{night_times.day(start)} "
        day = start.date()
        yield (
            str(one.number),
            quantities.right_ascension_degrees(one.ra, 3),
            f"{one.dec:+z.3f}".replace("-", quantities.MINUS),
            f"{date}{start:%H:%M:%S}",
            quantities.angle(one.altitude),
            share_text(one.share),
            share_text(total),
        )


def _notes(answer: PlanAnswer) -> Iterator[str]:
    request = answer.plan.request
    telescope, limits = request.telescope, request.constraints
    yield (
        f"Field of view {plain_text(telescope.footprint.words, _SHOWN_NAME_MAX)}"
        f" ({quantities.area(telescope.footprint.area)}), {_minutes(telescope.exposure)} each and"
        f" {_minutes(telescope.overhead)} between."
    )
    dark = (
        "" if request.site.radio else f", Sun below {quantities.number(limits.darkness)}°, away from the Moon"
    )
    yield (
        f"Above {quantities.number(limits.altitude)}° from begin to end of each exposure{dark}."
        " In the order of time: each as early as it can be, what sets first before the rest; none waits to be"
        " higher. RA and Dec: centre, ICRS, degrees. Altitude: in the middle of the exposure. Share: the"
        " probability that this field holds and none before it."
    )
    if telescope.fixed_fields:
        yield f"Only the telescope's own {quantities.pluralize(len(telescope.fixed_fields), 'field')}."
    yield "For a program, as many fields as a message holds:"


def _export_words(answer: PlanAnswer) -> str:
    return f"/gwevent {repeated_words(answer.superevent, answer.plan.request)} export csv"


def _minutes(length: timedelta) -> str:
    seconds = length.total_seconds()
    if seconds < 60 or seconds % 6:
        return f"{seconds:g}{quantities.NBSP}s"
    return f"{seconds / 60:g}{quantities.NBSP}min"


def _nothing_message(answer: PlanAnswer) -> Message:
    """Return the sentence why nothing can be observed, and when something can next."""
    made = answer.plan
    event = " ".join([*alert_card.status_labels(answer.superevent), answer.superevent.superevent_id])
    nothing = made.nothing
    why = _why(made, nothing) if nothing is not None else "no field holds enough of the map."
    text = f"Nothing of {event} to plan at {plain_text(made.request.site.name, _SHOWN_NAME_MAX)}: {why}"
    if nothing is not None and nothing.reason is not NothingReason.NEVER_RISES:
        text += f" {_next(made, nothing)}"
    unread = unread_words(answer.superevent, made)
    more = [] if unread is None else [escape(unread)]
    words = escape(text, _NOTES_MAX)
    made_on = escape(f"Judged on {map_words(answer.superevent, made)}.")
    return blocks.message(words, blocks.section(words, *more), blocks.context(made_on), is_refusal=True)


def _why(made: EventPlan, nothing: NothingToObserve) -> str:
    request, plan = made.request, made.plan
    limit = f"{quantities.number(request.constraints.altitude)}°"
    until = f"until {night_times.utc_day_and_clock(plan.end)}"
    match nothing.reason:
        case NothingReason.NEVER_RISES:
            return f"less than 1{quantities.NBSP}% of the map ever gets above {limit} there."
        case NothingReason.NO_DARKNESS:
            return (
                f"it isn't dark there (Sun below {quantities.number(request.constraints.darkness)}°) for"
                f" the {_minutes(request.telescope.exposure)} of a field, in this night or the next."
            )
        case NothingReason.TOO_SHORT:
            return f"a field takes {_minutes(request.telescope.exposure)}."
        case NothingReason.TOO_LOW:
            in_dark = "" if request.site.radio else " in darkness"
            return f"less than 1{quantities.NBSP}% of the map is above {limit}{in_dark} {until}."
        case NothingReason.NO_FIELD:
            fixed = (
                ", or none of the telescope's own fields lies there" if request.telescope.fixed_fields else ""
            )
            return (
                f"{quantities.percent(plan.observable)} of the map gets above {limit} {until}, but no field"
                f" for a whole exposure and away from the Moon{fixed}."
            )


def _next(made: EventPlan, nothing: NothingToObserve) -> str:
    if nothing.next_start is None:
        return "Nor in the year after."
    start = night_times.rounded_up(nothing.next_start)
    when = night_times.utc_day_and_clock(start)
    if start.year != made.planned_at.year:
        when = f"{night_times.day_and_year(start)} {start:%H:%M}{quantities.NBSP}UTC"
    days = (nothing.next_start - made.planned_at) / timedelta(days=1)
    wait = f" (in {quantities.duration_text(nothing.next_start - made.planned_at)})" if days < 60 else ""
    return f"1{quantities.NBSP}% or more is up again from {when}{wait}; the Moon isn't counted there."
