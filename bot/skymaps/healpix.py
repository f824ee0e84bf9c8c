"""HEALPix geometry of NESTED pixels on plain arrays in degrees, computed by astropy_healpix.

astropy_healpix is imported at the first use: it imports astropy's coordinates, a third of what a process
imported to start, and none needs a sky map for that. `load` prepares for the first one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bot.skymaps.arrays import MAX_ORDER, Floats, Integers

# The imports in the functions take a microsecond each once the module is loaded.


def load() -> None:
    """Import what this module computes with, which takes up to half a second."""
    import astropy_healpix  # noqa: F401


def centres(order: ArrayLike, ipix: ArrayLike) -> tuple[Floats, Floats]:
    """Return RA and Dec (degrees) of the centres of pixels."""
    import astropy_healpix

    lon, lat = astropy_healpix.healpix_to_lonlat(ipix, _nside(order), order="nested")
    return lon.deg, lat.deg


def centre_vectors(order: ArrayLike, ipix: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return x, y and z of the unit vectors to the centres of pixels."""
    import astropy_healpix

    x, y, z = astropy_healpix.healpix_to_xyz(ipix, _nside(order), order="nested")
    return x, y, z


def southern_corners_z(order: ArrayLike, ipix: ArrayLike) -> Floats:
    """Return z of the unit vector to each pixel's southernmost corner, where both its coordinates begin."""
    import astropy_healpix

    _, _, z = astropy_healpix.healpix_to_xyz(ipix, _nside(order), 0, 0, "nested")
    return np.asarray(z, np.float64)


def boundaries(order: int, ipix: Integers, points_per_edge: int) -> tuple[Floats, Floats]:
    """Return RA and Dec (degrees), each (n, 4 · `points_per_edge`), of points along the edges of n pixels."""
    import astropy_healpix

    lon, lat = astropy_healpix.boundaries_lonlat(ipix, points_per_edge, 2**order, order="nested")
    return lon.deg, lat.deg


def finest_pixels(ra: ArrayLike, dec: ArrayLike) -> Integers:
    """Return the indices at order MAX_ORDER of the pixels that hold these positions (degrees)."""
    import astropy_healpix
    from astropy import units

    lon, lat = np.asarray(ra, np.float64) * units.deg, np.asarray(dec, np.float64) * units.deg
    return np.asarray(astropy_healpix.lonlat_to_healpix(lon, lat, 2**MAX_ORDER, order="nested"), np.int64)


def neighbours(order: Integers, ipix: Integers) -> Integers:
    """Return the (8, n) indices of the pixels around n pixels, −1 where a corner has no eighth neighbour."""
    import astropy_healpix

    # It computes with the -1 of a missing neighbour, of which numpy would warn.
    with np.errstate(invalid="ignore"):
        return np.asarray(astropy_healpix.neighbours(ipix, _nside(order), order="nested"), np.int64)


def ring_to_nested(order: int, ipix: Integers) -> Integers:
    """Return the NESTED indices of pixels that are given by their RING indices."""
    import astropy_healpix

    return np.asarray(astropy_healpix.HEALPix(2**order).ring_to_nested(ipix), np.int64)


def _nside(order: ArrayLike) -> Integers:
    return np.asarray(1 << np.asarray(order, np.int64))
