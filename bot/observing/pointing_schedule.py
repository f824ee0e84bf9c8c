"""Schedule fields: a slot in time for each, and an order in which they can be observed.

Time is cut into slots of one exposure and the overhead after it. A set of fields can be observed if each can
have a slot of its own in which it is visible: a matching in the graph of fields and slots. Such sets form a
matroid, so a field that doesn't fit in beside those chosen before never will.
"""

from __future__ import annotations

import numpy as np

from bot.skymaps.arrays import Flags, Integers


class SlotAssignment:
    """Fields that were accepted, each with a slot of its own."""

    def __init__(self, visible: Flags) -> None:
        """`visible` says for each of m fields and s slots whether the field can be observed in it; (m, s)."""
        self._visible = visible
        self._field_of_slot: dict[int, int] = {}
        self._is_free = np.ones(visible.shape[1], np.bool_)
        self.slot_of_field: dict[int, int] = {}
        self.may_fit: Flags = np.asarray(visible.any(axis=1), np.bool_)
        """(m,): False for fields that can't be accepted beside those that were."""

    def add(self, field: int) -> bool:
        """Accept a field if there are slots for it and all others; others may change theirs."""
        free = np.flatnonzero(self._visible[field] & self._is_free)
        if free.size:
            self._take(field, int(free[0]))
            return True
        return self._move_others_for(field)

    def exchange(self, old: int, new: int) -> bool:
        """Accept a field in the place of another, if it fits into that one's slot or a free one."""
        slot = self.slot_of_field[old]
        if not self._visible[new, slot]:
            free = np.flatnonzero(self._visible[new] & self._is_free)
            if not free.size:
                return False
            slot = int(free[0])
        freed = self.slot_of_field.pop(old)
        del self._field_of_slot[freed]
        self._is_free[freed] = True
        self._take(new, slot)
        return True

    def _take(self, field: int, slot: int) -> None:
        self._field_of_slot[slot], self.slot_of_field[field] = field, slot
        self._is_free[slot] = False

    def _move_others_for(self, first: int) -> bool:
        """Find a free slot for a field, moving others to slots that suit them too (augmenting path).

        Where there is none, all slots that were reached are needed by the fields in them, for good: no field
        that is visible in no other slot will ever fit.
        """
        reached_from: dict[int, int] = {}
        waiting = [first]
        for field in waiting:
            for slot in np.flatnonzero(self._visible[field]).tolist():
                if slot in reached_from:
                    continue
                reached_from[slot] = field
                holder = self._field_of_slot.get(slot)
                if holder is None:
                    self._shift(slot, first, reached_from)
                    return True
                waiting.append(holder)
        elsewhere = np.ones(self._is_free.size, np.bool_)
        elsewhere[list(reached_from)] = False
        self.may_fit &= self._visible[:, elsewhere].any(axis=1)
        return False

    def _shift(self, slot: int, first: int, reached_from: dict[int, int]) -> None:
        """Give the free slot to the field it was reached from, that one's to the field before, and so on."""
        while True:
            field = reached_from[slot]
            former = self.slot_of_field.get(field)
            self._take(field, slot)
            if field == first or former is None:
                return
            slot = former


def observing_order(visible: Flags, assignment: dict[int, int]) -> list[tuple[int, int]]:
    """Return (field, slot) in the order of time: as early as possible, those that set first before others.

    `assignment` has a slot for each field, of the (m, s) slots in `visible`. Earliest deadline first finds an
    order wherever there is one, if each field is visible without a break; where the Moon or the pole makes a
    break, the assignment itself may be the only way.
    """
    slots_of: dict[int, Integers] = {field: np.flatnonzero(visible[field]) for field in sorted(assignment)}
    waiting = dict(slots_of)
    order: list[tuple[int, int]] = []
    slot = 0
    while waiting:
        able = [field for field in waiting if visible[field, slot]]
        if able:
            field = min(able, key=lambda one: (int(slots_of[one][-1]), one))
            del waiting[field]
            order.append((field, slot))
            slot += 1
        else:
            # Time in which nothing can be observed is skipped at once.
            later = [one[at] for one in waiting.values() if (at := np.searchsorted(one, slot)) < one.size]
            slot = int(min(later, default=visible.shape[1]))
        if slot >= visible.shape[1]:
            break
    if waiting:
        return sorted(assignment.items(), key=lambda pair: pair[1])
    return order
