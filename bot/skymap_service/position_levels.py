"""The credible levels of positions in a superevent's newest sky map, computed off the event loop and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from bot.runtime.single_flight import SingleFlight
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.cache import SkyMapCache
from bot.skymaps.crossmatch import crossmatch, luminosity_distance
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.skymap import SkyMap, probability_inside, read_sky_map
from formatters.models.notice import Localization, Notice, NoticeKey
from formatters.models.position_on_map import PositionOnMap
from formatters.models.related_message import ReportedPosition
from formatters.models.superevent import Superevent

RESULTS_KEPT = 256
"""Lists of positions whose places are kept; a place is some numbers."""
MAX_REDSHIFT = 30.0
"""The largest redshift that is taken for one: beyond the first galaxies, a number is something else."""

Places = tuple[PositionOnMap | None, ...]
"""One place for each position, in their order; None where the map has a gap, or where it isn't a position."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventMap:
    """A readable sky map of a superevent, and which one it is."""

    notice: Notice
    """The notice that brought it."""
    is_combined: bool
    """True if it is the map combined with an external coincidence."""
    skymap: SkyMap
    gw: SkyMap | None
    """The notice's map of the gravitational waves alone; None if only the combined one can be read."""
    unread: tuple[Notice, ...] = ()
    """The newer notices whose map can't be read or isn't kept any more, oldest first."""


class PositionLevels:
    """Compares positions with the newest map of a superevent. Methods raise StoreUnavailable.

    The newest map is that of the newest notice whose map can be read; where a notice has a map combined with
    an external coincidence, it is that one, as in the card and in `/gwevent check`.
    """

    def __init__(self, maps: SkyMapCache) -> None:
        self._maps = maps
        self._places: SingleFlight[tuple[NoticeKey, bool, tuple[ReportedPosition, ...]], Places | None] = (
            SingleFlight(RESULTS_KEPT)
        )
        self._overlaps: SingleFlight[tuple[NoticeKey, bytes], float | None] = SingleFlight(RESULTS_KEPT)

    async def check(self, superevent: Superevent, positions: Sequence[ReportedPosition]) -> Places | None:
        """Return each position's place in the newest map, with the level in the volume where it has a
        redshift or a distance; None if no map can be read.
        """
        newest = await self.newest_map(superevent)
        return None if newest is None else await self.check_on(newest, positions)

    async def check_on(self, map_: EventMap, positions: Sequence[ReportedPosition]) -> Places | None:
        """Return each position's place in this map; None if that takes too long."""
        asked = tuple(positions)
        if not asked:
            return ()
        key = (map_.notice.key, map_.is_combined, asked)

        async def locate() -> Places | None:
            try:
                return await run_in_thread(locate_positions, map_.skymap, asked)
            except ThreadHangs:
                return None

        return await self._places.get(key, locate)

    async def newest_map(self, superevent: Superevent) -> EventMap | None:
        """Return the newest map that can be read; None if there is none."""
        return await self._find_map(superevent, lambda _: True)

    async def map_before(self, superevent: Superevent, newest: EventMap) -> EventMap | None:
        """Return the newest readable map before `newest` that differs from it; None if there is none.

        A notice often sends the map of the one before it again.
        """
        earlier = superevent.up_to(newest.notice)
        return await self._find_map(earlier, lambda map_: _localization(map_) != _localization(newest))

    async def overlap(self, map_: EventMap, region_fits: bytes) -> float | None:
        """Return the probability (0 to 1) of a map of the gravitational waves inside a region's 90 % area.

        Not of the combined map, which may hold the very region. `region_fits` is a HEALPix map as a FITS
        file. Return None if it can't be read, or if there is no map of the gravitational waves alone.
        """
        gw = map_.gw
        if gw is None:
            return None

        async def measure() -> float | None:
            try:
                return await run_in_thread(_probability_in_region, gw, region_fits)
            except (UnreadableMap, ThreadHangs):
                return None

        return await self._overlaps.get((map_.notice.key, region_fits), measure)

    async def _find_map(
        self, superevent: Superevent, is_wanted: Callable[[EventMap], bool]
    ) -> EventMap | None:
        """Return the newest readable map that is wanted; None if there is none."""
        unread: list[Notice] = []
        for notice in reversed(superevent.notices):
            if notice.best_localization is not None:
                maps = await self._maps.get(notice.key)
                if maps is not None and maps.best is not None:
                    map_ = EventMap(
                        notice=notice,
                        is_combined=maps.combined is not None,
                        skymap=maps.best,
                        gw=maps.gw,
                        unread=tuple(reversed(unread)),
                    )
                    if is_wanted(map_):
                        return map_
                    continue
            if notice.best_localization is not None or _has_map_problem(notice):
                unread.append(notice)
        return None


def locate_positions(skymap: SkyMap, positions: Sequence[ReportedPosition]) -> Places:
    """Return the place of each position; None where the map has a gap, or where it isn't a position."""
    nan = float("nan")
    on_sky = [one for one in positions if _is_on_sky(one)]
    if not on_sky:
        return (None,) * len(positions)
    distances = [_distance(one) for one in on_sky]
    found = crossmatch(
        skymap,
        [one.ra % 360 for one in on_sky],
        [one.dec for one in on_sky],
        [nan if distance is None else distance for distance in distances],
    )
    places = iter(found)
    return tuple(next(places) if _is_on_sky(one) else None for one in positions)


def _is_on_sky(position: ReportedPosition) -> bool:
    return isfinite(position.ra) and isfinite(position.dec) and abs(position.dec) <= 90


def _distance(position: ReportedPosition) -> float | None:
    """Return a position's luminosity distance in Mpc: as reported, else that of its redshift."""
    distance, redshift = position.distance, position.redshift
    if distance is not None and isfinite(distance) and distance > 0:
        return distance
    if redshift is not None and 0 < redshift <= MAX_REDSHIFT:
        return luminosity_distance(redshift)
    return None


def _probability_in_region(skymap: SkyMap, region_fits: bytes) -> float:
    return probability_inside(read_sky_map(region_fits), skymap, 0.9)


def _has_map_problem(notice: Notice) -> bool:
    external = notice.external
    return notice.map_problem is not None or (external is not None and external.map_problem is not None)


def _localization(map_: EventMap) -> Localization | None:
    external = map_.notice.external
    combined = None if external is None else external.localization
    return combined if map_.is_combined else map_.notice.localization
