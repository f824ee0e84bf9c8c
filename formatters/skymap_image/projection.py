"""The two projections of a sky-map image. Both are equal-area, so that a contour's area is its credible area.

All-sky: Mollweide, centred on RA 12 h like LVK's own images. Inset: Lambert's azimuthal (zenithal)
equal-area, which over a few degrees is indistinguishable from a gnomonic one (Calabretta & Greisen 2002,
A&A 395, 1077, sections 5.1.7 and 5.5.3). East is left and north is up in both. Angles are degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CENTRE_RA = 180.0
"""Right ascension at the centre of the all-sky map, degrees."""
SKY_WIDTH = 980
"""Width of the all-sky grid, pixels; the ellipse touches its four edges."""
SKY_HEIGHT = 490
WINDOW_PIXELS = 280
"""Width and height of an inset's grid, pixels."""
SKY_PIXEL_AREA = 4 * (180 / pi) ** 2 * pi / (pi / 4 * SKY_WIDTH * SKY_HEIGHT)
"""Area of a pixel of the all-sky grid, deg²."""

_NEWTON_STEPS = 12
_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class ImageWindow:
    """A square field of the sky, projected around its centre."""

    ra: float
    """Right ascension of the centre, ICRS degrees."""
    dec: float
    half_width: float
    """Half of the side length, degrees, at most 90."""

    @property
    def is_polar(self) -> bool:
        """True if a pole is in the window or so close that meridians run in all directions."""
        return abs(self.dec) + 1.5 * self.half_width >= 90

    @property
    def pixel_area(self) -> float:
        """Area of a pixel of the window's grid, deg²."""
        return (2 * self.half_width / WINDOW_PIXELS) ** 2


def project_sky(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Return columns and rows of positions on the all-sky grid.

    The centre of the first pixel is (0, 0); rows increase downwards.
    """
    phi = np.radians(dec)
    # Newton's method converges slowly near a pole, so it starts from the asymptotic solution there.
    theta = np.sign(phi) * np.minimum(
        np.abs(phi), pi / 2 - (3 * pi / 8 * (pi / 2 - np.abs(phi)) ** 2) ** (1 / 3)
    )
    for _ in range(_NEWTON_STEPS):
        slope = np.maximum(2 + 2 * np.cos(2 * theta), _EPSILON)
        theta = np.clip(theta - (2 * theta + np.sin(2 * theta) - pi * np.sin(phi)) / slope, -pi / 2, pi / 2)
    east = (np.asarray(ra) - CENTRE_RA + 180) % 360 - 180
    x = -east / 180 * np.cos(theta)
    return (x + 1) / 2 * SKY_WIDTH - 0.5, (1 - np.sin(theta)) / 2 * SKY_HEIGHT - 0.5


def sky_positions() -> tuple[Floats, Floats]:
    """Return RA and Dec of the all-sky grid's pixel centres, shape (SKY_HEIGHT, SKY_WIDTH).

    NaN outside the ellipse.
    """
    x = (np.arange(SKY_WIDTH) + 0.5) / SKY_WIDTH * 2 - 1
    y = 1 - (np.arange(SKY_HEIGHT)[:, np.newaxis] + 0.5) / SKY_HEIGHT * 2
    theta = np.arcsin(y)
    dec = np.degrees(np.arcsin((2 * theta + np.sin(2 * theta)) / pi))
    east = -180 * x / np.cos(theta)
    ra = np.where(np.abs(east) <= 180, (CENTRE_RA + east) % 360, np.nan)
    return ra, np.where(np.isnan(ra), np.nan, dec)


def sky_to_plane(window: ImageWindow, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Return east and north offsets, degrees, on an inset's equal-area plane."""
    delta, lat, lat_0 = np.radians(np.asarray(ra) - window.ra), np.radians(dec), np.radians(window.dec)
    towards = np.sin(lat_0) * np.sin(lat) + np.cos(lat_0) * np.cos(lat) * np.cos(delta)
    scale = np.degrees(np.sqrt(2 / np.maximum(1 + towards, _EPSILON)))
    east = scale * np.cos(lat) * np.sin(delta)
    north = scale * (np.cos(lat_0) * np.sin(lat) - np.sin(lat_0) * np.cos(lat) * np.cos(delta))
    return east, north


def plane_to_sky(window: ImageWindow, east: Floats, north: Floats) -> tuple[Floats, Floats]:
    """Return RA and Dec of points on an inset's plane: the inverse of `sky_to_plane`."""
    x, y, lat_0 = np.radians(east), np.radians(north), np.radians(window.dec)
    square = np.minimum(x * x + y * y, 4.0)
    # With c the angular distance from the centre: sin c / r and cos c.
    ratio, cos_c = np.sqrt(1 - square / 4), 1 - square / 2
    sin_lat = cos_c * np.sin(lat_0) + y * ratio * np.cos(lat_0)
    ra = window.ra + np.degrees(np.arctan2(x * ratio, cos_c * np.cos(lat_0) - y * ratio * np.sin(lat_0)))
    return ra % 360, np.degrees(np.arcsin(np.clip(sin_lat, -1, 1)))


def project_window(window: ImageWindow, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Return columns and rows of positions on an inset's grid, in the convention of `project_sky`."""
    east, north = sky_to_plane(window, ra, dec)
    scale = WINDOW_PIXELS / (2 * window.half_width)
    return (window.half_width - east) * scale - 0.5, (window.half_width - north) * scale - 0.5


def window_positions(window: ImageWindow) -> tuple[Floats, Floats]:
    """Return RA and Dec of an inset's pixel centres, shape (WINDOW_PIXELS, WINDOW_PIXELS)."""
    offset = window.half_width * (1 - 2 * (np.arange(WINDOW_PIXELS) + 0.5) / WINDOW_PIXELS)
    east, north = np.meshgrid(offset, offset)
    return plane_to_sky(window, east, north)
