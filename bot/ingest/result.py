"""The outcomes of a payload."""

from __future__ import annotations

from enum import StrEnum


class IngestResult(StrEnum):
    """The outcome of a payload; after any of them it may be acknowledged. The values are metric labels."""

    STORED = "stored"
    DUPLICATE = "repeat"
    QUARANTINED = "quarantined"
    CIRCULAR = "circulars"
    """A circular about an event, new or not."""
    RELATED_MESSAGE = "messages"
    """A message of another stream about an event, new or not."""
    NEARBY_ALERT = "nearby_alerts"
    """A burst or neutrino that names no event, new or not."""
    UNRELATED = "unrelated"
    """A message that names no event of LVK's: it isn't stored."""
    UNREADABLE_MESSAGE = "quarantined_messages"
    """A message of a stream that went to quarantine: no alert of LVK's is missing."""

    @property
    def is_about_notice(self) -> bool:
        """True if the payload was a notice, or may have been a broken one."""
        return self in (IngestResult.STORED, IngestResult.DUPLICATE, IngestResult.QUARANTINED)

    @property
    def is_quarantined(self) -> bool:
        """True if the payload is kept in quarantine."""
        return self in (IngestResult.QUARANTINED, IngestResult.UNREADABLE_MESSAGE)
