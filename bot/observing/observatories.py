"""The built-in observatories, from `observatories.csv`, each with the source of its position."""

from __future__ import annotations

import csv
import difflib
import io
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from formatters.models.observing import Site

_MAX_SUGGESTIONS = 3
_MIN_SIMILARITY = 0.7
_MAX_NORMALIZED_LENGTH = 64
"""The longest normalized name; NFKD can expand one character to a whole sentence. Real names are shorter."""


class UnknownSite(ValueError):
    """No site has this name; the message is one sentence that suggests similar names."""

    def __init__(self, asked: str, suggestions: Iterable[str]) -> None:
        names = list(suggestions)
        meant = f" Did you mean {_join_with_or(names)}?" if names else ""
        super().__init__(f"I know no site called “{asked[:40]}”.{meant}")


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
    """Return a name for comparisons: without case, accents, and characters other than letters and digits."""
    bare = unicodedata.normalize("NFKD", name)
    return "".join(c for c in bare if c.isalnum()).casefold()[:_MAX_NORMALIZED_LENGTH]


@cache
def _sites_by_name() -> Mapping[str, Site]:
    return {normalized_name(name): o.site for o in observatories() for name in (o.site.name, *o.aliases)}


def find_observatory(name: str) -> Site | None:
    """Return the observatory with that name or alias, ignoring case and accents; None if there is none."""
    return _sites_by_name().get(normalized_name(name))


def find_site(name: str, custom_sites: Iterable[Site] = ()) -> Site:
    """Return one of a channel's `custom_sites` by name, else an observatory. Raises UnknownSite."""
    mine = {normalized_name(site.name): site for site in custom_sites}
    found = mine.get(normalized_name(name)) or find_observatory(name)
    if found is None:
        raise UnknownSite(name, suggest_names(name, mine.values()))
    return found


def suggest_names(name: str, custom_sites: Iterable[Site] = ()) -> list[str]:
    """Return names of sites that are similar to this one, the most similar first."""
    known = {**_sites_by_name(), **{normalized_name(site.name): site for site in custom_sites}}
    alike = difflib.get_close_matches(
        normalized_name(name), known, n=_MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY
    )
    return list(dict.fromkeys(known[key].name for key in alike))


def _join_with_or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def canonical_site_name(called: str) -> str | None:
    """Return an observatory's canonical name, None if there is none; filters can't name custom sites."""
    known = find_observatory(called)
    return None if known is None else known.name
