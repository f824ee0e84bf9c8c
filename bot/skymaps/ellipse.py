"""The ellipse that describes a credible region, as LVK's circulars give it where one does.

The fit is the one described for ligo.skymap (`ligo.skymap.postprocess.ellipse`), and the limit that of LVK's
public alerts user guide (emfollow.docs.ligo.org/userguide/content.html): an ellipse describes the region if
its area is less than 1.35 times that of the region. Angles are degrees, positions ICRS.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from bot.skymaps import healpix
from bot.skymaps.arrays import DEG2_PER_SR, Floats
from bot.skymaps.skymap import SkyMap, credible_areas
from formatters.models.ellipse import CredibleEllipse

MAX_AREA_RATIO = 1.35
"""The area of an ellipse over that of the credible region below which LVK gives the ellipse."""
_CLIPPING_ROUNDS = 3
_CLIPPING_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class EllipseFit:
    """The ellipse around a map's median position that holds a probability, beside the credible region."""

    ellipse: CredibleEllipse
    region_area: float
    """Area of the credible region of the same level, deg²."""

    @property
    def describes_region(self) -> bool:
        """True if LVK's circulars would give the ellipse."""
        return self.ellipse.semi_major < 90 and self.ellipse.area < MAX_AREA_RATIO * self.region_area


def fit_ellipse(skymap: SkyMap, level: float = 0.9) -> EllipseFit | None:
    """Fit the ellipse that holds a probability of `level` (0 to 1).

    The map is projected (zenithal equidistant) around its median position; the covariance of the probability,
    clipped at three sigma in three rounds, gives the axes' ratio and angle, and the level their length.
    Return None if the map's probability is in so few tiles that it has no axes, or is less than `level`.
    """
    probability = skymap.probability
    xyz = np.stack(healpix.centre_vectors(skymap.order, skymap.ipix))
    median = np.array([_weighted_median(axis, probability) for axis in xyz])
    length = float(np.linalg.norm(median))
    if not length > 0:
        return None
    offsets = _arc_offsets(xyz, median / length)
    held = np.ones(probability.size, np.bool_)
    for _ in range(_CLIPPING_ROUNDS):
        covariance = _covariance(offsets[:, held], probability[held])
        if not np.linalg.eigvalsh(covariance)[0] > 1e-12 * np.trace(covariance):
            return None
        sigmas = np.sqrt(np.sum(offsets * np.linalg.solve(covariance, offsets), axis=0))
        held &= sigmas < _CLIPPING_SIGMAS
        if not held.any():
            return None
    ranked = np.argsort(sigmas, kind="stable")
    cumulative = np.cumsum(probability[ranked])
    if cumulative[-1] < level:
        return None
    scale = float(np.interp(level, cumulative, sigmas[ranked]))
    area = float(np.interp(level, cumulative, np.cumsum(skymap.area[ranked]))) * DEG2_PER_SR
    (minor, major), axes = np.linalg.eigh(covariance)
    semi_minor, semi_major = scale * np.sqrt((minor, major))
    if not semi_minor > 0:
        return None
    (region_area,) = credible_areas(skymap, (level,))
    ellipse = CredibleEllipse(
        ra=float(np.degrees(np.arctan2(median[1], median[0]))) % 360,
        dec=float(np.degrees(np.arcsin(median[2] / length))),
        semi_major=float(semi_major),
        semi_minor=float(semi_minor),
        angle=float(np.degrees(np.arctan2(axes[0, 0], axes[1, 0]))) % 180,
        # A few coarse tiles have a tiny covariance, and an ellipse much smaller than they are.
        area=max(area, float(pi * semi_major * semi_minor)) if semi_major < 90 else area,
    )
    return EllipseFit(ellipse, region_area)


def _weighted_median(values: Floats, weights: Floats) -> float:
    ranked = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[ranked])
    return float(np.interp(cumulative[-1] / 2, cumulative, values[ranked]))


def _arc_offsets(xyz: Floats, centre: Floats) -> Floats:
    """Return the (2, n) offsets in degrees, east and north, of unit vectors (3, n) around `centre`.

    The projection is zenithal equidistant (ARC): distances from the centre are angles on the sky.
    """
    east = np.array([-centre[1], centre[0], 0.0])
    reach = float(np.linalg.norm(east))
    # At a pole, east is that of right ascension 0.
    east = east / reach if reach > 1e-12 else np.array([0.0, 1.0, 0.0])
    north = np.cross(centre, east)
    plane = np.stack((east @ xyz, north @ xyz))
    sine = np.hypot(plane[0], plane[1])
    angle = np.degrees(np.arctan2(sine, centre @ xyz))
    offsets: Floats = plane * np.divide(angle, sine, out=np.full_like(sine, 180 / pi), where=sine > 0)
    return offsets


def _covariance(offsets: Floats, weights: Floats) -> Floats:
    share = weights / weights.sum()
    apart = offsets - (offsets @ share)[:, np.newaxis]
    covariance: Floats = (apart * share) @ apart.T
    return covariance
