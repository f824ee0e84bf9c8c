"""Decoding of alerts that name no superevent: Fermi GBM, SVOM, IceCube's tracks (GCN's unified schema, JSON).

Only the kinds of `nearby_rates` are read, because only of these it is known what an alert means, how often
one comes and how good its position is. Everything else (Einstein Probe, CHIME, KM3NeT, subthreshold triggers,
tests) is no nearby alert, which is no error. No address in an alert is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from bot.alerts import fields
from bot.alerts.payload import Record, UndecodablePayload, read_record
from bot.related_messages.message_fields import first_time
from bot.related_messages.nearby_rates import (
    FERMI_GBM,
    ICECUBE_BRONZE,
    ICECUBE_GOLD,
    LABELS,
    SVOM_ECLAIRS,
    SVOM_GRM,
)
from bot.skymaps.errors import UnreadableMap
from formatters.models.nearby_alert import NearbyAlert
from formatters.models.related_message import ReportedPosition, Stream

ANY_KIND = Stream.NEARBY.value
"""The kind of a topic that brings alerts of several kinds, some of which aren't read: the content decides."""
_GBM, _SVOM, _ICECUBE = FERMI_GBM, "svom", "icecube-track"
NEARBY_KINDS = (ANY_KIND, _GBM, _SVOM, _ICECUBE)
"""Words by which settings name the kind of a topic of nearby alerts."""

MAX_REGION_BYTES = 4 * 2**20
"""The largest HEALPix file that is kept; a larger one is left out, and the circle counts alone."""
DEFAULT_CONTAINMENT = 0.9
"""The probability inside a radius that states none: the default of GCN's core schema Localization."""

_SCHEMA_PATH = re.compile(r"/gcn/notices/([a-z0-9_./-]{1,100})\.schema\.json")
_MAX_IDS = 5
_MAX_ID_LENGTH = 64
_MAX_REVISION = 10**6
_GBM_NAME = re.compile(r"bn\d{9}", re.ASCII)
_GRB_CLASSES = frozenset({"GRB", "SHORT_GRB", "LONG_GRB", "GAMMA_RAY_BURST"})
_OTHER_CLASSES = frozenset(
    {
        "BELOW_HORIZON",
        "CYGX1",
        "DISTANT_PARTICLES",
        "DISTPAR",
        "GALBIN",
        "GALACTIC_BINARY",
        "LOCAL_PARTICLES",
        "LOCLPAR",
        "PARTICLES",
        "SFL",
        "SFLARE",
        "SGR",
        "SOLAR_FLARE",
        "TGF",
    }
)
"""GBM's classes that are no gamma-ray burst. A class in neither list counts as none, and is shown as sent."""


def is_nearby_kind(kind: str | None) -> bool:
    """Return True if a topic of this kind brings alerts that name no event."""
    return kind in NEARBY_KINDS


def recognize_nearby_alert(record: Record) -> str | None:
    """Return the kind of an alert of GCN's unified schema, ANY_KIND for one that isn't read; None for others.

    Ask this last: a search around an event (GUANO, IceCube's) has the same schema.
    """
    stream = _identify(record)
    if stream is not None:
        return _GBM if stream == FERMI_GBM else _SVOM if stream in (SVOM_ECLAIRS, SVOM_GRM) else _ICECUBE
    return ANY_KIND if _schema_path(record) and "trigger_time" in record else None


def decode_nearby_alert(kind: str, body: bytes) -> NearbyAlert | None:
    """Decode one version of an alert; None for one that isn't a real trigger of a kind that is read.

    `kind` only counts for an alert that says neither its schema nor its mission and instrument. Raises
    UndecodablePayload for a real trigger without an id or time.
    """
    record = read_record(body)
    stream = _identify(record, kind)
    if stream is None or not _is_real(record):
        return None
    ids = _texts(record.get("id"))
    if not ids:
        raise UndecodablePayload("The alert has no usable id.")
    trigger_time = first_time(record, "trigger_time")
    if trigger_time is None:
        raise UndecodablePayload("The alert has no usable trigger_time.")
    classification, is_burst = _classification(record) if stream == FERMI_GBM else _any_classification(record)
    return NearbyAlert(
        stream=stream,
        label=LABELS[stream],
        key=_key(stream, ids),
        ids=ids,
        name=_name(stream, ids, record),
        trigger_time=trigger_time,
        created=first_time(record, "alert_datetime") or trigger_time,
        revision=_revision(record),
        position=_position(record, trigger_time),
        systematic_included=record.get("systematic_included") is True,
        position_kind=_text(record.get("subtype")) or _text(record.get("notice_subtype")),
        region_fits=_region_fits(record),
        is_retracted=_text(record.get("alert_type")).casefold() == "retraction",
        classification=classification,
        duration_class=_text(record.get("duration_class")),
        is_burst=is_burst,
    )


def _identify(record: Record, kind: str | None = None) -> str | None:
    """Return the stream of an alert by what it says of itself, else by the topic's kind; None if unlisted."""
    mission, instrument = (_text(record.get(key)).casefold() for key in ("mission", "instrument"))
    path = _schema_path(record)
    if path:
        kind = next(
            (
                known
                for prefix, known in (
                    ("fermi/gbm/", _GBM),
                    ("svom/", _SVOM),
                    ("icecube/single_neutrino", _ICECUBE),
                    ("icecube/gold_bronze_track", _ICECUBE),
                )
                if path.startswith(prefix)
            ),
            None,
        )
    elif mission:
        kind = {"fermi": _GBM, "svom": _SVOM, "icecube": _ICECUBE}.get(mission)
    if kind == _GBM:
        return FERMI_GBM if instrument in ("", "gbm") and not _is_subthreshold(record) else None
    if kind == _SVOM:
        return {"eclairs": SVOM_ECLAIRS, "grm": SVOM_GRM}.get(instrument)
    if kind == _ICECUBE:
        words = _text(record.get("pipeline")).casefold().split()
        if "track" in words:
            return ICECUBE_GOLD if "gold" in words else ICECUBE_BRONZE if "bronze" in words else None
    return None


def _schema_path(record: Record) -> str:
    schema = record.get("$schema")
    match = _SCHEMA_PATH.search(schema.lower()) if isinstance(schema, str) and len(schema) < 1000 else None
    return match[1] if match else ""


def _is_subthreshold(record: Record) -> bool:
    """Return True for a candidate of GBM's untriggered search: how often one comes isn't known."""
    subtype = _text(record.get("subtype")) or _text(record.get("notice_subtype"))
    return "reliability" in record or "SUBTHRESH" in subtype.upper().replace("-", "").replace("_", "")


def _is_real(record: Record) -> bool:
    """Return False for a test, injection, command … : only what happens now is a trigger."""
    tense = record.get("alert_tense")
    return tense is None or _text(tense).casefold() == "current"


def _key(stream: str, ids: tuple[str, ...]) -> str:
    """Return the id that all versions share: of GBM the trigger's number, of others the first."""
    # RAVEN's coincidences name the number too. The name (bn…) only comes from the ground.
    return next((one for one in ids if one.isdecimal()), ids[0]) if stream == FERMI_GBM else ids[0]


def _name(stream: str, ids: tuple[str, ...], record: Record) -> str:
    if stream == FERMI_GBM:
        return next((one for one in ids if _GBM_NAME.fullmatch(one)), ids[0])
    return (_texts(record.get("event_name")) or ids)[0]


def _text(value: object) -> str:
    """Return a short text in one line; empty if the value is none."""
    if not isinstance(value, str):
        return ""
    return " ".join(fields.sanitize_text(value[:_MAX_ID_LENGTH]).split())


def _texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or of a single value; integers count, as ids are sometimes sent so."""
    values = value[:_MAX_IDS] if isinstance(value, list | tuple) else [value]
    named = (
        str(one) if isinstance(one, int) and not isinstance(one, bool) and abs(one) < 10**18 else _text(one)
        for one in values
    )
    return tuple(dict.fromkeys(one for one in named if one))


def _revision(record: Record) -> int:
    number = fields.number(record.get("record_number"), low=0)
    return 0 if number is None or number > _MAX_REVISION else int(number)


def _position(record: Record, trigger_time: datetime) -> ReportedPosition | None:
    ra, dec = fields.number(record.get("ra")), fields.number(record.get("dec"))
    if ra is None or dec is None or not (0 <= ra <= 360 and -90 <= dec <= 90):
        return None
    containment: float | None = DEFAULT_CONTAINMENT
    if record.get("containment_probability") is not None:
        containment = fields.number(record["containment_probability"])
        if containment is not None and not 0 < containment < 1:
            containment = None
    return ReportedPosition(
        ra=ra % 360,
        dec=dec,
        radius=_radius(record.get("ra_dec_error")),
        containment=containment,
        time=trigger_time,
    )


def _radius(value: object) -> float | None:
    """Return an error circle's radius, of an ellipse [semi-axis, semi-axis, angle] the larger semi-axis."""
    if isinstance(value, list | tuple):
        axes = [fields.number(one, low=0) for one in value[:2]]
        known = [axis for axis in axes if axis is not None]
        radius = max(known) if known and len(known) == len(axes) else None
    else:
        radius = fields.number(value, low=0)
    # 0 stands for "not localized".
    return radius if radius is not None and 0 < radius <= 180 else None


def _region_fits(record: Record) -> bytes | None:
    value = record.get("healpix_file")
    if not isinstance(value, str | bytes) or not 0 < len(value) <= MAX_REGION_BYTES * 4 // 3:
        return None
    try:
        return fields.file_bytes(value)
    except UnreadableMap:
        return None


def _most_probable_class(record: Record) -> str:
    given = record.get("classification")
    if isinstance(given, str):
        return _text(given)
    probabilities = fields.probabilities(given) if isinstance(given, Mapping) else {}
    return _text(max(probabilities, key=lambda name: (probabilities[name], name))) if probabilities else ""


def _classification(record: Record) -> tuple[str, bool]:
    """Return GBM's class as sent, and False if it says that the trigger is no gamma-ray burst."""
    name = _most_probable_class(record)
    return name, name.upper().replace(" ", "_") not in _OTHER_CLASSES


def _any_classification(record: Record) -> tuple[str, bool]:
    # Neither SVOM nor IceCube classifies its triggers so far: a class is shown and decides nothing.
    return _most_probable_class(record), True


def is_classified_as_burst(alert: NearbyAlert) -> bool:
    """Return True if the sender says that the trigger is a gamma-ray burst."""
    return alert.classification.upper().replace(" ", "_") in _GRB_CLASSES
