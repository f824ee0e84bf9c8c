"""Reports of counterpart candidates: the positions of the messages about an event, and people's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from bot.counterparts.names import is_ordinal, split_names
from formatters.models.counterpart import CandidateSource, Decision
from formatters.models.related_message import (
    CANDIDATE_STREAMS,
    MessageKind,
    RelatedMessage,
    ReportedPosition,
    StoredMessage,
    Stream,
)

MAX_REPORTS = 10_000
"""Most positions of messages that are compared: merging them takes three seconds."""

_LABELS = {
    Stream.ICECUBE: "IceCube",
    Stream.GUANO: "Swift BAT GUANO",
    Stream.BOOM: "BOOM",
    Stream.HERMES: "HERMES",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One position of one message, or one that a person added."""

    names: tuple[str, ...]
    """Names of the source as they are shown; empty if it has none."""
    position: ReportedPosition
    source: CandidateSource


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedCandidate:
    """A candidate that a person of a channel added."""

    name: str
    position: ReportedPosition
    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDecision:
    """A decision of a channel about a candidate, by the name that the candidate had then."""

    name: str
    decision: Decision
    user_id: str
    at: datetime


def message_reports(messages: Iterable[StoredMessage]) -> list[Report]:
    """Return the positions of messages about one event, each message in its newest version.

    Messages that were withdrawn have none. Of upper limits only named positions count, since the others are
    where a telescope pointed. Of more than MAX_REPORTS, BOOM's and HERMES' go before the others, the oldest
    first.
    """
    newest: dict[tuple[Stream, str], RelatedMessage] = {}
    for stored in messages:
        message = stored.message
        other = newest.get((message.stream, message.key))
        if other is None or message.created > other.created:
            newest[message.stream, message.key] = message
    reports = []
    for message in newest.values():
        if message.is_retracted:
            continue
        source = message_source(message)
        for position in message.positions:
            names = _designations(position.name, message)
            if not _is_on_sky(position) or (not names and message.kind is MessageKind.UPPER_LIMITS):
                continue
            reports.append(Report(names=names, position=position, source=source))
    if len(reports) > MAX_REPORTS:
        reports.sort(key=lambda one: one.source.reported, reverse=True)
        reports.sort(key=lambda one: one.source.stream in CANDIDATE_STREAMS)
    return reports[:MAX_REPORTS]


def added_reports(added: Iterable[AddedCandidate]) -> list[Report]:
    """Return the candidates that people added, as reports."""
    return [
        Report(
            names=split_names(one.name),
            position=one.position,
            source=CandidateSource(label="", reported=one.at, user_id=one.user_id),
        )
        for one in added
        if _is_on_sky(one.position)
    ]


def message_source(message: RelatedMessage) -> CandidateSource:
    """Return the name of a message as a source: "GCN 34763"."""
    if message.number is not None:
        label = f"GCN {message.number}"
    else:
        # A stream that isn't in the table is called by its own word.
        label = _LABELS.get(message.stream, str(message.stream))
    return CandidateSource(
        label=label, reported=message.sent, stream=message.stream, kind=message.kind, url=message.url
    )


def _designations(text: str, message: RelatedMessage) -> tuple[str, ...]:
    """Return the names in a message's words; without a digit they are a description, which many may share.

    What only numbers the sources of one message ("source 1", "C2") is another source in the next one, so that
    its name begins with the message's: "GCN 45005 source 1". A message without a number has no such names.
    """
    names = [name for name in split_names(text) if any(character.isdigit() for character in name)]
    if message.number is None:
        return tuple(name for name in names if not is_ordinal(name))
    return tuple(f"GCN {message.number} {name}" if is_ordinal(name) else name for name in names)


def _is_on_sky(position: ReportedPosition) -> bool:
    return isfinite(position.ra) and isfinite(position.dec) and abs(position.dec) <= 90
