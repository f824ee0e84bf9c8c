"""Merge reports of the same source into one counterpart candidate.

Reports are of one source if they share a name, or lie within MERGE_RADIUS_ARCSEC of each other. What comes
out is a function of the set of reports; the order of arrival never matters.

Neutrinos, gamma-ray positions and everything else are never merged with each other. Two designations of the
Transient Name Server are never one source by position, since the server itself merges duplicates; a name that
was reported with both of them stays on its own. Error circles above PRECISE_ARCSEC merge by name alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product
from math import cos, floor, radians, sin

from bot.counterparts.names import NAME_MAX, is_tns_designation, name_from_position, normalize_name
from bot.counterparts.reports import NamedDecision, Report
from formatters.models.counterpart import CandidateDecision, CandidateSource, Counterpart
from formatters.models.related_message import ReportedPosition
from formatters.text.quantities import separation

MERGE_RADIUS_ARCSEC = 3.0
"""Positions this near are one source: positions in circulars are often rounded to 0.1 s and 1 arcsec."""
PRECISE_ARCSEC = 10.0
"""The largest error radius of a position that is merged with others by place."""
MAX_CENTRES = 50
"""Candidates of one place that a report is compared with; beyond them it stays on its own."""

_NEUTRINO, _BURST, _OTHER = "neutrino", "burst", ""

_Key = tuple[str, str]
"""(kind of source, normalized name)"""
_Cell = tuple[int, int, int]


@dataclass(slots=True)
class _Group:
    """Reports of one source."""

    reports: list[Report] = field(default_factory=list)

    @property
    def best(self) -> Report:
        """The report whose position counts: a precise one before a coarse one, then the newest."""
        return min(self.reports, key=_position_rank)


def merge_reports(
    reports: Iterable[Report],
    decisions: Sequence[NamedDecision] = (),
    merger: datetime | None = None,
) -> tuple[Counterpart, ...]:
    """Return one candidate for each source, in order of name, not yet compared with a map.

    `merger` is the event's time, from which offsets are counted. The newest of `decisions` that has one of a
    candidate's names counts; of two at the same time, the later in the sequence.
    """
    by_place = _merge_places(_merge_names(sorted(set(reports), key=_report_key)))
    merged = sorted(
        (_counterpart(group.reports, merger) for group in by_place),
        key=lambda one: (one.name.casefold(), one.position.ra, one.position.dec, repr(one)),
    )
    return tuple(_with_decisions(_with_unique_names(merged), decisions))


def match_names(name: str, candidates: Iterable[Counterpart]) -> list[Counterpart]:
    """Return the candidate of this name in any spelling, or else all that have it as an alias."""
    wanted = normalize_name(name)
    every = [one for one in candidates if wanted and wanted in candidate_keys(one)]
    return [one for one in every if normalize_name(one.name) == wanted] or every


def candidate_keys(candidate: Counterpart) -> frozenset[str]:
    """Return all names of a candidate, normalized."""
    return frozenset(normalize_name(name) for name in (candidate.name, *candidate.aliases))


def _kind(report: Report) -> str:
    if report.source.is_neutrino:
        return _NEUTRINO
    return _BURST if report.source.is_burst else _OTHER


def _merge_names(reports: Sequence[Report]) -> list[_Group]:
    """Return groups of reports that share a name; reports without one are groups of their own."""
    keys = [[(_kind(one), key) for key in map(normalize_name, one.names) if key] for one in reports]
    aliases = _Aliases(keys)
    groups: dict[_Key, _Group] = defaultdict(_Group)
    unnamed = []
    for report, own in zip(reports, keys, strict=True):
        if not own:
            unnamed.append(_Group([report]))
            continue
        designation = next((key for key in own if is_tns_designation(key[1])), None)
        groups[designation or aliases.source_of(own[0])].reports.append(report)
    return [*groups.values(), *unnamed]


class _Aliases:
    """Groups of names of one source each, from all reports that give several."""

    def __init__(self, keys: Iterable[Sequence[_Key]]) -> None:
        self._parent: dict[_Key, _Key] = {}
        designations: dict[_Key, set[_Key]] = defaultdict(set)
        every = list(keys)
        for own in every:
            others = [key for key in own if not is_tns_designation(key[1])]
            for other in others[1:]:
                first, second = sorted((self._root(others[0]), self._root(other)))
                self._parent[second] = first
        for own in every:
            found = {key for key in own if is_tns_designation(key[1])}
            for key in own:
                if key not in found:
                    designations[self._root(key)] |= found
        self._designations = designations

    def source_of(self, name: _Key) -> _Key:
        """Return the designation of a name if there is just one, else the first of its names."""
        root = self._root(name)
        found = self._designations.get(root, set())
        return next(iter(found)) if len(found) == 1 else root

    def _root(self, name: _Key) -> _Key:
        while (parent := self._parent.get(name, name)) != name:
            self._parent[name] = name = self._parent.get(parent, parent)
        return name


def _merge_places(groups: Iterable[_Group]) -> list[_Group]:
    """Merge groups that lie at one place: each joins the nearest centre, or becomes one."""
    done: list[_Group] = []
    cells: dict[_Cell, list[tuple[_Group, ReportedPosition]]] = defaultdict(list)
    for group in sorted(groups, key=_group_rank):
        best = group.best
        if _kind(best) != _OTHER or not _is_precise(best.position):
            done.append(group)
            continue
        x, y, z = _cell(best.position)
        centre = None
        if not _has_designation(group):
            near = [
                (separation(best.position.ra, best.position.dec, at.ra, at.dec), number, other)
                for number, (other, at) in enumerate(
                    found
                    for dx, dy, dz in product((-1, 0, 1), repeat=3)
                    for found in cells.get((x + dx, y + dy, z + dz), ())[:MAX_CENTRES]
                )
            ]
            within = [one for one in near if one[0] * 3_600 <= MERGE_RADIUS_ARCSEC]
            centre = min(within, key=lambda one: one[:2])[2] if within else None
        if centre is not None:
            centre.reports.extend(group.reports)
        else:
            cells[x, y, z].append((group, best.position))
            done.append(group)
    return done


def _cell(position: ReportedPosition) -> _Cell:
    """Return the cube, of MERGE_RADIUS_ARCSEC on a side, that holds a position's unit vector."""
    ra, dec = radians(position.ra), radians(position.dec)
    side = radians(MERGE_RADIUS_ARCSEC / 3_600)
    return (
        floor(cos(dec) * cos(ra) / side),
        floor(cos(dec) * sin(ra) / side),
        floor(sin(dec) / side),
    )


def _has_designation(group: _Group) -> bool:
    return any(is_tns_designation(normalize_name(name)) for one in group.reports for name in one.names)


def _group_rank(group: _Group) -> tuple[object, ...]:
    """Sort groups with a designation first, then those with a name, by their content."""
    named = any(one.names for one in group.reports)
    return (not _has_designation(group), not named, min(map(_report_key, group.reports)))


def _is_precise(position: ReportedPosition) -> bool:
    return position.radius is None or position.radius * 3_600 <= PRECISE_ARCSEC


def _position_rank(report: Report) -> tuple[object, ...]:
    position = report.position
    precise = _is_precise(position)
    return (
        not precise,
        0.0 if precise or position.radius is None else position.radius,
        -report.source.reported.timestamp(),
        _report_key(report),
    )


def _report_key(report: Report) -> tuple[str, ...]:
    """Return a key by which any two different reports differ, whatever they hold."""
    return (report.source.reported.isoformat(), repr(report.source), repr(report.position), *report.names)


def _counterpart(reports: Sequence[Report], merger: datetime | None) -> Counterpart:
    ordered = sorted(reports, key=_report_key)
    best = min(ordered, key=_position_rank)
    names: dict[str, str] = {}
    made: dict[str, str] = {}
    for one in ordered:
        for name in one.names:
            names.setdefault(normalize_name(name), name)
        if not one.names:
            called = name_from_position(one.position.ra, one.position.dec)
            made.setdefault(normalize_name(called), called)
    # The Transient Name Server's name first, then the others as they came; made names last.
    shown = sorted(names, key=lambda key: not is_tns_designation(key))
    every = [*(names[key] for key in shown), *(made[key] for key in made if key not in names)]
    if not names:
        every = list(dict.fromkeys([name_from_position(best.position.ra, best.position.dec), *every]))
    times = [one.position.time for one in ordered if one.position.time is not None]
    return Counterpart(
        name=every[0],
        aliases=tuple(every[1:]),
        position=_with_distance(best.position, ordered),
        sources=_sources(ordered),
        offset=min(times) - merger if times and merger is not None else None,
        spread=max(
            separation(best.position.ra, best.position.dec, one.position.ra, one.position.dec)
            for one in ordered
        ),
    )


def _sources(reports: Iterable[Report]) -> tuple[CandidateSource, ...]:
    return tuple(dict.fromkeys(one.source for one in reports))


def _with_distance(position: ReportedPosition, reports: Sequence[Report]) -> ReportedPosition:
    """Return the position with redshift and distance of the newest report that gives either."""
    given = [one for one in reports if one.position.redshift is not None or one.position.distance is not None]
    if not given:
        return position
    newest = given[-1].position
    return replace(
        position,
        redshift=newest.redshift,
        redshift_error=newest.redshift_error,
        distance=newest.distance,
        distance_error=newest.distance_error,
    )


def _with_unique_names(candidates: Sequence[Counterpart]) -> list[Counterpart]:
    """Number candidates of the same name, such as neutrinos at one place."""
    taken: set[str] = set()
    unique = []
    for one in candidates:
        name, number = one.name, 1
        while normalize_name(name) in taken:
            number += 1
            name = f"{one.name[: NAME_MAX - 8]}#{number}"
        taken.add(normalize_name(name))
        unique.append(one if name == one.name else replace(one, name=name))
    return unique


def _with_decisions(
    candidates: Sequence[Counterpart], decisions: Sequence[NamedDecision]
) -> list[Counterpart]:
    newest: dict[str, tuple[datetime, int, NamedDecision]] = {}
    for number, one in enumerate(decisions):
        key = normalize_name(one.name)
        if key not in newest or (one.at, number) > newest[key][:2]:
            newest[key] = (one.at, number, one)
    if not newest:
        return list(candidates)
    decided = []
    for candidate in candidates:
        found = [newest[key] for key in candidate_keys(candidate) if key in newest]
        if found:
            last = max(found, key=lambda one: one[:2])[2]
            decision = CandidateDecision(decision=last.decision, user_id=last.user_id, at=last.at)
            candidate = replace(candidate, decision=decision)  # noqa: PLW2901
        decided.append(candidate)
    return decided
