"""Which typed words are the name of a telescope, and which surely are none. Pure."""

from __future__ import annotations

import re
from functools import cache

from bot.commands.observe_values import is_band_with_depth
from bot.commands.time_words import tells_time
from bot.counterparts.names import is_tns_designation, normalize_name
from bot.observing.gazetteer import city_position, sites_of_country
from bot.observing.instruments import built_in
from bot.observing.observatories import find_observatory, normalized_name

_OBJECT = re.compile(
    r"(?:grb|xrf|gw|frb|ngc|ugc|icecube|ep)[\s-]?\d{2,}\w*|(?:m|ic)[\s-]?\d{1,4}|[mt]?s\d{6}\w*|ztf\d\d[a-z]{5,}"
)
_NOUNS = """
    telescope telescopes scope instrument instruments camera cameras ccd cmos imager spectrograph filter
    filters detector detectors observatory dome site exposure exposures image images field fields pointing
    pointings ligo virgo kagra lvk lho llo hanford livingston gwevent slack gracedb gcn tns treasuremap aladin
    everybody everyone nobody somebody someone anybody us me him her them it hand chance accident purpose
    earth space ground sky home work europe africa asia america zenith horizon meridian target position
    cloud clouds luck success delay rain wind fog moonlight seeing airmass band depth magnitude mag
"""
_NO_TELESCOPES = frozenset(_NOUNS.split())
"""What else stands behind "with", "at", "on", "by" and "from" in a report."""


def is_telescope(name: str) -> bool:
    """Return whether a name is that of an instrument or observatory that gwevent knows by itself."""
    key = normalized_name(name)
    return bool(key) and (key in _instruments() or find_observatory(name) is not None)


def is_no_telescope(word: str) -> bool:
    """Return whether a word that gwevent knows no telescope by surely names something else.

    Such are times, bands, cities and countries, objects on the sky, detectors of gravitational waves, and
    common nouns. A person's name can't be told from a telescope's.
    """
    folded = word.casefold().strip(" .,;:!?()'\"")
    return (
        tells_time(folded)
        or folded in _NO_TELESCOPES
        or is_band_with_depth(word)
        or _OBJECT.fullmatch(folded) is not None
        or is_tns_designation(normalize_name(word))
        or sites_of_country(folded) is not None
        or city_position(folded) is not None
    )


@cache
def _instruments() -> frozenset[str]:
    return frozenset(normalized_name(name) for one in built_in() for name in (one.name, *one.aliases))
