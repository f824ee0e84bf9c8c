"""Positions of Sun and Moon, compared with astropy's."""

from __future__ import annotations

from datetime import UTC, datetime

from astropy.coordinates import angular_separation, get_body
from astropy.time import Time
from astropy.utils import iers

from bot.observing.ephemeris import sun_and_moon


def test_sun_and_moon_agree_with_astropy() -> None:
    for year in (2016, 2021, 2026):
        time_ = datetime(year, 5, 18, 12, 59, 8, tzinfo=UTC)
        with iers.conf.set_temp("auto_download", False):
            wanted = [get_body(name, Time(time_)) for name in ("sun", "moon")]
        for (ra, dec), body in zip(sun_and_moon(time_), wanted, strict=True):
            apart = angular_separation(
                *(x * 0.017453292519943295 for x in (ra, dec)), body.ra.rad, body.dec.rad
            )
            assert apart < 0.02 * 0.0174533
