"""The built-in observatories, from `observatories.csv`, each with the source of its position."""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from formatters.models.observing import Site

_MAX_SUGGESTIONS = 3
_MIN_SIMILARITY = 0.7
_MAX_NORMALIZED_LENGTH = 64
"""The longest normalized name; NFKD can expand one character to a whole sentence. Real names are shorter."""
_UNDECOMPOSED = str.maketrans({"ı": "i", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"})
"""Letters that are written for these and that Unicode doesn't decompose; the capital of "ı" is a plain I."""
_MIN_BEGINNING = 3
"""Fewest letters of a name's beginning that are enough to suggest it."""
_WORD = re.compile(r"[^\W_](?:[^\s_/+&|,;()-]*)")
_SPELLINGS = {"mount": "mt", "mnt": "mt", "mtn": "mt", "saint": "st"}
GENERAL_WORDS = frozenset(
    {"the", "of", "site", "sites", "mt", "cerro", "obs", "observatory", "observatories", "observatorio"}
    | {"observatoire", "osservatorio", "observatorium", "telescope", "telescopes", "telescopio", "teleskop"}
)
"""Words that may stand beside a name and don't tell one site from another."""


class UnknownSite(ValueError):
    """Words that mean no one site; the message has a sentence for each, with what may be meant."""

    def __init__(self, *sentences: str, may_be_place: bool = True) -> None:
        super().__init__(" ".join(sentences))
        self.may_be_place = may_be_place
        """True if latitude and longitude would help; False if all the words have a known meaning."""


@dataclass(frozen=True, slots=True)
class Observatory:
    """One row of the table."""

    site: Site
    aliases: tuple[str, ...]
    source: str
    """The publication or web page that the position is from."""


@cache
def observatories() -> tuple[Observatory, ...]:
    """Return the table in its order: optical observatories by name, then radio observatories by name."""
    table = files("bot.observing").joinpath("observatories.csv").read_text("utf-8")
    return tuple(
        Observatory(
            site=Site(
                name=row["name"],
                latitude=float(row["latitude"]),
                longitude=float(row["longitude"]),
                height=float(row["height"]),
                radio=row["kind"] == "radio",
                zone=row["zone"],
            ),
            aliases=tuple(row["aliases"].split(";")) if row["aliases"] else (),
            source=row["source"],
        )
        for row in csv.DictReader(io.StringIO(table))
    )


def normalized_name(name: str) -> str:
    """Return a name for comparisons: without case, accents, and characters other than letters and digits.

    It is stored with channels' sites: a change here needs a migration there.
    """
    bare = unicodedata.normalize("NFKD", name)
    return "".join(c for c in bare if c.isalnum()).casefold()[:_MAX_NORMALIZED_LENGTH]


def name_keys(name: str) -> tuple[str, ...]:
    """Return the keys by which a name is found, the best first: as it is, and without general words.

    "Mt. Wilson Observatory" has the keys "mtwilsonobservatory" and "mtwilson", as "Mount Wilson" has.
    """
    found = map(normalized_name, _WORD.findall(name.translate(_UNDECOMPOSED)))
    words = [_SPELLINGS.get(word, word) for word in found if word]
    particular = [word for word in words if word not in GENERAL_WORDS]
    keys = ("".join(words), "".join(particular))
    return tuple(dict.fromkeys(key[:_MAX_NORMALIZED_LENGTH] for key in keys if key))


@cache
def _sites_by_key() -> Mapping[str, Site]:
    """Return the observatories by each key of each name; a name as it is comes before one made shorter."""
    found: dict[str, Site] = {}
    names = [(name, o.site) for o in observatories() for name in (o.site.name, *o.aliases)]
    for rank in range(2):
        for name, site in names:
            keys = name_keys(name)
            if rank < len(keys):
                found.setdefault(keys[rank], site)
    return found


def find_observatory(name: str) -> Site | None:
    """Return the observatory with that name or alias, ignoring case, accents and words like "Observatory".

    Return None if there is none.
    """
    by_key = _sites_by_key()
    return next((by_key[key] for key in name_keys(name) if key in by_key), None)


def find_own_site(name: str, own: Iterable[Site]) -> Site | None:
    """Return the one of a channel's `own` sites with that name, None if there is none."""
    mine = {normalized_name(site.name): site for site in own}
    return mine.get(normalized_name(name)) if normalized_name(name) else None


def find_site(name: str, custom_sites: Iterable[Site] = ()) -> Site:
    """Return one of a channel's `custom_sites` by name, else an observatory. Raises UnknownSite."""
    custom = tuple(custom_sites)
    found = find_own_site(name, custom) or find_observatory(name)
    if found is None:
        raise UnknownSite(unknown_name(name, suggest_names(name, custom)))
    return found


def suggest_names(name: str, custom_sites: Iterable[Site] = ()) -> list[str]:
    """Return names of sites that begin like this one or are similar to it, the most similar first."""
    known = {**_sites_by_key(), **{normalized_name(site.name): site for site in custom_sites}}
    found: list[str] = []
    for key in name_keys(name):
        if len(key) >= _MIN_BEGINNING:
            found += sorted((one for one in known if one.startswith(key)), key=len)
        found += difflib.get_close_matches(key, known, n=_MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
    return list(dict.fromkeys(known[key].name for key in found))[:_MAX_SUGGESTIONS]


def unknown_name(asked: str, suggestions: Sequence[str]) -> str:
    """Return the sentence that there is no such site, with the names that may be meant."""
    meant = f" Did you mean {join_with_or(suggestions)}?" if suggestions else ""
    return f"I know no site called “{asked[:40]}”.{meant}"


def join_with_or(words: Sequence[str]) -> str:
    """Return "A", "A or B", "A, B or C"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
