"""Which fields can be observed when: a place in time for each, and an order.

Time is cut into slots of one exposure and the overhead after it. A set of fields can be observed if each can
have a slot of its own in which it is visible: a matching in the graph of fields and slots. Such sets form a
matroid, so a field that doesn't fit in beside those chosen before never will.
"""

from __future__ import annotations

import numpy as np

from bot.skymaps.arrays import Flags


class SlotAssignment:
    """Fields that were accepted, each with a slot of its own."""

    def __init__(self, visible: Flags) -> None:
        """`visible` says for each of m fields and s slots whether the field can be observed in it; (m, s)."""
        self._visible = visible
        self._field_of_slot: dict[int, int] = {}
        self.slot_of_field: dict[int, int] = {}

    def add(self, field: int) -> bool:
        """Accept a field if there are slots for it and all others; others may change theirs."""
        return self._find_slot(field, set())

    def replace(self, old: int, new: int) -> bool:
        """Accept a field in the place of another, if that is possible; else nothing changes."""
        before = dict(self._field_of_slot)
        self._free(old)
        if self.add(new):
            return True
        self._field_of_slot = before
        self.slot_of_field = {field: slot for slot, field in before.items()}
        return False

    def _free(self, field: int) -> None:
        del self._field_of_slot[self.slot_of_field.pop(field)]

    def _find_slot(self, first: int, tried: set[int]) -> bool:
        """Find a free slot for a field, moving others to slots that suit them too (augmenting path)."""
        reached_from: dict[int, int] = {}
        waiting = [first]
        for field in waiting:
            for slot in np.flatnonzero(self._visible[field]).tolist():
                if slot in tried:
                    continue
                tried.add(slot)
                reached_from[slot] = field
                holder = self._field_of_slot.get(slot)
                if holder is None:
                    self._shift(slot, first, reached_from)
                    return True
                waiting.append(holder)
        return False

    def _shift(self, slot: int, first: int, reached_from: dict[int, int]) -> None:
        """Give the free slot to the field it was reached from, that one's to the field before, and so on."""
        while True:
            field = reached_from[slot]
            former = self.slot_of_field.get(field)
            self._field_of_slot[slot], self.slot_of_field[field] = field, slot
            if field == first or former is None:
                return
            slot = former


def observing_order(visible: Flags, assignment: dict[int, int]) -> list[tuple[int, int]]:
    """Return (field, slot) in the order of time: as early as possible, those that set first before others.

    `assignment` has a slot for each field. Earliest deadline first finds an order wherever there is one, if
    each field is visible without a break; where the Moon makes a break, the assignment itself is the way out.
    """
    last = {field: int(np.flatnonzero(visible[field])[-1]) for field in assignment}
    waiting = set(assignment)
    order: list[tuple[int, int]] = []
    for slot in range(visible.shape[1]):
        able = [field for field in waiting if visible[field, slot]]
        if able:
            field = min(able, key=lambda one: (last[one], one))
            waiting.remove(field)
            order.append((field, slot))
    if waiting:
        return sorted(assignment.items(), key=lambda pair: pair[1])
    return order
