"""The 90 % radius of an alert's position: its containment converted, GBM's systematic error added.

Errors are those of a Fisher distribution on the sphere (Briggs et al. 1999, ApJS 122, 503): the density falls
as exp(κ cos θ) with the angle θ from the position. For small errors that is a two-dimensional Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, expm1, hypot, log, radians, sin

from bot.related_messages.nearby_rates import FERMI_GBM
from formatters.models.nearby_alert import NearbyAlert

TARGET = 0.9
"""The probability that the circle which is compared with an event's region holds."""
ONE_SIGMA = 0.6827
"""The probability inside the radii of GBM's systematic error."""

Mixture = Sequence[tuple[float, float]]
"""Parts of a distribution of errors: (weight, radius in degrees that holds ONE_SIGMA); weights sum to 1."""

GBM_FINAL_SYSTEMATIC: Mixture = ((0.52, 1.8), (0.48, 4.1))
"""Of the automatic final positions (RoboBA), all bursts: Goldstein et al. 2020, ApJ 895, 40."""
GBM_SYSTEMATIC: Mixture = ((0.9, 3.7), (0.1, 14.0))
"""Of other positions from the ground, a core and a tail: Connaughton et al. 2015, ApJS 216, 32."""

_STEPS = 100


def radius_90(alert: NearbyAlert) -> float | None:
    """Return the radius in degrees that holds 90 %, systematic error included; None if it isn't known.

    Only for GBM a systematic error is added, unless its radius includes it; other radii count as sent.
    """
    position = alert.position
    if position is None or position.radius is None or position.containment is None:
        return None
    kappa = _concentration(position.radius, position.containment)
    if alert.stream != FERMI_GBM or alert.systematic_included:
        return _radius([(1.0, kappa)])
    systematic = GBM_FINAL_SYSTEMATIC if "FINAL" in alert.position_kind.upper() else GBM_SYSTEMATIC
    statistical = _bisect(lambda r: fisher_containment(r, kappa) - ONE_SIGMA, 0.0, 180.0)
    return _radius(
        [
            (weight, _concentration(min(hypot(statistical, radius), 180.0), ONE_SIGMA))
            for weight, radius in systematic
        ]
    )


def fisher_containment(radius: float, kappa: float) -> float:
    """Return the probability (0 to 1) within `radius` degrees of the centre of a Fisher distribution."""
    # 1 − cos θ is 2 sin² (θ/2), which is exact for small angles too.
    return expm1(-2 * kappa * sin(radians(radius) / 2) ** 2) / expm1(-2 * kappa)


def _concentration(radius: float, containment: float) -> float:
    """Return the κ at which `radius` degrees hold `containment`; almost 0 where even an even spread does."""
    found = _bisect(lambda x: fisher_containment(radius, exp(x)) - containment, log(1e-6), log(1e14))
    return exp(found)


def _radius(parts: Sequence[tuple[float, float]]) -> float:
    """Return the radius in degrees at which distributions, given as (weight, κ), together hold TARGET."""
    return _bisect(
        lambda r: sum(weight * fisher_containment(r, kappa) for weight, kappa in parts) - TARGET, 0.0, 180.0
    )


def _bisect(excess: Callable[[float], float], low: float, high: float) -> float:
    """Return the zero of an increasing function, or the end of the range that is nearest to it."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if excess(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
