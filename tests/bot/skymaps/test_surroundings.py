"""How sky maps lie to the Sun and the Galactic plane, and a combined map to the GW map."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import astropy_healpix as healpix
import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.decode import decode
from bot.observing.ephemeris import sun_and_moon
from bot.samples import Lobe, sky_map, ssm_coincidence, to_avro
from bot.skymaps.directions import NEAR_GALACTIC_PLANE_DEG, NEAR_SUN_DEG
from bot.skymaps.overlap import credible_level_at
from bot.skymaps.skymap import SkyMap, credible_levels, localize, read_sky_map
from bot.skymaps.surroundings import sun_position, surroundings
from formatters.models.notice import Notice
from formatters.text.quantities import separation

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
times = st.integers(-2_100_000_000, 4_100_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@cache
def _spot(ra: float, dec: float) -> SkyMap:
    return read_sky_map(sky_map([Lobe(ra, dec, 1.0, 2.0)], superevent_id="S261122a", time=NOW))


@given(time=times)
def test_the_sun_is_where_the_ephemeris_of_the_sites_has_it(time: datetime) -> None:
    found = sun_position(time)
    assert found is not None
    assert separation(*found, *sun_and_moon(time)[0]) < 0.01


@given(time=st.datetimes(timezones=st.just(UTC)))
def test_a_time_without_ephemeris_has_no_sun_instead_of_a_wrong_one(time: datetime) -> None:
    assert (sun_position(time) is None) is not (1900 <= time.year < 2100)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(time=times, ra=st.sampled_from([0.0, 90.0, 245.0]), dec=st.sampled_from([-60.0, 0.0, 22.0]))
def test_the_shares_are_those_of_the_tiles_near_sun_and_plane(time: datetime, ra: float, dec: float) -> None:
    skymap = _spot(ra, dec)
    found = surroundings(skymap, ra, dec, time)
    sun = sun_position(time)
    assert found is not None and sun is not None
    lon, lat = healpix.healpix_to_lonlat(skymap.ipix, 2**skymap.order, order="nested")
    tiles = SkyCoord(lon, lat)
    near_sun = tiles.separation(SkyCoord(*sun, unit=units.deg)).deg < NEAR_SUN_DEG
    near_plane = np.abs(tiles.galactic.b.deg) < NEAR_GALACTIC_PLANE_DEG
    assert found.probability_near_sun == pytest.approx(skymap.probability[near_sun].sum(), abs=0.02)
    assert found.probability_near_galactic_plane == pytest.approx(
        skymap.probability[near_plane].sum(), abs=0.02
    )
    assert found.sun_separation == pytest.approx(separation(*sun, ra, dec), abs=1e-6)


def test_a_notice_says_for_which_time_the_sun_was_judged() -> None:
    notice = decode(to_avro(ssm_coincidence(NOW)[0]))
    assert notice.external is not None
    for found in (notice.localization, notice.external.localization):
        assert found is not None and found.surroundings is not None
        assert found.surroundings.time == notice.time_created


def test_a_later_notice_with_the_same_map_has_the_same_localization() -> None:
    record = ssm_coincidence(NOW)[0]
    later = {**record, "time_created": (NOW + timedelta(days=40)).isoformat()}
    first, second = decode(to_avro(record)).localization, decode(to_avro(later)).localization
    assert first is not None and second is not None
    assert first.surroundings != second.surroundings
    assert first == second


def test_a_notice_stored_before_the_sun_was_measured_is_still_read() -> None:
    notice = decode(to_avro(ssm_coincidence(NOW)[0]))
    assert notice.localization is not None
    text = replace(notice, localization=replace(notice.localization, surroundings=None)).to_json()
    old = text.replace('"surroundings":null,', "").replace(',"surroundings":null', "")
    assert '"surroundings":null' not in old
    again = Notice.from_json(old)
    assert again.localization is not None and again.localization.surroundings is None


@pytest.mark.parametrize("seed", range(5))
def test_the_level_of_a_position_is_that_of_its_tile(seed: int) -> None:
    skymap = _spot(120.0, -30.0)
    tile = int(np.random.default_rng(seed).choice(skymap.uniq.size))
    lon, lat = healpix.healpix_to_lonlat(skymap.ipix[tile], 2 ** int(skymap.order[tile]), order="nested")
    level = credible_level_at(skymap, float(lon.deg), float(lat.deg))
    assert level == pytest.approx(min(float(credible_levels(skymap)[tile]), 1.0))


def test_a_gap_of_the_map_lies_beyond_every_level() -> None:
    whole = _spot(120.0, -30.0)
    kept = whole.by_density[: whole.uniq.size // 4]
    part = replace(
        whole,
        uniq=whole.uniq[kept],
        order=whole.order[kept],
        ipix=whole.ipix[kept],
        density=whole.density[kept],
    )
    assert credible_level_at(part, 300.0, 30.0) == 1.0
    assert credible_level_at(part, *_peak(part)) < 0.1


def _peak(skymap: SkyMap) -> tuple[float, float]:
    found = localize(skymap)
    return found.ra, found.dec


def test_most_of_s231030av_lay_near_the_sun(shared_notices: Path) -> None:
    found = decode((shared_notices / "real/S231030av.json").read_bytes()).localization
    assert found is not None and found.surroundings is not None
    assert found.surroundings.probability_near_sun == pytest.approx(0.87, abs=0.005)
    assert found.surroundings.sun_separation == pytest.approx(8.6, abs=0.05)
