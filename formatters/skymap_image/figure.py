"""Draws a sky-map figure as PNG with matplotlib's Agg renderer, without pyplot."""

from __future__ import annotations

from formatters.skymap_image import legend, marks, png, style
from formatters.skymap_image.allsky import draw_allsky
from formatters.skymap_image.canvas import Canvas
from formatters.skymap_image.fields import draw_fields
from formatters.skymap_image.inset import draw_inset
from formatters.skymap_image.models import SkyMapFigure
from formatters.skymap_image.projection import SKY_HEIGHT, SKY_WIDTH


def draw(picture: SkyMapFigure) -> bytes:
    """Return the figure as PNG: style.WIDTH pixels wide, less than 300 kB."""
    if picture.inset is None:
        height = style.SKY_BOTTOM + legend.height_below(picture)
    else:
        height = style.INSET_TOP + max(style.INSET_SIDE + 65, legend.height_beside(picture))
    bottom = height
    if picture.marks is not None:
        height += marks.height_of_key(picture.marks)
    image = _map_pixels(picture, height)
    canvas = Canvas(style.WIDTH, height)
    canvas.fill(image, style.palette())
    legend.draw_title(canvas, picture.captions)
    draw_allsky(canvas, picture)
    if picture.inset is None:
        legend.draw_key_below(canvas, picture)
    else:
        draw_inset(canvas, picture, picture.inset)
        legend.draw_key_beside(canvas, picture)
    draw_fields(canvas, picture)
    marks.draw_marks(canvas, picture)
    if picture.marks is not None:
        marks.draw_key(canvas, picture.marks, bottom)
    return png.encode(canvas.to_pixels(), image, style.palette(), style.DOTS_PER_INCH)


def _map_pixels(picture: SkyMapFigure, height: int) -> style.ColourIndices:
    """Return the pixels of the all-sky map and the inset on the background, as indices in the palette."""
    image = style.blank_pixels(height, style.WIDTH)
    left, top = style.SKY_LEFT, style.SKY_TOP
    image[top : top + SKY_HEIGHT, left : left + SKY_WIDTH] = style.colourize(
        picture.sky, uniform=picture.peak is None
    )
    if picture.inset is not None:
        left, top, side = style.INSET_LEFT, style.INSET_TOP, style.INSET_SIDE
        square = style.colourize(picture.inset.grid)
        zoomed = square.repeat(style.INSET_ZOOM, axis=0).repeat(style.INSET_ZOOM, axis=1)
        image[top : top + side, left : left + side] = zoomed
    return image
