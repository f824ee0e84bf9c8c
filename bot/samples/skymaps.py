"""Synthetic sky maps: smooth lobes on the sphere, tiled and written as BAYESTAR does.

A sky is a mixture of von Mises–Fisher lobes; streaks and rings are chains of lobes. Every tile's distance
follows the ansatz p(r) = DISTNORM r² N(r; DISTMU, DISTSIGMA) of Singer et al. 2016 (ApJL 829 L15), with
parameters for which the mean and standard deviation over the whole sky are those of the header, exactly.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy_healpix import healpix_to_xyz

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Columns = dict[str, tuple[npt.NDArray[Any], str | None]]
"""Column name -> (values, unit), in the order of the table."""

BASE_ORDER = 4
"""Order of BAYESTAR's initial 3,072 tiles (nside 16)."""
REFINEMENT_ROUNDS = 7
"""Number of BAYESTAR's refinements.

Each splits the most probable 768 tiles, a quarter of the initial number: 19,200 tiles, orders 4 to 11.
"""

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


class Lobe(NamedTuple):
    """A round patch of probability; near its centre a Gaussian of `sigma` degrees."""

    ra: float
    """Right ascension, ICRS, degrees."""
    dec: float
    """Declination, ICRS, degrees."""
    weight: float
    """Share of the mixture's probability, relative to the other lobes."""
    sigma: float
    """Standard deviation near the centre, degrees."""


Sky = tuple[Lobe, ...]


def offset_position(ra: float, dec: float, bearing: float, separation: float) -> tuple[float, float]:
    """Return (RA, Dec) of the point `separation` away, at `bearing` east of north; all in degrees."""
    lat, angle, arc = (math.radians(x) for x in (dec, bearing, separation))
    sin_dec = math.sin(lat) * math.cos(arc) + math.cos(lat) * math.sin(arc) * math.cos(angle)
    east = math.sin(angle) * math.sin(arc) * math.cos(lat)
    north = math.cos(arc) - math.sin(lat) * sin_dec
    return (ra + math.degrees(math.atan2(east, north))) % 360.0, math.degrees(math.asin(sin_dec))


def streak(
    ra: float, dec: float, *, bearing: float, length: float, width: float, weight: float = 1.0
) -> tuple[Lobe, ...]:
    """Return an elongated Gaussian along a great circle.

    `length` and `width` are standard deviations in degrees, `bearing` counts from north through east. The
    highest density is at (ra, dec) exactly, since the streak is symmetric about it.
    """
    along = math.sqrt(max(length**2 - width**2, 0.0))
    steps = math.ceil(2.5 * along / width)
    shares = [math.exp(-0.5 * (k * width / along) ** 2) if along else 1.0 for k in range(-steps, steps + 1)]
    return tuple(
        Lobe(*offset_position(ra, dec, bearing, k * width), weight * share / sum(shares), width)
        for k, share in zip(range(-steps, steps + 1), shares, strict=True)
    )


def ring(
    ra: float,
    dec: float,
    *,
    radius: float,
    width: float,
    brightest: float,
    contrast: float = 2.0,
    weight: float = 1.0,
) -> tuple[Lobe, ...]:
    """Return the annulus that two detectors leave: all directions `radius` degrees from (ra, dec).

    Its density is highest at the bearing `brightest`, by a factor exp(2 `contrast`) over the opposite side.
    """
    count = math.ceil(360.0 * math.sin(math.radians(radius)) / width)
    bearings = [brightest + 360.0 * k / count for k in range(count)]
    shares = [math.exp(contrast * math.cos(math.radians(b - brightest))) for b in bearings]
    return tuple(
        Lobe(*offset_position(ra, dec, b, radius), weight * share / sum(shares), width)
        for b, share in zip(bearings, shares, strict=True)
    )


def _log_density(sky: Sky, order: int, ipix: Integers) -> Floats:
    """Return the natural logarithm of the density (sr⁻¹) at tile centres.

    The logarithm is used because the density itself underflows far from a lobe.
    """
    x, y, z = healpix_to_xyz(ipix, 2**order, order="nested")
    towards = np.stack([x, y, z], axis=-1)
    rows = np.array(sky, dtype=np.float64)
    ra, dec = np.radians(rows[:, 0]), np.radians(rows[:, 1])
    centres = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    kappa = np.radians(rows[:, 3]) ** -2
    log_peak = np.log(rows[:, 2] / rows[:, 2].sum() * kappa / (2 * np.pi * -np.expm1(-2 * kappa)))
    log_terms = log_peak + kappa * (towards @ centres - 1.0)
    top = log_terms.max(axis=-1)
    return np.asarray(top + np.log(np.exp(log_terms - top[:, None]).sum(axis=-1)))


@lru_cache(maxsize=64)
def refine_tiles(
    sky: Sky, external_sky: Sky | None = None, base_order: int = BASE_ORDER, rounds: int = REFINEMENT_ROUNDS
) -> tuple[Integers, Floats]:
    """Return (UNIQ, probability density in sr⁻¹) of a sky, by BAYESTAR's adaptive refinement.

    `external_sky` is a second sky that multiplies the first, as RAVEN combines a GW map with an external one.
    The probability sums to 1; rows are in order of UNIQ; both arrays are read-only.
    """

    def measure(order: int, ipix: Integers) -> Floats:
        log_density = _log_density(sky, order, ipix)
        return log_density if external_sky is None else log_density + _log_density(external_sky, order, ipix)

    start = 12 * 4**base_order
    orders = np.full(start, base_order, dtype=np.int64)
    ipix = np.arange(start, dtype=np.int64)
    log_density = measure(base_order, ipix)
    for _ in range(rounds):
        ranked = np.argsort(log_density - orders * math.log(4.0), kind="stable")
        split, keep = ranked[-start // 4 :], np.sort(ranked[: -start // 4])
        parts = [(orders[keep], ipix[keep], log_density[keep])]
        for order in np.unique(orders[split]):
            parents = np.sort(ipix[split[orders[split] == order]])
            children = (4 * parents[:, None] + np.arange(4)).ravel()
            parts.append(
                (np.full(children.size, order + 1), children, measure(int(order) + 1, children)),
            )
        orders, ipix, log_density = (np.concatenate(column) for column in zip(*parts, strict=True))
    uniq = ipix + 4 * 4**orders
    rank = np.argsort(uniq, kind="stable")
    density = np.exp(log_density - log_density.max())[rank]
    density /= (density * tile_areas(orders[rank])).sum()
    uniq = uniq[rank]
    for column in (uniq, density):
        column.flags.writeable = False
    return uniq, density


def tile_areas(order: npt.ArrayLike) -> Floats:
    """Return the area of HEALPix tiles of an order, sr."""
    return np.asarray(np.pi / 3 / 4.0 ** np.asarray(order, dtype=np.float64))


def uniq_to_order(uniq: Integers) -> Integers:
    """Return the orders of UNIQ numbers."""
    # frexp gives the bit length exactly as long as UNIQ < 2**53, which order 24 and below keep
    return np.asarray((np.frexp(uniq.astype(np.float64))[1] - 3) // 2, dtype=np.int64)


class DistanceColumns(NamedTuple):
    """The columns DISTMU (Mpc), DISTSIGMA (Mpc) and DISTNORM (Mpc⁻²), with one value for each tile."""

    mu: Floats
    sigma: Floats
    norm: Floats


def _ansatz_moments(x: float) -> tuple[float, float, float]:
    """Return (1/norm, mean, mean square) of p(r) ∝ r² N(r; x, 1) on r > 0."""
    below = [0.5 * math.erfc(-x / math.sqrt(2)), 0.0]
    below[1] = x * below[0] + math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    for n in range(2, 5):
        below.append(x * below[n - 1] + (n - 1) * below[n - 2])
    return below[2], below[3] / below[2], below[4] / below[2]


def distance_columns(
    probability: Floats, density: Floats, mean: float, std: float, nearer_at_peak: float
) -> DistanceColumns:
    """Return columns for which the distance over the whole sky is exactly `mean` ± `std` Mpc.

    Towards the peak the distance scale is smaller by the fraction `nearer_at_peak` (0 to 1) than far from it.
    Raises ValueError if no such columns exist.
    """
    scale = 1.0 - nearer_at_peak * np.sqrt(density / density.max())
    first, second = float(probability @ scale), float(probability @ scale**2)
    wanted = (mean**2 + std**2) / mean**2 * first**2 / second
    low, high = -3.0, 60.0  # DISTMU / DISTSIGMA: std is 52 % of the mean at one end, 1.7 % at the other

    def ratio(x: float) -> float:
        _, m1, m2 = _ansatz_moments(x)
        return m2 / m1**2

    if not ratio(high) < wanted < ratio(low):
        raise ValueError(
            f"No distance columns give {mean:g} ± {std:g} Mpc with {nearer_at_peak:g} nearer at the peak."
        )
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if ratio(middle) > wanted else (low, middle)
    x = 0.5 * (low + high)
    inverse_norm, m1, _ = _ansatz_moments(x)
    sigma = mean / (m1 * first) * scale
    return DistanceColumns(x * sigma, sigma, 1.0 / (inverse_norm * sigma**2))


def graceid(superevent_id: str) -> str:
    """Return the id of a G event (M event for a mock), always the same one for a superevent."""
    letter = superevent_id[0] if superevent_id[0] in "MT" else "G"
    return f"{letter}{400_000 + zlib.crc32(superevent_id.encode()) % 300_000}"


def sky_map(
    peaks: Sequence[tuple[float, float, float, float]],
    *,
    superevent_id: str,
    time: datetime,
    instruments: Sequence[str] = ("H1", "L1", "V1"),
    distance: tuple[float, float] | None = None,
    nearer_at_peak: float = 0.05,
    external_sky: Sequence[tuple[float, float, float, float]] | None = None,
    external_observatory: str | None = None,
    creator: str = "BAYESTAR",
    log_bci: float | None = None,
    log_bsn: float | None = None,
    runtime: float | None = 3.25,
    base_order: int = BASE_ORDER,
    rounds: int = REFINEMENT_ROUNDS,
) -> bytes:
    """Return a multi-order FITS sky map with the columns and header keys of BAYESTAR's.

    `peaks` are lobes (RA, Dec, weight, sigma), degrees; `streak` and `ring` make chains of them. `distance`
    is (mean, standard deviation) over the whole sky in Mpc; without it there are neither DIST columns nor
    DIST keys, as in a burst's map. `external_sky` multiplies the sky with that of `external_observatory`.
    `time` is the event's, UTC. Rows: 12·4**base_order + rounds · 9·4**base_order. The last few are kept.
    """
    return _sky_map(
        tuple(Lobe(*peak) for peak in peaks),
        None if external_sky is None else tuple(Lobe(*peak) for peak in external_sky),
        superevent_id=superevent_id,
        time=time,
        instruments=tuple(instruments),
        distance=distance,
        nearer_at_peak=nearer_at_peak,
        external_observatory=external_observatory,
        creator=creator,
        log_bci=log_bci,
        log_bsn=log_bsn,
        runtime=runtime,
        base_order=base_order,
        rounds=rounds,
    )


@lru_cache(maxsize=32)
def _sky_map(
    sky: Sky,
    external_sky: Sky | None,
    *,
    superevent_id: str,
    time: datetime,
    instruments: tuple[str, ...],
    distance: tuple[float, float] | None,
    nearer_at_peak: float,
    external_observatory: str | None,
    creator: str,
    log_bci: float | None,
    log_bsn: float | None,
    runtime: float | None,
    base_order: int,
    rounds: int,
) -> bytes:
    uniq, density = refine_tiles(sky, external_sky, base_order, rounds)
    columns: Columns = {"UNIQ": (uniq, None), "PROBDENSITY": (density, "sr-1")}
    if distance is not None:
        probability = density * tile_areas(uniq_to_order(uniq))
        mu, sigma, norm = distance_columns(probability, density, *distance, nearer_at_peak)
        columns |= {"DISTMU": (mu, "Mpc"), "DISTSIGMA": (sigma, "Mpc"), "DISTNORM": (norm, "Mpc-2")}

    event = graceid(superevent_id)
    header = fits.Header()
    if external_observatory is not None:
        header["MOC"] = True
    header["PIXTYPE"] = ("HEALPIX", "HEALPIX pixelisation")
    header["ORDERING"] = ("NUNIQ", "Pixel ordering scheme: RING, NESTED, or NUNIQ")
    header["COORDSYS"] = ("C", "Ecliptic, Galactic or Celestial (equatorial)")
    header["MOCORDER"] = (int(uniq_to_order(uniq).max()), "MOC resolution (best order)")
    header["INDXSCHM"] = ("EXPLICIT", "Indexing: IMPLICIT or EXPLICIT")
    header["OBJECT"] = (event, "Unique identifier for this event")
    header["REFERENC"] = (f"https://gracedb.ligo.org/events/{event}", "URL of this event")
    seen_by = ",".join(instruments if external_observatory is None else (external_observatory, *instruments))
    header["INSTRUME"] = (seen_by, "Instruments that triggered this event")
    header["DATE-OBS"] = (_iso(time), "UTC date of the observation")
    header["MJD-OBS"] = ((time - _MJD_EPOCH) / timedelta(days=1), "modified Julian date of the observation")
    header["DATE"] = (_iso(time + timedelta(seconds=21)), "UTC date of file creation")
    header["CREATOR"] = (creator, "Program that created this file")
    header["ORIGIN"] = ("LIGO/Virgo/KAGRA", "Organization responsible for this FITS file")
    if runtime is not None:
        header["RUNTIME"] = (runtime, "Runtime in seconds of the CREATOR program")
    if distance is not None:
        header["DISTMEAN"] = (float(distance[0]), "Posterior mean distance (Mpc)")
        header["DISTSTD"] = (float(distance[1]), "Posterior standard deviation of distance (Mpc)")
    if log_bci is not None:
        header["LOGBCI"] = (log_bci, "Log Bayes factor: coherent vs. incoherent")
    if log_bsn is not None:
        header["LOGBSN"] = (log_bsn, "Log Bayes factor: signal vs. noise")
    header["HISTORY"] = "Made by formula for gwevent; no observation."
    if external_observatory is not None:
        header["HISTORY"] = f"The values were reweighted by using data from {external_observatory}"
    return to_fits(columns, header)


def to_fits(columns: Columns, header: fits.Header) -> bytes:
    """Return a FITS file with one binary table: columns as name -> (values, unit), in that order."""
    formats = {"i4": "J", "i8": "K", "u8": "K", "f8": "D"}
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(
                name=name,
                format=formats[values.dtype.str[1:]],
                unit=unit,
                array=values,
                bzero=2**63 if values.dtype.kind == "u" else None,
            )
            for name, (values, unit) in columns.items()
        ],
        header=header,
    )
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


def _iso(time: datetime) -> str:
    return time.replace(tzinfo=None).isoformat(timespec="microseconds")
