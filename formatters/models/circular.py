"""A GCN Circular: its metadata, and the superevents that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from formatters.models.notice import SUPEREVENT_ID, canonical_id, parse_event_id

URL_TEMPLATE = "https://gcn.nasa.gov/circulars/{}"


_SUPEREVENT_ID_IN_TEXT = re.compile(rf"(?<![A-Za-z0-9]){SUPEREVENT_ID.pattern}(?![A-Za-z0-9])", re.IGNORECASE)


_LVK_PREFIX = re.compile(r"(LIGO|Virgo|KAGRA|LVK|LVC)[/ ]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circular:
    """A GCN Circular without its body, which is linked by `url`."""

    number: int
    """GCN's number of the circular, greater than 0."""
    subject: str
    author: str
    """Name and institution in GCN's form, without the e-mail address; may be empty."""
    created: datetime
    superevent_ids: tuple[str, ...]
    """Canonical ids of the superevents named by the subject or by GCN's event id; may be empty."""

    @property
    def url(self) -> str:
        """Address of the circular's page at GCN."""
        return URL_TEMPLATE.format(self.number)


def named_superevent_ids(subject: str, event: str = "") -> tuple[str, ...]:
    """Return the ids of the superevents that a circular names, each once.

    `event` is GCN's event id ("LIGO/Virgo/KAGRA S241125n"). An id that is not in LVK's usual form is only
    recognised there: in a subject, any word could be one.
    """
    found = [
        canonical_id(match[0]) for text in (subject, event) for match in _SUPEREVENT_ID_IN_TEXT.finditer(text)
    ]
    word = event.rpartition(" ")[2]
    if _LVK_PREFIX.match(event) and not _SUPEREVENT_ID_IN_TEXT.search(event):
        found.append(parse_event_id(word))
    return tuple(dict.fromkeys(superevent_id for superevent_id in found if superevent_id is not None))
