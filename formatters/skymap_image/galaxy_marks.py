"""The first galaxies of a ranking as marks of a sky map's picture."""

from __future__ import annotations

from formatters.models.galaxy import GalaxyRanking
from formatters.skymap_image.models import Mark, Marks
from formatters.text import galaxy_lines, quantities


def marks_of(ranking: GalaxyRanking) -> Marks:
    """Return the galaxies of a ranking as marks of the picture."""
    return Marks(
        title=f"Galaxies of {galaxy_lines.catalogue_title(ranking.catalogue)}, % of the ranking",
        marks=tuple(
            Mark(
                ra=one.galaxy.ra,
                dec=one.galaxy.dec,
                number=one.rank,
                text=f"{galaxy_lines.short_name(one.galaxy.name)}  {quantities.percent(one.share)}",
            )
            for one in ranking.galaxies
        ),
    )
