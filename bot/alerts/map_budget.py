"""Measuring of the sky maps of one notice, within limits of tiles and bytes for all of them together.

A notice may list many coincidences with a combined map each: without a common limit, a hostile one with
twenty large maps would cost twenty times what a single map may.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.alerts import fields
from bot.alerts.file_digest import FileDigest, file_digest
from bot.alerts.payload import MAX_PAYLOAD_BYTES
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.fits_table import MAX_UNPACKED_BYTES, read_table
from bot.skymaps.skymap import MAX_TILES, SkyMap, localize, sky_map_from_table
from formatters.models.notice import Localization

MAX_TILES_OF_ADDITIONAL_MAPS = 2**17
"""Tiles of all combined maps after a notice's first one, together: each map costs as much as the first."""


@dataclass(frozen=True, slots=True)
class MeasuredMap:
    """A sky map and its localization, or the reason why there is none."""

    skymap: SkyMap | None = None
    localization: Localization | None = None
    problem: str | None = None
    """One sentence if the map couldn't be read; None if it was read, or the notice has no map."""


class MapBudget:
    """Measures the maps of one notice as long as they stay within the limits."""

    def __init__(self) -> None:
        self._tiles_left = MAX_TILES
        self._additional_tiles_left = MAX_TILES_OF_ADDITIONAL_MAPS
        self._bytes_left = MAX_UNPACKED_BYTES
        self._digests: dict[int, FileDigest] = {}

    def measure(self, value: object, *, additional: bool = False) -> MeasuredMap:
        """Measure a map as the record holds it (bytes, base64 text or None).

        `additional` maps, those after the first combined one, have a smaller limit of their own.
        """
        if value is None:
            return MeasuredMap()
        try:
            table = read_table(fields.file_bytes(value), self._bytes_left, MAX_TILES)
            self._digests[id(value)] = FileDigest(table.unpacked_file)
            self._bytes_left -= table.unpacked_file.nbytes
            skymap = sky_map_from_table(
                table, min(self._tiles_left, self._additional_tiles_left) if additional else self._tiles_left
            )
            self._tiles_left -= skymap.uniq.size
            self._additional_tiles_left -= skymap.uniq.size if additional else 0
            return MeasuredMap(skymap, localize(skymap))
        except UnreadableMap as problem:
            return MeasuredMap(problem=problem.reason)

    def digest(self, value: object) -> str:
        """Return the digest of a map: of its unpacked file as far as it is read, else of the raw value."""
        begun = self._digests.get(id(value))
        return self._digest_unmeasured(value) if begun is None else begun.result()

    def _digest_unmeasured(self, value: object) -> str:
        try:
            file = fields.file_bytes(value)
        except UnreadableMap:
            return file_digest(str(value)[:MAX_PAYLOAD_BYTES].encode("utf-8", "replace"))
        try:
            return file_digest(read_table(file, self._bytes_left, MAX_TILES).unpacked_file)
        except UnreadableMap:
            return file_digest(file)
