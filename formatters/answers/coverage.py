"""Answer to `coverage`: who has looked where, and what probable sky is in nobody's field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text, sanitize_line
from formatters.models.coverage import (
    BandCoverage,
    CoveredObservation,
    DepthRange,
    EventCoverage,
    ReportedCoverage,
    UncoveredPiece,
)
from formatters.models.notice import Category
from formatters.models.observation import ObservationStatus
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ImageRef
from formatters.text import coverage_lines, quantities
from formatters.text.criteria_text import user_mention

MAX_OBSERVATIONS, MAX_REPORTED, MAX_BANDS = 15, 12, 12
"""The most rows of the channel, of the Treasure Map and of bands; the export has the others."""
_LINE_MAX = 400
_NOTE_MAX = 120
_NAMES_MAX = 60
_HEADER = ("Band", "Done", "Planned", "Depth", "With")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageAnswer:
    """Data for the answer to `coverage`."""

    superevent: Superevent
    coverage: EventCoverage
    asked_at: datetime
    image: ImageRef | None = None
    """The picture of the map with the fields."""
    no_image: str | None = None
    """Why there is no picture, a sentence that isn't escaped; None where none is expected."""


def message(answer: CoverageAnswer) -> Message:
    """Return the answer: all together, by band, each observation, the Treasure Map, and what is left."""
    found = answer.coverage
    if not found.observations and not found.reported:
        return _nothing(answer)
    title = _title(answer)
    summary = list(_summary_lines(answer))
    shown: list[Block] = [
        blocks.header(title),
        blocks.section(bold(escape(summary[0], _LINE_MAX)), *(escape(one, _LINE_MAX) for one in summary[1:])),
    ]
    if found.bands:
        shown.append(blocks.table(_HEADER, [_band_row(one) for one in found.bands[:MAX_BANDS]]))
    shown += blocks.sections(_observation_lines(answer))
    shown += blocks.sections(_reported_lines(answer))
    shown += blocks.sections(_uncovered_lines(answer))
    if answer.image is not None:
        picture = answer.image
        shown.append(blocks.image(picture.alt_text, file_id=picture.file_id, url=picture.url))
    if answer.no_image is not None:
        shown.append(blocks.context(escape(answer.no_image)))
    command = f"{coverage_lines.coverage_command(answer.superevent)} export csv"
    shown.append(blocks.context(escape(" ".join(_notes(answer)), 1_500), f"`{escape(command)}`"))
    return blocks.message(escape(f"{title}: {' '.join(summary[:2])}", 1_200), *shown)


def no_map(superevent: Superevent) -> Message:
    """Return the sentence that there is no map to compare with."""
    words = f"No sky map of {_name(superevent)} can be read, so nobody can say what is covered."
    return blocks.message(escape(words), blocks.section(escape(words)), is_refusal=True)


def numbered_rows(coverage: EventCoverage) -> tuple[tuple[int, CoveredObservation | ReportedCoverage], ...]:
    """Return the rows that the answer shows with their numbers, which the picture repeats."""
    shown: list[CoveredObservation | ReportedCoverage] = [*coverage.observations[:MAX_OBSERVATIONS]]
    shown += coverage.reported[:MAX_REPORTED]
    return tuple(enumerate(shown, 1))


def picture_title(coverage: EventCoverage) -> str:
    """Return the title of the picture's key: "Fields: 41 % done, 12 % more planned (dashed)"."""
    done, planned = quantities.percent(coverage.done), quantities.percent(coverage.planned)
    if coverage.planned <= 0:
        return f"Fields: {done} done"
    if coverage.done <= 0:
        return f"Fields: {planned} planned (dashed)"
    return f"Fields: {done} done, {planned} more planned (dashed)"


def _title(answer: CoverageAnswer) -> str:
    labels = alert_card.status_labels(answer.superevent)
    return " · ".join([*labels, "Coverage", plain_text(answer.superevent.superevent_id)])


def _name(superevent: Superevent) -> str:
    return " ".join([*alert_card.status_labels(superevent), plain_text(superevent.superevent_id)])


def _is_real(superevent: Superevent) -> bool:
    return superevent.category is Category.REAL


def _summary_lines(answer: CoverageAnswer) -> Iterator[str]:
    superevent, found = answer.superevent, answer.coverage
    more = f", {coverage_lines.share_words(found.planned)} more planned" if found.planned > 0 else ""
    yield f"{coverage_lines.share_words(found.done)} of the probability is in fields that are done{more}."
    made_on = coverage_lines.map_words(superevent, found.notice, is_combined=found.is_combined)
    yield (
        f"These are shares of {made_on}. They say only that somebody looked, or will: in whatever band and to"
        " whatever depth."
    )
    if found.unmeasured:
        count = quantities.pluralize(found.unmeasured, "observation")
        verb = "is" if found.unmeasured == 1 else "are"
        yield f"{count} whose fields or field of view nobody said {verb} in none of these numbers."
    unread = coverage_lines.unread_line(superevent, found.unread)
    if unread is not None:
        yield unread
    if superevent.is_retracted:
        yield "The event was retracted: there is nothing left to observe."


def _band_row(band: BandCoverage) -> tuple[str, ...]:
    depths = ", ".join(map(coverage_lines.depth_words, band.depths)) or "not said"
    names = ", ".join(plain_text(name, coverage_lines.NAME_MAX) for name in band.instruments)
    return (
        coverage_lines.band_words(band.band),
        coverage_lines.share_words(band.done),
        coverage_lines.share_words(band.planned),
        depths if band.done > 0 or band.depths else "",
        plain_text(names, _NAMES_MAX),
    )


def _observation_lines(answer: CoverageAnswer) -> Iterator[str]:
    found = answer.coverage.observations
    if not found:
        yield escape("Nobody in this channel has planned or reported an observation.")
        return
    yield bold("In this channel")
    for number, one in numbered_rows(answer.coverage):
        if isinstance(one, CoveredObservation):
            yield _observation_line(answer.superevent, number, one)
    if len(found) > MAX_OBSERVATIONS:
        yield escape(_more_words(len(found) - MAX_OBSERVATIONS))


def _observation_line(superevent: Superevent, number: int, covered: CoveredObservation) -> str:
    one = covered.observation
    status = coverage_lines.STATUS_WORDS.get(one.status, one.status.value)
    parts = [
        coverage_lines.fields_words(len(one.fields), covered.share, has_footprint=one.footprint is not None),
        coverage_lines.times_words(superevent, one.fields, one.observed_at),
        coverage_lines.observation_depth(one),
        plain_text(sanitize_line(one.note), _NOTE_MAX) if one.note else "",
    ]
    rest = " · ".join(filter(None, parts))
    name = escape(plain_text(one.instrument, coverage_lines.NAME_MAX))
    return f"{number}. {bold(name)} {status} by {user_mention(one.user_id)} · {escape(rest, _LINE_MAX)}"


def _reported_lines(answer: CoverageAnswer) -> Iterator[str]:
    found = answer.coverage
    reading = found.reading
    if reading is None:
        return
    if reading.read_at is None and not _is_real(answer.superevent):
        yield "The Treasure Map has real events only."
        return
    if reading.read_at is None:
        why = f": {reading.problem}" if reading.problem else "."
        yield escape(f"The Treasure Map hasn't been read for this event yet{why}", _LINE_MAX)
        return
    age = quantities.age_text(reading.read_at, answer.asked_at)
    head = f"{bold('Treasure Map')} {escape(f'as of {quantities.utc(reading.read_at)} ({age})')}"
    if reading.problem:
        head += escape(f"; it couldn't be read since: {reading.problem}", _LINE_MAX)
    yield head
    if not found.reported:
        yield "Nobody has reported a pointing there."
    for number, one in numbered_rows(found):
        if isinstance(one, ReportedCoverage):
            yield escape(f"{number}. {_reported_words(answer.superevent, one)}", _LINE_MAX)
    if len(found.reported) > MAX_REPORTED:
        yield escape(_more_words(len(found.reported) - MAX_REPORTED))
    if reading.left_out:
        left = quantities.pluralize(reading.left_out, "pointing")
        yield escape(f"{left} without a usable position, or beyond what is kept, are left out.")


def _reported_words(superevent: Superevent, covered: ReportedCoverage) -> str:
    one = covered.reported
    status = plain_text(one.status_word, coverage_lines.BAND_MAX) or "without a status"
    if one.status is not None:
        status = coverage_lines.STATUS_WORDS.get(one.status, status)
    name = plain_text(one.instrument, coverage_lines.NAME_MAX)
    own = f"{covered.own} that this channel reported too" if covered.own else ""
    if not one.fields:
        return f"{name} {status} · {own or 'no field'}"
    depth = ""
    if one.depths is not None:
        depth = coverage_lines.depth_words(
            DepthRange(low=one.depths[0], high=one.depths[1], unit=one.depth_unit)
        )
    parts = [
        coverage_lines.fields_words(len(one.fields), covered.share, has_footprint=one.footprint is not None),
        "at least, since not all of them are measured" if covered.is_partial else "",
        f"and {own}" if own else "",
        coverage_lines.times_words(superevent, one.fields, None),
        plain_text(one.band, coverage_lines.BAND_MAX) if one.band else coverage_lines.NO_BAND,
        depth,
    ]
    return f"{name} {status} · {' · '.join(filter(None, parts))}"


def _more_words(count: int) -> str:
    return f"{quantities.pluralize(count, 'more is', 'more are')} in the export."


def _uncovered_lines(answer: CoverageAnswer) -> Iterator[str]:
    found = answer.coverage
    region = f"its 90{quantities.NBSP}% region"
    inside = f"nothing of it lies in {region}."
    if found.uncovered_90_area > 0:
        share, area = coverage_lines.share_words(found.uncovered_90), quantities.area(found.uncovered_90_area)
        inside = f"{share} of the map in {area} of {region}."
    left = escape(f"(planned or done): {coverage_lines.share_words(found.uncovered)} of the map; {inside}")
    # Both shares are of the whole map: "of that, 73 %" would be a part of the first one.
    yield f"{bold('In nobody’s field')} {left}"
    for piece in found.pieces:
        yield escape(_piece_words(piece))


def _piece_words(piece: UncoveredPiece) -> str:
    dec = f"{piece.dec:+z.3f}".replace("-", quantities.MINUS)
    share, area = coverage_lines.share_words(piece.probability), quantities.area(piece.area)
    return f"• RA {quantities.right_ascension_degrees(piece.ra, 3)} Dec {dec}: {share} in {area}"


def _notes(answer: CoverageAnswer) -> Iterator[str]:
    found = answer.coverage
    yield (
        "Share: the probability of the map in these fields; what two fields share is counted once. Nothing is"
        " added over bands or depths; depths are as they were reported, magnitudes AB unless said otherwise."
    )
    if any(one.observation.status == ObservationStatus.PLANNED for one in found.observations):
        yield "What is planned counts until somebody says done or cancels it, also when its time is over."
    if found.pieces:
        yield (
            "RA and Dec: the most probable place of each of the largest pieces, ICRS, degrees; slivers"
            " between fields are in the sum only."
        )
    if found.reading is None:
        yield "The Treasure Map isn't read here: what others observe isn't in these numbers."
    yield "For a program:"


def _nothing(answer: CoverageAnswer) -> Message:
    superevent, found = answer.superevent, answer.coverage
    lines = [f"Nobody in this channel has planned or reported an observation of {_name(superevent)}."]
    reading = found.reading
    if reading is None:
        lines.append("The Treasure Map isn't read here, so what others observe isn't known.")
    elif reading.read_at is None and not _is_real(superevent):
        lines.append("The Treasure Map has real events only.")
    elif reading.read_at is None:
        why = f": {reading.problem}" if reading.problem else "."
        lines.append(f"The Treasure Map hasn't been read for this event yet{why}")
    else:
        age = quantities.age_text(reading.read_at, answer.asked_at)
        lines.append(
            f"In the Treasure Map nobody had either, as of {quantities.utc(reading.read_at)} ({age})."
        )
        if reading.problem:
            lines.append(f"It couldn't be read since: {reading.problem}")
    shown = [escape(line, _LINE_MAX) for line in lines]
    command = f"`{escape(f'/gwevent observe {superevent.superevent_id}')}`"
    return blocks.message(
        " ".join(shown),
        blocks.section(*shown),
        blocks.context(f"Say what you do with the button *I'm observing*, or with {command}"),
    )
