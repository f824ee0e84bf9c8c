"""The sky maps of stored notices, read off the loop and kept a while for the next question."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bot.alerts.decode import UndecodablePayload, extract_sky_maps
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.skymap import SkyMap, read_sky_map
from bot.store.events.notices import NoticeRepository
from formatters.models.notice import NoticeKey

CACHE_SIZE = 32
"""A map of 19,200 tiles takes about 1.5 MB."""


@dataclass(frozen=True, slots=True)
class NoticeMaps:
    """What one notice localizes with; None where it has no such map, or one that can't be read."""

    gw: SkyMap | None
    combined: SkyMap | None

    @property
    def best(self) -> SkyMap | None:
        """The combined map where there is one, else the GW one."""
        return self.gw if self.combined is None else self.combined


def read_notice_maps(body: bytes) -> NoticeMaps:
    """Read both maps of a payload; what is no notice, or no map, has none."""
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
    """The maps of notices, by their keys."""

    def __init__(self, store: NoticeRepository, max_entries: int = CACHE_SIZE) -> None:
        self._store = store
        self._max_entries = max_entries
        self._entries: OrderedDict[NoticeKey, NoticeMaps] = OrderedDict()

    async def get(self, key: NoticeKey) -> NoticeMaps | None:
        """The maps of a stored notice; None if its payload isn't kept any more. Raises StoreUnavailable."""
        known = self._entries.get(key)
        if known is None:
            body = await self._store.payload(key)
            if body is None:
                return None
            try:
                known = await run_in_thread(read_notice_maps, body)
            except ThreadHangs:
                # Kept as one without maps: asked for again, it would take another thread.
                known = NoticeMaps(None, None)
            self._entries[key] = known
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return known
