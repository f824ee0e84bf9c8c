"""Decoding of a GCN Circular's bytes (GCN's schema gcn/circulars.schema.json, topic `gcn.circulars`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from bot.alerts.payload import UndecodablePayload, read_record
from formatters.models.circular import Circular, named_superevent_ids

_CIRCULAR_ID_KEY = b'"circularId"'
_MAX_CIRCULAR_NUMBER = 10**9
_EMAIL_ADDRESS = re.compile(r"\s*[<(]?\S+@\S+[>)]?")


def is_circular(body: bytes) -> bool:
    """Return True if the content of a payload is that of a circular and not of a notice."""
    return body.lstrip()[:1] == b"{" and _CIRCULAR_ID_KEY in body and b'"alert_type"' not in body


def read_circular(body: bytes) -> Circular:
    """Decode a circular, without its text. Raises UndecodablePayload."""
    record = read_record(body)
    number, created = record.get("circularId"), record.get("createdOn")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < _MAX_CIRCULAR_NUMBER:
        raise UndecodablePayload("The circular has no usable circularId.")
    subject = _text(record, "subject")
    return Circular(
        number=number,
        subject=subject,
        # Mail addresses aren't stored; a reader finds them on the circular's page.
        author=_EMAIL_ADDRESS.sub("", _text(record, "submitter")).strip(),
        created=_parse_created_on(created),
        superevent_ids=named_superevent_ids(subject, _text(record, "eventId")),
    )


def _text(record: Mapping[str, object], key: str) -> str:
    value = record.get(key)
    return value[:1_000] if isinstance(value, str) else ""


def _parse_created_on(value: object) -> datetime:
    """Return the time of milliseconds since 1970. Raises UndecodablePayload."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise UndecodablePayload("The circular has no usable createdOn.") from None
