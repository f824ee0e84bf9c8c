"""A GCN Circular, as far as gwevent reads one."""

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
    """One circular, without its text: that stands at its address."""

    number: int
    """GCN's own, above 0."""
    subject: str
    author: str
    """Name and institution as GCN writes them, without the mail address; can be empty."""
    created: datetime
    superevent_ids: tuple[str, ...]
    """Those that its subject or GCN's event id names, as LVK writes them; can be empty."""

    @property
    def url(self) -> str:
        """Where it can be read."""
        return URL_TEMPLATE.format(self.number)


def named_superevent_ids(subject: str, event: str = "") -> tuple[str, ...]:
    """The superevents that a subject and GCN's event id ("LIGO/Virgo/KAGRA S241125n") name, each once.

    An id that isn't of LVK's form is known by the second alone: in a sentence any word could be one.
    """
    found = [
        canonical_id(match[0]) for text in (subject, event) for match in _SUPEREVENT_ID_IN_TEXT.finditer(text)
    ]
    word = event.rpartition(" ")[2]
    if _LVK_PREFIX.match(event) and not _SUPEREVENT_ID_IN_TEXT.search(event):
        found.append(parse_event_id(word))
    return tuple(dict.fromkeys(superevent_id for superevent_id in found if superevent_id is not None))
