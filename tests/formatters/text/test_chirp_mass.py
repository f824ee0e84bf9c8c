from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formatters.models.chirp_mass import mass_frame, most_probable_range, shortest_range
from formatters.models.notice import Event, MassBins
from formatters.text.chirp_mass import chirp_mass_line

LVK_EDGES = (0.1, 0.87, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 1.9, 2.1, 2.3, 3, 5.5, 11, 22, 44, 88, 1000)
"""The edges of gwcelery 3.0.0's bins, solar masses."""


def bins_of(*weights: float) -> MassBins:
    total = sum(weights)
    return MassBins(
        bin_edges=LVK_EDGES[: len(weights) + 1], probabilities=tuple(weight / total for weight in weights)
    )


def line(event: Event, bins: MassBins | None, alert_type: str = "PRELIMINARY") -> str | None:
    found = chirp_mass_line(replace(event, mchirp_source=bins), alert_type)
    return None if found is None else found.replace("\u00a0", " ")


histograms = (
    st.lists(st.integers(0, 1000), min_size=1, max_size=18).filter(any).map(lambda weights: bins_of(*weights))
)


@given(histograms)
def test_the_range_is_the_fewest_adjoining_bins_with_90_percent(bins: MassBins) -> None:
    shares = bins.probabilities
    # Every run of adjoining bins, from one edge to a later one.
    runs = [(first, last) for first, last in combinations(range(len(shares) + 1), 2)]
    enough = [run for run in runs if sum(shares[run[0] : run[1]]) >= 0.9 - 1e-9]
    fewest = min(last - first for first, last in enough)
    best = max(sum(shares[first:last]) for first, last in enough if last - first == fewest)
    found = shortest_range(bins)
    assert found is not None
    run = (bins.bin_edges.index(found.low), bins.bin_edges.index(found.high))
    assert run in enough
    assert run[1] - run[0] == fewest
    assert found.probability == pytest.approx(sum(shares[run[0] : run[1]])) == pytest.approx(best)


@given(histograms)
def test_the_most_probable_bin_is_that(bins: MassBins) -> None:
    found = most_probable_range(bins)
    assert found.probability == max(bins.probabilities)
    assert bins.bin_edges[bins.bin_edges.index(found.low) + 1] == found.high


@given(st.lists(st.floats(0, 1), min_size=1, max_size=18))
def test_numbers_that_are_no_whole_histogram_never_get_a_range(shares: list[float]) -> None:
    bins = MassBins(bin_edges=LVK_EDGES[: len(shares) + 1], probabilities=tuple(shares))
    if not 0.9 <= sum(shares) <= 1.01:
        assert shortest_range(bins) is None


@pytest.mark.parametrize(
    ("bins", "words"),
    [
        (bins_of(0, 0, 8, 10, 71, 11), "Chirp mass 1.1–1.4 M☉ (92 %; most probable 1.2–1.3), source frame"),
        (bins_of(*[0] * 15, 97, 3), "Chirp mass 22–44 M☉ (97 %), source frame"),
        (bins_of(*[0] * 17, 1), "Chirp mass 88–1,000 M☉ (>99 %), source frame"),
        (bins_of(86, 14), "Chirp mass 0.1–1.0 M☉ (>99 %; most probable 0.1–0.87), source frame"),
        (
            MassBins(bin_edges=(1, 2, 3), probabilities=(0.3, 0.2)),
            "Chirp mass most probably 1.0–2.0 M☉ (30 %), source frame",
        ),
        (MassBins(bin_edges=(1, 2, 3), probabilities=(0.0, 0.0)), None),
        (MassBins(bin_edges=(1, 2), probabilities=(0.5, 0.5)), None),
        (MassBins(bin_edges=(), probabilities=()), None),
        (None, None),
    ],
)
def test_a_range_comes_before_the_most_probable_bin(
    bins: MassBins | None, words: str | None, make_event: Callable[..., Event]
) -> None:
    assert line(make_event(), bins) == words


@pytest.mark.parametrize(
    ("pipeline", "search", "group", "alert_type", "frame"),
    [
        ("gstlal", "AllSky", "CBC", "PRELIMINARY", ", source frame"),
        ("SGNL", "AllSky", "CBC", "UPDATE", ", source frame"),
        ("MBTA", "SSM", "CBC", "INITIAL", ", source frame"),
        ("spiir", "EarlyWarning", "CBC", "EARLYWARNING", ", source frame"),
        ("aframe", "AllSky", "CBC", "PRELIMINARY", ", source frame"),
        # It has no distance to convert it with, until parameter estimation.
        ("CWB", "BBH", "CBC", "PRELIMINARY", ", detector frame"),
        ("cwb", "BBH", "CBC", "INITIAL", ", detector frame"),
        ("CWB", "BBH", "CBC", "UPDATE", ""),
        ("CWB", "BBH", "CBC", "GRACEDB", ""),
        ("CWB", "AllSky", "Burst", "PRELIMINARY", ""),
        ("gstlal", "AllSky", "Burst", "PRELIMINARY", ""),
        ("a new one", "AllSky", "CBC", "PRELIMINARY", ""),
        ("", "", "", "REVIEW", ""),
    ],
)
def test_a_frame_is_claimed_only_where_it_is_known(
    pipeline: str, search: str, group: str, alert_type: str, frame: str, make_event: Callable[..., Event]
) -> None:
    event = make_event(pipeline=pipeline, search=search, group=group)
    found = line(event, bins_of(*[0] * 15, 97, 3), alert_type)
    assert found == f"Chirp mass 22–44 M☉ (97 %){frame}"


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_an_unlisted_pipeline_claims_no_frame(
    make_event: Callable[..., Event], pipeline: str, search: str, alert_type: str
) -> None:
    known = {"gstlal", "sgnl", "mbta", "pycbc", "spiir", "aframe", "cwb"}
    if pipeline.casefold() not in known:
        assert mass_frame(make_event(pipeline=pipeline, search=search), alert_type) is None
