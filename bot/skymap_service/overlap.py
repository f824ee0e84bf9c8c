"""Comparison of the sky maps in two payloads of one event."""

from __future__ import annotations

from bot.alerts.decode import UndecodablePayload, extract_sky_maps
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.skymap import probability_inside, read_sky_map


def probability_in_previous_region(previous: bytes, current: bytes) -> float | None:
    """Return the probability (0 to 1) of the current GW map inside the previous map's 90 % credible region.

    Both arguments are payloads as they came from the broker. Return None if one has no readable GW map.
    """
    try:
        before, after = extract_sky_maps(previous)[0], extract_sky_maps(current)[0]
        if before is None or after is None:
            return None
        return probability_inside(read_sky_map(before), read_sky_map(after), 0.9)
    except (UndecodablePayload, UnreadableMap):
        return None
