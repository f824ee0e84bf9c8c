"""Recognize the stream of a payload, and decode it.

A topic of a stream says itself what it brings (`Origin.stream`); files and GCN's mixed topics don't. There
the content tells: GCN's `$schema`, else keys that only this stream has. LVK's notices have neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from bot.alerts import fields
from bot.alerts.payload import AVRO_MAGIC, Record, UndecodablePayload, read_record
from bot.related_messages.boom import decode_boom
from bot.related_messages.circular import CIRCULAR_ID_KEY, decode_circular
from bot.related_messages.guano import decode_guano
from bot.related_messages.hermes import decode_hermes
from bot.related_messages.icecube import decode_search
from bot.related_messages.message_fields import line, mapping, mappings
from bot.related_messages.nearby import recognize_nearby_alert
from formatters.models.related_message import RelatedMessage, Stream

Decoder = Callable[[Record, datetime | None], RelatedMessage]

SCHEMAS: Mapping[str, Stream] = {
    "/gcn/circulars": Stream.CIRCULARS,
    "/gcn/notices/icecube/lvk": Stream.ICECUBE,
    "/gcn/notices/swift/bat/guano": Stream.GUANO,
    "/gcn/notices/boom/": Stream.BOOM,
}
"""Beginnings of the path in `$schema`, in lower case, behind the version."""

_MARKS = (
    CIRCULAR_ID_KEY,
    b'"$schema"',
    b'"follow_up_event"',
    b'"coincident_events"',
    b'"pval_generic"',
    b'"gcn_crossmatch"',
    b'"message_text"',
    b'"header"',
)
"""A payload without any of these keys is of no stream; they are looked for before it is parsed."""
_HERMES_KEYS = frozenset({"submitter", "authors", "topic", "message_text"})
_DECODERS: Mapping[Stream, Decoder] = {
    Stream.ICECUBE: decode_search,
    Stream.GUANO: decode_guano,
    Stream.BOOM: decode_boom,
    Stream.HERMES: decode_hermes,
}


def recognize(body: bytes) -> str | None:
    """Return the stream that a payload belongs to by its content, or its kind of nearby alert.

    None for one of LVK's notices and for anything unknown.
    """
    if body.startswith(AVRO_MAGIC) or not any(mark in body for mark in _MARKS):
        return None
    try:
        record = read_record(body)
    except UndecodablePayload:
        # A circular that is cut off is told as one and not as a notice.
        return Stream.CIRCULARS if CIRCULAR_ID_KEY in body and b'"superevent_id"' not in body else None
    return _stream_of(record)


def decode_message(stream: Stream, body: bytes, received: datetime | None = None) -> RelatedMessage:
    """Decode a message of a stream. Raises UndecodablePayload.

    `received` is its time where it states none itself: HERMES' messages don't.
    """
    if stream is Stream.CIRCULARS:
        return decode_circular(body)
    decoder = _DECODERS.get(stream)
    if decoder is None:
        raise UndecodablePayload(f"Messages of the stream {stream} name no event.")
    return decoder(read_record(body), received)


def _stream_of(record: Record) -> str | None:
    if "superevent_id" in record:
        return None
    schema = _schema_path(record.get("$schema"))
    by_schema = next((stream for start, stream in SCHEMAS.items() if schema.startswith(start)), None)
    # A search around an event has the schema of an alert too, so the nearby alerts come last.
    return by_schema or _stream_by_keys(record) or recognize_nearby_alert(record)


def _stream_by_keys(record: Record) -> Stream | None:
    if "circularId" in record or record.get("format") == "circular" or _is_mail(record):
        return Stream.CIRCULARS
    if "ref_ID" in record and ("pval_generic" in record or "coincident_events" in record):
        return Stream.ICECUBE
    if "follow_up_event" in record:
        return Stream.GUANO
    data = record.get("data")
    if any(
        "gcn_crossmatch" in target for target in mappings(mapping(data).get("targets"), fields.MAX_ENTRIES)
    ):
        return Stream.BOOM
    if "title" in record and isinstance(data, Mapping) and len(_HERMES_KEYS & record.keys()) >= 2:
        return Stream.HERMES
    return None


def _is_mail(record: Record) -> bool:
    header = mapping(record.get("header"))
    return "body" in record and {"number", "subject"} <= {str(name).casefold() for name in header}


def _schema_path(value: object) -> str:
    """Return the path of a schema of GCN without its version: "/gcn/notices/boom/alert.schema.json"."""
    address = line(value).casefold()
    _, found, path = address.partition("/gcn/")
    return f"/gcn/{path}" if found and "gcn.nasa.gov/schema" in address else ""
