"""What observations cover of a map: shares, bands, what nobody has, what is the same in the Treasure Map."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.coverage import (
    Coverage,
    find_shared_fields,
    measure_coverage,
    measure_shares,
    unmeasured_shares,
    without_own,
)
from bot.observing.field_regions import region_of
from bot.observing.footprints import circle, rectangle
from bot.observing.uncovered_sky import MapToCover
from formatters.models.coverage import DepthRange
from formatters.models.observation import InstrumentShare, Observation, ObservationStatus, ObservedField
from formatters.models.pointing import Footprint
from formatters.models.treasure_map import ReportedObservation
from formatters.text.quantities import separation
from tests.support.rubin_maps import gaussian, top_hat

NOW = datetime(2026, 11, 15, 6, tzinfo=UTC)
DONE, PLANNED, CANCELLED = ObservationStatus.DONE, ObservationStatus.PLANNED, ObservationStatus.CANCELLED
SQUARE = rectangle(4.0, 4.0, "ZTF")
ROUND = circle(1.1, "DECam")
HERE = (60.0, -30.0)


def fields(*places: tuple[float, float], time: datetime | None = None) -> tuple[ObservedField, ...]:
    return tuple(ObservedField(ra=ra, dec=dec, time=time) for ra, dec in places)


def observation(
    number: int = 1,
    instrument: str = "ZTF",
    status: ObservationStatus = DONE,
    footprint: Footprint | None = SQUARE,
    places: tuple[tuple[float, float], ...] = (HERE,),
    **changes: object,
) -> Observation:
    made = Observation(
        id=number,
        superevent_id="S261115a",
        instrument=instrument,
        status=status,
        user_id="U1",
        created_at=NOW,
        changed_at=NOW,
        footprint=footprint,
        fields=fields(*places),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def reported(
    instrument: str = "DECam",
    places: tuple[tuple[float, float], ...] = (HERE,),
    status: ObservationStatus | None = DONE,
    **changes: object,
) -> ReportedObservation:
    made = ReportedObservation(
        instrument_id=38,
        instrument=instrument,
        status=status,
        status_word="" if status is None else status.value,
        footprint=ROUND,
        fields=fields(*places),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def hill() -> MapToCover:
    return MapToCover.of(gaussian(60.0, *HERE))


def measure(
    map_: MapToCover, *observations: Observation, others: tuple[ReportedObservation, ...] = ()
) -> Coverage:
    return measure_coverage(map_, observations, others, region_of)


def test_what_two_instruments_share_counts_once(hill: MapToCover) -> None:
    one, two = observation(1), observation(2, "DECam", footprint=ROUND)
    both = measure(hill, one, two)
    alone = measure(hill, one)
    assert both.done == pytest.approx(alone.done) and both.observations[1].share is not None
    assert 0 < both.observations[1].share < alone.done


def test_planned_is_what_is_planned_and_not_done(hill: MapToCover) -> None:
    done = observation(1, places=(HERE,))
    planned = observation(2, "GOTO", PLANNED, places=(HERE, (65.5, -30.0)))
    found = measure(hill, done, planned)
    assert found.done == measure(hill, done).done
    whole = measure(hill, replace(planned, status=DONE)).done
    assert found.planned == pytest.approx(whole - found.done)
    assert found.uncovered.probability == pytest.approx(1 - whole)


def test_cancelled_counts_nowhere_but_is_listed(hill: MapToCover) -> None:
    found = measure(hill, observation(status=CANCELLED))
    assert (found.done, found.planned, found.bands) == (0, 0, ())
    assert found.observations[0].share and found.uncovered.probability == 1


def test_bands_stand_apart_and_depths_are_ranges_of_one_unit(hill: MapToCover) -> None:
    found = measure(
        hill,
        observation(1, band="r", depth=21.5),
        observation(2, band="r", depth=20.1, places=((63.0, -30.0),)),
        observation(3, "WFST", PLANNED, band="r", depth=23.0),
        observation(4, band="R"),
        observation(5, "GOTO"),
        others=(reported(band="r", depths=(22.0, 22.5), depth_unit="ab_mag", places=((70.0, -30.0),)),),
    )
    by_band = {one.band: one for one in found.bands}
    assert set(by_band) == {"r", "R", None} and found.bands[-1].band is None
    assert by_band["r"].depths == (
        DepthRange(low=20.1, high=21.5),
        DepthRange(low=22.0, high=22.5, unit="ab_mag"),
    )
    assert by_band["r"].instruments == ("ZTF", "WFST", "DECam")
    assert by_band["r"].planned == pytest.approx(0, abs=1e-9) and by_band["R"].done > 0
    assert found.done < sum(one.done for one in found.bands)


def test_observations_without_fields_or_field_of_view_have_no_share(hill: MapToCover) -> None:
    found = measure(hill, observation(1, places=()), observation(2, footprint=None))
    assert [one.share for one in found.observations] == [None, None]
    assert found.bands == () and found.done == 0


def test_nothing_observed_leaves_the_whole_region_in_one_piece(hill: MapToCover) -> None:
    left = measure(hill).uncovered
    assert left.probability == 1
    assert left.in_credible == pytest.approx(0.9, abs=0.01) and left.area == pytest.approx(60, rel=0.02)
    (piece,) = left.pieces
    assert piece.probability == pytest.approx(left.in_credible, rel=0.01)
    assert piece.area == pytest.approx(left.area, rel=0.03)
    assert separation(piece.ra, piece.dec, *HERE) < 1


@pytest.mark.slow
def test_pieces_that_nobody_has_add_up_and_none_is_in_a_field() -> None:
    flat = MapToCover.of(top_hat(100.0, 80.0, 0.0, order=8))
    wall = observation(footprint=rectangle(2.0, 28.0, "wall"), places=((80.0, 0.0),))
    left = measure(flat, wall).uncovered
    east, west = sorted(left.pieces, key=lambda one: -one.ra)
    assert east.ra > 81 > 79 > west.ra
    for piece in (east, west):
        assert piece.probability == pytest.approx(left.in_credible / 2, rel=0.03)
        assert piece.area == pytest.approx(left.area / 2, rel=0.03)
    # The wall is 2° wide; the region 11.3° high.
    assert left.area == pytest.approx(100 - 2 * 11.3, rel=0.02)


def test_a_ring_that_is_left_is_not_marked_in_its_middle_which_somebody_has(hill: MapToCover) -> None:
    left = measure(hill, observation(footprint=circle(2.0, "round"))).uncovered
    (piece,) = left.pieces
    assert separation(piece.ra, piece.dec, *HERE) > 1.9


def test_whole_region_covered_leaves_nothing_of_it(hill: MapToCover) -> None:
    left = measure(hill, observation(footprint=circle(12.0, "wide"))).uncovered
    assert left.pieces == () and left.area == 0 and left.probability < 0.01


def test_shares_are_one_for_each_instrument_and_status(hill: MapToCover) -> None:
    made = (
        observation(1, "ZTF", PLANNED),
        observation(2, "ztf", DONE, places=((60.0, -30.0),)),
        observation(3, "ZTF", DONE, places=((60.0, -30.0), (63.0, -30.0)), band="g"),
        observation(4, "DECam", CANCELLED),
        observation(5, "Dome", DONE, footprint=None),
    )
    shares = measure_shares(hill, made, region_of)
    assert [(one.instrument, one.status) for one in shares] == [
        ("ZTF", PLANNED),
        ("ztf", DONE),
        ("Dome", DONE),
    ]
    assert shares[1].share == pytest.approx(measure(hill, *made[1:3]).done)
    assert shares[2].share is None
    assert unmeasured_shares(made)[0] == InstrumentShare(instrument="ZTF", status=PLANNED, share=None)


def test_pointings_of_ones_own_in_the_treasure_map_arent_counted_twice(hill: MapToCover) -> None:
    own = observation(1, "Blanco", footprint=ROUND, places=(HERE, (63.0, -30.0)), band="r")
    theirs = reported(other_names=("Dark Energy Camera",), places=(HERE, (60.0, -33.0)), band="r")
    found = measure(hill, own, others=(theirs,))
    (told,) = found.reported
    # Blanco's camera is called DECam.
    assert told.own == 1 and told.reported.fields == theirs.fields[1:]


def test_more_pointings_than_are_measured_are_said_to_be_at_least(
    hill: MapToCover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.observing.coverage.MAX_FIELDS", 1)
    few, many = reported(), reported("KMTNet", (HERE, (63.0, -30.0)))
    told = measure(hill, others=(few, many)).reported
    assert [one.is_partial for one in told] == [False, True]


@pytest.mark.parametrize(
    ("mine", "theirs", "own"),
    [
        ({}, {}, 1),
        ({"instrument": "GOTO", "footprint": SQUARE}, {}, 0),
        ({"status": PLANNED}, {}, 0),
        ({"band": "r"}, {"band": "g"}, 0),
        ({"band": "r"}, {}, 1),
        ({"fields": fields((60.05, -30.02))}, {}, 1),
        ({"fields": fields((60.2, -30.0))}, {}, 0),
        ({"fields": fields(HERE, time=NOW)}, {"fields": fields(HERE, time=NOW + timedelta(minutes=20))}, 1),
        ({"fields": fields(HERE, time=NOW)}, {"fields": fields(HERE, time=NOW + timedelta(hours=20))}, 0),
        ({"observed_at": NOW}, {"fields": fields(HERE, time=NOW + timedelta(hours=20))}, 0),
        ({"fields": fields((60.0 + 360, -30.0))}, {}, 1),
        ({"fields": ()}, {}, 0),
    ],
)
def test_what_makes_a_pointing_the_channels_own(
    mine: dict[str, object], theirs: dict[str, object], own: int
) -> None:
    one = replace(observation(1, "DECam", footprint=ROUND), **mine)  # type: ignore[arg-type]
    assert without_own(reported(**theirs), [one])[1] == own  # type: ignore[arg-type]


def test_who_has_the_same_fields_is_found_by_half_of_each_field() -> None:
    new = observation(9, "DECam", PLANNED, ROUND, ((60.0, -30.0), (62.9, -30.0), (70.0, -30.0)), band="i")
    others = (
        observation(1, "ZTF", DONE, band="r"),
        observation(2, "ZTF", DONE, places=((70.0, -30.0),), band="g"),
        observation(3, "GOTO", CANCELLED),
        observation(4, "DECam", DONE, ROUND),
        new,
    )
    told = (
        reported("KMTNet", ((70.0, -30.0),)),
        reported("DECam", ((60.0, -30.0),)),
        reported("Odd", status=None),
    )
    shared = find_shared_fields(new, others, told, region_of)
    # Of the second field less than half lies in ZTF's first.
    assert [(one.instrument, one.status, one.user_id, one.fields, one.bands) for one in shared] == [
        ("ZTF", DONE, "U1", (1, 3), ("r", "g")),
        ("KMTNet", DONE, None, (3,), ()),
    ]
    assert find_shared_fields(replace(new, footprint=None), others, told, region_of) == ()


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ZTF", "DECam", "GOTO"]),
            st.sampled_from(list(ObservationStatus)),
            st.sampled_from([SQUARE, ROUND, None]),
            st.lists(st.tuples(st.floats(50, 70), st.floats(-40, -20)), max_size=4),
            st.sampled_from([None, "r", "J"]),
        ),
        max_size=5,
    )
)
@settings(deadline=None, max_examples=30)
def test_numbers_are_shares_that_fit_together(
    made: list[tuple[str, ObservationStatus, Footprint | None, list[tuple[float, float]], str | None]],
) -> None:
    map_ = MapToCover.of(gaussian(60.0, *HERE))
    observations = [
        observation(number, name, status, shape, tuple(places), band=band)
        for number, (name, status, shape, places, band) in enumerate(made)
    ]
    found = measure(map_, *observations)
    assert 0 <= found.done <= 1 and 0 <= found.planned <= 1
    assert found.done + found.planned + found.uncovered.probability == pytest.approx(1)
    for band in found.bands:
        assert band.done <= found.done + 1e-9
        assert band.done + band.planned <= found.done + found.planned + 1e-9
    assert sum(one.probability for one in found.uncovered.pieces) <= found.uncovered.in_credible + 1e-9
    assert found.uncovered.in_credible <= found.uncovered.probability + 1e-9
