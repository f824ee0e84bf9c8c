"""Decoding of Swift BAT's results in data that GUANO saved.

Topic `gcn.notices.swift.bat.guano`; GCN's schema gcn/notices/swift/bat/Guano.schema.json. Every notice of it
is "a candidate gamma-ray transient": upper limits come as circulars. A notice without false-alarm rate, SNR,
position and map says neither, and is shown as a report.
"""

from __future__ import annotations

from datetime import datetime

from bot.alerts import fields
from bot.alerts.payload import Record
from bot.related_messages.message_fields import (
    MAX_NAME,
    is_about_the_sky,
    is_retraction,
    line,
    looks_like_fits,
    message_key,
    observation_time,
    position,
    positive,
    sent_time,
    superevent_ids,
    texts,
    without_real_events,
)
from bot.skymaps.errors import UnreadableMap
from formatters.models.related_message import GammaRayFollowUp, MessageKind, RelatedMessage, Stream

MAX_REGION_BYTES = 4 * 2**20
"""The largest map of a position that is kept, in bytes as sent."""
_WORDS = {
    MessageKind.DETECTION: "candidate burst",
    MessageKind.UPPER_LIMITS: "upper limits",
    MessageKind.REPORT: "notice without a result",
}
_GW_TYPES = frozenset({"gw", "gravitational wave", "gravitational-wave", "lvk"})


def decode_guano(record: Record, received: datetime | None) -> RelatedMessage:
    """Decode a result of GUANO. Raises UndecodablePayload.

    It names no superevent where `follow_up_event` is another's trigger ("Fermi 694215970"). All notices of a
    trigger share its id. The map of a position isn't opened here.
    """
    is_gw = line(record.get("follow_up_type")).casefold() in _GW_TYPES
    ids = superevent_ids(record.get("follow_up_event"), is_lvk=is_gw)
    if not is_about_the_sky(record):
        ids = without_real_events(ids)
    withdrawn = is_retraction(record)
    triggered = record.get("trigger_time")
    where = position(record, time=observation_time(triggered))
    region = _region(record.get("healpix_file"))
    far, snr = fields.number(record.get("far"), low=0), _snr(record)
    found = not withdrawn and (far is not None or snr is not None or where is not None or region is not None)
    limits = not withdrawn and not found and _states_limits(record)
    trigger = next(iter(texts(record.get("id"))), "")
    # What is withdrawn was a candidate burst: GUANO's notices are of nothing else.
    kind = _kind(is_detection=found or withdrawn, is_limit=limits)
    return RelatedMessage(
        stream=Stream.GUANO,
        key=message_key(record, trigger or _key_without_id(record)),
        created=sent_time(record, received, "trigger_time"),
        superevent_ids=ids,
        kind=kind,
        subject=_subject(trigger, kind),
        author="Swift BAT",
        is_retracted=withdrawn,
        positions=() if where is None or withdrawn else (where,),
        details=GammaRayFollowUp(
            is_detection=found, far_hz=far, snr=snr, region_fits=None if withdrawn else region
        ),
    )


def _key_without_id(record: Record) -> str:
    named, time = (line(record.get(key), MAX_NAME) for key in ("follow_up_event", "trigger_time"))
    return f"{named} at {time}"


def _kind(*, is_detection: bool, is_limit: bool) -> MessageKind:
    if is_detection:
        return MessageKind.DETECTION
    return MessageKind.UPPER_LIMITS if is_limit else MessageKind.REPORT


def _subject(trigger: str, kind: MessageKind) -> str:
    return f"Swift BAT GUANO: {_WORDS[kind]}{f' (trigger {trigger})' if trigger else ''}"


def _snr(record: Record) -> float | None:
    given = (positive(record.get(key)) for key in ("rate_snr", "image_snr", "snr"))
    return next((snr for snr in given if snr is not None), None)


def _states_limits(record: Record) -> bool:
    """Return True if a field is called an upper limit and has a value."""
    return any(
        isinstance(key, str) and "limit" in key.casefold() and value not in (None, "", [], {})
        for key, value in record.items()
    )


def _region(value: object) -> bytes | None:
    """Return the FITS file in base64 of `healpix_file`; None if it is none or too large."""
    if not isinstance(value, str | bytes) or len(value) > MAX_REGION_BYTES * 4 // 3 + 4:
        return None
    try:
        file = fields.file_bytes(value)
    except UnreadableMap:
        return None
    return file if looks_like_fits(file) and len(file) <= MAX_REGION_BYTES else None
