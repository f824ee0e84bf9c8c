"""Images of sky maps: grids of density and credible level to PNG, with captions and alternative text.

`figure` isn't imported here, because it loads matplotlib, which only the image process needs.
"""

from formatters.skymap_image.captions import alt_text, create_captions
from formatters.skymap_image.models import (
    Captions,
    DrawnField,
    DrawnPicture,
    DrawnSky,
    Grid,
    Inset,
    Mark,
    Marks,
    Position,
    SkyMapFigure,
)
from formatters.skymap_image.projection import ImageWindow

__all__ = [
    "Captions",
    "DrawnField",
    "DrawnPicture",
    "DrawnSky",
    "Grid",
    "ImageWindow",
    "Inset",
    "Mark",
    "Marks",
    "Position",
    "SkyMapFigure",
    "alt_text",
    "create_captions",
]
