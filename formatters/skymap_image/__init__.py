"""A sky map's picture: grids of density and credible level in, PNG out; and what it says, in words.

`drawing` stands apart, since it loads matplotlib, which only the process that draws needs.
"""

from formatters.skymap_image.captions import alt_text, words
from formatters.skymap_image.models import DrawnPicture, Grid, Inset, Picture, Position, Words
from formatters.skymap_image.projection import Window

__all__ = [
    "DrawnPicture",
    "Grid",
    "Inset",
    "Picture",
    "Position",
    "Window",
    "Words",
    "alt_text",
    "words",
]
