"""Sky maps and notices for Rubin's rules: round 90 % regions of a given area, and the event that has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import astropy_healpix as healpix
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from bot.alerts.decode import notice_from_record
from bot.observing.rubin_sky import RubinSky, measure_rubin_sky
from bot.samples import event, notice
from bot.samples.event_records import chirp_mass_bins
from bot.samples.skymaps import Columns, Lobe, sky_map, tile_areas, to_fits
from bot.skymaps.directions import lon_lat, sun_vector, unit_vector
from bot.skymaps.fits_table import read_table
from bot.skymaps.skymap import SkyMap, sky_map_from_table
from formatters.models.notice import Notice

EVENT_TIME = datetime(2026, 11, 15, 3, tzinfo=UTC)
"""The event's time in the worked cases."""
SOUTH = (60.0, -30.0)
"""A position that Rubin can observe then, far from the Galactic plane (RA and Dec, degrees)."""
PLANE = (138.0044, -48.3296)
"""l = 270°, b = 0°."""
SUN = lon_lat(sun_vector(EVENT_TIME))
"""Where the Sun is at the event's time."""

_EDGES = chirp_mass_bins()["bin_edges"]


def tiled(order: NDArray[Any], ipix: NDArray[Any], density: NDArray[Any]) -> SkyMap:
    """Return the map of these tiles (NESTED), its density scaled so that the probability is 1."""
    order, ipix = np.broadcast_to(order, np.shape(ipix)).astype(np.int64), np.asarray(ipix, np.int64)
    scaled = np.asarray(density, np.float64) / float((density * tile_areas(order)).sum())
    columns: Columns = {"UNIQ": (ipix + 4 * 4**order, None), "PROBDENSITY": (scaled, "sr-1")}
    header = fits.Header({"ORDERING": "NUNIQ", "COORDSYS": "C"})
    return sky_map_from_table(read_table(to_fits(columns, header)), max_tiles=2**22)


@cache
def top_hat(area: float, ra: float, dec: float, order: int = 6) -> SkyMap:
    """Return a flat map: 90.01 % evenly in the tiles nearest to a position, the rest evenly elsewhere.

    `area` (deg²) is rounded up to whole tiles: 0.84 deg² at order 6. The 0.01 % more keep rounding from
    adding a tile from elsewhere to the 90 % region.
    """
    count = 12 * 4**order
    centres = np.stack(healpix.healpix_to_xyz(np.arange(count), 2**order, order="nested"))
    inside = math.ceil(area / np.degrees(np.degrees(4 * np.pi / count)))
    density = np.full(count, 0.0999 / (count - inside))
    density[np.argsort(-(unit_vector(ra, dec) @ centres), kind="stable")[:inside]] = 0.9001 / inside
    return tiled(np.array(order), np.arange(count), density)


@cache
def gaussian(area: float, ra: float, dec: float) -> SkyMap:
    """Return a von Mises–Fisher lobe whose 90 % area is `area` (deg²), tiled as BAYESTAR does."""
    sigma = math.sqrt(area / (2 * math.pi * math.log(10)))
    body = sky_map([Lobe(ra, dec, 1.0, sigma)], superevent_id="S261115a", time=EVENT_TIME)
    return sky_map_from_table(read_table(body))


@cache
def round_sky(area: float, place: tuple[float, float] = SOUTH, shape: str = "top hat") -> RubinSky:
    """Return what Rubin can observe of a round region of `area` deg² in the worked cases' 24 h."""
    skymap = top_hat(area, *place) if shape == "top hat" else gaussian(area, *place)
    return measure_rubin_sky(skymap, EVENT_TIME)


def mass_bins(shares: Mapping[float, float]) -> dict[str, Sequence[float]]:
    """Return `mchirp_source` with these probabilities, by the lower edges of LVK's bins (M☉)."""
    return {"bin_edges": _EDGES, "probabilities": [shares.get(edge, 0.0) for edge in _EDGES[:-1]]}


def rubin_notice(
    alert_type: str = "INITIAL", bins: Mapping[float, float] | None = None, **facts: Any
) -> Notice:
    """Return the worked cases' notice with other facts: BNS 0.75, NSBH 0.20, FAR 1e-8 Hz, no bins, no map."""
    usual: dict[str, Any] = {
        "far": 1e-8,
        "skymap": None,
        "classification": {"BNS": 0.75, "NSBH": 0.2, "BBH": 0.04, "Terrestrial": 0.01},
        "properties": {"HasNS": 0.95, "HasRemnant": 0.75, "HasMassGap": 0.08},
        "mchirp_source": None if bins is None else mass_bins(bins),
    }
    return notice_from_record(
        notice("S261115a", alert_type, EVENT_TIME, event=event(EVENT_TIME, **(usual | facts)))
    )
