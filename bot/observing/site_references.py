"""References of filters to sites: an observatory by its name; any other site by its position too.

"MyDome 34.2N 116.9W 1700m" can be evaluated without knowing which channel has that site, and goes on meaning
the same place if the channel moves or removes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.observing.observatories import UnknownSite, find_observatory
from bot.observing.places import MAX_HEIGHT_M, MIN_HEIGHT_M
from bot.observing.site_names import read_first_site
from formatters.models.observing import Site

_REFERENCE = re.compile(
    r"(?:(?P<name>\S.{0,59}) )?(?P<lat>\d{1,2}(?:\.\d{1,4})?)(?P<north>[NS])"
    r" (?P<lon>\d{1,3}(?:\.\d{1,4})?)(?P<east>[EW]) (?P<height>-?\d{1,4})m(?P<radio> radio)?"
)


def site_reference(site: Site) -> str:
    """Return the words by which a filter names the site; `find_referenced_site` finds it by them."""
    listed = find_observatory(site.name)
    if listed == site:
        return site.name
    place = f"{_degrees(site.latitude, 'NS')} {_degrees(site.longitude, 'EW')} {round(site.height)}m"
    # Quotes would end the name, commas part words, and Slack replaces the other signs.
    name = " ".join(re.sub(r'["“”„<>&,]', " ", site.name).split())
    is_named_after_place = re.fullmatch(r"\d+\.\d\d[NS] \d+\.\d\d[EW]", name) is not None
    return f"{'' if is_named_after_place or not name else f'{name} '}{place}{' radio' if site.radio else ''}"


def find_referenced_site(reference: str) -> Site | None:
    """Return the site that a filter names; None if there is no such observatory and no position is given."""
    listed = find_observatory(reference)
    match = _REFERENCE.fullmatch(reference) if listed is None else None
    if match is None:
        return listed
    latitude, longitude, height = float(match["lat"]), float(match["lon"]), float(match["height"])
    if latitude > 90 or longitude > 180 or not MIN_HEIGHT_M <= height <= MAX_HEIGHT_M:
        return None
    return Site(
        name=match["name"] or f"{latitude:.2f}{match['north']} {longitude:.2f}{match['east']}",
        latitude=-latitude if match["north"] == "S" else latitude,
        longitude=-longitude if match["east"] == "W" else longitude,
        height=height,
        radio=match["radio"] is not None,
    )


def resolve_site(words: Sequence[str], own: Sequence[Site] = ()) -> tuple[str, int]:
    """Return the reference of the site that a row of words begins with, and how many of them it takes.

    The site is one of the channel's `own`, an observatory as people call it, a place by latitude and
    longitude, or a reference. Raises UnknownSite, InvalidPlace.
    """
    for count in range(len(words), 0, -1):
        reference = " ".join(words[:count])
        if _REFERENCE.fullmatch(reference) and (site := find_referenced_site(reference)) is not None:
            return site_reference(site), count
    if not words:
        raise UnknownSite("Which site?")
    site, used = read_first_site(words, own)
    return site_reference(site), used


def _degrees(angle: float, letters: str) -> str:
    """Format an angle to 0.0001°, which is 11 m, with the letter of its sign."""
    rounded = round(angle, 4)
    return f"{abs(rounded):.4f}".rstrip("0").rstrip(".") + letters[rounded < 0]
