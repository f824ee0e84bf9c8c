"""Distances of counterpart candidates' hosts, compared with the distance along the line of sight."""

from __future__ import annotations

from functools import lru_cache
from math import hypot, isfinite

from bot.skymaps.crossmatch import luminosity_distance
from formatters.models.notice import Distance
from formatters.models.position_on_map import PositionOnMap
from formatters.models.related_message import ReportedPosition

PECULIAR_VELOCITY_KM_S = 300.0
"""The 1-sd velocity along the line of sight that a host may have against the Hubble flow.

A round value for the scatter of galaxies' velocities, not a measurement of the host; it also covers that
redshifts are taken as reported, mostly heliocentric.
"""
MAX_REDSHIFT = 30.0
"""The largest redshift that is taken for one, as `bot.skymap_service.position_levels` does."""
_LIGHT_SPEED_KM_S = 299_792.458


def host_distance(position: ReportedPosition) -> Distance | None:
    """Return the host's luminosity distance in Mpc: as reported, else that of its redshift (Planck18).

    The sd of a redshift's holds its own error and the peculiar velocity; a reported distance without an error
    has sd 0. Return None without either.
    """
    distance, redshift = position.distance, position.redshift
    if distance is not None and isfinite(distance) and distance > 0:
        return Distance(mean=distance, std=_error(position.distance_error))
    if redshift is not None and 0 < redshift <= MAX_REDSHIFT:
        mean, slope = _distance_and_slope(redshift)
        peculiar = PECULIAR_VELOCITY_KM_S / _LIGHT_SPEED_KM_S * (1 + redshift)
        return Distance(mean=mean, std=slope * hypot(_error(position.redshift_error), peculiar))
    return None


def distance_sigmas(position: ReportedPosition, on_map: PositionOnMap | None) -> float | None:
    """Return (host's distance − mean along the line of sight) / sd, both errors combined; None if unknown."""
    along = None if on_map is None else on_map.distance
    host = host_distance(position)
    if along is None or host is None:
        return None
    sd = hypot(along.std, host.std)
    sigmas = (host.mean - along.mean) / sd if sd > 0 else float("nan")
    return sigmas if isfinite(sigmas) else None


def _error(value: float | None) -> float:
    return abs(value) if value is not None and isfinite(value) else 0.0


@lru_cache(maxsize=4_096)
def _distance_and_slope(redshift: float) -> tuple[float, float]:
    """Return the luminosity distance (Mpc) of a redshift, and its change per unit of redshift."""
    step = 1e-3 * redshift
    here = luminosity_distance(redshift)
    return here, (luminosity_distance(redshift + step) - here) / step
