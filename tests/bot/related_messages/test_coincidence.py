"""Which alerts are near an event, how much of its map they hold, and how many would be by chance."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import astropy_healpix
import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits

from bot.alerts.decode import notice_from_record
from bot.related_messages.coincidence import (
    EVENT_LEVEL,
    alerts_in_window,
    expected_by_chance,
    is_in_window,
    may_show_nearby,
    measure,
)
from bot.related_messages.localization_error import radius_90
from bot.related_messages.nearby import decode_nearby_alert
from bot.related_messages.nearby_windows import NearbyWindows, TimeWindow, parse_window
from bot.samples import Lobe, coincidence, ring, sky_map
from bot.samples.nearby import gbm_ids, gbm_trigger, icecube_track, svom_trigger
from bot.skymaps.region_distance import PixelRegion, circle_of_area
from bot.skymaps.skymap import SkyMap, read_sky_map
from formatters.models.nearby_alert import NearbyAlert, NearbyCoincidence
from formatters.models.superevent import Superevent
from tests.support.clock import NOW
from tests.support.factories import decoded_notice, notice_record
from tests.support.rubin_maps import tiled

EVENT_TIME = NOW - timedelta(minutes=1)
"""That of the factories' notices."""
WINDOWS = NearbyWindows()
PLACE = (130.0, -20.0)


@cache
def round_map() -> SkyMap:
    lobe = [Lobe(*PLACE, 1.0, 3.0)]
    return read_sky_map(sky_map(lobe, superevent_id="S261122a", time=EVENT_TIME))


@cache
def ring_map() -> SkyMap:
    sky = ring(40.0, 10.0, radius=65.0, width=3.0, brightest=80.0, contrast=3.0)
    return read_sky_map(sky_map(sky, superevent_id="S261122a", time=EVENT_TIME))


def superevent(superevent_id: str = "S261122a", *more: Any, **facts: Any) -> Superevent:
    return Superevent.from_notices([decoded_notice(superevent_id, **facts), *more])


def decoded(body: bytes) -> NearbyAlert:
    alert = decode_nearby_alert("nearby", body)
    assert alert is not None
    return alert


def gbm(offset_s: float, ra: float = PLACE[0], dec: float = PLACE[1], **facts: Any) -> NearbyAlert:
    facts.setdefault("classification", {"GRB": 0.9})
    return decoded(gbm_trigger(EVENT_TIME + timedelta(seconds=offset_s), ra, dec, **facts))


def track(offset_s: float, ra: float = PLACE[0], dec: float = PLACE[1], **facts: Any) -> NearbyAlert:
    return decoded(icecube_track(EVENT_TIME + timedelta(seconds=offset_s), ra, dec, **facts))


def found(
    event: Superevent, *alerts: NearbyAlert, skymap: SkyMap | None = None
) -> tuple[NearbyCoincidence, ...]:
    return measure(alerts_in_window(event, alerts, WINDOWS), skymap or round_map())


# Time


@pytest.mark.parametrize(
    ("group", "offset", "near"),
    [
        ("CBC", -1.0, True),
        ("CBC", -1.01, False),
        ("CBC", 5.0, True),
        ("CBC", 5.01, False),
        ("Burst", -60.0, True),
        ("Burst", -61.0, False),
        ("Burst", 600.0, True),
        ("Burst", 601.0, False),
        ("Something new", 600.0, True),
    ],
)
def test_bursts_have_ravens_windows(group: str, offset: float, near: bool) -> None:
    assert bool(alerts_in_window(superevent(group=group), [gbm(offset)], WINDOWS)) is near


@pytest.mark.parametrize(("offset", "near"), [(-500.0, True), (-501.0, False), (500.0, True), (501.0, False)])
@pytest.mark.parametrize("group", ["CBC", "Burst"])
def test_neutrinos_have_that_of_icecubes_search(group: str, offset: float, near: bool) -> None:
    assert bool(alerts_in_window(superevent(group=group), [track(offset)], WINDOWS)) is near


def test_the_nearest_in_time_comes_first_and_the_offset_is_signed() -> None:
    near = alerts_in_window(superevent(), [gbm(4.5), track(-3.0), track(0.25, trigger_id="1_2")], WINDOWS)
    assert [timed.offset_s for timed in near] == [0.25, -3.0, 4.5]


def test_windows_are_settable() -> None:
    wide = NearbyWindows(burst_cbc=parse_window("-100,2000"))
    assert alerts_in_window(superevent(), [gbm(1999)], wide)
    assert wide.widest == TimeWindow(500, 2000)


@pytest.mark.parametrize(
    ("text", "window"),
    [("-1,5", (1, 5)), (" -60 , +600 ", (60, 600)), ("0,2.5", (0, 2.5)), ("-0.25,0", (0.25, 0))],
)
def test_a_window_is_read(text: str, window: tuple[float, float]) -> None:
    assert parse_window(text) == TimeWindow(*window)


@pytest.mark.parametrize(
    "text", ["", "5", "1,5", "-1,-5", "-1 5", "0,0", "-100000,5", "-1,inf", "-1,5,6", "a,b"]
)
def test_what_is_no_window_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="seconds before and after the event, like -1,5"):
        parse_window(text)


# Which events and alerts


@pytest.mark.parametrize("superevent_id", ["MS261122a", "TS261122a"])
def test_mocks_and_tests_have_none(superevent_id: str) -> None:
    assert alerts_in_window(superevent(superevent_id), [gbm(1)], WINDOWS) == []


def test_a_retracted_event_or_one_of_low_significance_has_no_nearby_alerts() -> None:
    assert alerts_in_window(superevent(significant=False), [gbm(1)], WINDOWS) == []
    gone = superevent("S261122a", decoded_notice("S261122a", "RETRACTION", 5))
    assert alerts_in_window(gone, [gbm(1)], WINDOWS) == []
    assert alerts_in_window(superevent(), [gbm(1)], WINDOWS), "so that the others say something"


def test_retracted_triggers_and_what_is_no_burst_are_left_out() -> None:
    others = [
        gbm(1, alert_type="retraction"),
        gbm(1, classification={"SFLARE": 0.8}),
        replace(track(1), is_retracted=True),
    ]
    assert alerts_in_window(superevent(), others, WINDOWS) == []


def with_raven(**external: Any) -> Superevent:
    record = notice_record("S261122a")
    record["external_coinc"] = coincidence(
        search="GRB",
        ivorn="",
        time_coincidence_far=1e-9,
        time_sky_position_coincidence_far=None,
        combined_skymap=None,
        **external,
    )
    return Superevent.from_notices([notice_from_record(record)])


TRIGGER = int(gbm_ids(EVENT_TIME + timedelta(seconds=2))[0])


@pytest.mark.parametrize(
    ("observatory", "notice_id", "difference", "same"),
    [
        ("Fermi", TRIGGER, 2.0, True),
        ("Fermi", TRIGGER, 400.0, True),
        ("Fermi", 12345, 1.5, True),
        ("Fermi", 12345, -40.0, False),
        ("Swift", TRIGGER, 2.0, False),
        ("Swift", 12345, 2.0, False),
        ("IceCube", 12345, 2.0, False),
    ],
)
def test_the_trigger_of_ravens_coincidence_is_left_to_the_notice(
    observatory: str, notice_id: int, difference: float, same: bool
) -> None:
    event = with_raven(observatory=observatory, gcn_notice_id=notice_id, time_difference=difference)
    assert (alerts_in_window(event, [gbm(2.0)], WINDOWS) == []) is same


def test_routing_asks_without_a_map() -> None:
    assert may_show_nearby(superevent(), [gbm(2, 300.0, 70.0)], WINDOWS), "where it lies isn't asked"
    assert not may_show_nearby(superevent(), [gbm(20)], WINDOWS)
    assert not may_show_nearby(superevent(), [gbm(2, extra={"ra_dec_error": 0})], WINDOWS)
    assert not may_show_nearby(superevent(), [], WINDOWS)
    assert is_in_window("fermi-gbm", EVENT_TIME, EVENT_TIME, "CBC", WINDOWS)


# Place


def test_a_burst_on_the_map() -> None:
    alert = gbm(1.7)
    (one,) = found(superevent(), alert)
    assert (one.alert, one.offset_s, one.window_s) == (alert, 1.7, (1.0, 5.0))
    # 3° of sigma, and a circle of about 8.5° around the same centre.
    assert one.overlap == pytest.approx(1 - math.exp(-((radius_90(alert) or 0) ** 2) / 18), abs=0.01)


def test_a_burst_elsewhere_is_no_coincidence_and_one_that_touches_the_region_is() -> None:
    region = PixelRegion.from_skymap(round_map(), EVENT_LEVEL)
    edge = circle_of_area(region.area)
    alert = gbm(1.7, systematic_included=True, radius=4.0, containment=0.9)
    assert radius_90(alert) == pytest.approx(4.0)
    north = SkyCoord(*PLACE, unit="deg").directional_offset_by(0 * units.deg, (edge + 3.0) * units.deg)
    beyond = SkyCoord(*PLACE, unit="deg").directional_offset_by(0 * units.deg, (edge + 5.0) * units.deg)
    for where, count in ((north, 1), (beyond, 0)):
        placed = gbm(1.7, where.ra.deg, where.dec.deg, systematic_included=True, radius=4.0, containment=0.9)
        assert len(found(superevent(), placed)) == count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("skymap", "alert"),
    [(round_map, gbm(1.7, 133.0, -22.0, radius=1.0)), (ring_map, gbm(1.7, 60.0, 70.0, radius=20.0))],
)
def test_the_overlap_is_that_of_a_flattened_map_by_astropy(skymap: Any, alert: NearbyAlert) -> None:
    (one,) = found(superevent(), alert, skymap=skymap())
    # Each pixel of order 9 takes the density of the tile that holds its centre.
    pixels = astropy_healpix.HEALPix(2**9, order="nested", frame="icrs")
    grid = np.arange(pixels.npix)
    chosen = skymap()
    start = chosen.start[chosen.by_position]
    tile = chosen.by_position[np.searchsorted(start, grid << 40, side="right") - 1]
    assert alert.position is not None
    place = SkyCoord(alert.position.ra, alert.position.dec, unit="deg")
    inside = pixels.healpix_to_skycoord(grid).separation(place).deg <= (radius_90(alert) or 0)
    expected = chosen.density[tile][inside].sum() * pixels.pixel_area.to_value("sr")
    assert one.overlap == pytest.approx(expected, abs=2e-3)


def test_what_cannot_be_computed_gives_no_line() -> None:
    unknown_size = gbm(1.7, extra={"ra_dec_error": None})
    unknown_rate = decoded(svom_trigger(EVENT_TIME + timedelta(seconds=2), *PLACE, 9.0, instrument="GRM"))
    assert alerts_in_window(superevent(), [unknown_size, unknown_rate], WINDOWS)
    assert found(superevent(), unknown_size, unknown_rate) == ()


def test_of_svoms_two_instruments_the_better_position_stands() -> None:
    grm = svom_trigger(
        EVENT_TIME + timedelta(seconds=2), *PLACE, 9.0, instrument="GRM", extra={"classification": {"GRB": 1}}
    )
    eclairs = svom_trigger(EVENT_TIME + timedelta(seconds=2.5), *PLACE, 0.2)
    away = svom_trigger(EVENT_TIME + timedelta(seconds=2.5), PLACE[0] + 30, PLACE[1], 0.2)
    assert [one.alert.stream for one in found(superevent(), decoded(grm))] == ["svom-grm"]
    assert [one.alert.stream for one in found(superevent(), decoded(grm), decoded(eclairs))] == [
        "svom-eclairs"
    ]
    assert found(superevent(), decoded(grm), decoded(away)) == (), "the better position lies elsewhere"


def flat_map(ra: float, dec: float, radius: float, nside: int = 64) -> bytes:
    """A flat HEALPix file, as GBM's: all probability evenly in a circle."""
    pixels = astropy_healpix.HEALPix(nside, order="nested", frame="icrs")
    apart = pixels.healpix_to_skycoord(np.arange(pixels.npix)).separation(SkyCoord(ra, dec, unit="deg")).deg
    prob = (apart <= radius).astype(float)
    table = fits.BinTableHDU.from_columns([fits.Column("PROB", "D", array=prob / prob.sum())])
    table.header.update(PIXTYPE="HEALPIX", ORDERING="NESTED", NSIDE=nside, INDXSCHM="IMPLICIT", COORDSYS="C")
    written = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(written)
    return written.getvalue()


@pytest.mark.slow
def test_a_map_in_the_alert_stands_in_for_its_circle() -> None:
    own = replace(gbm(1.7, 300.0, 60.0), region_fits=flat_map(*PLACE, 10.0))
    (one,) = found(superevent(), own)
    assert one.overlap > 0.9
    circle = replace(gbm(1.7), region_fits=None, systematic_included=True)
    assert circle.position is not None
    same = replace(circle, position=replace(circle.position, radius=10.0 * math.sqrt(0.9), containment=0.9))
    (like,) = found(superevent(), same)
    assert one.expected_by_chance == pytest.approx(like.expected_by_chance, rel=0.03)
    elsewhere = replace(gbm(1.7), region_fits=flat_map(300.0, 60.0, 10.0))
    assert found(superevent(), elsewhere) == ()
    broken = replace(gbm(1.7), region_fits=b"SIMPLE")
    assert (
        found(superevent(), broken) == found(superevent(), gbm(1.7))[:0]
        or len(found(superevent(), broken)) == 1
    )


# Chance


def test_the_number_expected_by_chance_to_the_digit() -> None:
    alert = gbm(1.7)
    (one,) = found(superevent(), alert)
    region = PixelRegion.from_skymap(round_map(), EVENT_LEVEL)
    # A circle around a circle: the sum of both radii. The region's edge is of coarse tiles with corners.
    together = circle_of_area(region.area) + (radius_90(alert) or 0)
    share = (1 - math.cos(math.radians(together))) / 2
    by_hand = 235.6 * 6 / (365.25 * 86_400) * share
    assert one.expected_by_chance == pytest.approx(by_hand, rel=0.03)
    assert f"{one.expected_by_chance:.1g}" == f"{by_hand:.1g}" == "1e-06"


def test_without_a_class_every_trigger_counts() -> None:
    (classified,), (unclassified,) = (
        found(superevent(), gbm(1.7, classification=classes)) for classes in ({"GRB": 0.9}, None)
    )
    ratio = unclassified.expected_by_chance / classified.expected_by_chance
    assert ratio == pytest.approx(730 / 235.6)


def test_a_uniform_map_is_overlapped_by_everything() -> None:
    count = 12 * 4**3
    flat = tiled(np.array(3), np.arange(count), np.ones(count))
    (one,) = found(superevent(), gbm(1.7), skymap=flat)
    assert one.expected_by_chance == pytest.approx(235.6 * 6 / (365.25 * 86_400), rel=0.01)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("skymap", [round_map, ring_map])
@pytest.mark.parametrize("radius", [1.0, 10.0])
def test_as_many_isotropic_triggers_are_near_as_are_expected(skymap: Any, radius: float) -> None:
    # Triggers at random times and places. How many count is a Poisson number with the expected mean.
    rng = np.random.default_rng(23)
    count, span = 30_000, 4_000.0
    offsets = rng.uniform(-span / 2, span / 2, count)
    ra, dec = rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    usual = track(0, radius=radius)
    assert usual.position is not None
    alerts = [
        replace(
            usual,
            key=str(number),
            trigger_time=EVENT_TIME + timedelta(seconds=offset),
            position=replace(usual.position, ra=lon, dec=lat),
        )
        for number, (offset, lon, lat) in enumerate(
            zip(offsets.tolist(), ra.tolist(), dec.tolist(), strict=True)
        )
    ]
    near = found(superevent(), *alerts, skymap=skymap())
    # For one Gold track of that size, at a rate of 10 a year; here the rate is count / span.
    per_year = near[0].expected_by_chance / 10
    expected = per_year * count / span * 365.25 * 86_400
    assert len({one.expected_by_chance for one in near}) == 1
    assert len(near) == pytest.approx(expected, abs=3.5 * math.sqrt(expected))
    assert expected > 50


def test_the_formula() -> None:
    # 365.25 alerts a year are one a day; a window of half a day has half of one, a tenth of it on the region.
    assert expected_by_chance(365.25, TimeWindow(21_600, 21_600), 0.1) == pytest.approx(0.05)
