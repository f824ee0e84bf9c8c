"""Sample answers of the Treasure Map, made by formula in the form of its server's.

That form: TheTreasureMap/gwtm on GitHub, `server/routes/pointing/get_pointings.py` and `server/schemas`, read
in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import cos, radians
from typing import Any

INSTRUMENTS = (
    {"id": 38, "instrument_name": "Dark Energy Camera", "nickname": "DECam", "instrument_type": 1},
    {"id": 47, "instrument_name": "Zwicky Transient Facility", "nickname": "ZTF", "instrument_type": 1},
    {"id": 71, "instrument_name": "Round Camera", "nickname": None, "instrument_type": 1},
)
ZTF_HALF_DEG = 3.43
EXPOSURE = timedelta(minutes=2)


def square(half: float, x: float = 0.0, y: float = 0.0) -> str:
    """Return the WKT of a square detector: longitude and latitude in degrees around (0, 0)."""
    corners = [(x - half, y + half), (x + half, y + half), (x + half, y - half), (x - half, y - half)]
    ring = ", ".join(f"{lon:.4f} {lat:.4f}" for lon, lat in [*corners, corners[0]])
    return f"POLYGON (({ring}))"


FOOTPRINTS: Mapping[int, tuple[str, ...]] = {
    38: tuple(square(0.3, x, y) for x in (-0.62, 0.0, 0.62) for y in (-0.62, 0.0, 0.62)),
    47: (square(ZTF_HALF_DEG),),
    71: (),
}
"""Instrument id -> its detectors; of the last nobody reported any."""


def pointing(number: int, ra: float, dec: float, time: datetime, **changes: Any) -> dict[str, Any]:
    """Return a pointing as `GET /pointings` gives it: RA and Dec null, the position as WKT, UTC without zone.

    Right ascensions above 180° are negative, as PostGIS gives longitudes.
    """
    lon = ra - 360 if ra > 180 else ra
    at = time.astimezone(UTC).replace(tzinfo=None).isoformat()
    return {
        "position": f"POINT({lon:.6g} {dec:.6g})",
        "ra": None,
        "dec": None,
        "instrumentid": 47,
        "depth": 20.5,
        "depth_err": None,
        "depth_unit": "ab_mag",
        "band": "g",
        "pos_angle": 0.0,
        "time": at,
        "status": "completed",
        "central_wave": 4770.0,
        "bandwidth": 1380.0,
        "id": number,
        "submitterid": 7,
        "datecreated": at,
        "dateupdated": None,
        "doi_url": None,
        "doi_id": None,
        "instrument_name": "ZTF",
        "username": "an.observer",
    } | changes


def followed_up(
    first: int, ra: float, dec: float, event_time: datetime, now: datetime
) -> list[dict[str, Any]]:
    """Return two groups' reports at `now` about an event whose map peaks at (`ra`, `dec`).

    One observes 16 small fields around the peak, the other plans 6 wide ones; what lies before `now` is done.
    """
    shrink = max(cos(radians(dec)), 0.1)
    found = []
    for n in range(16):
        at = event_time + timedelta(minutes=6) + n * EXPOSURE
        x, y = 1.9 * (n % 4 - 1.5), 1.9 * (n // 4 - 1.5)
        small = {"instrumentid": 38, "instrument_name": "DECam", "band": "i", "depth": 22.8 + 0.05 * (n % 4)}
        found.append(_at(first + n, (ra + x / shrink) % 360, dec + y, at, now, small))
    for n in range(6):
        at = event_time + timedelta(minutes=20) + n * 3 * EXPOSURE
        x, y = 7.0 * (n % 3 - 1), 7.0 * (n // 3 - 0.5)
        found.append(_at(first + 16 + n, (ra + x / shrink) % 360, dec + y, at, now, {}))
    return found


def _at(
    number: int, ra: float, dec: float, time: datetime, now: datetime, changes: Mapping[str, Any]
) -> dict[str, Any]:
    reported = dict(changes)
    if time > now:
        reported |= {"status": "planned", "depth": None, "depth_unit": None}
    return pointing(number, ra, max(-90.0, min(90.0, dec)), time, **reported)
