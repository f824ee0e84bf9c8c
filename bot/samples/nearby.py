"""Alerts of bursts and neutrinos that name no superevent, by formula, as JSON of GCN's unified schema.

Times are aware datetimes in UTC, positions and radii degrees. `extra` adds fields or replaces what the
formula gives; a field replaced by None is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from bot.samples.records import format_time

AlertType = Literal["initial", "update", "retraction"]

_SCHEMA = "https://gcn.nasa.gov/schema/main/gcn/notices/{}.schema.json"
_FERMI_EPOCH = datetime.fromisoformat("2001-01-01T00:00:00+00:00")


def gbm_ids(trigger_time: datetime) -> tuple[str, str]:
    """Return the trigger number (mission time in s, without leap seconds) and the name, bnYYMMDDFFF."""
    midnight = trigger_time.replace(hour=0, minute=0, second=0, microsecond=0)
    thousandth = int((trigger_time - midnight) / timedelta(days=1) * 1000)
    number = int((trigger_time - _FERMI_EPOCH).total_seconds())
    return str(number), f"bn{trigger_time:%y%m%d}{thousandth:03d}"


def gbm_trigger(
    trigger_time: datetime,
    ra: float,
    dec: float,
    radius: float = 4.0,
    *,
    delay_s: float = 20.0,
    subtype: str = "GROUND_POSITION",
    alert_type: AlertType = "update",
    record_number: int = 3,
    systematic_included: bool = False,
    containment: float = 0.68,
    classification: Mapping[str, float] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a position of a Fermi GBM trigger, sent `delay_s` after it; `radius` holds `containment`.

    A flight position has `systematic_included` and mostly a classification, ground and final ones neither.
    """
    record: dict[str, Any] = {
        "$schema": _SCHEMA.format("fermi/gbm/trigger"),
        "alert_datetime": _without_zone(trigger_time + timedelta(seconds=delay_s)),
        "alert_tense": "current",
        "alert_type": alert_type,
        "classification": None if classification is None else dict(classification),
        "containment_probability": containment,
        "dec": dec,
        "healpix_url": "http://gbm.example.org/glg_healpix_all.fit",
        "id": list(gbm_ids(trigger_time)),
        "instrument": "GBM",
        "messenger": "EM",
        "mission": "Fermi",
        "ra": ra,
        "ra_dec_error": radius,
        "rate_snr": 12.5,
        "record_number": record_number,
        "subtype": subtype,
        "systematic_included": systematic_included,
        "trigger_time": _without_zone(trigger_time),
        "trigger_type": "rate",
    }
    return _encode(record, extra)


def svom_trigger(
    trigger_time: datetime,
    ra: float,
    dec: float,
    radius: float = 0.15,
    *,
    instrument: Literal["ECLAIRs", "GRM"] = "ECLAIRs",
    trigger_id: str = "sb24022203",
    delay_s: float = 24.0,
    alert_type: AlertType = "update",
    alert_tense: str = "current",
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a trigger of one of SVOM's two burst monitors; those of one burst share the id."""
    record: dict[str, Any] = {
        "$schema": _SCHEMA.format("svom/trigger"),
        "instrument": instrument,
        "alert_datetime": _without_zone(trigger_time + timedelta(seconds=delay_s)),
        "alert_tense": alert_tense,
        "alert_type": alert_type,
        "id": [trigger_id],
        "trigger_time": _without_zone(trigger_time),
        "ra": ra,
        "dec": dec,
        "ra_dec_error": radius,
        "trigger_type": "rate",
    }
    return _encode(record, extra)


def icecube_track(
    trigger_time: datetime,
    ra: float,
    dec: float,
    radius: float = 0.5,
    *,
    pipeline: str = "Gold Track Alert",
    trigger_id: str = "137840_57034692",
    delay_s: float = 40.0,
    alert_type: AlertType = "initial",
    record_number: int = 1,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a track that IceCube publishes as a likely astrophysical neutrino; `radius` holds 90 %."""
    record: dict[str, Any] = {
        "$schema": _SCHEMA.format("icecube/single_neutrino_alerts"),
        "mission": "IceCube",
        "instrument": "IC86",
        "messenger": "Neutrino",
        "pipeline": pipeline,
        "record_number": record_number,
        "event_name": [f"IceCube-{trigger_time:%y%m%d}A"],
        "id": [trigger_id],
        "alert_datetime": format_time(trigger_time + timedelta(seconds=delay_s), milliseconds=True),
        "alert_type": alert_type,
        "alert_tense": "current",
        "ra": ra,
        "dec": dec,
        "ra_dec_error": radius,
        "containment_probability": 0.9,
        "systematic_included": False,
        "trigger_time": format_time(trigger_time, milliseconds=True),
        "p_astro": 0.6,
    }
    return _encode(record, extra)


def _without_zone(time: datetime) -> str:
    """Return a UTC time as GBM and SVOM write it: without a zone."""
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _encode(record: Mapping[str, Any], extra: Mapping[str, Any] | None) -> bytes:
    merged = {**record, **(extra or {})}
    return json.dumps({key: value for key, value in merged.items() if value is not None}).encode()
