"""A plan's fields on the picture: where they are, at RA 0 h and the poles too, numbered without overlap."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bot.observing.footprints import outlines, parse_footprint
from bot.skymap_service.image_process import ImageJob, render
from bot.skymaps import raster
from formatters.skymap_image import DrawnField, Marks, alt_text, create_captions, style
from formatters.skymap_image.allsky import canvas_position
from formatters.skymap_image.projection import sky_to_plane
from tests.support.images import WHEN, sample


def fields_at(*places: tuple[float, float], words: str = "3x3deg") -> tuple[DrawnField, ...]:
    footprint = parse_footprint(words)
    return tuple(
        DrawnField(
            ra=ra,
            dec=dec,
            number=number,
            outlines=tuple(
                tuple(zip(line_ra.tolist(), line_dec.tolist(), strict=True))
                for line_ra, line_dec in outlines(footprint, ra, dec, 6)
            ),
        )
        for number, (ra, dec) in enumerate(places, 1)
    )


def picture(fields: tuple[DrawnField, ...]) -> np.ndarray:
    of = sample("across RA 0 h")
    job = ImageJob(
        captions=create_captions(of.superevent),
        peak=(0.0, 0.0),
        sky_time=WHEN,
        main_map=of.gw_map,
        gw_map=None,
        marks=Marks(title="A plan", fields=fields),
    )
    return np.asarray(Image.open(io.BytesIO(render(job).png)).convert("RGB"))


def marked(image: np.ndarray) -> np.ndarray:
    """Return where the image has the colour of fields."""
    colour = np.array([int(style.MARK[place : place + 2], 16) for place in (1, 3, 5)])
    found: np.ndarray = np.abs(image.astype(int) - colour).max(axis=2) <= 40
    return found


@pytest.mark.slow
@pytest.mark.parametrize("place", [(90.0, 20.0), (0.5, 0.0), (200.0, -88.5), (17.0, 89.0), (359.0, -45.0)])
def test_a_field_is_drawn_where_it_is(place: tuple[float, float]) -> None:
    seen = marked(picture(fields_at(place, words="8x8deg")))
    x, y = canvas_position(place[0] % 360, place[1])
    near = seen[max(0, int(y) - 45) : int(y) + 45, max(0, int(x) - 120) : int(x) + 120]
    assert near.any()
    # The inset around it is the other place that has the colour, and the key below.
    inset = seen[style.INSET_TOP : style.INSET_TOP + style.INSET_SIDE, style.INSET_LEFT :]
    assert inset[:, : style.INSET_SIDE].sum() > 500


def test_an_inset_holds_all_fields() -> None:
    fields = fields_at((355.0, 5.0), (3.0, -4.0), (8.0, 2.0))
    region = raster.region_of_fields(fields)
    assert region is not None
    for field in fields:
        for outline in field.outlines:
            east, north = sky_to_plane(region.window, *(np.array(one) for one in zip(*outline, strict=True)))
            assert max(np.abs(east).max(), np.abs(north).max()) < region.window.half_width


def test_fields_all_over_the_sky_get_no_inset_of_their_own() -> None:
    assert raster.region_of_fields(fields_at((0.0, 0.0), (120.0, 40.0), (240.0, -40.0))) is None


@pytest.mark.slow
def test_two_hundred_fields_are_drawn() -> None:
    places = [(10.0 * column % 360, -60.0 + 12 * row) for row in range(10) for column in range(20)]
    assert marked(picture(fields_at(*places))).sum() > 2_000


def test_the_alternative_text_names_the_first_fields() -> None:
    marks = Marks(title="7 fields at Palomar", fields=fields_at(*[(10.0 * n, 5.0) for n in range(7)]))
    text = alt_text(sample("across RA 0 h").superevent, marks=marks)
    assert "7 fields at Palomar: 1 at 0.000, 5.000; 2 at 10.000, 5.000" in text.replace("\u00a0", " ")
    assert "and 2 more" in text
