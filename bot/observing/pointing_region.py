"""Find the part of a sky map that is worth a closer look for a plan: the densest that there is also time for.

The densest part of a map alone won't do: where it can be seen for ten minutes only, the rest of the night
belongs to what is less dense. So cells of about a field's size are taken greedily, the most probable first,
as long as time allows for all of them: for every span of time, no more cells that are visible only within it
than fit into it. With one span of visibility for each cell that is Hall's condition, and the cells are the
best ones that could be observed.
"""

from __future__ import annotations

import numpy as np

from bot.observing.pointing_visibility import SiteView, Slots
from bot.skymaps.arrays import Flags, Floats

_SPANS = 64
"""Parts of the night, at most, in which visibility of cells is told apart."""


def worthwhile_cells(
    probability: Floats,
    vectors: Floats,
    view: SiteView,
    slots: Slots,
    most: int,
    cells_per_slot: float,
    margin: float = 0.0,
) -> Flags:
    """Return True for those of m cells to look at, `most` at most.

    `probability` is (m,), `vectors` are the (m, 3) directions of the cells. A cell whose middle is too low by
    less than `margin` (degrees) counts: a field can be centred on its upper part.
    """
    count = min(_SPANS, slots.begin.size)
    edges = np.linspace(0, slots.begin.size, count + 1).astype(int)
    visible = np.zeros((len(vectors), count), np.bool_)
    for at in (edges[:-1], edges[1:] - 1):
        visible |= view.visible(vectors, Slots(slots.begin[at], slots.end[at], slots.span), margin)
    first = visible.argmax(axis=1)
    last = count - 1 - visible[:, ::-1].argmax(axis=1)
    able = np.flatnonzero(visible.any(axis=1) & (probability > 0))
    ranked = able[np.argsort(-probability[able], kind="stable")]
    begins, ends = np.arange(count), np.arange(count)
    # For the span from slot `edges[a]` to `edges[b + 1]`: what fits in.
    room = (edges[1:][np.newaxis, :] - edges[:-1][:, np.newaxis]) * cells_per_slot
    taken = np.zeros((count, count))
    is_open = np.ones((count, count), np.bool_)
    chosen: list[int] = []
    for cell, a, b in zip(ranked.tolist(), first[ranked].tolist(), last[ranked].tolist(), strict=True):
        if not is_open[a, b]:
            continue
        chosen.append(cell)
        if len(chosen) >= most:
            break
        taken[: a + 1, b:] += 1
        for begin, end in np.argwhere(is_open & (taken >= room) & (ends >= begins[:, np.newaxis])).tolist():
            is_open[begin:, : end + 1] = False
    found: Flags = np.zeros(probability.size, np.bool_)
    found[np.array(chosen, np.int64)] = True
    return found
