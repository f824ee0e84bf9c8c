"""The types that every source shares: a payload, its origin, a source's status, and the `Source` protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bot.setting_types.topics import UNKNOWN_STREAM as UNKNOWN_STREAM
from formatters.models.source_status import SourceStatus as SourceStatus


class SourceConfigError(Exception):
    """A source can't be set up with these settings; the message is one sentence for a person."""


LIVE_SOURCES = ("hopskotch", "gcn")
"""The names of the brokers' sources, as stored with a notice."""
GRACEDB = "gracedb"
"""The source of payloads that were built from GraceDB's answers."""
FILE = "file"
"""The source of payloads that somebody read in from files."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a payload, and where in it the payload was."""

    source: str
    """"hopskotch", "gcn", "file" or "gracedb"."""
    location: str
    """For the log: topic, partition and offset, or a file's name."""
    live: bool
    """True if the payload may open root messages: from a broker, the demo or `replay --post`."""
    stream: str | None = None
    """The stream of messages that the topic brings beside LVK's notices: a value of `Stream`, a kind of
    nearby alert, or UNKNOWN_STREAM, where each message's content tells it; None for notices, and where
    nothing is known of the payload (files). A payload of a stream, known or not, is never read as a
    notice."""
    archive: str | None = None
    """The display name of the archive the payload came from; None for a broker's or a file's payload."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes as a source delivered them."""

    body: bytes
    origin: Origin
    ack_token: object = None
    """Opaque: what the source needs to acknowledge this payload."""


class Source(Protocol):
    """A reader of payloads. A payload that wasn't acknowledged comes again after a restart."""

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads, reconnecting as often as needed, until `stop` is called."""
        ...

    async def acknowledge(self, payload: Payload) -> None:
        """Mark a payload as stored, so that it isn't delivered again."""
        ...

    async def stop(self) -> None:
        """End `payloads` and close the connection, within 4 s even if the broker hangs."""
        ...

    def status(self) -> SourceStatus:
        """Return the current state."""
        ...
