"""Unusual sky maps and notices: seen in published alerts, or allowed by the formats."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from astropy.io import fits
from astropy_healpix import healpix_to_xyz

from bot.samples.events import bns, mock
from bot.samples.records import Record, event, notice
from bot.samples.skymaps import Columns, Lobe, sky_map, streak, to_fits

_TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
_SKY = streak(120, -30, bearing=40, length=9, width=3)


def _base_map(*, distance: bool = True, base_order: int = 4, rounds: int = 7) -> bytes:
    return sky_map(
        _SKY,
        superevent_id="S260102a",
        time=_TIME,
        distance=(140, 40) if distance else None,
        base_order=base_order,
        rounds=rounds,
    )


def _open_fits(skymap: bytes) -> tuple[Columns, fits.Header]:
    with fits.open(io.BytesIO(skymap), memmap=False) as hdus:
        table = hdus[1]
        columns = {
            c.name: (table.data[c.name].astype(c.dtype.newbyteorder("=")), c.unit) for c in table.columns
        }
        structural = ("XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "TTYPE", "TFORM", "TUNIT")
        header = fits.Header([card for card in table.header.cards if not card.keyword.startswith(structural)])
        return columns, header


def _with_uniq(kind: str) -> bytes:
    columns, header = _open_fits(_base_map())
    values, unit = columns["UNIQ"]
    return to_fits(columns | {"UNIQ": (values.astype(kind), unit)}, header)


def uint64_uniq() -> bytes:
    """Return a map whose UNIQ is an unsigned 64-bit integer, which FITS writes with TZERO = 2**63."""
    return _with_uniq("u8")


def int32_uniq() -> bytes:
    """Return a map whose UNIQ is a 32-bit integer."""
    return _with_uniq("i4")


def two_columns() -> bytes:
    """Return a map with the columns UNIQ and PROBDENSITY only, as bursts have."""
    return _base_map(distance=False)


def amplfi() -> bytes:
    """Return a map like AMPLFI's: one order, 12,288 rows, DIST columns, but neither DISTMEAN nor DISTSTD."""
    columns, header = _open_fits(_base_map(base_order=5, rounds=0))
    for key in ("DISTMEAN", "DISTSTD", "RUNTIME"):
        del header[key]
    header["CREATOR"] = "AMPLFI"
    return to_fits(columns, header)


def infinite_distmu() -> bytes:
    """Return a map with DISTMU = inf, DISTSIGMA = 1, DISTNORM = 0 in the least probable tenth of its tiles.

    BAYESTAR writes these values for a tile whose distance it could not fit.
    """
    columns, header = _open_fits(_base_map())
    density, _ = columns["PROBDENSITY"]
    unlikely = np.argsort(density)[: density.size // 10]
    for name, value in (("DISTMU", np.inf), ("DISTSIGMA", 1.0), ("DISTNORM", 0.0)):
        columns[name][0][unlikely] = value
    return to_fits(columns, header)


def few_rows() -> bytes:
    """Return a map of 336 rows."""
    return _base_map(base_order=1, rounds=8)


def many_rows() -> bytes:
    """Return a map of 76,800 rows."""
    return _base_map(base_order=5)


def flat_gzipped() -> bytes:
    """Return a gzipped flat map (nside 64, NESTED, implicit), which a notice should never contain."""
    nside = 64
    x, y, z = healpix_to_xyz(np.arange(12 * nside**2), nside, order="nested")
    probability = np.exp(60 * (0.6 * x - 0.48 * y + 0.64 * z - 1))
    keys = {
        "PIXTYPE": "HEALPIX",
        "ORDERING": "NESTED",
        "COORDSYS": "C",
        "NSIDE": nside,
        "INDXSCHM": "IMPLICIT",
    }
    plain = to_fits({"PROB": (probability / probability.sum(), "pix-1")}, fits.Header(keys))
    return gzip.compress(plain, mtime=0)


def truncated() -> bytes:
    """Return the first half of a map."""
    whole = _base_map()
    return whole[: len(whole) // 2]


def billion_rows() -> bytes:
    """Return a map whose header promises 1,000,000,000 rows."""
    rows = f"NAXIS2  = {19_200:>20}"
    return _base_map().replace(rows.encode(), f"NAXIS2  = {1_000_000_000:>20}".encode(), 1)


def not_fits() -> bytes:
    """Return bytes that are not a FITS file."""
    return b"<html><body>503 Service Unavailable</body></html>"


READABLE_MAPS: dict[str, Callable[[], bytes]] = {
    make.__name__: make
    for make in (uint64_uniq, int32_uniq, two_columns, amplfi, infinite_distmu, few_rows, many_rows)
}
"""What makes the unusual maps that can be read, by name: most take a tenth of a second."""


def readable_maps() -> dict[str, bytes]:
    """Return by name the unusual maps that can be read."""
    return {name: make() for name, make in READABLE_MAPS.items()}


def broken_maps() -> dict[str, bytes]:
    """Return by name the maps that must be rejected."""
    return {make.__name__: make() for make in (truncated, billion_rows, not_fits)}


def with_map(now: datetime, skymap: bytes | None) -> Record:
    """Return a preliminary notice of a binary black hole with the given map, or without one."""
    return notice(
        f"S{now:%y%m%d}z",
        "PRELIMINARY",
        now,
        event=event(
            now,
            far=2.2e-9,
            classification={"BNS": 0.0, "NSBH": 0.01, "BBH": 0.98, "Terrestrial": 0.01},
            properties={"HasNS": 0.01, "HasRemnant": 0.0, "HasMassGap": 0.02},
            skymap=skymap,
        ),
    )


def without_map(now: datetime) -> Record:
    """Return a notice whose `skymap` is null."""
    return with_map(now, None)


def string_notice_id(now: datetime) -> Record:
    """Return a notice with a coincidence whose `gcn_notice_id` is a string, as in SVOM's (schema 1.3)."""
    record = bns(now)[3]
    changed = {
        "observatory": "SVOM",
        "gcn_notice_id": "sb26010203",
        "ivorn": "ivo://svom.fsc/ECLAIRs#sb26010203",
    }
    return record | {"external_coinc": record["external_coinc"] | changed}


def _without_external(now: datetime, *keys: str) -> Record:
    record = mock(now)[0]
    kept = {key: value for key, value in record["external_coinc"].items() if key not in keys}
    return record | {"external_coinc": kept}


def without_combined_map(now: datetime) -> Record:
    """Return a notice with a coincidence that lacks the key `combined_skymap`."""
    return _without_external(now, "combined_skymap")


def without_ivorn(now: datetime) -> Record:
    """Return a notice with a coincidence that lacks the key `ivorn`."""
    return _without_external(now, "ivorn")


def unknown_keys(now: datetime) -> Record:
    """Return a notice with keys, an instrument, a search and a class that no schema defines."""
    record = with_map(now, two_columns())
    known = record["event"]
    changed = {
        "snr": 17.2,
        "instruments": ["H1", "I1", "K1"],
        "pipeline": "newpipe",
        "search": "Continuous",
        "classification": known["classification"] | {"MassGap": 0.0},
        "properties": known["properties"] | {"HasEcho": 0.3},
    }
    return record | {"event": known | changed, "schema_version": "2.0", "notes": ["one", "two"]}


def times_without_z(now: datetime) -> Record:
    """Return a notice whose times lack the Z; the event's time also has a space in place of the T."""
    record = without_map(now)
    bare = str(record["event"]["time"]).removesuffix("Z").replace("T", " ")
    created = str(record["time_created"]).removesuffix("Z")
    return record | {"time_created": created, "event": record["event"] | {"time": bare}}


def form_of_2022(now: datetime) -> Record:
    """Return a notice in the form used before O4: EARLY_WARNING with an underscore, and no `significant`."""
    record = with_map(
        now, sky_map([Lobe(15, 5, 1, 12)], superevent_id="S220101a", time=now, distance=(60, 20))
    )
    kept = {key: value for key, value in record["event"].items() if key != "significant"}
    return record | {"alert_type": "EARLY_WARNING", "event": kept}


def without_id(now: datetime) -> Record:
    """Return a notice whose `superevent_id` is null."""
    return without_map(now) | {"superevent_id": None}


READABLE_NOTICES = (
    without_map,
    string_notice_id,
    without_combined_map,
    without_ivorn,
    unknown_keys,
    times_without_z,
    form_of_2022,
)
"""Functions that make the unusual notices that can be decoded. JSON can encode them all, Avro cannot."""


def readable_notices(now: datetime) -> dict[str, Record]:
    """Return, by name, the unusual notices that can be decoded."""
    return {make.__name__: make(now) for make in READABLE_NOTICES}
