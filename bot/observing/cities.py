"""Cities by name, to tell people that a city is no observatory, and which one is near.

From the IANA time zone database (`zone.tab`: one city for each zone, with its position). A city that isn't
there is an unknown name like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from bot.observing.observatories import Observatory, normalized_name, observatories
from bot.observing.places import distance_km

_POSITION = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?")


@cache
def _cities() -> Mapping[str, tuple[float, float]]:
    """Return latitude and longitude (degrees) of cities by normalized name; empty without the table."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab")
    if not table.is_file():
        return {}
    found: dict[str, tuple[float, float]] = {}
    for line in table.read_text("utf-8").splitlines():
        columns = line.split("\t")
        match = _POSITION.fullmatch(columns[1]) if not line.startswith("#") and len(columns) > 2 else None
        if match is None:
            continue
        north, d, m, s, east, dd, mm, ss = match.groups("0")
        latitude = int(d) + int(m) / 60 + int(s) / 3600
        longitude = int(dd) + int(mm) / 60 + int(ss) / 3600
        city = normalized_name(columns[2].rpartition("/")[2])
        found[city] = (
            -latitude if north == "-" else latitude,
            -longitude if east == "-" else longitude,
        )
    return found


def city_position(name: str) -> tuple[float, float] | None:
    """Return latitude and longitude of a city in degrees; None if no city of the table has that name."""
    return _cities().get(normalized_name(name))


def nearest_observatory(latitude: float, longitude: float) -> tuple[Observatory, float]:
    """Return the listed observatory nearest to a position (degrees), and its distance in kilometres."""
    return min(
        ((o, distance_km(latitude, longitude, o.site.latitude, o.site.longitude)) for o in observatories()),
        key=lambda found: found[1],
    )
