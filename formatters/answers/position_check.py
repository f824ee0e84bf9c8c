"""Answer to `check`: the credible levels of given sky positions in an event's sky maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import NAME_MAX, bold, escape, plain_text
from formatters.models.notice import Notice
from formatters.models.position_on_map import PositionOnMap as PositionOnMap
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import quantities

MAX_POSITIONS = 50
"""Maximum number of positions in one question, so that the answer fits into one message."""
_EMPTY_CELL = "–"
_NO_TILE = "no tile there"
_CREDIBLE_LEVEL_NOTE = (
    "Credible level: the probability of everywhere at least as probable as this position; the smaller, the"
    " more probable."
)
_CREDIBLE_LEVEL_3D_NOTE = (
    "3-D: the same for the place in the volume, by probability per Mpc³ (luminosity distance)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyPosition:
    """A sky position to check, with an optional distance."""

    ra: float
    """Right ascension, ICRS degrees."""
    dec: float
    """Declination, ICRS degrees."""
    distance: float | None = None
    """Luminosity distance, Mpc."""
    redshift: float | None = None
    """Redshift from which the distance was computed; None if the distance was given or is unknown."""
    modulus: float | None = None
    """Distance modulus, mag, from which the distance was computed; None if it wasn't."""
    galactic: tuple[float, float] | None = None
    """Galactic longitude and latitude, degrees, if the position was given so."""
    name: str = ""
    """Name given by the user, not escaped; empty if none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapResult:
    """Results for all positions in one sky map, or the problem with that map."""

    notice: Notice
    is_combined: bool = False
    """True for the sky map combined with the external event's."""
    positions: Sequence[PositionOnMap | None] = ()
    """One result per target, in the targets' order; None where the map has no tile."""
    problem: str | None = None
    """One sentence on why the map can't be used, not escaped; None if it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionCheck:
    """Data for the answer to `check`."""

    superevent: Superevent
    targets: Sequence[SkyPosition]
    """At least one position."""
    maps: Sequence[MapResult]
    """For one target, every map in the order of the notices; for several, the newest readable map."""
    cosmology: str
    """Name of the cosmology used to convert redshifts into distances."""
    introduction: str | None = None
    """Sentence on why this event was chosen when the user named none; not escaped."""
    omitted: Sequence[str] = ()
    """Sentences about input lines and numbers that aren't used; not escaped."""
    asked_at: datetime | None = None
    """Time of the question, from which the age of an old event is said; None to leave it out."""


def message(answer: PositionCheck) -> Message:
    """Return the answer: one position in every map of the event, or several positions in the newest map."""
    known = [one for one in answer.maps if one.positions]
    if not known:
        parts = [f"{_event_label(answer)} has no sky map that gwevent can use.", *_problems(answer)]
        return blocks.message(
            escape(parts[0]), *_introduction(answer), blocks.section(*(escape(line) for line in parts))
        )
    if len(answer.targets) > 1:
        return _position_list_message(answer, known[-1])
    return _single_position_message(answer, answer.targets[0], known)


def _single_position_message(
    answer: PositionCheck, target: SkyPosition, known: Sequence[MapResult]
) -> Message:
    newest = known[-1]
    result = newest.positions[0]
    title = f"{_target_label(target)} in {_event_label(answer)}"
    lines = [_NO_TILE_SENTENCE] if result is None else list(_sentences(result, target))
    which = f"{_map_name(answer.superevent, newest)}: "
    shown: list[Block] = [
        blocks.section(
            bold(escape(title)),
            *(escape(line) for line in _target_lines(target, answer.cosmology)),
            *(escape(line) for line in (which + lines[0], *lines[1:])),
        )
    ]
    if len(known) > 1:
        shown.append(_map_history_table(answer, target, known))
    explained = (
        _CREDIBLE_LEVEL_NOTE
        if target.distance is None
        else f"{_CREDIBLE_LEVEL_NOTE} {_CREDIBLE_LEVEL_3D_NOTE}"
    )
    return blocks.message(
        escape(f"{title}: {lines[0]}"),
        *_introduction(answer),
        *shown,
        *_small_print(answer),
        blocks.context(escape(explained)),
    )


_NO_TILE_SENTENCE = "The map has no tile at this position."


def _sentences(result: PositionOnMap, target: SkyPosition) -> Iterator[str]:
    yield (
        f"{_region_sentence(result)} · credible level {quantities.credible_level(result.credible_level)}"
        f" · {quantities.area(result.searched_area)} at least as probable"
        f" · density {quantities.fraction(result.relative_density)} of the peak's"
    )
    if result.distance is None:
        yield "This map has no distance along this line of sight."
        return
    text = f"Along this line of sight {quantities.distance(result.distance)}"
    if result.credible_level_3d is not None and target.distance is not None:
        at = _mpc(target.distance)
        text += f" · 3-D credible level at {at}: {quantities.credible_level(result.credible_level_3d)}"
    yield text


def _region_sentence(result: PositionOnMap) -> str:
    if result.in_50:
        return "Inside the 50\u00a0% region"
    return (
        "Inside the 90\u00a0% region, not the 50\u00a0%" if result.in_90 else "Outside the 90\u00a0% region"
    )


def _region(result: PositionOnMap) -> str:
    return "in 50\u00a0%" if result.in_50 else "in 90\u00a0%" if result.in_90 else "outside"


def _map_history_table(answer: PositionCheck, target: SkyPosition, known: Sequence[MapResult]) -> Block:
    distant = target.distance is not None
    rows = [[_map_name(answer.superevent, one), *_cells(one.positions[0], distant)] for one in known]
    header = ["map", *_header(distant)]
    return blocks.table(header, rows)


def _header(distant: bool) -> list[str]:
    # The decisive columns come first: a phone shows three columns before scrolling.
    return ["region", "level", *(["3-D level"] if distant else []), "area", "of peak", "line of sight"]


def _cells(result: PositionOnMap | None, distant: bool) -> list[str]:
    if result is None:
        return [_NO_TILE, *[_EMPTY_CELL] * (len(_header(distant)) - 1)]
    level_3d = (
        _EMPTY_CELL
        if result.credible_level_3d is None
        else quantities.credible_level(result.credible_level_3d)
    )
    return [
        _region(result),
        quantities.credible_level(result.credible_level),
        *([level_3d] if distant else []),
        quantities.area(result.searched_area),
        quantities.fraction(result.relative_density),
        _EMPTY_CELL if result.distance is None else quantities.distance(result.distance),
    ]


def _position_list_message(answer: PositionCheck, newest: MapResult) -> Message:
    """Return a table of several positions in one map, in the order in which they were given."""
    distant = any(target.distance is not None for target in answer.targets)
    named = any(target.name for target in answer.targets)
    header = ["name" if named else "position", *_header(distant)]
    if distant:
        header.append("at")
    if named:
        header.append("position")
    rows = []
    for target, result in zip(answer.targets, newest.positions, strict=True):
        position = quantities.position_degrees(target.ra, target.dec)
        cells = [
            (plain_text(target.name, _MAX_LISTED_NAME_CHARS) or position) if named else position,
            *_cells(result, distant),
        ]
        if distant:
            cells.append(_EMPTY_CELL if target.distance is None else _mpc(target.distance))
        if named:
            cells.append(position)
        rows.append(cells)
    inside = sum(result is not None and result.in_90 for result in newest.positions)
    where = f"{_event_label(answer)} ({_map_name(answer.superevent, newest)})"
    title = f"{inside} of {len(answer.targets)} positions in the 90\u00a0% region of {where}"
    notes = [_CREDIBLE_LEVEL_NOTE]
    if distant:
        notes.append(_CREDIBLE_LEVEL_3D_NOTE)
    if any(target.redshift is not None for target in answer.targets):
        notes.append(f"Distances of redshifts: luminosity distance, {answer.cosmology}.")
    if any(target.galactic is not None for target in answer.targets):
        notes.append("Galactic positions are converted: all are RA, Dec (ICRS degrees).")
    return blocks.message(
        escape(f"{title}."),
        *_introduction(answer),
        blocks.section(bold(escape(title))),
        blocks.table(header, rows),
        *_small_print(answer),
        blocks.context(escape(" ".join(notes), _NOTES_MAX)),
    )


_MAX_LISTED_NAME_CHARS = 24
"""Maximum characters of a target's name in the table, which has seven more columns."""
_NOTES_MAX = 600


def _event_label(answer: PositionCheck) -> str:
    return " ".join([*alert_card.status_labels(answer.superevent), answer.superevent.superevent_id])


def _target_label(target: SkyPosition) -> str:
    name = plain_text(target.name, NAME_MAX)
    position = quantities.position_sexagesimal(target.ra, target.dec)
    return f"{name} ({position})" if name else position


def _target_lines(target: SkyPosition, cosmology: str) -> Iterator[str]:
    parts = [f"RA, Dec {quantities.position_degrees(target.ra, target.dec)} (ICRS degrees)"]
    if target.galactic is not None:
        parts.append(f"from galactic l, b {quantities.position_degrees(*target.galactic)}")
    if target.distance is not None:
        if target.redshift is not None:
            parts.append(
                f"z = {target.redshift:g}, a luminosity distance of {_mpc(target.distance)} ({cosmology})"
            )
        elif target.modulus is not None:
            parts.append(
                f"distance modulus {target.modulus:g}, a luminosity distance of {_mpc(target.distance)}"
            )
        else:
            parts.append(f"at {_mpc(target.distance)}")
    yield " · ".join(parts)


def _mpc(distance: float) -> str:
    return f"{quantities.number(distance, 0 if distance >= 100 else 1)}{quantities.NBSP}Mpc"


def _map_name(superevent: Superevent, one: MapResult) -> str:
    then = superevent.up_to(one.notice)
    text = alert_card.alert_type_with_ordinal(then, one.notice)
    if superevent.event is not None:
        text += f" {quantities.delay(one.notice.time_created - superevent.event.time)}"
    return f"{text}, combined" if one.is_combined else text


def _introduction(answer: PositionCheck) -> list[Block]:
    return [] if answer.introduction is None else [blocks.section(escape(answer.introduction))]


def _problems(answer: PositionCheck) -> list[str]:
    return [
        f"{_map_name(answer.superevent, one)}: {one.problem}"
        for one in answer.maps
        if one.problem is not None
    ]


_MIN_SAID_AGE = timedelta(days=2)
"""Age of an event from which the answer says it."""


def _age(answer: PositionCheck) -> list[str]:
    event = answer.superevent.event
    if event is None or answer.asked_at is None or answer.asked_at - event.time < _MIN_SAID_AGE:
        return []
    age = quantities.age_text(event.time, answer.asked_at)
    return [f"{answer.superevent.superevent_id} was {age}, {quantities.utc(event.time)}."]


def _small_print(answer: PositionCheck) -> list[Block]:
    parts = [*_age(answer), *answer.omitted, *_problems(answer)]
    return (
        [blocks.context("\n".join(escape(line) for line in parts[:_MAX_SMALL_PRINT_LINES]))] if parts else []
    )


_MAX_SMALL_PRINT_LINES = 10
"""Maximum number of sentences about omitted positions and unreadable maps."""
