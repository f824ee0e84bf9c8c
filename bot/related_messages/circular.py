"""Decoding of a GCN Circular (GCN's schema gcn/circulars.schema.json, topic `gcn.circulars`).

GCN sends a circular again when its moderators edit it: then it has `editedOn`, the time of that version
(nasa-gcn/gcn.nasa.gov, app/table-streams/circulars). hop's own form, a header as in mail with a body, is read
too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.alerts.payload import Record, UndecodablePayload, read_record
from bot.related_messages import circular_subject
from bot.related_messages.message_fields import count, ids_in_text, line, plausible_time
from bot.related_messages.positions_in_text import find_positions
from formatters.models.notice import SUPEREVENT_ID, canonical_id
from formatters.models.related_message import RelatedMessage, Stream

CIRCULAR_ID_KEY = b'"circularId"'
MAX_BODY = 2**20
"""The longest part of a text that is read, in characters; real ones have a few thousand."""

_MAX_CIRCULAR_NUMBER = 10**9
_OPENING = 600
"""How much of a text counts as its beginning, in characters."""
_LVK_OPENING = re.compile(r"\s*The LIGO Scientific Collaboration\b.{0,200}?\breports?\b", re.DOTALL)
"""How the texts of LVK's own circulars begin."""
_OTHER_EVENT = re.compile(
    r"\b(?:GRB|XRF|SGR|FRB|AXP|EP|EPW|XRT|XRB|IceCube(?:-Cascade)?|HAWC|ANTARES|KM3|Swift ?J|MAXI ?J|SVOM|sb"
    r"|Swift trigger|Fermi trigger|IBAS|INTEGRAL|V|PSR|1RXS|4U|GS|GRS|Nova)[ ._#-]{0,2}[A-Z]{0,2}\d",
    re.IGNORECASE | re.ASCII,
)
_OPTICAL_TRANSIENT = re.compile(
    r"(?:AT|SN|ZTF|ATLAS|PS|DECam|DG|GOTO|BlackGEM|LSST|TNS)[ -]?\d", re.IGNORECASE
)
_BODY_ID = re.compile(r"(?<![A-Za-z0-9/=])[MT]?S\d{6}[a-z]{1,12}(?![A-Za-z0-9])", re.ASCII)
"""An id in a text, but not in an address; GW170817 and the like stand in texts for comparison only."""
_DATED = re.compile(r"S\d{6}", re.ASCII)
"""A part of every id; a pattern that begins with a letter scans a text fifty times as fast."""
_ABOUT = re.compile(
    r"\b(?:LIGO|Virgo|KAGRA|LVK|LVC|GW|gravitational.waves?|candidates?|counterparts?|events?|triggers?|alerts?"
    r"|mergers?|sources?|signals?|superevents?|locali[sz]ations?|sky.?maps?|detection|follow-?ups?)"
    r"(?: (?:candidate|event|trigger|alert|merger|source|signal|superevent|of|to|for|the|in|with|named|ID"
    r"|is)){0,4}"
    r"[ (:#-]{0,3}$",
    re.IGNORECASE,
)
_LOOK_BACK = 120
_AGE_OF_NEWS = timedelta(days=60)
"""How old an event may be that a text is about though the subject doesn't name it."""
_BLANKS = re.compile(r"\s+")


def decode_circular(body: bytes) -> RelatedMessage:
    """Decode a circular; its text is read for positions and, carefully, for the event. Raises
    UndecodablePayload.

    It is about the events in its subject and in GCN's event id, which GCN makes out of the subject. An event
    in the text alone counts only where the circular can hardly be about anything else: see `_id_in_body`.
    """
    return _message(_gcn_form(read_record(body)))


def _message(record: Record) -> RelatedMessage:
    number = count(record.get("circularId"))
    if number is None or not 0 < number < _MAX_CIRCULAR_NUMBER:
        raise UndecodablePayload("The circular has no usable circularId.")
    created = _milliseconds(record.get("createdOn"))
    if created is None:
        raise UndecodablePayload("The circular has no usable createdOn.")
    edited = _milliseconds(record.get("editedOn"))
    is_edited = edited is not None and edited > created
    text = record.get("body")
    text = text[:MAX_BODY] if isinstance(text, str) else ""
    subject = circular_subject.parse_subject(line(record.get("subject")))
    opens_as_lvk = _LVK_OPENING.match(text[:_OPENING]) is not None
    is_retraction = circular_subject.retracts_event(subject, opens_as_lvk=opens_as_lvk)
    return RelatedMessage(
        stream=Stream.CIRCULARS,
        key=str(number),
        created=edited if edited is not None and is_edited else created,
        first_created=created if is_edited else None,
        superevent_ids=(subject.lvk_id,)
        if is_retraction and subject.lvk_id is not None
        else _superevent_ids(subject, line(record.get("eventId")), text, created),
        kind=circular_subject.classify(subject, opens_as_lvk=opens_as_lvk),
        subject=subject.text or f"Circular {number} without a subject",
        # Mail addresses aren't stored; a reader finds them on the circular's page.
        author=line(record.get("submitter")),
        number=number,
        retracts_event=is_retraction,
        positions=find_positions(text),
    )


def _superevent_ids(
    subject: circular_subject.CircularSubject, event: str, text: str, created: datetime
) -> tuple[str, ...]:
    named = circular_subject.ids_in_subject(subject.text, event)
    if named or ids_in_text(subject.text):
        return named
    found = _id_in_body(subject.text, event, text, created)
    return () if found is None else (found,)


def _id_in_body(subject: str, event: str, text: str, created: datetime) -> str | None:
    """Return the event that a circular is about if only its text names it, else None.

    Texts cite other events for comparison, as history, and in lists of references. Therefore all of this must
    hold: the subject names no other event (a burst, a neutrino; an optical transient is none, it is what was
    found); the whole text has one id of LVK's candidates, outside of addresses; one mention of it stands in
    the beginning, behind a word that makes it the event observed ("counterpart of", "LVK event"), in a
    sentence that compares nothing before; and the event is younger than 60 days.
    """
    if _OTHER_EVENT.search(subject) or (event and not _OPTICAL_TRANSIENT.match(event)):
        return None
    if not _DATED.search(text):
        return None
    found = {canonical_id(one) for one in set(_BODY_ID.findall(text))}
    superevent_id = found.pop() if len(found) == 1 else None
    date = SUPEREVENT_ID.fullmatch(superevent_id) if superevent_id else None
    if superevent_id is None or date is None:
        return None
    try:
        day = datetime.strptime(date["date"], "%y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    if not day <= created <= day + _AGE_OF_NEWS:
        return None
    opening = _BLANKS.sub(" ", text[: 2 * _OPENING])
    starts = (match.start() for match in _BODY_ID.finditer(opening))
    leads = (opening[max(0, start - _LOOK_BACK) : start] for start in starts)
    is_about = any(
        _ABOUT.search(lead) and not circular_subject.COMPARING_WORD.search(lead.rpartition(". ")[2])
        for lead in leads
    )
    return superevent_id if is_about else None


def _gcn_form(record: Record) -> Record:
    """Return a circular in GCN's keys; hop's form has a mail's header: number, subject, date, from."""
    inner = record.get("content") if record.get("format") == "circular" else record
    if not isinstance(inner, Mapping) or not isinstance(header := inner.get("header"), Mapping):
        return record
    by_name = {name.casefold(): value for name, value in header.items() if isinstance(name, str)}
    return {
        "circularId": by_name.get("number"),
        "subject": by_name.get("subject"),
        "submitter": by_name.get("from"),
        "createdOn": _header_date(by_name.get("date")),
        "body": inner.get("body"),
    }


def _header_date(value: object) -> float | None:
    """Return milliseconds since 1970 for "23/09/27 16:18:47 GMT"."""
    try:
        return datetime.strptime(line(value), "%y/%m/%d %H:%M:%S GMT").replace(tzinfo=UTC).timestamp() * 1000
    except ValueError:
        return None


def _milliseconds(value: object) -> datetime | None:
    """Return the time of milliseconds since 1970."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return plausible_time(datetime.fromtimestamp(value / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None
