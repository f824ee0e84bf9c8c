"""The coverage of a sky map by observations: each alone, together by band, and what is in nobody's field.

What two fields share is counted once. Nothing is added over bands or depths: a shallow look in r and a deep
one in J are two answers to two questions, and "any band" says only that somebody looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.observing.field_regions import (
    MAX_FIELDS,
    FieldGroup,
    SkyRegion,
    parts_inside,
    union,
)
from bot.observing.footprints import bounding_radius
from bot.observing.observatories import normalized_name
from bot.observing.pointing_pixels import ProbabilityCurve
from bot.observing.same_fields import Places, find_same
from bot.observing.uncovered_sky import MapToCover, Uncovered, find_uncovered
from formatters.models.coverage import (
    BandCoverage,
    CoveredObservation,
    DepthRange,
    ReportedCoverage,
    SharedFields,
)
from formatters.models.observation import InstrumentShare, Observation, ObservationStatus, ObservedField
from formatters.models.pointing import Footprint
from formatters.models.treasure_map import ReportedObservation

SAME_PLACE = 0.05
"""How near two centres are, in parts of the field's radius, to be one field reported twice."""
UNKNOWN_FIELD_DEG = 0.01
"""The same for fields of an unknown size, in degrees."""
SHARED_PART = 0.5
"""The part of a field from which on it counts as somebody else's too."""

RegionOf = Callable[[FieldGroup], SkyRegion]
DONE, PLANNED = ObservationStatus.DONE, ObservationStatus.PLANNED


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The coverage of a map by observations; see `EventCoverage`."""

    observations: tuple[CoveredObservation, ...]
    reported: tuple[ReportedCoverage, ...]
    bands: tuple[BandCoverage, ...]
    done: float
    planned: float
    uncovered: Uncovered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Looked:
    """Fields that count: planned or done, with a field of view."""

    instrument: str
    is_done: bool
    band: str | None
    region: SkyRegion
    depths: tuple[DepthRange, ...]


def observation_group(observation: Observation) -> FieldGroup | None:
    """Return the fields of an observation; None if they, or the field of view, aren't known."""
    return _group(observation.footprint, observation.fields)


def reported_group(reported: ReportedObservation) -> FieldGroup | None:
    """Return the fields of an instrument's pointings; None without a field of view."""
    return _group(reported.footprint, reported.fields)


def measure_coverage(
    map_: MapToCover,
    observations: Sequence[Observation],
    reported: Sequence[ReportedObservation],
    region_of: RegionOf,
) -> Coverage:
    """Measure how much of a map a channel's observations and the Treasure Map's pointings cover.

    `region_of` returns what a group of fields covers (`field_regions.region_of`, or what is kept of it).
    """
    looked: list[_Looked] = []
    covered = []
    for one in observations:
        region = _region(observation_group(one), region_of)
        covered.append(CoveredObservation(observation=one, share=_share(region, map_)))
        if region is not None and one.status in (DONE, PLANNED):
            depths = () if one.depth is None else (DepthRange(low=one.depth, high=one.depth),)
            looked.append(
                _Looked(
                    instrument=one.instrument,
                    is_done=one.status == DONE,
                    band=one.band,
                    region=region,
                    depths=depths,
                )
            )
    others = []
    for report in reported:
        rest, own = without_own(report, observations)
        if not rest.fields and own:
            others.append(ReportedCoverage(reported=rest, own=own))
            continue
        group = reported_group(rest)
        region = _region(group, region_of)
        others.append(
            ReportedCoverage(
                reported=rest,
                own=own,
                share=_share(region, map_),
                is_partial=group is not None and len(group.centres) > MAX_FIELDS,
            )
        )
        if region is not None and report.status in (DONE, PLANNED):
            depths = (
                ()
                if report.depths is None
                else (DepthRange(low=report.depths[0], high=report.depths[1], unit=report.depth_unit),)
            )
            looked.append(
                _Looked(
                    instrument=report.instrument,
                    is_done=report.status == DONE,
                    band=report.band,
                    region=region,
                    depths=depths,
                )
            )
    done = union([one.region for one in looked if one.is_done])
    every = union([one.region for one in looked])
    share_done, share_every = done.probability(map_.curve), every.probability(map_.curve)
    return Coverage(
        observations=tuple(covered),
        reported=tuple(others),
        bands=_by_band(looked, map_.curve),
        done=share_done,
        planned=max(0.0, share_every - share_done),
        uncovered=find_uncovered(map_, every, 1 - share_every),
    )


def observed_instruments(
    observations: Sequence[Observation],
) -> tuple[tuple[str, ObservationStatus, tuple[Observation, ...]], ...]:
    """Return the instruments that have planned or done something, with their observations of that status.

    They are in the order in which they were reported; what is cancelled is left out.
    """
    found: dict[tuple[str, ObservationStatus], list[Observation]] = {}
    for one in observations:
        if one.status in (DONE, PLANNED):
            name = normalized_name(one.instrument) or one.instrument
            found.setdefault((name, one.status), []).append(one)
    return tuple((mine[0].instrument, status, tuple(mine)) for (_, status), mine in found.items())


def measure_shares(
    map_: MapToCover, observations: Sequence[Observation], region_of: RegionOf
) -> tuple[InstrumentShare, ...]:
    """Measure each instrument's share of a map, planned and done, in the order in which they were reported.

    Of several observations in one status, what they share is counted once; those whose fields or field of
    view aren't known add nothing, and alone have the share None.
    """
    shares = []
    for instrument, status, mine in observed_instruments(observations):
        regions = [found for one in mine if (found := _region(observation_group(one), region_of)) is not None]
        share = union(regions).probability(map_.curve) if regions else None
        shares.append(InstrumentShare(instrument=instrument, status=status, share=share))
    return tuple(shares)


def unmeasured_shares(observations: Sequence[Observation]) -> tuple[InstrumentShare, ...]:
    """Return the same without what they have of the map."""
    return tuple(
        InstrumentShare(instrument=instrument, status=status, share=None)
        for instrument, status, _ in observed_instruments(observations)
    )


def find_shared_fields(
    observation: Observation,
    observations: Sequence[Observation],
    reported: Sequence[ReportedObservation],
    region_of: RegionOf,
) -> tuple[SharedFields, ...]:
    """Return the fields of an observation that other instruments have planned or done, most of them first.

    A field is shared if at least half of it lies in the other's fields.
    """
    group = observation_group(observation)
    if group is None:
        return ()
    number_of = {centre: place for place, centre in enumerate(group.centres)}
    own, mine = normalized_name(observation.instrument), _names(observation.instrument, observation.footprint)
    found: dict[tuple[str, ObservationStatus, str | None], tuple[list[SkyRegion], list[str | None], str]] = {}

    def add(
        instrument: str,
        status: ObservationStatus | None,
        user_id: str | None,
        band: str | None,
        theirs: FieldGroup | None,
    ) -> None:
        if theirs is None or status not in (DONE, PLANNED):
            return
        key = (normalized_name(instrument), status, user_id)
        regions, bands, _ = found.setdefault(key, ([], [], instrument))
        regions.append(region_of(theirs))
        bands.append(band)

    for one in observations:
        # One's camera at somebody else's site is somebody else's.
        if one.id != observation.id and normalized_name(one.instrument) != own:
            add(one.instrument, one.status, one.user_id, one.band, observation_group(one))
    for report in reported:
        if mine & _reported_names(report):
            continue
        rest, _ = without_own(report, observations)
        add(report.instrument, report.status, None, report.band, reported_group(rest))
    shared = []
    for (_, status, user_id), (regions, bands, instrument) in found.items():
        parts = parts_inside(group, union(regions))
        numbers = tuple(
            place + 1
            for place, field in enumerate(observation.fields)
            if (centre := _centre(group.footprint, field)) is not None
            and parts[number_of[centre]] >= SHARED_PART
        )
        if numbers:
            known = tuple(dict.fromkeys(band for band in bands if band is not None))
            shared.append(
                SharedFields(
                    instrument=instrument, status=status, user_id=user_id, fields=numbers, bands=known
                )
            )
    return tuple(sorted(shared, key=lambda one: -len(one.fields)))


def without_own(
    reported: ReportedObservation, observations: Iterable[Observation]
) -> tuple[ReportedObservation, int]:
    """Return an instrument's pointings without those that the channel reported too, and how many these are.

    They are the same if the instrument's name and the status are, the centres lie together, and neither the
    bands nor the times contradict it.
    """
    names = _reported_names(reported)
    twins = [
        one
        for one in observations
        if one.status == reported.status
        and one.fields
        and names & _names(one.instrument, one.footprint)
        and (one.band is None or reported.band is None or _bare_band(one.band) == reported.band)
    ]
    if not twins or not reported.fields:
        return reported, 0
    own = np.zeros(len(reported.fields), np.bool_)
    theirs = Places.of(reported.fields)
    by_radius: dict[float, list[Places]] = {}
    for one in twins:
        footprint = one.footprint or reported.footprint
        radius = UNKNOWN_FIELD_DEG if footprint is None else SAME_PLACE * bounding_radius(footprint)
        by_radius.setdefault(radius, []).append(Places.of(one.fields, one.observed_at))
    for radius, places in by_radius.items():
        mine = Places(
            np.concatenate([one.vectors for one in places]), np.concatenate([one.times for one in places])
        )
        own |= find_same(theirs, mine, radius)
    kept = tuple(field for field, is_own in zip(reported.fields, own.tolist(), strict=True) if not is_own)
    return replace(reported, fields=kept), int(own.sum())


def _by_band(looked: Sequence[_Looked], curve: ProbabilityCurve) -> tuple[BandCoverage, ...]:
    by_band: dict[str | None, list[_Looked]] = {}
    for one in looked:
        by_band.setdefault(one.band, []).append(one)
    found = []
    for band, mine in by_band.items():
        done = [one for one in mine if one.is_done]
        share_done = union([one.region for one in done]).probability(curve)
        every = union([one.region for one in mine]).probability(curve)
        found.append(
            BandCoverage(
                band=band,
                done=share_done,
                planned=max(0.0, every - share_done),
                instruments=tuple(dict.fromkeys(one.instrument for one in mine)),
                depths=_depth_ranges(depth for one in done for depth in one.depths),
            )
        )
    # What nobody named a band of comes last: it is no band of its own.
    return tuple(sorted(found, key=lambda one: (one.band is None, -one.done, -one.planned, one.band or "")))


def _depth_ranges(depths: Iterable[DepthRange]) -> tuple[DepthRange, ...]:
    """Return the range of each unit."""
    found: dict[str | None, DepthRange] = {}
    for one in depths:
        known = found.get(one.unit, one)
        found[one.unit] = DepthRange(
            low=min(known.low, one.low), high=max(known.high, one.high), unit=one.unit
        )
    return tuple(found.values())


def _group(footprint: Footprint | None, fields: Sequence[ObservedField]) -> FieldGroup | None:
    if footprint is None:
        return None
    group = FieldGroup.of(footprint, fields)
    return group if group.centres else None


def _centre(footprint: Footprint, field: ObservedField) -> tuple[float, float, float] | None:
    return next(iter(FieldGroup.of(footprint, [field]).centres), None)


def _region(group: FieldGroup | None, region_of: RegionOf) -> SkyRegion | None:
    return None if group is None else region_of(group)


def _share(region: SkyRegion | None, map_: MapToCover) -> float | None:
    return None if region is None else region.probability(map_.curve)


def _names(instrument: str, footprint: Footprint | None) -> set[str]:
    """Return the names of an instrument: a site's telescope by its camera's name too."""
    names = {normalized_name(instrument), "" if footprint is None else normalized_name(footprint.words)}
    return names - {""}


def _reported_names(reported: ReportedObservation) -> set[str]:
    names = {normalized_name(one) for one in (reported.instrument, *reported.other_names)}
    return names - {""}


def _bare_band(band: str) -> str:
    """Return a band without its magnitudes' system, which the Treasure Map keeps with the depth."""
    return band.removesuffix("(Vega)").rstrip()
