"""Numbered circles on the picture: each stands once, and in the alternative text."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bot.skymap_service.image_process import ImageResult, render
from formatters.skymap_image import Mark, Marks, alt_text, style
from tests.formatters.skymap_image.test_marks import job, lobe, noticed

PLACE = (150.0, 20.0)
MARKS = Marks(
    title="Galaxies of Made, % of the ranking",
    marks=(
        Mark(ra=PLACE[0], dec=PLACE[1], number=1, text="NGC 1  31 %"),
        Mark(ra=PLACE[0] - 180, dec=-PLACE[1], number=2, text="NGC 2  5 %"),
    ),
)


def marked_pixels(drawn: ImageResult) -> tuple[np.ndarray, int]:
    """Which pixels have the marks' colour, and the height of the picture."""
    image = np.asarray(Image.open(io.BytesIO(drawn.png)).convert("RGB")).astype(int)
    colour = np.array([int(style.MARK[at : at + 2], 16) for at in (1, 3, 5)])
    return np.asarray((np.abs(image - colour) < 24).all(axis=2)), image.shape[0]


@pytest.mark.slow
def test_a_mark_in_the_inset_stands_there_and_another_on_the_whole_sky() -> None:
    plain = render(job(lobe(*PLACE)))
    drawn = render(replace(job(lobe(*PLACE)), marks=MARKS))
    assert drawn.has_inset
    without, height = marked_pixels(plain)
    assert not without.any()
    found, taller = marked_pixels(drawn)
    assert taller > height
    sky = found[: style.SKY_BOTTOM]
    inset = found[style.INSET_TOP : style.INSET_TOP + style.INSET_SIDE, style.INSET_LEFT :]
    assert sky.any() and inset[:, : style.INSET_SIDE].any()
    # The map's title of the marks stands below what the picture is without them.
    assert found[height:].any()


def test_the_alternative_text_lists_the_marks() -> None:
    text = alt_text(noticed(), marks=MARKS)
    assert "Galaxies of Made, % of the ranking: 1 NGC 1  31 %; 2 NGC 2  5 %." in text


def test_many_marks_at_one_place_are_drawn() -> None:
    many = tuple(replace(MARKS.marks[0], number=number) for number in range(1, 11))
    found, _ = marked_pixels(render(replace(job(lobe(*PLACE)), marks=replace(MARKS, marks=many))))
    assert found.any()
