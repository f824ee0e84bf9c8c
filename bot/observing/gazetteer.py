"""Cities and countries by name, to tell people that these are no observatories, and which ones are near.

From the IANA time zone database (`zone.tab`: one city for each zone, with its position and country). A place
that isn't there is an unknown name like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from bot.observing.observatories import Observatory, normalized_name, observatories
from bot.observing.places import distance_km
from formatters.models.observing import Site

_POSITION = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?")


@cache
def _zone_rows() -> Sequence[Sequence[str]]:
    """Return the columns of `zone.tab` (country code, position, zone); nothing without the table."""
    return _read_table("zone.tab")


def _read_table(name: str) -> list[list[str]]:
    table = files("tzdata").joinpath("zoneinfo", name)
    lines = table.read_text("utf-8").splitlines() if table.is_file() else []
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


@cache
def _cities() -> Mapping[str, tuple[float, float]]:
    """Return latitude and longitude (degrees) of cities by normalized name."""
    found: dict[str, tuple[float, float]] = {}
    for _, position, zone, *_ in _zone_rows():
        match = _POSITION.fullmatch(position)
        if match is None:
            continue
        north, d, m, s, east, dd, mm, ss = match.groups("0")
        latitude = int(d) + int(m) / 60 + int(s) / 3600
        longitude = int(dd) + int(mm) / 60 + int(ss) / 3600
        found[normalized_name(zone.rpartition("/")[2])] = (
            -latitude if north == "-" else latitude,
            -longitude if east == "-" else longitude,
        )
    return found


@cache
def _observatories_by_country() -> Mapping[str, Sequence[Site]]:
    """Return the listed observatories of each country by its normalized name, those without one too."""
    country_of_zone = {zone: code for code, _, zone, *_ in _zone_rows()}
    by_code: dict[str, list[Site]] = {}
    for o in observatories():
        by_code.setdefault(country_of_zone.get(o.site.zone or "", ""), []).append(o.site)
    names = {"USA": "US", "UK": "GB", "Great Britain": "GB", "England": "GB", "Türkiye": "TR"}
    names |= {name: code for code, name in _read_table("iso3166.tab")}
    return {normalized_name(name): by_code.get(code, []) for name, code in names.items()}


def sites_of_country(name: str) -> Sequence[Site] | None:
    """Return the sites of the listed observatories in a country; None if no country has that name."""
    return _observatories_by_country().get(normalized_name(name))


def city_position(name: str) -> tuple[float, float] | None:
    """Return latitude and longitude of a city in degrees; None if no city of the table has that name."""
    return _cities().get(normalized_name(name))


def nearest_observatory(latitude: float, longitude: float) -> tuple[Observatory, float]:
    """Return the listed observatory nearest to a position (degrees), and its distance in kilometres."""
    return min(
        ((o, distance_km(latitude, longitude, o.site.latitude, o.site.longitude)) for o in observatories()),
        key=lambda found: found[1],
    )
