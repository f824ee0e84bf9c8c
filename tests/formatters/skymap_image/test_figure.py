"""Tests of the sky-map image: enclosed areas, positions of objects, and alternative text."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from bot.skymap_service.image_process import ImageJob, render
from bot.skymaps import raster, skymap
from formatters.blockkit.mrkdwn import ALT_TEXT_MAX
from formatters.models.notice import Distance, Localization, Region
from formatters.models.superevent import Superevent
from formatters.skymap_image import DrawnSky, Grid, ImageWindow, alt_text, create_captions, png, style
from formatters.skymap_image.allsky import canvas_position
from formatters.skymap_image.contours import grid_outlines
from formatters.skymap_image.projection import (
    SKY_HEIGHT,
    SKY_PIXEL_AREA,
    SKY_WIDTH,
    WINDOW_PIXELS,
    plane_to_sky,
    project_sky,
    project_window,
    sky_positions,
    sky_to_plane,
    window_positions,
)
from tests.support.images import SKIES, Sample, sample


@cache
def drawn(kind: str) -> np.ndarray:
    """Return the drawn image as RGB of shape (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(file(kind))).convert("RGB")).astype(int)


@cache
def file(kind: str) -> bytes:
    return render(order(sample(kind))).png


def order(of: Sample) -> ImageJob:
    localization = of.superevent.latest.best_localization
    event = of.superevent.latest.event
    assert localization is not None and event is not None
    return ImageJob(
        captions=create_captions(of.superevent),
        peak=(localization.ra, localization.dec),
        sky_time=of.superevent.latest.time_created,
        main_map=of.combined_map or of.gw_map,
        gw_map=of.gw_map if of.combined_map else None,
    )


def near(image: np.ndarray, colour: str, tolerance: int = 24) -> np.ndarray:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    found: np.ndarray = (np.abs(image - wanted) <= tolerance).all(axis=-1)
    return found


def enclosed(grid: Grid, level: float) -> float:
    """Return the number of pixels enclosed by the outlines (islands minus holes), by the shoelace formula."""
    total = 0.0
    for line in grid_outlines(grid, level):
        x, y = line.T
        assert np.array_equal(line[0], line[-1]), "an outline is closed"
        total += float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)
    return abs(total)


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize("kind", SKIES)
def test_contours_enclose_the_credible_area(kind: str, level: float) -> None:
    found = sample(kind)
    read = skymap.read_sky_map(found.combined_map or found.gw_map)
    region = raster.inset_region(raster.region_pieces(read))
    (area,) = skymap.credible_areas(read, (level,))
    if region is None or kind == "several lobes":
        measured = enclosed(raster.rasterize(read, raster.all_sky_pixel_grid()), level) * SKY_PIXEL_AREA
    else:
        close = raster.rasterize(read, raster.window_pixel_grid(region.window))
        measured = enclosed(close, level) * region.window.pixel_area
    assert measured == pytest.approx(area, rel=0.03)


def test_an_insets_contour_encloses_its_own_region() -> None:
    read = skymap.read_sky_map(sample("several lobes").gw_map)
    region = raster.inset_region(raster.region_pieces(read))
    assert region is not None
    main = skymap.localize(read).regions[0]
    close = raster.rasterize(read, raster.window_pixel_grid(region.window))
    assert enclosed(close, 0.9) * region.window.pixel_area == pytest.approx(main.area, rel=0.03)
    assert region.probability == pytest.approx(main.probability)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SKIES)
def test_every_kind_is_a_png_that_slack_and_a_phone_can_take(kind: str) -> None:
    assert len(file(kind)) < 300_000
    image = Image.open(io.BytesIO(file(kind)))
    image.verify()
    assert image.format == "PNG"
    assert image.mode == "P", "opaque, 256 colours"
    assert image.width == style.WIDTH
    assert 700 < image.height < 1400
    # The corners have the image's own dark background, whatever Slack's theme is.
    assert near(drawn(kind)[[0, 0, -1, -1], [0, -1, 0, -1]], "#12151f", 6).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", SKIES)
def test_the_peak_is_marked_where_it_is(kind: str) -> None:
    peak = order(sample(kind)).peak
    assert peak is not None
    x, y = canvas_position(*peak)
    image = drawn(kind)
    arms = [
        (round(y) + b, round(x) + a)
        for a, b in ((20, 0), (-20, 0), (0, 20), (0, -20))
        if 0 <= round(x) + a < style.WIDTH
    ]
    assert all(near(image[arm], "#3dffcf") for arm in arms)


def test_east_is_left_and_north_is_up() -> None:
    middle, east = canvas_position(180, 0), canvas_position(195, 0)
    assert middle == pytest.approx((style.SKY_LEFT + SKY_WIDTH / 2, style.SKY_TOP + SKY_HEIGHT / 2))
    assert east[0] < middle[0]
    assert canvas_position(180, 40)[1] < middle[1]
    column, row = project_window(ImageWindow(350, -40, 5), np.array([350.0, 352.0]), np.array([-38.0, -40.0]))
    assert row[0] < WINDOW_PIXELS / 2 - 1
    assert column[1] < WINDOW_PIXELS / 2 - 1


def test_dense_regions_are_bright_at_their_position() -> None:
    image = drawn("several lobes")
    for (ra, dec), bright in {(40.0, 30.0): True, (200.0, -40.0): True, (120.0, -10.0): False}.items():
        x, y = canvas_position(ra, dec)
        colour = image[round(y), round(x)]
        assert (colour.sum() > 180) == bright, (ra, dec)


@pytest.mark.slow
def test_a_mock_is_marked_and_nothing_else_is() -> None:
    badge = style.WIDTH - style.MARGIN - 10, 30
    for kind in SKIES:
        region = drawn(kind)[20:85, badge[0] - 160 : badge[0]]
        assert (near(region, style.WATERMARK).mean() > 0.3) == (kind == "a mock")


@pytest.mark.slow
def test_the_other_map_is_drawn_only_beside_a_combined_one() -> None:
    for kind in SKIES:
        assert bool(near(drawn(kind), style.GW_ALONE_CONTOUR, 10).sum() > 300) == (kind == "combined")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one detector", "a burst"])
def test_sun_and_moon_are_drawn_at_their_positions(kind: str) -> None:
    rendered = render(order(sample(kind)))
    for position, colour in ((rendered.above.sun, style.SUN), (rendered.above.moon, style.MOON)):
        x, y = (round(v) for v in canvas_position(*position))
        assert near(drawn(kind)[y - 14 : y + 15, max(0, x - 18) : x + 19], colour).sum() > 60


@pytest.mark.slow
def test_mollweide_and_back() -> None:
    ra, dec = sky_positions()
    on = np.isfinite(ra)
    columns, rows = project_sky(ra[on], dec[on])
    wanted_rows, wanted_columns = np.nonzero(on)
    assert np.allclose(rows, wanted_rows, rtol=0, atol=1e-6)
    assert np.allclose(columns, wanted_columns, rtol=0, atol=1e-5)
    poles = project_sky(np.array([10.0, 200.0]), np.array([90.0, -90.0]))
    assert poles[0] == pytest.approx([SKY_WIDTH / 2 - 0.5] * 2, abs=0.01)
    assert poles[1] == pytest.approx([-0.5, SKY_HEIGHT - 0.5], abs=0.01)


@pytest.mark.parametrize(
    "window",
    [ImageWindow(0, 0, 10), ImageWindow(359.9, 60, 24), ImageWindow(123, 90, 5), ImageWindow(5, -89, 2)],
)
def test_an_insets_plane_and_back(window: ImageWindow) -> None:
    ra, dec = window_positions(window)
    columns, rows = project_window(window, ra, dec)
    wanted_rows, wanted_columns = np.indices(ra.shape)
    assert np.allclose(columns, wanted_columns, rtol=0, atol=1e-6)
    assert np.allclose(rows, wanted_rows, rtol=0, atol=1e-6)
    east, north = sky_to_plane(window, *plane_to_sky(window, np.array([1.0]), np.array([-0.5])))
    assert (east[0], north[0]) == pytest.approx((1.0, -0.5))


def opaque_colours(seed: int, count: int) -> np.ndarray:
    colours = np.random.default_rng(seed).integers(0, 256, (count, 4), np.uint8)
    colours[:, 3] = 255
    return colours


def test_png_encoding_keeps_the_colours_of_the_map_and_nearly_those_drawn_over_it() -> None:
    rng = np.random.default_rng(1)
    palette, others = opaque_colours(2, 73), opaque_colours(3, 40)
    below = rng.integers(0, 73, (31, 57), np.uint8)
    drawn = rng.random(below.shape) < 0.3
    image = palette[below]
    image[drawn] = others[rng.integers(0, 40, np.count_nonzero(drawn))]
    read = Image.open(io.BytesIO(png.encode(image, below, palette, 216)))
    assert read.info["dpi"] == pytest.approx((216, 216), abs=0.1)
    found = np.asarray(read.convert("RGBA")).astype(int)
    assert np.array_equal(found[~drawn], image[~drawn])
    assert np.abs(found - image).max() <= 8


def test_png_encoding_of_a_map_without_anything_drawn_is_exact() -> None:
    palette = opaque_colours(4, 73)
    below = np.random.default_rng(1).integers(0, 73, (31, 57), np.uint8)
    read = Image.open(io.BytesIO(png.encode(palette[below], below, palette, 216)))
    assert np.array_equal(np.asarray(read.convert("RGBA")), palette[below])


def test_titles_in_words() -> None:
    said = create_captions(sample("combined").superevent)
    assert said.title == "BNS 97\u00a0% · S261120a"
    assert said.subtitle == "PRELIMINARY · combined map · 2026-11-20 03:04:05\u00a0UTC"
    assert create_captions(sample("a burst").superevent).subtitle.startswith("PRELIMINARY · 2026")
    assert said.watermark is None
    assert said.facts == ("120\u00a0±\u00a030\u00a0Mpc", "H1 L1 V1", "with Swift")
    assert said.gw_alone is not None and said.gw_alone.startswith("GW alone 90\u00a0%: ")
    assert create_captions(sample("a mock").superevent).watermark == "MOCK"
    assert create_captions(sample("a burst").superevent).facts == ("H1 L1 V1",)


def test_alt_text_describes_the_image() -> None:
    sky = DrawnSky(sun=(230.0, -20.0), moon=(40.0, 15.0), moon_illumination=0.43)
    said = alt_text(sample("combined").superevent, sky, inset=False)
    assert said.startswith("Combined sky map of S261120a, BNS 97 %, PRELIMINARY, 2026-11-20 03:04:05 UTC.")
    for part in (
        "90 % credible region covers",
        "Swift/BAT sub-threshold GRB candidate",
        "dashed",
        "Sun at 15h20 −20°",
        "The peak is at ",
        " from the peak.",
        "Moon at 02h40 +15° (43 % lit)",
        "The peak is at",
    ):
        assert part in said
    assert "densest" not in said
    assert "inset" not in said
    mock = alt_text(sample("a mock").superevent, inset=True)
    assert mock.startswith("MOCK, no real event. Sky map of MS261120a")
    assert "inset" in mock
    assert "distance" not in alt_text(sample("a burst").superevent)


def test_alt_text_is_never_too_long() -> None:
    superevent = sample("a tile").superevent
    notice = superevent.latest
    assert notice.event is not None
    long = replace(
        notice, event=replace(notice.event, classification={}, group="x" * 5000, search="y" * 3000)
    )
    assert len(alt_text(Superevent.from_notices([replace(long, alert_type="Z" * 3000)]))) <= ALT_TEXT_MAX


def test_numbers_only_a_broken_file_can_hold_are_drawn_too() -> None:
    localization = Localization(
        ra=10.0,
        dec=20.0,
        area_50=1e-9,
        area_90=41252.96,
        regions=(Region(ra=10.0, dec=20.0, area=1.0, probability=0.9),),
        distance=Distance(mean=1e300, std=float("nan")),
        peak_distance=None,
    )
    notice = replace(sample("a tile").superevent.latest, localization=localization)
    superevent = Superevent.from_notices([notice])
    assert render(replace(order(sample("a tile")), captions=create_captions(superevent))).png.startswith(
        b"\x89PNG"
    )


def test_without_a_map_there_are_no_words() -> None:
    notice = replace(sample("a tile").superevent.latest, localization=None)
    with pytest.raises(ValueError, match="no sky map to draw"):
        create_captions(Superevent.from_notices([notice]))


@pytest.mark.process
def test_pyplot_stays_out_and_the_bot_itself_is_without_matplotlib() -> None:
    code = (
        "import sys, bot.skymap_service.image_process, formatters.skymap_image;"
        " assert 'matplotlib' not in sys.modules;"
        "import formatters.skymap_image.figure; assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
