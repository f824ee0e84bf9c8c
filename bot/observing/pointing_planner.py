"""Plan pointings: the fields that hold the most probability a telescope can observe, in an observable order.

From now until dawn, or for as long as is asked, time is cut into slots. Fields are chosen greedily by the
probability that none before holds, each only if all still fit into the night; then each is exchanged for a
better one while that helps. It is done for centres anywhere and for a grid of fields side by side; both are
measured on the whole map with finer pixels, and the better plan is taken. Altitudes are without refraction
and must hold from the beginning of an exposure to its end; the centre decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil, radians, sin, sqrt

import numpy as np

from bot.observing.pointing_fields import (
    BLOCK_ORDERS,
    FieldGain,
    Fields,
    Pixels,
    blocks_near,
    cover,
    free_centres,
    grid_centres,
    measure,
)
from bot.observing.pointing_pixels import (
    PIXEL_WIDTH_DEG,
    ProbabilityCurve,
    children,
    occupied_pixels,
    order_of_width,
    pixel_order,
    pixels_around,
)
from bot.observing.pointing_region import worthwhile_cells
from bot.observing.pointing_schedule import SlotAssignment, observing_order
from bot.observing.pointing_visibility import SiteView, Slots, unit_vectors
from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, SKY_AREA_DEG2, Flags, Floats, Integers
from bot.skymaps.skymap import SkyMap
from formatters.models.observing import ObservingConstraints, Site
from formatters.models.pointing import MAX_PLAN_FIELDS, Pointing, PointingPlan, Telescope

MAX_FIELDS = MAX_PLAN_FIELDS
MAX_SLOTS = 600
"""Slots among which fields are chosen; where a night has more, every second one, third one, and so on. The
order in which the chosen are observed knows all."""
MAX_CELLS = 50_000
"""Cells of about a field's size, the densest of the map, among which the part to look at is found."""
MAX_FIXED_FIELDS = 1_000
"""Fixed fields that are compared, of those that are visible the ones that hold the most."""
LEAST_GAIN, LEAST_PART = 1e-5, 0.01
"""Another field isn't worth its time with less probability than this, or this part of the first's, whichever
is less: on a whole-sky map a small field holds little, and the first is as good as the last."""
LEAST_OBSERVABLE = 1e-3
"""A site that sees less of a map than this has no plan."""
_VERY_FEW = 12
"""Fields up to which a third plan is cheap, for one more than fitted into the one before."""
_SWAPS = 2
"""Passes in which each field is exchanged for a better one."""
_TRIED = 32
"""Fields that are tried in the place of another, those that add the most."""
_OBSERVABLE_TIMES = 60
"""Times in the night at which tiles' altitudes are computed; between two of them none rises by over 4°."""
_NEGLIGIBLE = 1e-5
"""The probability of the least dense tiles, often most of them, whose altitudes aren't looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class _PlanningTask:
    """The inputs of one plan."""

    curve: ProbabilityCurve
    telescope: Telescope
    view: SiteView
    slots: Slots
    most: int

    @property
    def coarse_slots(self) -> Slots:
        """Return the slots among which fields are chosen."""
        return self.slots.every(max(1, ceil(self.slots.begin.size / MAX_SLOTS)))


@dataclass(frozen=True, slots=True, eq=False)
class _ChosenFields:
    """Fields in the order in which they are observed, k of them."""

    ra: Floats
    """(k,) ICRS degrees."""
    dec: Floats
    begin: Floats
    """(k,): when each exposure begins, Unix seconds."""
    middle: Floats
    shares: list[float]

    @property
    def covered(self) -> float:
        return sum(self.shares)


def plan_pointings(
    skymap: SkyMap,
    site: Site,
    telescope: Telescope,
    constraints: ObservingConstraints,
    now: datetime,
    *,
    count: int | None = None,
    duration: timedelta | None = None,
) -> PointingPlan:
    """Plan at most `count` pointings (MAX_FIELDS in any case) from `now` (aware) on, within `duration` or
    until dawn.

    By day, and where what is left of the night is shorter than an exposure, the coming night is planned, and
    `duration` counts from dusk. There is no pointing where less than LEAST_OBSERVABLE of the map is high
    enough in that time.
    """
    view = SiteView(site, constraints, now)
    slots = view.slots(telescope, duration)
    observable = _observable_probability(skymap, view, slots, constraints.altitude)
    most = min(MAX_FIELDS if count is None else count, MAX_FIELDS, slots.begin.size)
    choice: _ChosenFields | None = None
    if most > 0 and observable >= LEAST_OBSERVABLE:
        task = _PlanningTask(ProbabilityCurve(skymap), telescope, view, slots, most)
        choice = _choose_fields(skymap, task)
        if choice is not None and 2 * choice.ra.size <= most:
            # There is time for much fewer only: of these the centres tried can lie closer together, and one
            # more may fit then.
            fewer = _choose_fields(skymap, replace(task, most=choice.ra.size))
            one_more = None
            if fewer is not None and fewer.ra.size == choice.ra.size <= _VERY_FEW:
                one_more = _choose_fields(skymap, replace(task, most=choice.ra.size + 1))
            choice = _better(choice, fewer, one_more)
    pointings = () if choice is None else _as_pointings(choice, view)
    return PointingPlan(
        telescope=telescope,
        pointings=pointings,
        covered=sum(one.share for one in pointings),
        observable=observable,
        begin=datetime.fromtimestamp(slots.span.start, UTC),
        end=datetime.fromtimestamp(slots.span.stop, UTC),
    )


def _observable_probability(skymap: SkyMap, view: SiteView, slots: Slots, altitude: float) -> float:
    """Return the probability of the tiles whose centres are high enough at any time of the slots."""
    if not slots.begin.size:
        return 0.0
    probability = skymap.probability
    total = float(probability.sum())
    by_density = skymap.by_density
    kept = int(np.searchsorted(np.cumsum(probability[by_density]), total * (1 - _NEGLIGIBLE))) + 1
    tiles = by_density[:kept]
    vectors = np.stack(healpix.centre_vectors(skymap.order[tiles], skymap.ipix[tiles]), axis=1)
    some = np.unique(np.linspace(0, slots.begin.size - 1, _OBSERVABLE_TIMES).astype(int))
    times = np.append(slots.begin[some], slots.end[-1])
    is_up = view.highest_sine(vectors, times) >= sin(radians(altitude))
    return float(probability[tiles[is_up]].sum()) / total


def _choose_fields(skymap: SkyMap, task: _PlanningTask) -> _ChosenFields | None:
    """Return the better of the plans with centres anywhere and on a grid, or that with fixed fields."""
    footprint = task.telescope.footprint
    if task.telescope.fixed_fields:
        fixed = _fixed_fields(task)
        return None if fixed is None else _best_of(*fixed, task)
    worthwhile = _worthwhile_pixels(skymap, task)
    if worthwhile is None:
        return None
    pixels, region = worthwhile
    found = [
        _best_of(ra, dec, pixels, task)
        for ra, dec in (free_centres(pixels, region, footprint), grid_centres(pixels, footprint))
    ]
    return _better(*found)


def _better(*choices: _ChosenFields | None) -> _ChosenFields | None:
    """Return the one that covers the most, the first of equal ones; None if there is none."""
    return max((one for one in choices if one is not None), key=lambda one: one.covered, default=None)


def _worthwhile_pixels(skymap: SkyMap, task: _PlanningTask) -> tuple[Pixels, Integers] | None:
    """Return all pixels of the fields worth a closer look, and those of them to point at, ascending.

    None if nothing is visible.
    """
    footprint = task.telescope.footprint
    order = order_of_width(sqrt(footprint.area))
    cells = occupied_pixels(skymap, order, MAX_CELLS)
    vectors = np.stack(healpix.centre_vectors(order, cells), axis=1)
    # More than fits, since fields lie across cells: much more for few fields, half as much again for many.
    cells_per_field = (1.5 + 25 / task.most) * footprint.area / (SKY_AREA_DEG2 / 12 / 4**order)
    chosen = worthwhile_cells(
        task.curve.probability(order, cells),
        vectors,
        task.view,
        task.coarse_slots,
        ceil(cells_per_field * task.most),
        cells_per_field,
        margin=PIXEL_WIDTH_DEG / 2**order,
    )
    if not chosen.any():
        return None
    # A field also holds what lies around its cell, even what is too low by itself: its centre decides.
    around = pixels_around(order, order, cells[chosen])
    fine = pixel_order(footprint)
    region = children(cells[chosen], fine - order)
    return _pixels(fine, children(around, fine - order), task), region


def _pixels(order: int, ipix: Integers, task: _PlanningTask) -> Pixels:
    points = np.stack(healpix.centre_vectors(order, ipix), axis=1)
    return Pixels(order, ipix, task.curve.probability(order, ipix), points)


def _fixed_fields(task: _PlanningTask) -> tuple[Floats, Floats, Pixels] | None:
    """Return those of the telescope's fixed fields that may be worth it, RA and Dec, and all their pixels."""
    footprint = task.telescope.footprint
    ra, dec = np.array(task.telescope.fixed_fields, np.float64).T
    # What a field holds, roughly: the pixel around its centre and the eight around that one.
    order = order_of_width(sqrt(footprint.area) / 2)
    middle = healpix.finest_pixels(ra, dec) >> 2 * (MAX_ORDER - order)
    near = np.concatenate([middle[np.newaxis], healpix.neighbours(np.full(ra.size, order), middle)])
    held = np.where(near >= 0, task.curve.probability(order, np.maximum(near, 0)), 0).sum(axis=0)
    chosen = worthwhile_cells(
        held,
        unit_vectors(ra, dec),
        task.view,
        task.coarse_slots,
        MAX_FIXED_FIELDS,
        MAX_FIXED_FIELDS / task.most,
    )
    if not chosen.any():
        return None
    blocks = blocks_near(ra[chosen], dec[chosen], footprint)
    return ra[chosen], dec[chosen], _pixels(pixel_order(footprint), children(blocks, BLOCK_ORDERS), task)


def _best_of(ra: Floats, dec: Floats, pixels: Pixels, task: _PlanningTask) -> _ChosenFields | None:
    """Choose among fields with these centres; None where none can be observed or holds anything."""
    vectors = unit_vectors(ra, dec)
    some = task.coarse_slots
    visible = task.view.visible(vectors, some)
    seen = visible.any(axis=1)
    if not seen.any():
        return None
    ra, dec, vectors, visible = ra[seen], dec[seen], vectors[seen], visible[seen]
    fields = cover(ra, dec, pixels, task.telescope.footprint)
    slot_of_field = _choose(fields, pixels.probability, visible, task.most)
    if not slot_of_field:
        return None
    chosen = np.array(sorted(slot_of_field))
    step = ceil(task.slots.begin.size / some.begin.size)
    assignment = {at: slot_of_field[field] * step for at, field in enumerate(chosen.tolist())}
    order = observing_order(task.view.visible(vectors[chosen], task.slots), assignment)
    fields_in_order = chosen[[at for at, _ in order]]
    slots_in_order = [slot for _, slot in order]
    ra, dec = ra[fields_in_order], dec[fields_in_order]
    begin, end = task.slots.begin[slots_in_order], task.slots.end[slots_in_order]
    shares = measure(task.curve, task.telescope.footprint, ra, dec)
    return _ChosenFields(ra, dec, begin, (begin + end) / 2, shares)


def _choose(fields: Fields, probability: Floats, visible: Flags, most: int) -> dict[int, int]:
    """Choose fields greedily by what they add, exchange them while that adds more; return their slots."""
    assignment = SlotAssignment(visible)
    gain = FieldGain(fields, probability)
    untried = np.ones(fields.ra.size, np.bool_)
    least = min(LEAST_GAIN, LEAST_PART * float(gain.gains.max()))
    while len(assignment.slot_of_field) < most:
        field = int(np.argmax(np.where(untried & assignment.may_fit, gain.gains, -1.0)))
        if not untried[field] or gain.gains[field] <= least:
            break
        untried[field] = False
        if assignment.may_fit[field] and assignment.add(field):
            gain.add(field)
    for _ in range(_SWAPS):
        if not _exchange(gain, assignment):
            break
    return assignment.slot_of_field


def _exchange(gain: FieldGain, assignment: SlotAssignment) -> bool:
    """Exchange each field once for the one that adds the most without it; return whether any was."""
    changed = False
    tried = min(_TRIED, gain.gains.size)
    for old in list(assignment.slot_of_field):
        gain.remove(old)
        gains = gain.gains
        best = np.argpartition(-gains, tried - 1)[:tried]
        best = best[np.lexsort((best, -gains[best]))]
        for new in best[gains[best] > gains[old] + 1e-9].tolist():
            if new not in assignment.slot_of_field and assignment.exchange(old, new):
                changed = True
                gain.add(new)
                break
        else:
            gain.add(old)
    return changed


def _as_pointings(choice: _ChosenFields, view: SiteView) -> tuple[Pointing, ...]:
    altitudes = view.altitudes(unit_vectors(choice.ra, choice.dec), choice.middle)
    rows = zip(
        choice.ra.tolist(),
        choice.dec.tolist(),
        choice.begin.tolist(),
        altitudes.tolist(),
        choice.shares,
        strict=True,
    )
    return tuple(
        Pointing(
            number=number,
            ra=ra,
            dec=dec,
            start=datetime.fromtimestamp(begin, UTC),
            altitude=altitude,
            share=share,
        )
        for number, (ra, dec, begin, altitude, share) in enumerate(rows, 1)
    )
