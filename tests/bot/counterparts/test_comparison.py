"""Candidates compared with maps: distances in sd, order, who moved."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.counterparts.comparison import order_candidates, region_change, with_places
from bot.counterparts.host_distance import PECULIAR_VELOCITY_KM_S, distance_sigmas, host_distance
from bot.skymaps.crossmatch import luminosity_distance
from formatters.models.counterpart import CandidateDecision, CandidateSource, Counterpart, Decision
from formatters.models.notice import Distance
from formatters.models.position_on_map import PositionOnMap
from formatters.models.related_message import MessageKind, ReportedPosition, Stream
from tests.support.factories import NOW


def place(level: float, level_3d: float | None = None, distance: Distance | None = None) -> PositionOnMap:
    return PositionOnMap(
        credible_level=level,
        relative_density=1 - level,
        searched_area=100 * level,
        in_50=level <= 0.5,
        in_90=level <= 0.9,
        distance=distance,
        credible_level_3d=level_3d,
    )


def candidate(name: str, decision: Decision | None = None, stream: Stream = Stream.CIRCULARS) -> Counterpart:
    source = CandidateSource(label="GCN 1", reported=NOW, stream=stream, kind=MessageKind.CANDIDATES)
    return Counterpart(
        name=name,
        aliases=(),
        position=ReportedPosition(ra=10.0, dec=20.0),
        sources=(source,),
        decision=None if decision is None else CandidateDecision(decision=decision, user_id="U1", at=NOW),
    )


def test_host_distance_of_a_redshift_has_the_peculiar_velocity() -> None:
    # NGC 4993: z = 0.009783 (Levan et al. 2017, ApJL 848, L28), 43.7 Mpc in Planck18.
    found = host_distance(ReportedPosition(ra=0, dec=0, redshift=0.009783))
    assert found is not None and found.mean == pytest.approx(43.7, abs=0.2)
    # d(D_L)/dz ≈ c/H0 · (1 + 2 · 0.77 z), and 300 km/s of velocity are about 4.4 Mpc.
    assert found.std == pytest.approx(PECULIAR_VELOCITY_KM_S / 67.66 * (1 + 0.0098) * 1.015, rel=0.01)
    wider = host_distance(ReportedPosition(ra=0, dec=0, redshift=0.009783, redshift_error=0.001))
    assert wider is not None and wider.std > found.std


def test_a_reported_distance_counts_before_a_redshift() -> None:
    both = ReportedPosition(ra=0, dec=0, redshift=0.5, distance=40.0, distance_error=3.0)
    assert host_distance(both) == Distance(mean=40.0, std=3.0)
    assert host_distance(ReportedPosition(ra=0, dec=0, distance=40.0)) == Distance(mean=40.0, std=0.0)
    assert host_distance(ReportedPosition(ra=0, dec=0)) is None


@pytest.mark.parametrize("redshift", [0.0, -0.1, 31.0, float("nan"), float("inf")])
def test_what_is_no_redshift_gives_no_distance(redshift: float) -> None:
    assert host_distance(ReportedPosition(ra=0, dec=0, redshift=redshift)) is None


def test_both_errors_are_combined() -> None:
    position = ReportedPosition(ra=0, dec=0, distance=50.0, distance_error=3.0)
    assert distance_sigmas(position, place(0.1, distance=Distance(mean=40.0, std=4.0))) == pytest.approx(2.0)
    assert distance_sigmas(position, place(0.1)) is None
    assert distance_sigmas(position, None) is None
    exact = ReportedPosition(ra=0, dec=0, distance=50.0)
    assert distance_sigmas(exact, place(0.1, distance=Distance(mean=40.0, std=0.0))) is None


@given(st.floats(1e-4, 5), st.floats(0, 0.1), st.floats(1, 5_000), st.floats(0.1, 1_000))
@settings(deadline=None)
def test_the_sign_says_farther_or_nearer(z: float, error: float, mean: float, std: float) -> None:
    position = ReportedPosition(ra=0, dec=0, redshift=z, redshift_error=error)
    found = distance_sigmas(position, place(0.1, distance=Distance(mean=mean, std=std)))
    assert found is not None
    assert (found > 0) == (luminosity_distance(z) > mean) or abs(found) < 1e-9


def test_kept_first_rejected_last_and_the_most_probable_between() -> None:
    candidates = [
        candidate("rejected", Decision.REJECT),
        candidate("outside"),
        candidate("neutrino", stream=Stream.ICECUBE),
        candidate("gap"),
        candidate("by volume"),
        candidate("kept", Decision.KEEP),
        candidate("by sky"),
    ]
    places = [place(0.1), place(0.95), place(0.01), None, place(0.8, 0.2), place(0.99), place(0.3)]
    found = [one.name for one in with_places(candidates, places)]
    assert found == ["kept", "by volume", "by sky", "outside", "gap", "neutrino", "rejected"]


def test_a_neutrino_has_no_host() -> None:
    one = replace(
        candidate("x", stream=Stream.ICECUBE), position=ReportedPosition(ra=1, dec=2, distance=40.0)
    )
    [found] = with_places([one], [place(0.1, distance=Distance(mean=40.0, std=4.0))])
    assert found.distance_sigmas is None and found.is_neutrino


def test_who_moved_into_or_out_of_the_region() -> None:
    names = ["in", "out", "stays", "gap", "rejected"]
    candidates = [candidate(name, Decision.REJECT if name == "rejected" else None) for name in names]
    now = [place(0.5), place(0.95), place(0.5), None, place(0.5)]
    shown = [replace(one, on_map=there) for one, there in zip(candidates, now, strict=True)]
    before = [place(0.95), place(0.5), place(0.1), place(0.5), place(0.95)]
    change = region_change(shown, before)
    assert change is not None and (change.entered, change.left) == (("in",), ("out", "gap"))
    assert region_change(shown[2:3], before[2:3]) is None


_decisions = st.sampled_from([None, Decision.KEEP, Decision.REJECT])
_places = st.none() | st.builds(place, st.floats(0, 1), st.none() | st.floats(0, 1))


@given(st.lists(st.tuples(st.text(max_size=3), _decisions, _places), max_size=8), st.randoms())
@settings(deadline=None)
def test_the_order_is_that_of_no_arrival(
    rows: list[tuple[str, Decision | None, PositionOnMap | None]], random: Random
) -> None:
    candidates = [replace(candidate(name, decision), on_map=there) for name, decision, there in rows]
    shuffled = list(candidates)
    random.shuffle(shuffled)
    found = order_candidates(shuffled)
    assert sorted(map(repr, found)) == sorted(map(repr, candidates))
    stages = [None if one.decision is None else one.decision.decision for one in found]
    rank = {Decision.KEEP: 0, None: 1, Decision.REJECT: 2}
    assert stages == sorted(stages, key=rank.__getitem__)
