"""Two payloads of one event, compared by their maps."""

from __future__ import annotations

from bot.alerts.decode import UndecodablePayload, extract_sky_maps
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.skymap import probability_inside, read_sky_map


def probability_in_previous_region(old: bytes, new: bytes) -> float | None:
    """The share of the new GW map's probability that lies in the old one's 90 % credible region.

    Takes two payloads as they came from the broker; None if one has no map that can be read.
    """
    try:
        before, after = extract_sky_maps(old)[0], extract_sky_maps(new)[0]
        if before is None or after is None:
            return None
        return probability_inside(read_sky_map(before), read_sky_map(after), 0.9)
    except (UndecodablePayload, UnreadableMap):
        return None
