"""Where payloads come from. Each source yields payloads in order and takes acknowledgements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from formatters.models.source_status import SourceStatus as SourceStatus


class SourceConfigError(Exception):
    """A source can't be set up as the settings say; its text is one sentence for a person."""


LIVE_SOURCES = ("hopskotch", "gcn")
"""The brokers' sources."""
GRACEDB = "gracedb"
"""The source of what was looked up in GraceDB."""
FILE = "file"
"""The source of what somebody fed in."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a payload came from."""

    source: str
    """"hopskotch", "gcn", "file", "gracedb"."""
    location: str
    """For the log: topic, partition and offset, or a file's name."""
    live: bool
    """Whether it may open root messages (law 2): the broker, the demo, `replay --post`."""
    archive: str | None = None
    """The archive it was looked up in, as people call it; None for what a source or a file brought."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes as a source delivered them."""

    body: bytes
    origin: Origin
    ack_token: object = None
    """What the source needs to acknowledge it; nobody else looks inside."""


class Source(Protocol):
    """Yields payloads; a payload not acknowledged comes again after a restart."""

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads for ever, reconnecting by itself; ends only after `stop`."""
        ...

    async def acknowledge(self, payload: Payload) -> None:
        """Tell the source that this payload needs never come again."""
        ...

    async def stop(self) -> None:
        """End `payloads` and let go of the broker, within 4 s even if it hangs."""
        ...

    def status(self) -> SourceStatus:
        """How it is doing now."""
        ...
