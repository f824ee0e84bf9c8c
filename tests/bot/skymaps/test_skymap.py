"""Sky maps: reading, areas, levels, overlap, distance along the peak."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import astropy_healpix as healpix
import fastavro
import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.samples import edge_cases
from bot.skymaps import skymap as skymap_module
from bot.skymaps.arrays import argsort_descending
from bot.skymaps.distance_moments import conditional_distance
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.fits_table import read_table
from bot.skymaps.skymap import (
    MAX_TILES,
    SkyMap,
    credible_areas,
    credible_levels,
    in_credible_region,
    localize,
    peak_tile,
    probability_inside,
    read_sky_map,
    tile_at,
)
from formatters.models.notice import Distance, Localization

WHOLE_SKY = 4 * 180**2 / np.pi
Array = NDArray[Any]


def uniq_of(order: int, ipix: Array) -> Array:
    uniq: Array = np.asarray(ipix, np.int64) + 4 * 4**order
    return uniq


def mixed_tiles(seed: int) -> Array:
    """UNIQ of a whole sky in tiles of orders 1 to 4, split at random."""
    rng = np.random.default_rng(seed)
    done, open_tiles = [], np.arange(48)
    for order in (1, 2, 3):
        split = rng.random(open_tiles.size) < 0.4
        done.append(uniq_of(order, open_tiles[~split]))
        open_tiles = (open_tiles[split][:, None] * 4 + np.arange(4)).ravel()
    return rng.permutation(np.concatenate([*done, uniq_of(4, open_tiles)]))


def area_of(uniq: Array) -> Array:
    order = (np.log2(uniq // 4) // 2).astype(int)
    return np.asarray(np.pi / 3 / 4.0**order)


def random_map(seed: int) -> SkyMap:
    uniq = mixed_tiles(seed)
    density = np.random.default_rng(seed + 1000).random(uniq.size) ** 4
    return read_sky_map(to_fits({"UNIQ": uniq, "PROBDENSITY": density / np.sum(density * area_of(uniq))}))


def to_fits(columns: dict[str, Array], **header: object) -> bytes:
    """Columns by name as astropy writes them; a header without anything a map could do without."""
    codes = {"i4": "J", "i8": "K", "u8": "K", "f4": "E", "f8": "D", "i2": "I"}
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(
                name,
                format=codes[values.dtype.str[1:]],
                array=values,
                bzero=2**63 if values.dtype.kind == "u" else None,
            )
            for name, values in columns.items()
        ]
    )
    table.header.update({"ORDERING": "NUNIQ", "COORDSYS": "C"} | header)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


def uniform(order: int = 1, **header: object) -> bytes:
    uniq = uniq_of(order, np.arange(12 * 4**order))
    return to_fits({"UNIQ": uniq, "PROBDENSITY": np.full(uniq.size, 1 / (4 * np.pi))}, **header)


def published_maps(shared_notices: Path) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    expected = json.loads((shared_notices / "expected.json").read_text())
    for name, figures in expected.items():
        body = (shared_notices / name).read_bytes()
        record: Any
        if name.endswith(".avro"):
            (record,) = fastavro.reader(io.BytesIO(body))
        else:
            record = json.loads(body)
        for kind, holder, key in (
            ("map", "event", "skymap"),
            ("combined", "external_coinc", "combined_skymap"),
        ):
            if kind in figures:
                given_map = record[holder][key]
                yield (
                    f"{name} {kind}",
                    given_map if isinstance(given_map, bytes) else base64.b64decode(given_map),
                    figures[kind],
                )


def combined_of_s241125n(shared_notices: Path) -> tuple[SkyMap, SkyMap]:
    record = json.loads((shared_notices / "real/S241125n-UPDATE-RAVEN.json").read_bytes())
    return (
        read_sky_map(base64.b64decode(record["event"]["skymap"])),
        read_sky_map(base64.b64decode(record["external_coinc"]["combined_skymap"])),
    )


class TestPublishedMaps:
    @pytest.mark.slow
    def test_all_figures_agree_with_ligo_skymap(self, shared_notices: Path) -> None:
        seen = 0
        for name, body, figures in published_maps(shared_notices):
            found = localize(read_sky_map(body))
            assert found.area_50 == pytest.approx(figures["area_50"], rel=1e-9), name
            assert found.area_90 == pytest.approx(figures["area_90"], rel=1e-9), name
            assert [found.ra, found.dec] == pytest.approx(figures["peak"], rel=0, abs=1e-9), name
            given_distance = found.distance and (found.distance.mean, found.distance.std)
            assert given_distance == (
                (figures["distance_mean"], figures["distance_std"]) if figures["distance_mean"] else None
            ), name
            assert read_sky_map(body).uniq.size == figures["rows"], name
            seen += 1
        assert seen >= 20

    def test_the_user_guides_peak_to_the_last_digit(self, shared_notices: Path) -> None:
        body = (shared_notices / "official/MS181101ab-preliminary.avro").read_bytes()
        (record,) = fastavro.reader(io.BytesIO(body))
        assert isinstance(record, dict)
        found = localize(read_sky_map(record["event"]["skymap"]))
        assert (found.ra, found.dec) == (194.30419921874997, -17.856895095545468)
        assert found.distance == Distance(mean=39.76999609489013, std=8.308435058808886)
        assert found.log_bci == 13.64819688928804
        assert found.instruments == ("H1", "L1", "V1")
        assert found.creator == "BAYESTAR"

    def test_columns_and_header_are_those_of_astropy(self, shared_notices: Path) -> None:
        _, body, _ = next(published_maps(shared_notices))
        skymap = read_sky_map(body)
        with fits.open(io.BytesIO(body)) as hdus:
            table = hdus[1]
            for name, values in (
                ("UNIQ", skymap.uniq),
                ("PROBDENSITY", skymap.density),
                ("DISTMU", skymap.distmu),
                ("DISTSIGMA", skymap.distsigma),
                ("DISTNORM", skymap.distnorm),
            ):
                assert values is not None and np.array_equal(table.data[name], values), name
            assert skymap.log_bci == table.header["LOGBCI"]

    def test_regions_of_a_wide_combined_map(self, shared_notices: Path) -> None:
        _, combined = combined_of_s241125n(shared_notices)
        found = localize(combined)
        south = found.regions[0]
        assert south.probability == pytest.approx(0.746, abs=0.001)
        assert south.ra == pytest.approx(15 * (15 + 3 / 60), abs=0.3)
        assert south.dec == pytest.approx(-48, abs=0.3)
        near_peak = min(found.regions, key=lambda r: separation(r.ra, r.dec, found.ra, found.dec))
        assert near_peak.probability == pytest.approx(0.006, abs=0.001)
        assert separation(south.ra, south.dec, found.ra, found.dec) == pytest.approx(156, abs=1)

    def test_two_antipodal_lobes(self, shared_notices: Path) -> None:
        body = json.loads((shared_notices / "real/S230522a-Preliminary_alert.json").read_bytes())
        first, second = localize(read_sky_map(base64.b64decode(body["event"]["skymap"]))).regions
        assert first.probability == pytest.approx(0.45, abs=0.01)
        assert second.probability == pytest.approx(0.45, abs=0.01)
        assert separation(first.ra, first.dec, second.ra, second.dec) > 170

    @pytest.mark.slow
    def test_region_centre_lies_inside_the_credible_region(self, shared_notices: Path) -> None:
        for name, body, _ in published_maps(shared_notices):
            skymap = read_sky_map(body)
            region = localize(skymap).regions[0]
            tile = tile_at(skymap, region.ra, region.dec)
            assert tile is not None and in_credible_region(skymap, 0.9)[tile], name

    def test_distance_along_the_peak_can_differ(self, shared_notices: Path) -> None:
        body = json.loads((shared_notices / "real/S231030av.json").read_bytes())
        found = localize(read_sky_map(base64.b64decode(body["event"]["skymap"])))
        assert found.distance is not None and found.peak_distance is not None
        assert (round(found.distance.mean), round(found.distance.std)) == (66, 42)
        assert (round(found.peak_distance.mean), round(found.peak_distance.std)) == (48, 11)
        assert found.log_bci == pytest.approx(-1.58, abs=0.01)

    def test_burst_has_no_distance_and_blanks_between_instruments(self, shared_notices: Path) -> None:
        body = json.loads((shared_notices / "real/S230528ay-preliminary_v1.json").read_bytes())
        found = localize(read_sky_map(base64.b64decode(body["event"]["skymap"])))
        assert found.distance is None and found.peak_distance is None and found.log_bci is None
        assert found.instruments == ("H1", "L1")

    def test_an_instrument_with_a_blank_in_its_name(self, shared_notices: Path) -> None:
        _, combined = combined_of_s241125n(shared_notices)
        assert combined.instruments == ("H1", "L1", "Swift BAT", "V1")

    def test_overlap_of_published_maps(self, shared_notices: Path) -> None:
        gw_map, combined = combined_of_s241125n(shared_notices)
        assert probability_inside(gw_map, combined, 0.9) == pytest.approx(raster_overlap(gw_map, combined, 9))
        assert probability_inside(gw_map, gw_map, 0.9) == pytest.approx(0.9, abs=0.001)


def separation(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    a, b, c, d = np.radians([ra, dec, other_ra, other_dec])
    cosine = np.sin(b) * np.sin(d) + np.cos(b) * np.cos(d) * np.cos(a - c)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def raster(skymap: SkyMap, values: Array, order: int) -> Array:
    """Values per tile, per pixel of one order, without any cleverness."""
    flat = np.zeros(12 * 4**order)
    for o, i, value in zip(skymap.order.tolist(), skymap.ipix.tolist(), values.tolist(), strict=True):
        width = 4 ** (order - o)
        flat[i * width : (i + 1) * width] = value
    return flat


def raster_overlap(skymap: SkyMap, other: SkyMap, order: int) -> float:
    part = raster(skymap, in_credible_region(skymap, 0.9).astype(float), order)
    return float(np.sum(part * raster(other, other.density, order)) * np.pi / 3 / 4**order)


class TestMeasuring:
    @pytest.mark.parametrize("seed", range(5))
    def test_areas_are_those_of_the_same_map_at_one_order(self, seed: int) -> None:
        skymap = random_map(seed)
        density = np.sort(raster(skymap, skymap.density, 4))[::-1]
        pixel = np.pi / 3 / 4**4
        probability, area = np.cumsum(density) * pixel, np.arange(1, density.size + 1) * pixel
        wanted = np.interp((0.5, 0.9), probability, area) * (180 / np.pi) ** 2
        assert credible_areas(skymap, (0.5, 0.9)) == pytest.approx(wanted)

    @pytest.mark.parametrize("seed", range(5))
    def test_overlap_is_exact_across_orders(self, seed: int) -> None:
        skymap, other = random_map(seed), random_map(seed + 100)
        assert probability_inside(skymap, other, 0.9) == pytest.approx(raster_overlap(skymap, other, 4))

    def test_overlap_of_maps_with_nothing_in_common_is_nothing(self) -> None:
        north, south = (half_sky(pixels) for pixels in (range(4), range(8, 12)))
        assert probability_inside(north, south, 0.9) == 0
        assert probability_inside(north, north, 1.0) == pytest.approx(1)

    def test_overlap_with_a_map_that_leaves_gaps(self) -> None:
        assert probability_inside(read_sky_map(uniform()), half_sky(range(8, 12)), 1.0) == pytest.approx(1)

    def test_level_of_a_tile_counts_all_that_are_as_dense(self) -> None:
        skymap = random_map(3)
        wanted = [np.sum(skymap.probability[skymap.density >= density]) for density in skymap.density]
        assert credible_levels(skymap) == pytest.approx(np.array(wanted))

    def test_equal_densities_share_a_level(self) -> None:
        assert credible_levels(read_sky_map(uniform())) == pytest.approx(np.ones(48))

    def test_credible_region_is_the_smallest_set_that_holds_the_level(self) -> None:
        skymap = random_map(4)
        part = in_credible_region(skymap, 0.9)
        assert skymap.probability[part].sum() >= 0.9
        rarest = np.flatnonzero(part)[skymap.density[part].argmin()]
        assert skymap.probability[part].sum() - skymap.probability[rarest] < 0.9
        assert skymap.density[part].min() >= skymap.density[~part].max()

    def test_uniform_map_has_its_share_of_the_sky(self) -> None:
        assert credible_areas(read_sky_map(uniform()), (0.5, 0.9)) == pytest.approx(
            (WHOLE_SKY / 2, 0.9 * WHOLE_SKY)
        )

    def test_credible_area_uses_a_fraction_of_the_last_tile(self) -> None:
        skymap = read_sky_map(to_fits({"UNIQ": np.array([4]), "PROBDENSITY": np.array([3 / np.pi])}))
        assert credible_areas(skymap, (0.5,)) == pytest.approx((WHOLE_SKY / 24,))

    def test_level_above_the_maps_whole_probability_is_the_whole_sky(self) -> None:
        # A map of one tile of twelve, whose probability is a little less than 1, as maps' are.
        skymap = read_sky_map(to_fits({"UNIQ": np.array([4]), "PROBDENSITY": np.array([0.9999 * 3 / np.pi])}))
        held = skymap.probability.sum()
        assert credible_areas(skymap, (held - 1e-9, held + 1e-9)) == pytest.approx(
            (WHOLE_SKY / 12, WHOLE_SKY)
        )

    def test_peak_is_the_first_of_equals(self) -> None:
        assert peak_tile(read_sky_map(uniform())) == 0

    @pytest.mark.parametrize("seed", range(3))
    def test_tile_at_its_own_centre(self, seed: int) -> None:
        skymap = random_map(seed)
        for tile in range(0, skymap.uniq.size, 7):
            lon, lat = healpix.healpix_to_lonlat(
                skymap.ipix[tile], 2 ** int(skymap.order[tile]), order="nested"
            )
            assert tile_at(skymap, lon.to_value(units.deg), lat.to_value(units.deg)) == tile

    def test_no_tile_in_a_gap(self) -> None:
        assert tile_at(half_sky(range(8, 12)), 10, 80) is None
        assert tile_at(half_sky(range(4)), 10, -80) is None

    def test_finest_order(self) -> None:
        # 4^30 - 1 is the last UNIQ of order 28 and not a double.
        last_28, first_29 = 16 * 4**28 - 1, 4 * 4**29
        skymap = read_sky_map(
            to_fits(
                {
                    "UNIQ": np.array([last_28, first_29]),
                    "PROBDENSITY": np.array([0.5 / area_at(28), 0.5 / area_at(29)]),
                }
            )
        )
        assert skymap.order.tolist() == [28, 29]
        assert skymap.ipix.tolist() == [12 * 4**28 - 1, 0]

    def test_arrays_cannot_be_written_to(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            read_sky_map(uniform()).density[0] = 1


def area_at(order: int) -> float:
    return float(np.pi / 3 / 4**order)


def half_sky(pixels: range) -> SkyMap:
    """A map that has these base tiles and no others."""
    uniq = uniq_of(0, np.array(pixels))
    return read_sky_map(
        to_fits({"UNIQ": uniq, "PROBDENSITY": np.full(uniq.size, 1 / area_at(0) / uniq.size)})
    )


class TestConditionalDistance:
    @staticmethod
    def integrated(mu: float, sigma: float) -> tuple[float, float]:
        r = np.linspace(0, max(mu, 0) + 15 * sigma, 400_001)
        p = r**2 * np.exp(-(((r - mu) / sigma) ** 2) / 2 + (min(mu, 0) / sigma) ** 2 / 2)
        mean = float(np.average(r, weights=p))
        return mean, float(np.sqrt(np.average((r - mean) ** 2, weights=p)))

    @pytest.mark.parametrize(
        ("mu", "sigma"), [(40, 8), (100, 90), (1, 50), (0, 10), (-30, 20), (-79, 10), (-81, 10), (-300, 10)]
    )
    def test_against_plain_integration(self, mu: float, sigma: float) -> None:
        found = conditional_distance(mu, sigma)
        assert found is not None
        assert (found.mean, found.std) == pytest.approx(self.integrated(mu, sigma), rel=1e-5)

    def test_far_below_zero_it_is_a_gamma_distribution(self) -> None:
        found = conditional_distance(-1e6, 1)
        assert found is not None
        assert (found.mean, found.std) == pytest.approx((3e-6, np.sqrt(3) * 1e-6), rel=1e-6)

    def test_narrow_distribution_is_normal(self) -> None:
        for mu in (37.9, 38.1, 1e6):
            found = conditional_distance(mu, 1)
            assert found is not None
            assert (found.mean, found.std) == pytest.approx((mu + 2 / mu, 1), rel=1e-3)

    @pytest.mark.parametrize(
        ("mu", "sigma"),
        [(np.inf, 1), (-np.inf, 1), (np.nan, 1), (40, 0), (40, -1), (40, np.inf), (40, np.nan)],
    )
    def test_parameters_that_describe_no_distance(self, mu: float, sigma: float) -> None:
        assert conditional_distance(mu, sigma) is None

    @settings(max_examples=200, deadline=None)
    @given(st.floats(-1e4, 1e5), st.floats(1e-3, 1e4))
    def test_finite_for_any_parameters(self, mu: float, sigma: float) -> None:
        found = conditional_distance(mu, sigma)
        assert found is not None
        assert found.mean > max(mu, 0) * 0.999 and 0 <= found.std <= 1.001 * sigma


class TestOddMaps:
    @pytest.mark.slow
    def test_odd_maps_are_measured_like_the_usual_one(self) -> None:
        maps = {name: read_sky_map(body) for name, body in edge_cases.readable_maps().items()}
        usual = localize(maps["two_columns"])
        for name in ("uint64_uniq", "int32_uniq", "infinite_distmu"):
            found = localize(maps[name])
            assert (found.ra, found.dec, found.area_90) == (usual.ra, usual.dec, usual.area_90), name
        assert maps["few_rows"].uniq.size == 336
        assert localize(maps["many_rows"]).area_90 == pytest.approx(usual.area_90, rel=0.01)

    def test_single_order_map_without_distance_keys(self) -> None:
        found = localize(read_sky_map(edge_cases.readable_maps()["amplfi"]))
        assert found.distance is not None and found.peak_distance is not None
        assert (found.distance.mean, found.distance.std) == pytest.approx((140, 40))
        assert found.distance_share == pytest.approx(1)

    @pytest.mark.slow
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 1000), st.floats(0, 1))
    def test_distance_without_header_is_that_of_the_part_that_has_one(
        self, seed: int, missing: float
    ) -> None:
        """Against a plain sum over each tile's own moments."""
        rng = np.random.default_rng(seed)
        uniq = uniq_of(1, np.arange(48))
        density = rng.random(48) + 1e-3
        density /= density.sum() * area_at(1)
        mu, sigma = rng.uniform(-300, 4000, 48), rng.uniform(5, 800, 48)
        mu[rng.random(48) < missing] = np.inf
        columns = {
            "UNIQ": uniq,
            "PROBDENSITY": density,
            "DISTMU": mu,
            "DISTSIGMA": sigma,
            "DISTNORM": 1 / sigma,
        }
        found = localize(read_sky_map(to_fits(columns)))
        held = [
            (share, moments)
            for share, m, s in zip((density * area_at(1)).tolist(), mu.tolist(), sigma.tolist(), strict=True)
            if (moments := conditional_distance(m, s)) is not None
        ]
        if not held:
            assert found.distance is None and found.distance_share is None
            return
        total = sum(share for share, _ in held)
        mean = sum(share * d.mean for share, d in held) / total
        square = sum(share * (d.mean**2 + d.std**2) for share, d in held) / total
        assert found.distance is not None
        assert found.distance_share == pytest.approx(total)
        assert found.distance.mean == pytest.approx(mean)
        assert found.distance.std == pytest.approx(np.sqrt(square - mean**2))

    def test_headers_distance_is_said_without_a_share(self) -> None:
        found = localize(read_sky_map(edge_cases.readable_maps()["infinite_distmu"]))
        assert found.distance == Distance(mean=140.0, std=40.0) and found.distance_share is None

    @pytest.mark.parametrize("kind", ["i2", "i4", "i8", "u8"])
    def test_integers_of_any_width(self, kind: str) -> None:
        uniq = uniq_of(1, np.arange(48)).astype(kind)
        skymap = read_sky_map(to_fits({"UNIQ": uniq, "PROBDENSITY": np.full(48, 1 / (4 * np.pi))}))
        assert skymap.uniq.dtype == np.int64
        assert skymap.uniq.tolist() == uniq.tolist()

    def test_single_precision(self) -> None:
        uniq = uniq_of(1, np.arange(48))
        density = np.full(48, 1 / (4 * np.pi), np.float32)
        assert read_sky_map(to_fits({"UNIQ": uniq, "PROBDENSITY": density})).density.dtype == np.float64

    def test_columns_in_any_order_and_unknown_ones(self) -> None:
        uniq = uniq_of(1, np.arange(48))
        columns = {"EXTRA": uniq.astype(np.int16), "PROBDENSITY": np.full(48, 1 / (4 * np.pi)), "UNIQ": uniq}
        assert read_sky_map(to_fits(columns)).uniq.tolist() == uniq.tolist()

    def test_infinite_distance_at_the_peak(self) -> None:
        uniq = uniq_of(0, np.arange(12))
        columns = {"UNIQ": uniq, "PROBDENSITY": np.full(12, 1 / (4 * np.pi))}
        columns |= {"DISTMU": np.full(12, np.inf), "DISTSIGMA": np.ones(12), "DISTNORM": np.zeros(12)}
        assert localize(read_sky_map(to_fits(columns))).peak_distance is None

    @pytest.mark.parametrize(
        "header", [{"DISTMEAN": 40.0}, {"DISTMEAN": "40", "DISTSTD": 8.0}, {"DISTSTD": 8.0}]
    )
    def test_half_a_distance_is_none(self, header: dict[str, object]) -> None:
        uniq = uniq_of(0, np.arange(12))
        body = to_fits({"UNIQ": uniq, "PROBDENSITY": np.full(12, 1 / (4 * np.pi))}, **header)
        assert localize(read_sky_map(body)).distance is None

    def test_text_of_the_header(self) -> None:
        found = localize(read_sky_map(uniform(CREATOR="O'Neill  ", INSTRUME="H1", LOGBCI=-2)))
        assert (found.creator, found.instruments, found.log_bci) == ("O'Neill", ("H1",), -2.0)

    @pytest.mark.parametrize("ordering", ["RING", "NESTED"])
    def test_small_flat_map_is_the_same_map(self, ordering: str) -> None:
        pixels = np.arange(12 * 16**2)
        lon, lat = healpix.healpix_to_lonlat(pixels, 16, order=ordering.lower())
        probability = np.exp(-(((lon.deg - 120) / 20) ** 2) - ((lat.deg + 30) / 9) ** 2)
        body = to_fits({"PROB": probability / probability.sum()}, ORDERING=ordering, NSIDE=16)
        found = localize(read_sky_map(gzip.compress(body)))
        assert separation(found.ra, found.dec, 120, -30) < 3
        other = {"RING": "NESTED", "NESTED": "RING"}[ordering]
        grid = healpix.HEALPix(16)
        swap = grid.nested_to_ring if other == "NESTED" else grid.ring_to_nested
        again = probability[np.asarray(swap(pixels))]
        twin = localize(read_sky_map(to_fits({"PROB": again / again.sum()}, ORDERING=other)))
        assert facts(twin) == pytest.approx(facts(found))

    def test_gzipped_flat_map_is_readable(self) -> None:
        assert localize(read_sky_map(edge_cases.flat_gzipped())).area_90 > 0


def facts(found: Localization) -> tuple[float, ...]:
    return (found.ra, found.dec, found.area_50, found.area_90)


def replaced(body: bytes, key: str, value: object) -> bytes:
    """A map with one header value written over."""
    start = body.index(f"{key:<8}=".encode(), 2880)
    return body[: start + 10] + f"{value:>20}".encode() + body[start + 30 :]


BROKEN = edge_cases.broken_maps()
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "isn't a FITS file"),
    "a web page": (b"<html>", "isn't a FITS file"),
    "primary header alone": (uniform()[:2880], "no binary table"),
    "a billion rows": (replaced(uniform(), "NAXIS2", 10**9), "declares 1.6e.10 bytes"),
    "more rows than atoms": (replaced(uniform(), "NAXIS2", 10**19), "declares"),
    "negative rows": (replaced(uniform(), "NAXIS2", -1), "NAXIS2"),
    "rows as text": (replaced(uniform(), "NAXIS2", "'48'"), "NAXIS2"),
    "no rows": (replaced(uniform(), "NAXIS2", 0), "empty"),
    "wider rows": (replaced(uniform(), "NAXIS1", 17), "wide"),
    "three axes": (replaced(uniform(), "NAXIS", 3), "binary table of bytes"),
    "odd BITPIX": (replaced(uniform(), "BITPIX", 7), "binary table of bytes"),
    "odd primary BITPIX": (
        uniform().replace(b"BITPIX  =                    8", b"BITPIX  =                   77"),
        "BITPIX",
    ),
    "UNIQ as text": (uniform().replace(b"TFORM1  = 'K", b"TFORM1  = 'A"), "wide"),
    "UNIQ as doubles": (uniform().replace(b"TFORM1  = 'K", b"TFORM1  = 'D"), "integers"),
    "density as text": (uniform().replace(b"TFORM2  = 'D ", b"TFORM2  = '8A"), "one number"),
    "scaled density": (
        uniform().replace(b"ORDERING= 'NUNIQ   '", b"TSCAL2  =        2.0"),
        "scaled",
    ),
    "unknown type": (uniform().replace(b"TFORM1  = 'K", b"TFORM1  = 'Z"), "TFORM1"),
    "huge repeat": (uniform().replace(b"TFORM1  = 'K       '", b"TFORM1  = '9999999K'"), "wide"),
    "no columns": (replaced(uniform(), "TFIELDS", 0), "wide"),
    "many columns": (replaced(uniform(), "TFIELDS", 10**9), "TFORM3"),
    "truncated": (uniform()[: 2 * 2880 + 700], "declares 768 bytes, and 700 are there"),
    "header without end": (uniform().replace(b"END  ", b"ENT  "), "no end"),
    "endless primary header": (b"SIMPLE  =                    T".ljust(80) + b" " * 10**6, "no end"),
    "galactic": (uniform(COORDSYS="G"), "frame"),
    "gzipped rubbish": (b"\x1f\x8b" + bytes(50), "unpacked"),
    "cut gzip": (gzip.compress(uniform())[:200], "FITS|unpacked"),
}


def with_density(values: object, uniq: Array | None = None) -> bytes:
    density = np.full(12, 1 / (4 * np.pi))
    density[3] = values
    return to_fits({"UNIQ": uniq_of(0, np.arange(12)) if uniq is None else uniq, "PROBDENSITY": density})


def with_uniq(value: int) -> bytes:
    uniq = uniq_of(0, np.arange(12))
    uniq[3] = value
    return with_density(1 / (4 * np.pi), uniq)


UNREADABLE |= {
    "density NaN": (with_density(np.nan), "density"),
    "density infinite": (with_density(np.inf), "density"),
    "density negative": (with_density(-1e-3), "density"),
    "density enormous": (with_density(1e308), "add up"),
    "sum far from 1": (with_density(0.5), "add up to 1.4"),
    "UNIQ 0": (with_uniq(0), "UNIQ"),
    "UNIQ negative": (with_uniq(-5), "UNIQ"),
    "UNIQ beyond order 29": (with_uniq(4**31), "UNIQ"),
    "a tile twice": (with_uniq(4), "overlap"),
    "a tile inside another": (with_uniq(4**4 * 4 + 1), "overlap"),
    "no density": (to_fits({"UNIQ": uniq_of(0, np.arange(12))}), "PROBDENSITY"),
    "neither": (to_fits({"PIXEL": np.arange(12)}), "neither"),
    "flat, part of a sky": (to_fits({"PROB": np.full(13, 1 / 13)}, ORDERING="RING"), "whole sky"),
    "flat, no ordering": (to_fits({"PROB": np.full(12, 1 / 12)}), "ORDERING"),
    "flat, explicit": (
        to_fits({"PROB": np.full(12, 1 / 12)}, ORDERING="RING", INDXSCHM="EXPLICIT"),
        "whole sky",
    ),
}


class TestTies:
    @pytest.mark.slow
    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([0.1, 0.5, 0.9]))
    def test_credible_region_does_not_depend_on_the_order_of_rows(
        self, seed: int, values: int, level: float
    ) -> None:
        rng = np.random.default_rng(seed)
        uniq, density = uniq_of(2, np.arange(192)), rng.integers(1, values + 1, 192).astype(float)
        density /= density.sum() * area_at(2)
        regions = []
        for rows in (np.arange(192), rng.permutation(192)):
            skymap = read_sky_map(to_fits({"UNIQ": uniq[rows], "PROBDENSITY": density[rows]}))
            regions.append(sorted(skymap.uniq[in_credible_region(skymap, level)].tolist()))
        assert regions[0] == regions[1]


class TestUniformMaps:
    @pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-3])
    def test_uniform_map_is_one_up_to_noise(self, noise: float) -> None:
        density = 1 + noise * np.random.default_rng(1).standard_normal(768)
        density /= density.sum() * area_at(3)
        found = localize(read_sky_map(to_fits({"UNIQ": uniq_of(3, np.arange(768)), "PROBDENSITY": density})))
        assert found.is_uniform

    @pytest.mark.slow
    @settings(max_examples=50, deadline=None)
    @given(st.floats(0.05, 0.99), st.integers(0, 767))
    def test_a_map_that_prefers_a_side_is_not_uniform(self, contrast: float, towards: int) -> None:
        x, y, z = healpix.healpix_to_xyz(np.arange(768), 8, order="nested")
        cosine = x * x[towards] + y * y[towards] + z * z[towards]
        density = 1 + contrast * np.asarray(cosine)
        density /= density.sum() * area_at(3)
        found = localize(read_sky_map(to_fits({"UNIQ": uniq_of(3, np.arange(768)), "PROBDENSITY": density})))
        assert not found.is_uniform

    @pytest.mark.slow
    def test_half_a_sky_is_not_uniform_and_no_published_map_is(self, shared_notices: Path) -> None:
        assert not localize(half_sky(range(4))).is_uniform
        assert not any(
            localize(read_sky_map(body)).is_uniform for _, body, _ in published_maps(shared_notices)
        )


class TestTilesWithoutNumber:
    @pytest.mark.slow
    @settings(max_examples=60, deadline=None)
    @given(
        st.sets(st.integers(0, 767), min_size=1, max_size=40),
        st.sampled_from([np.nan, np.inf, -np.inf, -1.0, -1.6375e30]),
    )
    def test_the_rest_stays_usable_while_it_holds_the_probability(
        self, broken: set[int], value: float
    ) -> None:
        """Either the rest is measured as if the tiles were gaps, or the map is refused; there is no third."""
        density = np.exp(-np.arange(768) / 20.0)
        density /= density.sum() * area_at(3)
        uniq, held = uniq_of(3, np.arange(768)), np.ones(768, bool)
        held[list(broken)] = False
        given_density = np.where(held, density, value)
        file = to_fits({"UNIQ": uniq, "PROBDENSITY": given_density})
        lost = float(density[~held].sum() * area_at(3))
        if lost > 0.01:
            with pytest.raises(UnreadableMap, match=r"add up to 0\.\d+ without \d+ tiles"):
                read_sky_map(file)
            return
        found = localize(read_sky_map(file))
        gaps = localize(read_sky_map(to_fits({"UNIQ": uniq[held], "PROBDENSITY": density[held]})))
        assert found.unread_tiles == len(broken)
        assert (found.ra, found.dec, found.area_90, found.regions) == (
            gaps.ra,
            gaps.dec,
            gaps.area_90,
            gaps.regions,
        )

    def test_distances_stay_with_their_tiles(self) -> None:
        density, mu = np.full(48, 1 / (47 * area_at(1))), np.arange(48.0) + 100
        density[5] = np.nan
        columns = {"UNIQ": uniq_of(1, np.arange(48)), "PROBDENSITY": density, "DISTMU": mu}
        columns |= {"DISTSIGMA": np.full(48, 10.0), "DISTNORM": np.full(48, 1e-4)}
        skymap = read_sky_map(to_fits(columns))
        assert skymap.distmu is not None and skymap.distmu.tolist() == [m for m in mu.tolist() if m != 105]
        assert tile_at(skymap, *centre_of(1, 5)) is None and tile_at(skymap, *centre_of(1, 6)) == 5

    def test_a_map_without_any_number_is_refused(self) -> None:
        with pytest.raises(UnreadableMap, match="no tile"):
            read_sky_map(to_fits({"UNIQ": uniq_of(0, np.arange(12)), "PROBDENSITY": np.full(12, np.nan)}))


def centre_of(order: int, ipix: int) -> tuple[float, float]:
    lon, lat = healpix.healpix_to_lonlat(ipix, 2**order, order="nested")
    return float(lon.deg), float(lat.deg)


class TestUnreadable:
    @pytest.mark.parametrize("name", UNREADABLE)
    def test_refused_with_a_sentence(self, name: str) -> None:
        body, words = UNREADABLE[name]
        with pytest.raises(UnreadableMap, match=words) as caught:
            localize(read_sky_map(body))
        assert caught.value.reason.startswith("The map") and caught.value.reason.endswith(".")

    @pytest.mark.parametrize("name", BROKEN)
    def test_broken_samples(self, name: str) -> None:
        with pytest.raises(UnreadableMap):
            read_sky_map(BROKEN[name])

    @pytest.mark.slow
    def test_gzipped_bomb(self) -> None:
        with pytest.raises(UnreadableMap, match=r"The map .*expands.*\."):
            read_sky_map(gzip.compress(bytes(2**27), 9))

    def test_too_many_tiles(self) -> None:
        pixels = 12 * 4**9
        with pytest.raises(UnreadableMap, match="at most 1,048,576"):
            read_sky_map(to_fits({"PROB": np.full(pixels, 1 / pixels, np.float32)}, ORDERING="RING"))

    @pytest.mark.slow
    def test_mangled_maps_raise_nothing_else(self) -> None:
        rng = np.random.default_rng(20260101)
        columns = {"UNIQ": uniq_of(0, np.arange(12)), "PROBDENSITY": np.full(12, 1 / (4 * np.pi))}
        columns |= {"DISTMU": np.full(12, 40.0), "DISTSIGMA": np.full(12, 8.0), "DISTNORM": np.full(12, 1e-4)}
        whole = np.frombuffer(to_fits(columns, DISTMEAN=40.0, DISTSTD=8.0), np.uint8)
        read_well = 0
        for _ in range(600):
            body = whole.copy()
            # The table's header and data; padding is left out of the draw.
            places = rng.choice(np.flatnonzero(whole != 32), rng.integers(1, 6))
            body[places] = rng.integers(0, 256, places.size)
            try:
                localize(read_sky_map(body.tobytes()))
                read_well += 1
            except UnreadableMap:
                pass
        assert 0 < read_well < 600


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "refused"),
    [(b"", True), (uniform()[:2880], True), (uniform(), False)],
    ids=["zeros", "a header and zeros", "a map and zeros"],
)
def test_a_bomb_is_unpacked_no_further_than_it_looks_like_a_map(head: bytes, refused: bool) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = (
        packer.compress(head) + b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()
    )
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableMap) if refused else nullcontext():
            assert read_sky_map(bomb).uniq.size
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_table_of_too_many_rows_is_not_unpacked() -> None:
    file = uniform()
    at = file.index(b"NAXIS2  =")
    head = file[:at] + b"NAXIS2  = 2000000".ljust(80) + file[at + 80 :]
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(head) + packer.compress(bytes(2**26)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableMap, match=r"2e\+06 tiles, and at most 1,048,576 are read"):
            read_table(bomb, max_rows=MAX_TILES)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_gzipped_map_with_wrong_checksum_is_refused() -> None:
    packed = bytearray(gzip.compress(uniform()))
    packed[-6] ^= 1
    with pytest.raises(UnreadableMap, match="unpacked"):
        read_sky_map(bytes(packed))


@settings(deadline=None)
@given(values=st.lists(st.sampled_from([0.0, -0.0, 1e-300, 0.5, 0.25, 3.0]) | st.floats(0, 1e9), min_size=1))
def test_tiles_of_equal_density_stay_in_order(values: list[float]) -> None:
    array = np.array(values)
    assert argsort_descending(array).tolist() == np.argsort(-array, kind="stable").tolist()


@settings(deadline=None)
@given(
    densities=st.lists(st.sampled_from([0.0, 1e-300, 0.5, 0.25, 3.0]) | st.floats(0, 1e3), min_size=48),
    seed=st.integers(0, 99),
    level=st.sampled_from([0.0, 1e-9, 0.5, 0.9, 0.999, 1 - 1e-12, 1.0, 1.01]) | st.floats(0, 1),
)
def test_sorting_the_densest_tiles_alone_gives_the_regions_of_sorting_them_all(
    densities: list[float], seed: int, level: float
) -> None:
    ipix = np.random.default_rng(seed).permutation(48)
    density = np.array(densities[:48])
    if not density.sum() > 0:
        density[7] = 1
    density /= density.sum() * 4 * np.pi / 48
    whole = skymap_module.SkyMap(uniq=ipix + 16, order=np.full(48, 1), ipix=ipix, density=density)
    found = skymap_module._densest_tiles(whole, level)
    count = found.tiles.size
    assert found.tiles.tolist() == whole.by_density[:count].tolist()
    cumulative = np.cumsum(whole.probability[whole.by_density])
    assert found.region(level).tolist() == (
        whole.by_density[: int(np.searchsorted(cumulative, level)) + 1].tolist()
    )


@given(order=st.integers(0, 29), data=st.data())
def test_the_order_of_any_uniq_is_found(order: int, data: st.DataObject) -> None:
    first, beyond = 4 * 4**order, 16 * 4**order
    uniq = [first, first + 1, beyond - 1, data.draw(st.integers(first, beyond - 1))]
    assert skymap_module._orders(np.array(uniq)).tolist() == [order] * 4
