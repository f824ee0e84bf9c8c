"""Find fields that were reported twice: centres that lie together, at times that don't contradict it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

import numpy as np

from bot.observing.pointing_visibility import unit_vectors
from bot.skymaps.arrays import Flags, Floats, Integers
from formatters.models.observation import ObservedField

SAME_TIME = timedelta(minutes=30)
"""How near two times are to be those of one exposure: of some, the middle is reported or the end."""
MAX_VISITS = 200
"""Fields in one place that one is compared with; nobody observes one as often in a few nights."""
_LEAST_CELL = 4e-6
"""The least side of a cell of the grid, in radians: some tenths of an arcsecond, so that its number fits."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Fields in a form that is compared quickly."""

    vectors: Floats
    """(n, 3) unit vectors; NaN for what is nowhere on the sky."""
    times: Floats
    """(n,) seconds; NaN where nobody said."""

    @classmethod
    def of(cls, fields: Sequence[ObservedField], otherwise: datetime | None = None) -> Places:
        """Return fields; `otherwise` is the time of those without one."""
        times = [one.time or otherwise for one in fields]
        ra = np.array([one.ra for one in fields], np.float64)
        dec = np.array([one.dec for one in fields], np.float64)
        with np.errstate(invalid="ignore"):
            vectors = unit_vectors(ra, dec).reshape(-1, 3)
        return cls(
            vectors=vectors,
            times=np.array([np.nan if time is None else time.timestamp() for time in times], np.float64),
        )


def find_same(some: Places, others: Places, radius: float) -> Flags:
    """Return True for those of `some` fields, (n,), that are one of `others`: within `radius` degrees.

    Where both have a time, these are at most SAME_TIME apart.
    """
    found = np.zeros(len(some.times), np.bool_)
    on_sky = np.flatnonzero(np.isfinite(others.vectors).all(axis=1))
    asked = np.flatnonzero(np.isfinite(some.vectors).all(axis=1))
    if not on_sky.size or not asked.size:
        return found
    chord = 2 * np.sin(np.radians(radius) / 2)
    # A grid of cubes as wide as the radius: what is near lies in the same or one of the 26 around it.
    cell = max(chord, _LEAST_CELL)
    theirs = _cube_numbers(others.vectors[on_sky], cell, (0, 0, 0))
    order = np.argsort(theirs, kind="stable")
    theirs, on_sky = theirs[order], on_sky[order]
    for offset in product((-1, 0, 1), repeat=3):
        left = asked[~found[asked]]
        numbers = _cube_numbers(some.vectors[left], cell, offset)
        first = np.searchsorted(theirs, numbers, side="left")
        last = np.searchsorted(theirs, numbers, side="right")
        for visit in range(min(int((last - first).max(initial=0)), MAX_VISITS)):
            mine = np.flatnonzero((first + visit < last) & ~found[left])
            if not mine.size:
                break
            one, other = left[mine], on_sky[first[mine] + visit]
            apart = ((some.vectors[one] - others.vectors[other]) ** 2).sum(axis=1)
            late = np.abs(some.times[one] - others.times[other])
            is_same = (apart <= chord**2 + 1e-14) & ~(late > SAME_TIME.total_seconds())
            found[one[is_same]] = True
    return found


def _cube_numbers(vectors: Floats, cell: float, offset: Sequence[int]) -> Integers:
    across = int(2 / cell) + 4
    cubes = np.floor((vectors + 1) / cell).astype(np.int64) + 1 + np.array(offset)
    return np.asarray((cubes[:, 0] * across + cubes[:, 1]) * across + cubes[:, 2], np.int64)
