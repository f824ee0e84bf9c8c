"""The probability within a distance: against ligo.skymap's conditional cdf, plain sums, and its bounds."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.decode import extract_sky_maps
from bot.samples.skymaps import sky_map
from bot.skymaps.distance_moments import conditional_cdf
from bot.skymaps.distance_probability import MAX_UNKNOWN_SHARE, probability_within
from bot.skymaps.skymap import SkyMap, read_sky_map
from tests.support.clock import NOW

MU = np.array([40.0, 100.0, -50.0, 5.0, 3000.0, 0.0, 150.0])
SIGMA = np.array([8.0, 60.0, 80.0, 50.0, 1.0, 50.0, 900.0])


def made_map(distance: tuple[float, float] | None = (150.0, 45.0)) -> SkyMap:
    fits = sky_map(
        [(120.0, 30.0, 1.0, 5.0)],
        superevent_id="S261122a",
        time=NOW,
        distance=distance,
        nearer_at_peak=0.3,
        base_order=2,
        rounds=3,
    )
    return read_sky_map(fits)


@pytest.mark.parametrize(
    ("limit", "recorded"),
    [
        (30.0, [0.04418133075752352, 0.001924449852978084, 0.028207815788731175, 0.04590826888577415]),
        (150.0, [1.0, 0.4847281018615823, 0.814633644526392, 0.9652306737897569]),
        (2999.5, [1.0, 1.0, 0.999999999999999, 0.9999999999999999]),
    ],
)
def test_line_of_sight_agrees_with_ligo_skymap(limit: float, recorded: list[float]) -> None:
    """Recorded from `ligo.skymap.distance.conditional_cdf` of ligo.skymap 2.5.4."""
    assert conditional_cdf(limit, MU, SIGMA)[:4].tolist() == pytest.approx(recorded, abs=1e-12)


def test_narrow_and_wide_lines_of_sight_agree_with_ligo_skymap() -> None:
    recorded = [0.3083028480934055, 1.0000000000000002, 0.9844209499834513]
    assert conditional_cdf(2999.5, MU, SIGMA)[4:].tolist() == pytest.approx(recorded, abs=1e-12)


def test_published_maps_agree_with_installed_ligo_skymap(shared_notices: Path) -> None:
    reason = "pip install ligo.skymap compares with it too, beside recorded values and plain sums"
    theirs = pytest.importorskip("ligo.skymap.distance", reason=reason)
    for name in ("real/S241125n-UPDATE-RAVEN.json", "official/MS181101ab-preliminary.avro"):
        for fits in extract_sky_maps((shared_notices / name).read_bytes()):
            if fits is None:
                continue
            skymap = read_sky_map(fits)
            assert skymap.distance is not None
            for factor in (0.5, 1.0, 1.7):
                limit = skymap.distance.mean * factor
                nearer = theirs.conditional_cdf(limit, skymap.distmu, skymap.distsigma, skymap.distnorm)
                assert skymap.distmu is not None
                known = np.isfinite(skymap.distmu)
                expected = float(np.sum(skymap.probability[known] * nearer[known]))
                assert probability_within(skymap, limit) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.floats(-2_000, 2_000), st.floats(0.5, 500), st.floats(0.1, 4_000))
def test_line_of_sight_is_the_sum_over_thin_shells(mu: float, sigma: float, limit: float) -> None:
    z = mu / sigma
    # Beyond this the density is negligible: a tail falls as exp(mu r / sigma²).
    top = mu + 12 * sigma if z > -8 else -60 * sigma**2 / mu
    edge = min(limit, max(top, 0.0))

    def integral(end: float) -> float:
        r = (np.arange(100_000) + 0.5) * end / 100_000
        # Scaled by the density's own maximum, as a far tail underflows.
        best = max((mu + math.sqrt(mu**2 + 8 * sigma**2)) / 2, 1e-9)
        exponent = -(((r - mu) / sigma) ** 2 - ((best - mu) / sigma) ** 2) / 2
        return float(np.sum(r**2 * np.exp(exponent))) * end / 100_000

    expected = integral(edge) / integral(top) if edge > 0 else 0.0
    found = float(conditional_cdf(limit, np.array([mu]), np.array([sigma]))[0])
    assert found == pytest.approx(expected, abs=2e-6)


def test_probability_grows_with_the_distance_from_none_to_all() -> None:
    skymap = made_map()
    found = [probability_within(skymap, limit) for limit in (0.0, 20.0, 100.0, 150.0, 300.0, math.inf)]
    assert found == sorted(found, key=lambda share: share or 0.0)
    assert found[0] == 0 and found[-1] == pytest.approx(1)
    assert found[3] is not None and 0.3 < found[3] < 0.8


def test_map_without_distances_gives_no_probability() -> None:
    assert probability_within(made_map(None), 200) is None


def test_tiles_without_a_distance_count_as_not_nearer_while_they_are_few() -> None:
    skymap = made_map()
    assert skymap.distmu is not None
    order = np.argsort(skymap.probability)
    share = np.cumsum(skymap.probability[order])
    for wanted, is_answered in ((0.6 * MAX_UNKNOWN_SHARE, True), (1.5 * MAX_UNKNOWN_SHARE, False)):
        mu = skymap.distmu.copy()
        gone = order[: int(np.searchsorted(share, wanted))]
        mu[gone] = np.inf
        part = replace(skymap, distmu=mu)
        found = probability_within(part, math.inf)
        assert (found is not None) is is_answered
        if found is not None:
            assert found == pytest.approx(1 - float(skymap.probability[gone].sum()), abs=1e-6)
        assert probability_within(part, math.inf, max_unknown_share=1.0) is not None
