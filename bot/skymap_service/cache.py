"""A cache of the sky maps of stored notices, which are read off the event loop."""

from __future__ import annotations

from dataclasses import dataclass

from cachetools import LRUCache

from bot.alerts.decode import UndecodablePayload, extract_sky_maps
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.skymap import SkyMap, read_sky_map
from bot.store.events.notices import NoticeRepository
from formatters.models.notice import NoticeKey

CACHE_SIZE = 32
"""The number of notices whose maps are kept. A map of 19,200 tiles takes about 1.5 MB."""


@dataclass(frozen=True, slots=True)
class NoticeMaps:
    """The sky maps of one notice; None for a map that it doesn't have, or that can't be read."""

    gw: SkyMap | None
    """The map of the gravitational waves alone."""
    combined: SkyMap | None
    """The map combined with an external coincidence."""

    @property
    def best(self) -> SkyMap | None:
        """Return the combined map if there is one, else the GW map."""
        return self.gw if self.combined is None else self.combined


def read_notice_maps(body: bytes) -> NoticeMaps:
    """Read both maps of a payload; a payload that is no notice has none."""
    try:
        gw, combined = extract_sky_maps(body)
    except (UndecodablePayload, UnreadableMap):
        return NoticeMaps(None, None)
    return NoticeMaps(_read_map_or_none(gw), _read_map_or_none(combined))


def _read_map_or_none(fits: bytes | None) -> SkyMap | None:
    try:
        return None if fits is None else read_sky_map(fits)
    except UnreadableMap:
        return None


class SkyMapCache:
    """The maps of the notices that were last asked for, by notice."""

    def __init__(self, store: NoticeRepository, max_entries: int = CACHE_SIZE) -> None:
        """Keep the maps of `max_entries` notices, the least recently used dropped first."""
        self._store = store
        self._entries: LRUCache[NoticeKey, NoticeMaps] = LRUCache(max_entries)

    async def get(self, key: NoticeKey) -> NoticeMaps | None:
        """Return the maps of a stored notice, None if its payload was purged. Raises StoreUnavailable."""
        maps = self._entries.get(key)
        if maps is None:
            body = await self._store.payload(key)
            if body is None:
                return None
            try:
                maps = await run_in_thread(read_notice_maps, body)
            except ThreadHangs:
                # Cached as a notice without maps: the next question about it would block another thread.
                maps = NoticeMaps(None, None)
            self._entries[key] = maps
        return maps
