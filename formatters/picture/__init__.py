"""A sky map's picture: grids of density and credible level in, PNG out; and what it says, in words.

`drawing` stands apart, since it loads matplotlib, which only the process that draws needs.
"""

from formatters.picture.nouns import DrawnPicture, Grid, Inset, Picture, Position, Words
from formatters.picture.projection import Window
from formatters.picture.words import alt_text, words

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
