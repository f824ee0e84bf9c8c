"""Fields in slots of time, held against all the ways there are to place them."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.nights import Interval
from bot.observing.pointing_region import worthwhile_cells
from bot.observing.pointing_schedule import SlotAssignment, observing_order
from bot.observing.pointing_visibility import SiteView, Slots
from bot.skymaps.arrays import Flags, Floats

_FIELDS, _SLOTS = 6, 4


@st.composite
def _visibilities(draw: st.DrawFn) -> Flags:
    fields = draw(st.integers(1, _FIELDS))
    slots = draw(st.integers(1, _SLOTS))
    flags = draw(st.lists(st.booleans(), min_size=fields * slots, max_size=fields * slots))
    return np.array(flags).reshape(fields, slots)


@st.composite
def _intervals(draw: st.DrawFn) -> Flags:
    """Return fields that are visible in one run of slots each."""
    slots = draw(st.integers(1, 5))
    ends = st.tuples(st.integers(0, slots - 1), st.integers(0, slots - 1)).map(sorted)
    runs = draw(st.lists(ends, min_size=1, max_size=5))
    return np.array([[first <= slot <= last for slot in range(slots)] for first, last in runs])


def _fits(visible: Flags, fields: tuple[int, ...]) -> bool:
    """Return whether there is a slot of its own for each field, by trying all."""
    slots = range(visible.shape[1])
    return any(
        all(visible[field, slot] for field, slot in zip(fields, chosen, strict=True))
        for chosen in permutations(slots, len(fields))
    )


def _check(visible: Flags, assignment: SlotAssignment) -> None:
    slots = list(assignment.slot_of_field.values())
    assert len(set(slots)) == len(slots)
    assert all(visible[field, slot] for field, slot in assignment.slot_of_field.items())


@pytest.mark.slow
@given(_visibilities(), st.lists(st.floats(0.1, 9), min_size=_FIELDS, max_size=_FIELDS))
@settings(deadline=None, max_examples=150)
def test_taking_the_best_that_fits_finds_the_best_set_there_is(visible: Flags, weights: list[float]) -> None:
    assignment = SlotAssignment(visible)
    for field in sorted(range(len(visible)), key=lambda one: -weights[one]):
        fitted = _fits(visible, (*assignment.slot_of_field, field))
        assert assignment.may_fit[field] or not fitted
        assert assignment.add(field) == fitted
        _check(visible, assignment)
    best = max(
        sum(weights[field] for field in fields)
        for size in range(len(visible) + 1)
        for fields in combinations(range(len(visible)), size)
        if _fits(visible, fields)
    )
    assert np.isclose(sum(weights[field] for field in assignment.slot_of_field), best)


@pytest.mark.slow
@given(_visibilities(), st.data())
@settings(deadline=None, max_examples=100)
def test_an_exchange_is_made_whole_or_not_at_all(visible: Flags, data: st.DataObject) -> None:
    assignment = SlotAssignment(visible)
    for field in range(len(visible)):
        assignment.add(field)
    inside = sorted(assignment.slot_of_field)
    outside = [field for field in range(len(visible)) if field not in inside]
    if not inside or not outside:
        return
    old, new = data.draw(st.sampled_from(inside)), data.draw(st.sampled_from(outside))
    before = dict(assignment.slot_of_field)
    if assignment.exchange(old, new):
        assert set(assignment.slot_of_field) == {*before, new} - {old}
    else:
        assert assignment.slot_of_field == before
    _check(visible, assignment)


@pytest.mark.slow
@given(_intervals())
@settings(deadline=None, max_examples=150)
def test_the_order_is_over_as_early_as_any_could_be(visible: Flags) -> None:
    assignment = SlotAssignment(visible)
    for field in range(len(visible)):
        assignment.add(field)
    order = observing_order(visible, assignment.slot_of_field)
    fields, slots = [field for field, _ in order], [slot for _, slot in order]
    assert sorted(fields) == sorted(assignment.slot_of_field)
    assert slots == sorted(set(slots))
    assert all(visible[field, slot] for field, slot in order)
    if fields:
        earliest = next(
            last for last in range(visible.shape[1]) if _fits(visible[:, : last + 1], tuple(fields))
        )
        assert slots[-1] == earliest


@given(_visibilities())
@settings(deadline=None, max_examples=100)
def test_every_field_keeps_a_place_whatever_breaks_its_visibility(visible: Flags) -> None:
    assignment = SlotAssignment(visible)
    for field in range(len(visible)):
        assignment.add(field)
    order = observing_order(visible, assignment.slot_of_field)
    assert sorted(field for field, _ in order) == sorted(assignment.slot_of_field)
    assert [slot for _, slot in order] == sorted({slot for _, slot in order})
    assert all(visible[field, slot] for field, slot in order)


def test_what_sets_first_is_observed_first() -> None:
    visible = np.array([[True] * 6, [True] * 3 + [False] * 3, [False] + [True] * 4 + [False]])
    assert observing_order(visible, {0: 0, 1: 1, 2: 2}) == [(1, 0), (2, 1), (0, 2)]


def test_time_without_a_field_is_passed_over() -> None:
    visible = np.zeros((2, 80_000), np.bool_)
    visible[0, 70_000:], visible[1, 79_999] = True, True
    assert observing_order(visible, {0: 79_000, 1: 79_999}) == [(0, 70_000), (1, 79_999)]


class _View(SiteView):
    """What is visible by a table."""

    def __init__(self, visible: Flags) -> None:
        self._visible = visible

    def visible(self, vectors: Floats, slots: Slots, margin: float = 0.0) -> Flags:
        return self._visible[:, slots.begin.astype(int)]


@pytest.mark.slow
@given(_intervals(), st.lists(st.floats(0.1, 9), min_size=5, max_size=5), st.integers(1, 5))
@settings(deadline=None, max_examples=150)
def test_the_cells_to_look_at_are_the_best_that_could_be_observed(
    visible: Flags, weights: list[float], most: int
) -> None:
    count, slots = visible.shape
    probability = np.array(weights[:count])
    times = np.arange(slots, dtype=np.float64)
    found = worthwhile_cells(
        probability, np.zeros((count, 3)), _View(visible), Slots(times, times, Interval(0, slots)), most, 1
    )
    assignment = SlotAssignment(visible)
    for cell in np.argsort(-probability, kind="stable").tolist():
        if len(assignment.slot_of_field) < most:
            assignment.add(cell)
    assert np.flatnonzero(found).tolist() == sorted(assignment.slot_of_field)
