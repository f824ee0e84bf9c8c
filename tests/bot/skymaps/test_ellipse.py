"""The ellipse of a credible region: of generated Gaussians, and against ligo.skymap on published maps."""

from __future__ import annotations

import math
from pathlib import Path

import astropy_healpix as healpix
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.decode import extract_sky_maps
from bot.samples import ring, sky_map
from bot.samples.skymaps import Columns, to_fits
from bot.skymaps.ellipse import EllipseFit, fit_ellipse
from bot.skymaps.skymap import SkyMap, read_sky_map
from formatters.answers.region_file import ellipse_region
from formatters.models.ellipse import CredibleEllipse
from tests.support.factories import NOW

NINETY = math.sqrt(-2 * math.log(0.1))
"""The number of sigma that hold 90 % of a two-dimensional Gaussian."""


def gaussian(ra: float, dec: float, major: float, minor: float, bearing: float) -> SkyMap:
    """Return a map at order 6 that is a Gaussian in the zenithal equidistant projection around (ra, dec).

    `major` and `minor` are standard deviations in degrees, `bearing` the major axis' position angle.
    """
    ipix = np.arange(12 * 4**6)
    lon, lat = (axis.value for axis in healpix.healpix_to_lonlat(ipix, 64, order="nested"))
    lon_0, lat_0 = math.radians(ra), math.radians(dec)
    east = np.cos(lat) * np.sin(lon - lon_0)
    north = np.sin(lat) * math.cos(lat_0) - np.cos(lat) * math.sin(lat_0) * np.cos(lon - lon_0)
    towards = np.sin(lat) * math.sin(lat_0) + np.cos(lat) * math.cos(lat_0) * np.cos(lon - lon_0)
    apart, angle = np.degrees(np.arctan2(np.hypot(east, north), towards)), np.arctan2(east, north)
    turn = angle - math.radians(bearing)
    density = np.exp(-((apart * np.cos(turn) / major) ** 2 + (apart * np.sin(turn) / minor) ** 2) / 2)
    density /= density.sum() * np.pi / 3 / 4**6
    return read_sky_map(
        to_fits({"UNIQ": (ipix + 4 * 4**6, None), "PROBDENSITY": (density, "sr-1")}, fits.Header())
    )


def fitted(skymap: SkyMap) -> EllipseFit:
    found = fit_ellipse(skymap)
    assert found is not None
    return found


def angle_between(one: float, other: float) -> float:
    """The angle between two axes, which have no direction."""
    return abs((one - other + 90) % 180 - 90)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.floats(0, 359.9),
    st.floats(-89, 89),
    st.floats(3, 5),
    st.floats(1.3, 2.5),
    st.floats(0, 180),
)
def test_ellipse_of_a_gaussian_has_its_axes_and_bearing(
    ra: float, dec: float, minor: float, ratio: float, bearing: float
) -> None:
    found = fitted(gaussian(ra, dec, minor * ratio, minor, bearing))
    ellipse = found.ellipse
    assert found.describes_region
    assert ellipse.semi_major == pytest.approx(NINETY * minor * ratio, rel=0.05)
    assert ellipse.semi_minor == pytest.approx(NINETY * minor, rel=0.05)
    # The centre is the median of each Cartesian coordinate, as LVK's; it is off by up to a tile's width.
    assert ellipse.area == pytest.approx(found.region_area, rel=0.12)
    turned = math.remainder(ellipse.ra - ra, 360) * math.sin(math.radians(dec))
    assert angle_between(ellipse.angle, bearing + 90 + turned) < 2
    lat_0, lat = math.radians(dec), math.radians(ellipse.dec)
    cosine = math.sin(lat_0) * math.sin(lat) + math.cos(lat_0) * math.cos(lat) * math.cos(
        math.radians(ra - ellipse.ra)
    )
    assert math.degrees(math.acos(min(cosine, 1.0))) < 0.7


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mock/MS230425k-initial.json", (57.55, -83.10, 4.90, 1.74, 139.70, 26.73)),
        ("official/MS181101ab-initial.avro", (195.04, -19.28, 8.68, 1.18, 63.60, 32.08)),
        ("real/S230528ay-preliminary_v1.json", (358.00, -30.54, 11.45, 2.96, 89.26, 106.67)),
        ("real/S241102br-initial.json", (344.94, 40.46, 7.08, 2.10, 96.84, 46.76)),
        ("real/S241102br-preliminary.json", (346.70, 41.69, 16.19, 4.24, 96.71, 216.06)),
    ],
)
def test_ellipse_of_published_maps_is_that_of_ligo_skymap(
    shared_notices: Path, name: str, expected: tuple[float, ...]
) -> None:
    """Recorded from `ligo.skymap.postprocess.ellipse.find_ellipse` of ligo.skymap 2.5.4."""
    fits_file, _ = extract_sky_maps((shared_notices / name).read_bytes())
    assert fits_file is not None
    found = fitted(read_sky_map(fits_file))
    ellipse = found.ellipse
    assert found.describes_region
    given_ = (ellipse.ra, ellipse.dec, ellipse.semi_major, ellipse.semi_minor, ellipse.angle)
    assert given_ == pytest.approx(expected[:5], abs=0.02)
    assert ellipse.area == pytest.approx(expected[5], rel=0.01)


@pytest.mark.parametrize(
    "name",
    [
        "real/S230522a-Preliminary_alert.json",
        "real/S230518h-Initial_alert.json",
        "real/S241125n-UPDATE-RAVEN.json",
        "mock/MS230425m-preliminary.json",
    ],
)
def test_no_ellipse_describes_arcs_lobes_and_wide_maps(shared_notices: Path, name: str) -> None:
    for fits_file in extract_sky_maps((shared_notices / name).read_bytes()):
        if fits_file is not None:
            found = fit_ellipse(read_sky_map(fits_file))
            assert found is None or not found.describes_region


def test_no_ellipse_describes_a_ring_two_lobes_or_a_uniform_sky() -> None:
    around = ring(200.0, 20.0, radius=60.0, width=4.0, brightest=30.0)
    lobes = [(10.0, 10.0, 1.0, 3.0), (60.0, -20.0, 1.0, 3.0)]
    for peaks in (around, lobes):
        assert not fitted(read_sky_map(sky_map(peaks, superevent_id="S261122a", time=NOW))).describes_region
    flat = np.full(768, 1 / (4 * np.pi))
    columns: Columns = {"UNIQ": (np.arange(768) + 256, None), "PROBDENSITY": (flat, None)}
    found = fit_ellipse(read_sky_map(to_fits(columns, fits.Header())))
    assert found is None or not found.describes_region


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_any_map_has_a_finite_ellipse_or_none(seed: int, kept: int) -> None:
    """Also of a few tiles alone, which have no axes."""
    rng = np.random.default_rng(seed)
    ipix = rng.choice(48, kept, replace=False)
    density = rng.random(kept) + 0.01
    density /= density.sum() * np.pi / 12
    columns: Columns = {"UNIQ": (ipix + 16, None), "PROBDENSITY": (density, None)}
    found = fit_ellipse(read_sky_map(to_fits(columns, fits.Header())))
    if found is not None:
        ellipse = found.ellipse
        assert all(map(math.isfinite, (ellipse.ra, ellipse.dec, ellipse.semi_major, ellipse.area)))
        assert 0 < ellipse.semi_minor <= ellipse.semi_major and 0 <= ellipse.angle <= 180


@pytest.mark.parametrize(
    ("ra", "dec", "position"),
    [
        (47.1041666, -45.1372, "03h08m25s, -45d08m14s"),
        (359.999, 0.0, "00h00m00s, +00d00m00s"),
        (0.0, -0.0001, "00h00m00s, +00d00m00s"),
        (161.75, 89.9999, "10h47m00s, +90d00m00s"),
        (180.0, -0.5, "12h00m00s, -00d30m00s"),
    ],
)
def test_ellipse_is_written_as_in_lvks_circulars(ra: float, dec: float, position: str) -> None:
    ellipse = CredibleEllipse(ra=ra, dec=dec, semi_major=9, semi_minor=3, angle=112, area=85)
    assert ellipse_region(ellipse) == f"icrs; ellipse({position}, 9.00d, 3.00d, 112.00d)"
