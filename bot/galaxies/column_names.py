"""The columns of a file of galaxies, by the names that files give them.

NED-LVS' names and those of the documented table stand beside each other; case, blanks, "-" and "_" don't
matter. A column that is none of these is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bot.galaxies.catalogue_index import CatalogueProblem

NUMBERS: Mapping[str, tuple[str, ...]] = {
    "ra": ("ra", "radeg", "raj2000", "rightascension"),
    "dec": ("dec", "decdeg", "decj2000", "dej2000", "declination"),
    "distance": ("distance", "distmpc", "dist", "dl", "luminositydistance"),
    "distance_error": ("distanceerror", "distmpcunc", "disterr", "distanceunc"),
    "redshift": ("z", "redshift"),
    "redshift_error": ("zerror", "zunc", "zerr", "redshifterror"),
    "mass": ("mass", "logmass", "mstar", "stellarmass"),
    "k_magnitude": ("kmag", "mks", "ks", "k", "kmagnitude"),
    "w1_magnitude": ("w1mag", "mw1", "w1", "w1magnitude"),
}
"""By the field of RawGalaxies that they fill."""
TEXTS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "objname", "object", "galaxy"),
    "type": ("objtype", "type"),
    "technique": ("ztech",),
    "quality": ("zqual",),
    "method": ("distmpcmethod", "distancemethod"),
}
GALAXY_TYPES = frozenset({"", "g"})
"""Types that are galaxies; every other type (a star, a group, a quasar's line of sight) is left out."""


def find_columns(names: Iterable[str]) -> dict[str, str]:
    """Return the file's column for each field that it has. Raises CatalogueProblem without a position, a
    distance or redshift, and a name.
    """
    by_folded = {_folded(name): name for name in reversed(list(names))}
    found = {
        field: by_folded[known[0]]
        for field, spellings in {**NUMBERS, **TEXTS}.items()
        if (known := [one for one in spellings if one in by_folded])
    }
    for field, words in (("ra", "right ascension (ra)"), ("dec", "declination (dec)"), ("name", "name")):
        if field not in found:
            raise CatalogueProblem(f"The file has no column for the {words}.")
    if not {"distance", "redshift"} & found.keys():
        raise CatalogueProblem("The file has neither a column distance nor a column z.")
    return found


def _folded(name: str) -> str:
    return re.sub(r"[\s_\-()\[\]]", "", name.casefold())
