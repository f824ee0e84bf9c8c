"""Galaxies and their ranking in plain text that isn't escaped yet; names from catalogues are cut."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.galaxy import CatalogueInfo, Galaxy, GalaxyRanking, MassSource, VolumeGalaxies
from formatters.models.superevent import Superevent
from formatters.text import follow_up_lines, quantities

NAME_MAX = 40
"""Characters of a galaxy's or a site's name in a cell or a line."""
MAX_NAMED = 3
"""Galaxies that the Follow-up reply names."""
MAX_ENTERED = 4
"""Of those that entered the first ten; the others are counted."""
TOP = 10
_UNNAMED = "without a name"


def short_name(name: str) -> str:
    """Return a name from outside as one bounded line."""
    return plain_text(name[: 10 * NAME_MAX], NAME_MAX) or _UNNAMED


def catalogue_title(catalogue: CatalogueInfo) -> str:
    """Return the catalogue's title: "NED-LVS 20260424"."""
    return plain_text(catalogue.title[: 10 * NAME_MAX], NAME_MAX) or plain_text(catalogue.slug, NAME_MAX)


def marked_name(galaxy: Galaxy) -> str:
    """Return a galaxy's name with what is doubtful: "NGC 4993 (mass unknown, z questionable)"."""
    marks = []
    if galaxy.mass_source is MassSource.MEDIAN:
        marks.append("mass unknown")
    if galaxy.is_questionable:
        marks.append("z questionable")
    return short_name(galaxy.name) + (f" ({', '.join(marks)})" if marks else "")


def completeness_text(ranking: GalaxyRanking) -> str | None:
    """Return how much of the expected stellar mass the catalogue holds there; None without a distance.

    "NED-LVS 20260424 holds 62 % of the stellar mass expected at 40 ± 8 Mpc."
    """
    if ranking.distance is None:
        return None
    name, at = catalogue_title(ranking.catalogue), quantities.distance(ranking.distance)
    if ranking.completeness is None:
        return f"How complete {name} is at {at} can't be told."
    if ranking.completeness >= 1:
        return f"{name} holds the stellar mass that is expected at {at}, averaged over the sky."
    share = quantities.percent(ranking.completeness)
    return f"{name} holds {share} of the stellar mass expected at {at}, averaged over the sky."


def galaxies_command(superevent: Superevent) -> str:
    """Return the command that lists the galaxies of the event."""
    return f"/gwevent galaxies {plain_text(superevent.superevent_id)}"


def follow_up_line(superevent: Superevent, galaxies: VolumeGalaxies) -> str:
    """Return the Follow-up reply's line about the galaxies in the 90 % volume.

    "12 galaxies of NED-LVS 20260424 in the 90 % volume of UPDATE, T+2.4 h: NGC 4993 (31 % of the ranking),
    …; the catalogue holds 62 % of the stellar mass expected there · /gwevent galaxies S170817".
    """
    ranking = galaxies.ranking
    count = quantities.pluralize(ranking.total, "galaxy", "galaxies")
    where = follow_up_lines.map_name(superevent, galaxies.map_notice)
    combined = "combined map, " if galaxies.is_combined else ""
    first = ranking.galaxies[:MAX_NAMED]
    named = [f"{short_name(one.galaxy.name)} {quantities.percent(one.share)}" for one in first]
    if named:
        named[0] += " of the ranking"
    line = (
        f"{count} of {catalogue_title(ranking.catalogue)} in the 90{quantities.NBSP}% volume"
        f" ({combined}{where}): {', '.join(named)}"
    )
    if ranking.total > len(first):
        line += " …"
    if ranking.completeness is not None:
        share = quantities.percent(ranking.completeness)
        line += f" · {share} of the stellar mass expected there is in the catalogue"
    return f"{line} · {galaxies_command(superevent)}"


def entered_line(superevent: Superevent, galaxies: VolumeGalaxies) -> str | None:
    """Return the line about galaxies that the newest map brought into the first ten; None if none.

    "Map of UPDATE, T+2.4 h, compared with the map before: NGC 4993 entered the first 10 galaxies".
    """
    if not galaxies.entered:
        return None
    where = follow_up_lines.map_name(superevent, galaxies.map_notice)
    return (
        f"Map of {where}, compared with the map before: {_listed(galaxies.entered)} entered the first {TOP}"
        " galaxies"
    )


def _listed(names: Sequence[str]) -> str:
    shown = [short_name(name) for name in names[:MAX_ENTERED]]
    more = len(names) - len(shown)
    parts = [*shown, *([f"{more} more"] if more else [])]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
