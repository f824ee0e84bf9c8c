"""The 90 % radius of an alert: conversion between containments, and GBM's systematic error."""

from __future__ import annotations

from datetime import timedelta
from math import log, sqrt

import numpy as np
import pytest

from bot.related_messages.localization_error import (
    GBM_FINAL_SYSTEMATIC,
    GBM_SYSTEMATIC,
    fisher_containment,
    radius_90,
)
from bot.related_messages.nearby import decode_nearby_alert
from bot.samples.nearby import gbm_trigger, icecube_track, svom_trigger
from formatters.models.nearby_alert import NearbyAlert
from tests.support.clock import NOW

TIME = NOW - timedelta(minutes=5)


def decoded(body: bytes) -> NearbyAlert:
    alert = decode_nearby_alert("nearby", body)
    assert alert is not None
    return alert


def test_a_radius_of_90_percent_stays_as_it_is() -> None:
    assert radius_90(decoded(icecube_track(TIME, 10, 20, 0.5))) == pytest.approx(0.5, rel=1e-9)
    assert radius_90(decoded(svom_trigger(TIME, 10, 20, 0.15))) == pytest.approx(0.15, rel=1e-9)


@pytest.mark.parametrize("radius", [0.1, 1.0, 3.0])
def test_a_small_radius_grows_as_that_of_a_gaussian(radius: float) -> None:
    flight = gbm_trigger(TIME, 10, 20, radius, systematic_included=True, containment=0.68)
    # Of a two-dimensional Gaussian, r² is proportional to −ln(1 − containment).
    assert radius_90(decoded(flight)) == pytest.approx(radius * sqrt(log(0.1) / log(0.32)), rel=2e-3)


@pytest.mark.parametrize(
    ("subtype", "systematic"),
    [
        ("FINAL_POSITION", GBM_FINAL_SYSTEMATIC),
        ("GROUND_POSITION", GBM_SYSTEMATIC),
        ("FLIGHT_POSITION", GBM_SYSTEMATIC),
        ("SOMETHING_NEW", GBM_SYSTEMATIC),
    ],
)
@pytest.mark.parametrize("radius", [0.5, 4.0, 20.0])
def test_gbms_systematic_error_is_a_mixture_of_core_and_tail(
    subtype: str, systematic: tuple[tuple[float, float], ...], radius: float
) -> None:
    found = radius_90(decoded(gbm_trigger(TIME, 10, 20, radius, subtype=subtype, containment=0.6827)))
    assert found is not None
    # Drawn as two-dimensional Gaussians, which they are for small angles: the error of the position, and of
    # the system.
    rng = np.random.default_rng(17)
    count = 400_000
    part = rng.choice(len(systematic), count, p=[weight for weight, _ in systematic])
    system = np.array([size for _, size in systematic])[part]
    per_axis = np.hypot(radius, system) / sqrt(-2 * log(1 - 0.6827))
    drawn = np.hypot(*(rng.normal(size=(2, count)) * per_axis))
    assert np.mean(drawn <= found) == pytest.approx(0.9, abs=0.012)


def test_final_positions_are_the_better_ones() -> None:
    sizes = [
        radius_90(decoded(gbm_trigger(TIME, 10, 20, 1.08, subtype=subtype)))
        for subtype in ("FINAL_POSITION", "GROUND_POSITION")
    ]
    assert sizes == [pytest.approx(5.2, abs=0.3), pytest.approx(7.3, abs=0.6)]


def test_no_other_instrument_gets_gbms_error() -> None:
    track = icecube_track(TIME, 10, 20, 0.5, extra={"systematic_included": False})
    assert radius_90(decoded(track)) == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize(
    "extra",
    [
        {"ra_dec_error": None},
        {"ra_dec_error": 0},
        {"ra_dec_error": -1},
        {"ra_dec_error": 400},
        {"ra": None},
        {"containment_probability": 1.0},
        {"containment_probability": 0},
        {"containment_probability": "most"},
    ],
)
def test_what_is_not_known_gives_no_radius(extra: dict[str, object]) -> None:
    assert radius_90(decoded(gbm_trigger(TIME, 10, 20, extra=extra))) is None


def test_a_radius_without_a_containment_has_gcns_default() -> None:
    body = icecube_track(TIME, 10, 20, 0.7, extra={"containment_probability": None})
    assert radius_90(decoded(body)) == pytest.approx(0.7, rel=1e-9)


@pytest.mark.parametrize("kappa", [1e-6, 1.0, 30.0, 1e5, 1e12])
def test_the_distribution_holds_all_on_the_whole_sphere(kappa: float) -> None:
    assert fisher_containment(0.0, kappa) == 0
    assert fisher_containment(180.0, kappa) == pytest.approx(1)
    assert fisher_containment(90.0, kappa) >= 0.5
