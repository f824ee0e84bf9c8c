"""What is marked on a sky map's image: badges, Sun, Moon, peak, hours, outlines and the scale of colours."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from datetime import timedelta

import astropy_healpix as healpix
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot import samples
from bot.alerts.decode import notice_from_record
from bot.observing.ephemeris import sun_and_moon
from bot.samples.skymaps import Columns, to_fits
from bot.skymap_service.image_process import ImageJob, ImageResult, render
from bot.skymaps import raster, skymap
from bot.skymaps.cone_search import probability_in_cone, probability_of_tiles_in_cone
from bot.skymaps.skymap import SkyMap
from formatters.models.notice import EARLYWARNING, SKY_AREA, Notice
from formatters.models.superevent import Superevent
from formatters.skymap_image import DrawnSky, Grid, alt_text, create_captions, style
from formatters.skymap_image.allsky import canvas_position, direction_on_canvas
from formatters.skymap_image.bodies import circle_around, lit_part, point_towards
from formatters.skymap_image.contours import grid_outlines
from formatters.skymap_image.projection import SKY_HEIGHT, SKY_WIDTH, project_sky
from formatters.text.quantities import separation
from tests.support.images import WHEN, sample

SKY = DrawnSky(sun=(230.0, -20.0), moon=(40.0, 15.0), moon_illumination=0.43)


def noticed(**changed: object) -> Superevent:
    """The event of a sample, its notice changed; `significant` is the event's flag."""
    notice = sample("across RA 0 h").superevent.latest
    assert notice.event is not None
    significant = changed.pop("significant", True)
    notice = replace(notice, event=replace(notice.event, significant=significant), **changed)  # type: ignore[arg-type]
    return Superevent.from_notices([notice])


def job(
    fits_file: bytes, peak: tuple[float, float] | None = (0.0, 0.0), superevent: Superevent | None = None
) -> ImageJob:
    return ImageJob(
        captions=create_captions(superevent or sample("across RA 0 h").superevent),
        peak=peak,
        sky_time=WHEN,
        main_map=fits_file,
        gw_map=None,
    )


def pixels(drawn: ImageResult) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(drawn.png)).convert("RGB")).astype(int)


def near(image: np.ndarray, colour: str, tolerance: int = 24) -> np.ndarray:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    found: np.ndarray = (np.abs(image - wanted) <= tolerance).all(axis=-1)
    return found


def lobe(ra: float, dec: float, sigma: float = 3.0) -> bytes:
    return samples.sky_map([samples.Lobe(ra, dec, 1, sigma)], superevent_id="S261120a", time=WHEN)


class TestBadges:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("changed", "badges", "subtitle"),
        [
            ({}, (), "PRELIMINARY · 2026-"),
            ({"significant": False}, ("LOW SIGNIFICANCE",), "PRELIMINARY · 2026-"),
            ({"alert_type": EARLYWARNING}, ("EARLY WARNING",), "2026-"),
            (
                {"alert_type": EARLYWARNING, "significant": False},
                ("EARLY WARNING", "LOW SIGNIFICANCE"),
                "2026-",
            ),
        ],
    )
    def test_early_warning_and_low_significance_are_badges(
        self, changed: dict[str, object], badges: tuple[str, ...], subtitle: str
    ) -> None:
        superevent = noticed(**changed)
        words = create_captions(superevent)
        assert words.badges == badges and words.subtitle.startswith(subtitle)
        image = pixels(render(job(sample("across RA 0 h").gw_map, superevent=superevent)))
        boxed = near(image[95:142, style.WIDTH // 2 :], style.BADGE, 12).mean()
        assert (boxed > 0.05) == bool(badges)
        assert all(badge in alt_text(superevent) for badge in badges)

    def test_badges_leave_room_for_the_subtitle_and_stay_on_the_picture(self) -> None:
        superevent = noticed(alert_type=EARLYWARNING, significant=False)
        image = pixels(render(job(sample("across RA 0 h").gw_map, superevent=superevent)))
        assert near(image[:, [0, -1]], "#12151f", 6).all()

    def test_combined_stands_in_the_subtitle_of_combined_maps_alone(self) -> None:
        assert "combined map" in create_captions(sample("combined").superevent).subtitle
        for kind in ("a ring", "a mock", "a burst"):
            assert "combined" not in create_captions(sample(kind).superevent).subtitle


class TestMoon:
    @given(st.floats(0, 2 * math.pi), st.floats(0, 1))
    def test_lit_part_has_the_illuminated_area_and_faces_the_sun(self, towards: float, lit: float) -> None:
        x, y = lit_part(towards, lit).T
        area = abs(float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)) / 2
        assert area / math.pi == pytest.approx(lit, abs=0.01)
        assert max(np.hypot(x, y)) == pytest.approx(1)
        # The limb's middle is where the Sun is.
        assert (x * math.cos(towards) + y * math.sin(towards)).max() == pytest.approx(1, abs=1e-6)

    @given(st.floats(0, 359), st.floats(-75, 75), st.floats(0, 359), st.floats(-23, 23))
    def test_lit_side_points_along_the_great_circle_to_the_sun(
        self, ra: float, dec: float, sun_ra: float, sun_dec: float
    ) -> None:
        if not 5 < separation(ra, dec, sun_ra, sun_dec) < 175 or abs((ra + 180) % 360 - 180) < 4:
            return
        direction = direction_on_canvas((ra, dec), (sun_ra, sun_dec))
        here = canvas_position(ra, dec)
        there = canvas_position(*point_towards((ra, dec), (sun_ra, sun_dec), 0.1))
        drawn = math.atan2(-(there[1] - here[1]), there[0] - here[0])
        # The map projection curves most towards the poles.
        assert abs(math.remainder(direction - drawn, 2 * math.pi)) < 0.2

    @pytest.mark.parametrize("days", [0, 5, 10, 15, 20, 25])
    def test_illumination_is_that_of_the_elongation(self, days: int) -> None:
        """New Moon on 2026-11-09, full Moon on 2026-11-24 (almanac)."""
        at = WHEN.replace(day=9) + timedelta(days=days)
        drawn = render(replace(job(lobe(120, 30)), sky_time=at)).above
        sun, moon = sun_and_moon(at)
        assert (drawn.sun, drawn.moon) == (sun, moon)
        lit = drawn.moon_illumination
        assert lit < 0.03 if days == 0 else lit > 0.97 if days == 15 else 0.1 < lit < 0.97

    def test_percent_stands_in_the_alternative_text(self) -> None:
        assert "(43 % lit)" in alt_text(sample("a ring").superevent, SKY)


class TestSun:
    def test_peak_and_outlines_are_drawn_above_the_sun(self) -> None:
        sun, _ = sun_and_moon(WHEN)
        drawn = render(job(lobe(*sun, 4.0), peak=sun))
        x, y = (round(value) for value in canvas_position(*sun))
        image = pixels(drawn)
        for a, b in ((20, 0), (-20, 0), (0, 20), (0, -20)):
            assert near(image[y + b, x + a], style.PEAK).any()

    @pytest.mark.slow
    @pytest.mark.parametrize("apart", [0.0, 30.0, 44.0, 60.0, 100.0, 170.0])
    def test_circle_is_drawn_where_a_fifth_of_the_map_is_inside(self, apart: float) -> None:
        sun, _ = sun_and_moon(WHEN)
        ra, dec = point_towards(sun, (sun[0] + 120, 40.0), apart)
        file = lobe(ra, dec)
        drawn = render(job(file, peak=(ra, dec)))
        share = probability_in_cone(skymap.read_sky_map(file), *sun, 45.0)
        assert drawn.above.near_sun == (pytest.approx(share) if share >= 0.2 else None)
        ring = [canvas_position(float(a), float(d)) for a, d in zip(*circle_around(sun, 45.0), strict=True)]
        image = pixels(drawn)
        hits = [
            near(image[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3], style.SUN, 60).any()
            for x, y in ring
        ]
        assert (np.mean(hits) > 0.4) == (share >= 0.2)
        said = alt_text(sample("a ring").superevent, drawn.above)
        assert ("within 45° of the Sun, circled" in said) == (share >= 0.2)

    @settings(max_examples=20, deadline=None)
    @given(
        st.floats(0, 359), st.floats(-90, 90), st.sampled_from(["a ring", "one detector", "several lobes"])
    )
    def test_quick_sum_over_tiles_is_near_the_exact_one(self, ra: float, dec: float, kind: str) -> None:
        read = skymap.read_sky_map(sample(kind).gw_map)
        assert probability_of_tiles_in_cone(read, ra, dec, 45) == pytest.approx(
            probability_in_cone(read, ra, dec, 45), abs=0.03
        )

    @given(st.floats(0, 359), st.floats(-89, 89), st.floats(1, 90))
    def test_circle_has_its_radius_everywhere(self, ra: float, dec: float, radius: float) -> None:
        for a, d in zip(*circle_around((ra, dec), radius, 13), strict=True):
            assert separation(ra, dec, float(a), float(d)) == pytest.approx(radius, abs=1e-3)


class TestHours:
    @pytest.mark.parametrize(
        ("ra", "step", "text"),
        [
            (0.0, 15.0, "0h"),
            (345.0, 15.0, "23h"),
            (350.0, 5.0, "23h20m"),
            (-10.0, 5.0, "23h20m"),
            (360.0, 45.0, "0h"),
            (12.5, 10 / 240, "0h50m00s"),
            (187.625, 30 / 240, "12h30m30s"),
            (359.9999999, 5.0, "0h00m"),
        ],
    )
    def test_right_ascension_is_in_hours(self, ra: float, step: float, text: str) -> None:
        assert style.format_hours(ra, step) == text

    @given(
        st.integers(0, 86_399), st.sampled_from([5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200])
    )
    def test_multiples_of_a_step_have_different_labels(self, number: int, step: int) -> None:
        ra = number // step * step / 240
        assert style.format_hours(ra, step / 240) != style.format_hours(ra + step / 240, step / 240)


def islands(count: int) -> SkyMap:
    """Return a map of `count` equal tiles of order 4 that don't touch, on a whole sky of almost nothing."""
    ipix = np.arange(3072)
    density = np.full(3072, 1e-9)
    # The first quarter of a quarter of each pixel of order 2 touches no other such quarter.
    density[np.arange(count) * 16 + 6] = 1.0
    density /= density.sum() * np.pi / 3 / 4**4
    columns: Columns = {"UNIQ": (ipix + 1024, None), "PROBDENSITY": (density, "sr-1")}
    return skymap.read_sky_map(to_fits(columns, fits.Header()))


def grid_of(found: SkyMap) -> Grid:
    return raster.rasterize(found, raster.all_sky_pixel_grid())


def outlines(level: np.ndarray, at: float, width: float | None = None) -> list[np.ndarray]:
    """Return the outlines where each pixel is a tile, with corners as those of tiles of a width in pixels."""
    values = level.astype(np.float32).ravel()
    return grid_outlines(
        Grid(
            tiles=np.arange(level.size, dtype=np.int32).reshape(level.shape),
            tile_density=values,
            tile_level=values,
            tile_width=None if width is None else np.full(level.size, width, np.float32),
        ),
        at,
    )


class TestOutlines:
    @pytest.mark.parametrize(("count", "outlined"), [(1, True), (54, True), (57, False), (150, False)])
    def test_regions_of_more_than_fifty_pieces_are_not_outlined(self, count: int, outlined: bool) -> None:
        pieces = raster.region_pieces(islands(count))[0.9]
        assert raster.is_outlined(pieces) == outlined == (int(pieces.label.max()) + 1 <= 50)

    def test_picture_of_many_pieces_has_no_outlines_and_says_so(self) -> None:
        found = islands(150)
        columns: Columns = {"UNIQ": (found.uniq, None), "PROBDENSITY": (found.density, "sr-1")}
        drawn = render(job(to_fits(columns, fits.Header())))
        assert drawn.above.outlined == ()
        assert not drawn.has_inset
        inner = pixels(drawn)[
            style.SKY_TOP + 150 : style.SKY_TOP + 200, style.SKY_LEFT + 60 : style.SKY_LEFT + 900
        ]
        assert near(inner, style.CONTOUR, 8).mean() < 0.002
        assert "too many pieces to be outlined" in alt_text(sample("a ring").superevent, drawn.above)

    def test_lone_tiles_are_outlined(self) -> None:
        found = islands(20)
        lines = grid_outlines(grid_of(found), 0.9)
        tiles = np.flatnonzero(found.density > 1e-3)
        lon, lat = healpix.healpix_to_lonlat(found.ipix[tiles], 16, order="nested")
        assert tiles.size == 20
        for column, row in zip(*project_sky(lon.deg, lat.deg), strict=True):
            apart = [np.hypot(*(line - (column, row)).T).min() for line in lines]
            assert min(apart) < 9, "half of a tile's diagonal"

    @pytest.mark.slow
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10_000), st.sampled_from([0.5, 0.9]), st.floats(2, 25))
    def test_smoothing_keeps_the_area(self, seed: int, level: float, sigma: float) -> None:
        rng = np.random.default_rng(seed)
        ra, dec = rng.uniform(60, 300), rng.uniform(-50, 50)
        grid = grid_of(skymap.read_sky_map(lobe(ra, dec, sigma)))
        pixels_inside = np.count_nonzero(grid.credible_level <= level)
        total = 0.0
        for line in grid_outlines(grid, level):
            x, y = line.T
            total += float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2
        assert abs(total) == pytest.approx(pixels_inside, rel=0.02, abs=3)

    @pytest.mark.parametrize("base_order", [3, 4, 5])
    def test_outline_of_a_round_region_of_coarse_tiles_is_nearly_a_circle(self, base_order: int) -> None:
        """The steps of tiles make it up to a quarter longer."""
        file = samples.sky_map(
            [samples.Lobe(180, 0, 1, 12)],
            superevent_id="S261120a",
            time=WHEN,
            base_order=base_order,
            rounds=0,
        )
        grid = grid_of(skymap.read_sky_map(file))

        def length(lines: list[np.ndarray]) -> float:
            return sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines)

        smooth, raw = grid_outlines(grid, 0.9), outlines(grid.credible_level, 0.9)
        count = np.count_nonzero(grid.credible_level <= 0.9)
        # Near the map's middle Mollweide's pixels are longer than high by π²/8.
        stretch = math.pi**2 / 8
        across = math.sqrt(count / math.pi)
        ellipse = 2 * math.pi * across * math.sqrt((stretch + 1 / stretch) / 2)
        assert length(smooth) < 1.09 * ellipse
        assert length(smooth) < length(raw)

    def test_outline_along_the_rim_and_the_grids_edge_stays_there(self) -> None:
        """A region across RA 0 h touches the rim on both sides: smoothing must not pull it inwards."""
        level = np.full((60, 80), 0.95, np.float32)
        level[20:40, 60:] = 0.3
        level[:, 75:] = np.nan
        (line,) = outlines(level, 0.5, 10)
        assert line[:, 0].max() == pytest.approx(74.5, abs=0.6)
        level[:, 75:] = 0.3
        assert outlines(level, 0.5, 10)[0][:, 0].max() >= 79


class TestScale:
    def test_a_hot_tile_leaves_the_region_bright(self) -> None:
        """The scale ends at six times the density at the 50 % region's edge."""
        found = skymap.read_sky_map(lobe(180.0, 0.0, 8.0))
        density = np.array(found.density)
        tile = skymap.tile_at(found, 90.0, 40.0)
        assert tile is not None
        density *= 0.98
        density[tile] += 0.02 / float(found.area[tile])
        density[tile] = max(density[tile], 300 * density.max() if density.argmax() != tile else density[tile])
        density /= float(density @ found.area)
        columns: Columns = {"UNIQ": (found.uniq, None), "PROBDENSITY": (density, "sr-1")}
        hot = skymap.read_sky_map(to_fits(columns, fits.Header()))
        grid = grid_of(hot)
        edge = float(hot.density[skymap.in_credible_region(hot, 0.5)].min())
        assert grid.full_scale == pytest.approx(6 * edge)
        image = style.palette()[style.colourize(grid)].astype(int)
        assert image[SKY_HEIGHT // 2, SKY_WIDTH // 2, :3].sum() > 200 or hot.probability[tile] > 0.5

    def test_inset_shows_the_50_percent_region_where_the_90_percent_region_is_too_wide(self) -> None:
        wide = samples.streak(120, 10, bearing=70, length=16, width=2)
        found = skymap.read_sky_map(samples.sky_map(wide, superevent_id="S261120a", time=WHEN))
        pieces = raster.region_pieces(found)
        region = raster.inset_region(pieces)
        assert region is not None
        assert region.probability == pytest.approx(0.5, abs=0.02)
        assert separation(region.window.ra, region.window.dec, 120, 10) < 2


class TestUniform:
    def test_uniform_map_is_drawn_without_a_peak(self) -> None:
        notice: Notice = sample("across RA 0 h").superevent.latest
        assert notice.localization is not None
        flat = replace(notice.localization, area_50=SKY_AREA / 2, area_90=SKY_AREA * 0.9, regions=())
        superevent = Superevent.from_notices([replace(notice, localization=flat)])
        columns: Columns = {
            "UNIQ": (np.arange(768) + 256, None),
            "PROBDENSITY": (np.full(768, 1 / (4 * np.pi)), "sr-1"),
        }
        drawn = render(job(to_fits(columns, fits.Header()), peak=None, superevent=superevent))
        image = pixels(drawn)
        assert near(image, style.PEAK, 10).sum() == 0
        assert drawn.above.outlined == () and not drawn.has_inset
        assert image[style.SKY_TOP + 130, style.SKY_LEFT + 400].sum() < 300, "no bright place"
        assert "too many pieces" not in alt_text(superevent, drawn.above)
        assert "peak" not in alt_text(superevent, drawn.above)


def test_one_word_for_the_peak() -> None:
    notice = notice_from_record(samples.bns(WHEN)[0])
    said = alt_text(Superevent.from_notices([notice]), SKY)
    assert "The peak is at" in said and "from the peak" in said and "densest" not in said
