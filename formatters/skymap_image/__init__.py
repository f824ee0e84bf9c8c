"""A sky map's picture: grids of density and credible level in, PNG out; and what it says, in words.

`drawing` stands apart, since it loads matplotlib, which only the process that draws needs.
"""

from formatters.skymap_image.captions import alt_text, create_captions
from formatters.skymap_image.models import Captions, DrawnPicture, Grid, Inset, Position, SkyMapFigure
from formatters.skymap_image.projection import ImageWindow

__all__ = [
    "Captions",
    "DrawnPicture",
    "Grid",
    "ImageWindow",
    "Inset",
    "Position",
    "SkyMapFigure",
    "alt_text",
    "create_captions",
]
