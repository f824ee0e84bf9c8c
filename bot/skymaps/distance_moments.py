"""Moments of a distance along lines of sight, p(r) ∝ r² N(r; DISTMU, DISTSIGMA) for r > 0.

The ansatz and the parameters' names are those of Singer et al. 2016 (ApJL 829, L15); lengths are in Mpc.
"""

from __future__ import annotations

from functools import cache
from math import erfc, exp, inf, isfinite, pi, sqrt

import numpy as np

from bot.skymaps.arrays import Floats
from formatters.models.notice import Distance

TAIL_THRESHOLD = -8.0
"""The DISTMU / DISTSIGMA below which closed forms of the moments cancel."""
_NARROW_THRESHOLD = 38.0
"""The DISTMU / DISTSIGMA above which the part of the normal distribution below 0 underflows."""
_TAIL_END = 60.0
"""The −DISTMU r / DISTSIGMA² beyond which a tail's probability is negligible."""


def conditional_distance(mu: float, sigma: float) -> Distance | None:
    """Return mean and standard deviation of p(r) ∝ r² N(r; mu, sigma) for r > 0, all in Mpc.

    They are the moments of `ligo.skymap.distance.parameters_to_moments` (Singer et al. 2016, ApJL 829, L15).
    Return None if the parameters describe no distance (mu infinite, sigma not positive).
    """
    if not (isfinite(mu) and isfinite(sigma) and sigma > 0):
        return None
    z = mu / sigma
    if z > _NARROW_THRESHOLD:
        # The tail below 0 is negligible, and the difference of the closed form's moments would cancel.
        q = 1 / (z * z)
        return Distance(mean=mu * (1 + 3 * q) / (1 + q), std=sigma * sqrt(1 + 3 * q * q) / (1 + q))
    if z > TAIL_THRESHOLD:
        hazard = sqrt(2 / pi) * exp(-z * z / 2) / erfc(-z / sqrt(2))
        second = z * z + 1 + z * hazard
        third = z * (z * z + 3) + (z * z + 2) * hazard
        fourth = z * z * (z * z + 6) + 3 + z * (z * z + 5) * hazard
        mean = third / second
        variance = fourth / second - mean * mean
    else:
        # The closed form cancels here. With u = -z r / sigma the integrand is u^n exp(-u² / 2z²) under
        # the weight exp(-u), which Gauss-Laguerre quadrature integrates to rounding error.
        u, weight = np.polynomial.laguerre.laggauss(40)
        weight = weight * u**2 * np.exp(-((u / z) ** 2) / 2)
        mean = float(np.average(u, weights=weight)) / -z
        variance = float(np.average((u / -z - mean) ** 2, weights=weight))
    return Distance(mean=sigma * mean, std=sigma * sqrt(variance))


def mean_distance(probability: Floats, mu: Floats, sigma: Floats) -> Distance | None:
    """Return mean and standard deviation over lines of sight, each weighted by its probability; all (n,).

    `mu` is finite and `sigma` positive. Return None without any probability.
    """
    total = float(probability.sum())
    if not total > 0:
        return None
    first, second = conditional_moments(mu, sigma)
    mean = float(probability @ first) / total
    variance = float(probability @ second) / total - mean * mean
    return Distance(mean=mean, std=sqrt(max(variance, 0.0)))


def conditional_moments(mu: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Return the (n,) means and mean squares of r, for `mu` finite and `sigma` positive.

    They agree with `conditional_distance`, for all lines of sight at once.
    """
    z = mu / sigma
    mean, square = np.empty_like(z), np.empty_like(z)
    plain = z > TAIL_THRESHOLD
    x = z[plain]
    # φ(z) / Φ(z)
    hazard = normal_pdf(x) / normal_sf(-x)
    second = x**2 + 1 + x * hazard
    mean[plain] = (x * (x**2 + 3) + (x**2 + 2) * hazard) / second
    square[plain] = (x**2 * (x**2 + 6) + 3 + x * (x**2 + 5) * hazard) / second
    tail = np.flatnonzero(~plain)
    if tail.size:
        # Here the closed form cancels; with u = −z r / sigma, as in `conditional_distance`.
        u, weight = _gauss_laguerre()
        density = np.exp(-((u[:, np.newaxis] / z[tail]) ** 2) / 2) * (weight * u**2)[:, np.newaxis]
        total = density.sum(axis=0)
        mean[tail] = (u @ density) / total / -z[tail]
        square[tail] = (u**2 @ density) / total / z[tail] ** 2
    return mean * sigma, square * sigma**2


def conditional_cdf(limit: float, mu: Floats, sigma: Floats) -> Floats:
    """Return the (n,) probabilities that r is below `limit` (Mpc), for `mu` finite and `sigma` positive.

    They are `ligo.skymap.distance.conditional_cdf` with the norm that makes the whole probability 1.
    """
    z = mu / sigma
    if not limit > 0:
        return np.zeros_like(z)
    if limit == inf:
        return np.ones_like(z)
    below = np.empty_like(z)
    plain = z > TAIL_THRESHOLD
    x = z[plain]
    below[plain] = 1 - _upper_moment(x, limit / sigma[plain] - x) / _upper_moment(x, -x)
    tail = np.flatnonzero(~plain)
    if tail.size:
        # Here the closed form cancels; with u = −z r / sigma the density is u² exp(−u) exp(−u² / 2z²).
        node, weight = gauss_legendre()
        top = np.minimum(-z[tail] * limit / sigma[tail], _TAIL_END)
        parts = []
        for end in (top, np.full_like(top, _TAIL_END)):
            u = np.multiply.outer((node + 1) / 2, end)
            parts.append(weight @ (u**2 * np.exp(-u - (u / z[tail]) ** 2 / 2)) * end)
        below[tail] = parts[0] / parts[1]
    return np.clip(below, 0, 1)


def _upper_moment(z: Floats, t: Floats) -> Floats:
    """Return ∫ (z + s)² φ(s) ds from `t` to infinity."""
    return (z**2 + 1) * normal_sf(t) + (2 * z + t) * normal_pdf(t)


@cache
def gauss_legendre() -> tuple[Floats, Floats]:
    """Return the 64 nodes and weights of Gauss-Legendre quadrature on (−1, 1)."""
    return np.polynomial.legendre.leggauss(64)


@cache
def _gauss_laguerre() -> tuple[Floats, Floats]:
    """Return the 40 nodes and weights of Gauss-Laguerre quadrature, for the weight exp(−u) on u > 0."""
    return np.polynomial.laguerre.laggauss(40)


def normal_pdf(t: Floats) -> Floats:
    """Return the standard normal density."""
    density: Floats = np.exp(-(t**2) / 2) / sqrt(2 * pi)
    return density


def normal_sf(t: Floats) -> Floats:
    """Return the standard normal survival function, accurate in the tail too."""
    # numpy has no erfc, and scipy would add 100 MB for this one function.
    return np.fromiter(map(erfc, (t / sqrt(2)).tolist()), np.float64, t.size) / 2
